// What the library knows of a repository by name, read in portions.
#ifndef IMAGE_LIBRARY_SYNC_PORTIONS_H_
#define IMAGE_LIBRARY_SYNC_PORTIONS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sync/known.h"

namespace image_library::sync {

inline const std::string& NameOf(const std::string& name) { return name; }
inline const std::string& NameOf(const KnownTag& tag) { return tag.name; }
inline const std::string& NameOf(const KnownProblem& problem) { return problem.name; }

/// Items in the order of their names, of which one portion is in memory at a time.
template <typename Item>
class Portions {
 public:
  /// At most so many items from a name on; fewer are the last ones.
  using Fetch = std::function<std::vector<Item>(const std::string& from, std::size_t most)>;

  /// most: items of a portion. from: the first name.
  Portions(Fetch fetch, std::size_t most, std::string from = {})
      : fetch_(std::move(fetch)), most_(most), from_(std::move(from)) {}

  /// The item at hand; nullptr after the last one. Throws what the fetch throws.
  Item* Peek() {
    if (at_ == portion_.size() && !last_) Load();
    return at_ < portion_.size() ? &portion_[at_] : nullptr;
  }
  /// Goes on to the next item; only after Peek has given one.
  void Next() { ++at_; }

 private:
  void Load() {
    portion_ = fetch_(from_, most_);
    at_ = 0;
    last_ = portion_.size() < most_;
    // The least text that comes after it: a text of the database has no null character.
    if (!portion_.empty()) from_ = NameOf(portion_.back()) + '\x01';
  }

  const Fetch fetch_;
  const std::size_t most_;
  std::string from_;
  std::vector<Item> portion_;
  std::size_t at_ = 0;
  bool last_ = false;
};

}  // namespace image_library::sync

#endif
