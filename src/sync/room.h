// Bounds what a run holds of manifests while it reads images.
#ifndef IMAGE_LIBRARY_SYNC_ROOM_H_
#define IMAGE_LIBRARY_SYNC_ROOM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "registry/task.h"

namespace image_library::sync {

/// A semaphore of bytes. A reader of an image enters before its request, when the size of the
/// answer is unknown: it takes as much as recent answers took, and Hold corrects that. A burst of
/// large manifests exceeds the limit by a few of them, and the others wait.
class Room {
 public:
  /// What one image holds; left by hand, since a run that is cancelled resumes nobody.
  struct Place {
    bool inside = false;
    std::int64_t bytes = 0;
  };

  /// bytes: of all images together; largest: what the first ones are expected to hold.
  Room(std::size_t bytes, std::size_t largest)
      : free_(static_cast<std::int64_t>(bytes)),
        largest_(static_cast<std::int64_t>(largest)),
        expected_(largest_) {}
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  /// Waits until there is room, first come first served; at once for who is inside.
  registry::Task<void> Enter(Place& place) {
    if (place.inside) co_return;
    if (!waiting_.Empty() || !Fits()) {
      co_await waiting_.Wait();  // Leave made room for this one
    } else {
      ++inside_;
      free_ -= expected_;
    }
    place = {true, expected_};
  }

  /// The place holds so many bytes (it counts as 1 MiB at least). Never waits.
  void Hold(Place& place, std::size_t bytes) {
    if (!place.inside) return;
    const auto held = std::max(static_cast<std::int64_t>(bytes), kLeast);
    free_ += place.bytes - held;
    place.bytes = held;
    expected_ = std::clamp(held, std::max(expected_ / 2, kLeast), largest_);
    LetIn();
  }

  /// Nothing for who is outside.
  void Leave(Place& place) {
    if (!place.inside) return;
    free_ += place.bytes;
    --inside_;
    place = {};
    LetIn();
  }

 private:
  static constexpr std::int64_t kLeast = 1 << 20;

  bool Fits() const { return inside_ == 0 || free_ >= expected_; }

  void LetIn() {
    if (letting_in_) return;
    letting_in_ = true;
    while (!waiting_.Empty() && Fits()) {
      ++inside_;
      free_ -= expected_;
      waiting_.ResumeOne();
    }
    letting_in_ = false;
  }

  std::int64_t free_;
  const std::int64_t largest_;
  std::int64_t expected_;
  int inside_ = 0;
  bool letting_in_ = false;
  registry::WaitQueue waiting_;
};

}  // namespace image_library::sync

#endif
