// A map that forgets what nobody has asked for lately.
#ifndef IMAGE_LIBRARY_REGISTRY_RECENT_H_
#define IMAGE_LIBRARY_REGISTRY_RECENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace image_library::registry {

/// At most so many values; with one more, the one that was used longest ago is forgotten. Values
/// that somebody still has are in use: they are never forgotten, and may be more than that.
template <typename Key, typename Value>
class Recent {
 public:
  using Pointer = std::shared_ptr<Value>;

  explicit Recent(std::size_t most) : most_(most) {}

  /// The value of a key, made anew where there is none.
  template <typename... Arguments>
  Pointer Get(const Key& key, Arguments&&... arguments) {
    if (Pointer found = Find(key)) return found;
    Pointer made = std::make_shared<Value>(std::forward<Arguments>(arguments)...);
    values_[key] = {made, ++uses_};
    while (values_.size() > most_ && ForgetOldest()) {
    }
    return made;
  }

  /// Nothing where there is none.
  Pointer Find(const Key& key) { return Use(values_.find(key)); }

  /// The value of the first key that is not before this one, if `matches` says so of it.
  template <typename Matches>
  Pointer FindFrom(const Key& key, Matches matches) {
    const auto found = values_.lower_bound(key);
    return found != values_.end() && matches(found->first) ? Use(found) : nullptr;
  }

  std::size_t size() const noexcept { return values_.size(); }

 private:
  struct Entry {
    Pointer value;
    std::uint64_t used = 0;
  };
  using Entries = std::map<Key, Entry>;

  Pointer Use(typename Entries::iterator entry) {
    if (entry == values_.end()) return nullptr;
    entry->second.used = ++uses_;
    return entry->second.value;
  }

  // False when all are in use.
  bool ForgetOldest() {
    auto oldest = values_.end();
    for (auto entry = values_.begin(); entry != values_.end(); ++entry) {
      if (entry->second.value.use_count() > 1) continue;
      if (oldest == values_.end() || entry->second.used < oldest->second.used) oldest = entry;
    }
    if (oldest == values_.end()) return false;
    values_.erase(oldest);
    return true;
  }

  const std::size_t most_;
  std::uint64_t uses_ = 0;
  Entries values_;
};

}  // namespace image_library::registry

#endif
