// One large listing at a time.
#ifndef IMAGE_LIBRARY_REGISTRY_LISTING_TURN_H_
#define IMAGE_LIBRARY_REGISTRY_LISTING_TURN_H_

#include "registry/task.h"

namespace image_library::registry {

/// The turn to hold a listing of more than limit::kSmallListing: of those who share the lock one
/// has it. It is given back by hand, when the listing is no longer held: a run that is cancelled
/// resumes nobody.
class ListingTurn {
 public:
  explicit ListingTurn(Mutex& free) noexcept : free_(free) {}
  ListingTurn(const ListingTurn&) = delete;
  ListingTurn& operator=(const ListingTurn&) = delete;

  bool taken() const noexcept { return taken_; }

  /// False when somebody else has it.
  bool TryTake() noexcept {
    if (!taken_) taken_ = free_.TryAcquire();
    return taken_;
  }

  /// Waits for it. Whoever waits should hold little: it may take as long as a large repository.
  Task<void> Take() {
    if (taken_) co_return;
    co_await free_.Acquire();
    taken_ = true;
  }

  /// Nothing when it is not taken. Who waits for it resumes inside this call.
  void Leave() {
    if (!taken_) return;
    taken_ = false;
    free_.Release();
  }

 private:
  Mutex& free_;
  bool taken_ = false;
};

}  // namespace image_library::registry

#endif
