// Work that is done once for all who need it in one turn of the event loop.
#ifndef IMAGE_LIBRARY_SYNC_TURN_WORK_H_
#define IMAGE_LIBRARY_SYNC_TURN_WORK_H_

#include <exception>
#include <memory>
#include <utility>

#include "registry/http.h"
#include "registry/task.h"

namespace image_library::sync {

/// Gathers what a job is about until the turn ends, since each call of the store is a transaction:
///   const auto part = turn_.Enter(takes_it);
///   ... add to part->job ...
///   co_await turn_.Finish(part, *this, &Owner::Work);
///   ... take the result from part->job ...
template <typename Job>
class TurnWork {
 public:
  /// Owned by those who wait for it: the run may be cancelled meanwhile.
  struct Shared {
    Job job;
    bool has_leader = false;  ///< who does the job
    std::exception_ptr error;
    registry::WaitQueue waiting;
  };

  /// The transport must outlive it.
  explicit TurnWork(registry::Transport& transport) : transport_(transport) {}
  TurnWork(const TurnWork&) = delete;
  TurnWork& operator=(const TurnWork&) = delete;

  /// The job that is open, if `takes(job)`; else a new one.
  template <typename Takes>
  std::shared_ptr<Shared> Enter(const Takes& takes) {
    if (open_ == nullptr || !takes(open_->job)) open_ = std::make_shared<Shared>();
    return open_;
  }

  /// Waits until the job is done: by who comes here first, when the turn ends. Throws what the work
  /// throws, to everyone.
  template <typename Owner>
  registry::Task<void> Finish(std::shared_ptr<Shared> part, Owner& owner,
                              registry::Task<void> (Owner::*work)(Job&)) {
    Shared& shared = *part;
    if (std::exchange(shared.has_leader, true)) {
      co_await shared.waiting.Wait();
    } else {
      try {
        // Timers end after everything else that the turn brought.
        co_await transport_.Sleep(0);
      } catch (...) {
        shared.error = std::current_exception();
      }
      if (open_ == part) open_.reset();
      try {
        if (!shared.error) co_await (owner.*work)(shared.job);
      } catch (...) {
        shared.error = std::current_exception();
      }
      shared.waiting.ResumeAll();
    }
    if (shared.error) std::rethrow_exception(shared.error);
  }

 private:
  registry::Transport& transport_;
  std::shared_ptr<Shared> open_;  ///< takes more
};

}  // namespace image_library::sync

#endif
