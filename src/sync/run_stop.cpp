#include "sync/run_stop.h"

namespace image_library::sync {

void RunStop::Stop(const Error& error) {
  if (!reason_) reason_ = error;
}

void RunStop::Failed(const Error& error) {
  if (!error.temporary()) return;
  ++failures_in_a_row_;
  if (error.kind() == ErrorKind::kRateLimited || failures_in_a_row_ >= most_failures_) Stop(error);
}

}  // namespace image_library::sync
