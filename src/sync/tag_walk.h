// The tags of a repository one after the other, as listed and as known.
#ifndef IMAGE_LIBRARY_SYNC_TAG_WALK_H_
#define IMAGE_LIBRARY_SYNC_TAG_WALK_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sync/known.h"
#include "sync/portions.h"
#include "sync/store.h"

namespace image_library::sync {

/// Goes by name through the tags that are listed, known or have a problem on record. Of what the
/// library knows a portion is in memory at a time.
class TagWalk {
 public:
  struct Options {
    std::size_t portion = 1000;  ///< tags read at once
    bool tags = true;            ///< known tags are wanted
    bool problems = true;        ///< problems are wanted
  };
  static constexpr std::size_t kNotListed = static_cast<std::size_t>(-1);

  struct Step {
    std::string name;
    std::size_t place = kNotListed;  ///< in the listing
    std::optional<KnownTag> known;   ///< nothing: the library does not have it
    std::string problem;             ///< on record; empty: none

    bool listed() const noexcept { return place != kNotListed; }
    /// The library has it, and it is not missing.
    bool present() const noexcept { return known && !known->missing; }
  };

  /// All must outlive it; the listing is sorted. from: the first name.
  TagWalk(Store& store, const std::string& repository, const std::vector<std::string>& listing,
          Options options, const std::string& from = {});

  /// The next tag; nothing at the end. Throws what the Store throws.
  std::optional<Step> Next();

 private:
  const std::vector<std::string>& listing_;
  std::size_t place_ = 0;
  Portions<KnownTag> tags_;
  Portions<KnownProblem> problems_;
};

}  // namespace image_library::sync

#endif
