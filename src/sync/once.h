// A cache of what several images of a run share.
#ifndef IMAGE_LIBRARY_SYNC_ONCE_H_
#define IMAGE_LIBRARY_SYNC_ONCE_H_

#include <cstddef>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "registry/task.h"

namespace image_library::sync {

/// A cache bounded in bytes, oldest out first. A caller that asks for a value while it is made
/// waits for it. When it fails, those of the same repository get the same error, and one of another
/// repository makes it; errors are not kept. T has a member `bytes`.
template <typename T>
class Once {
 public:
  using Value = std::shared_ptr<const T>;

  explicit Once(std::size_t bytes) : most_(bytes) {}
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  /// The value of a key; make runs only where there is none.
  registry::Task<Value> Get(std::string key, std::string repository, registry::Task<T> make) {
    for (auto found = entries_.find(key); found != entries_.end(); found = entries_.find(key)) {
      const std::shared_ptr<Entry> entry = found->second;
      if (!entry->value && !entry->error) co_await entry->waiting.Wait();
      if (entry->value) co_return entry->value;
      if (entry->repository == repository) std::rethrow_exception(entry->error);
    }
    const auto entry = std::make_shared<Entry>();
    entry->repository = std::move(repository);
    entries_[key] = entry;
    try {
      entry->value = std::make_shared<const T>(co_await make);
    } catch (...) {
      entry->error = std::current_exception();
    }
    if (entry->error)
      entries_.erase(key);
    else
      Keep(key, entry->value->bytes);
    entry->waiting.ResumeAll();
    if (entry->error) std::rethrow_exception(entry->error);
    co_return entry->value;
  }

 private:
  struct Entry {
    std::string repository;  ///< of who makes it
    Value value;
    std::exception_ptr error;
    registry::WaitQueue waiting;
  };

  void Keep(const std::string& key, std::size_t bytes) {
    bytes += key.size() + sizeof(Entry) + sizeof(T);
    kept_.emplace_back(key, bytes);
    bytes_ += bytes;
    for (; bytes_ > most_; kept_.pop_front()) {
      bytes_ -= kept_.front().second;
      entries_.erase(kept_.front().first);
    }
  }

  const std::size_t most_;
  std::size_t bytes_ = 0;
  std::map<std::string, std::shared_ptr<Entry>> entries_;
  std::deque<std::pair<std::string, std::size_t>> kept_;
};

}  // namespace image_library::sync

#endif
