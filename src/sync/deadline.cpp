#include "sync/deadline.h"

#include <utility>

#include "core/error.h"

namespace image_library::sync {

using registry::Request;
using registry::Response;
using registry::Task;

Task<Response> DeadlineTransport::Send(const Request& request) {
  if (limit_.count() > 0 && elapsed() >= limit_) {
    const Error error(ErrorKind::kBudget, "the run took longer than image_library.run_timeout", {},
                      "The next run goes on from here.");
    if (!std::exchange(ended_run_, true)) inner_.DropQueued(std::make_exception_ptr(error));
    throw error;
  }
  return inner_.Send(request);
}

}  // namespace image_library::sync
