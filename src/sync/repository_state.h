// What is known of one repository while a run reads it.
#ifndef IMAGE_LIBRARY_SYNC_REPOSITORY_STATE_H_
#define IMAGE_LIBRARY_SYNC_REPOSITORY_STATE_H_

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sync/known.h"

namespace image_library::sync {

/// The digests that were added last, many more than a batch has.
class RecentDigests {
 public:
  void Add(std::string digest) {
    if (young_.size() >= kMost) old_ = std::exchange(young_, {});
    young_.insert(std::move(digest));
  }
  bool Has(const std::string& digest) const {
    return young_.count(digest) != 0 || old_.count(digest) != 0;
  }
  /// One that begins so; empty: none does.
  std::string Find(const std::string& beginning) const {
    for (const std::set<std::string>* digests : {&young_, &old_}) {
      const auto found = digests->lower_bound(beginning);
      if (found != digests->end() && found->starts_with(beginning)) return *found;
    }
    return {};
  }
  bool Empty() const noexcept { return young_.empty(); }

 private:
  static constexpr std::size_t kMost = 5000;

  std::set<std::string> young_, old_;
};

/// What the library knew before the run, and what the run has found so far. Filled by
/// RepositorySync and TagReader.
struct RepositoryState {
  explicit RepositoryState(std::string repository) : name(std::move(repository)) {}
  RepositoryState(const RepositoryState&) = delete;
  RepositoryState& operator=(const RepositoryState&) = delete;

  const std::string name;
  KnownRepository known;            ///< empty before it is loaded
  bool was_listed = false;          ///< by this run, to the end
  bool absent = false;              ///< the registry says that there is no such repository
  std::vector<std::string> listed;  ///< sorted
  bool listing_changed = false;     ///< since the last complete listing
  /// Digests of images that this run added to the repository: those that are not in the library
  /// yet are among them.
  RecentDigests new_digests;
};

}  // namespace image_library::sync

#endif
