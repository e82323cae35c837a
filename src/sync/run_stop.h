// When a run stops before its end.
#ifndef IMAGE_LIBRARY_SYNC_RUN_STOP_H_
#define IMAGE_LIBRARY_SYNC_RUN_STOP_H_

#include <optional>

#include "core/error.h"

namespace image_library::sync {

/// The stop flag of a run. A stopped run begins nothing new; what is under way ends.
class RunStop {
 public:
  /// failures: so many temporary ones in a row stop the run.
  explicit RunStop(int failures) : most_failures_(failures) {}

  bool stopped() const noexcept { return reason_.has_value(); }
  /// Why the run was stopped; nothing while it goes on.
  const std::optional<Error>& reason() const noexcept { return reason_; }

  /// Stops the run. Only the first reason is kept.
  void Stop(const Error& error);
  /// Counts a temporary failure. Too many in a row stop the run, and so does kRateLimited at once.
  void Failed(const Error& error);
  /// The registry answered: the next failure is the first in a row.
  void Succeeded() noexcept { failures_in_a_row_ = 0; }

 private:
  const int most_failures_;
  int failures_in_a_row_ = 0;
  std::optional<Error> reason_;
};

}  // namespace image_library::sync

#endif
