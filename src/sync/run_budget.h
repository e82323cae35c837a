// What a run has used of its requests and its time.
#ifndef IMAGE_LIBRARY_SYNC_RUN_BUDGET_H_
#define IMAGE_LIBRARY_SYNC_RUN_BUDGET_H_

#include <cstdint>

#include "sync/deadline.h"
#include "sync/limits.h"

namespace image_library::sync {

/// Reads a run's transports. Without a budget of requests and without a deadline everything is
/// false.
class RunBudget {
 public:
  /// A moment of the run.
  struct Mark {
    std::int64_t requests;
    DeadlineTransport::Seconds time;
  };

  /// Both must outlive it.
  RunBudget(const LimitedTransport& limits, const DeadlineTransport& deadline)
      : limits_(limits), deadline_(deadline) {}

  Mark Now() const { return {limits_.sent(), deadline_.elapsed()}; }
  /// Half of the requests are sent, or more than half of the time is over.
  bool HalfIsUsed() const;
  /// What began at the mark took more than half of the requests or the time: it would do so again
  /// in the next run.
  bool TookMoreThanHalf(const Mark& since) const;

 private:
  const LimitedTransport& limits_;
  const DeadlineTransport& deadline_;
};

}  // namespace image_library::sync

#endif
