// Requests that are sent again after a temporary failure.
#ifndef IMAGE_LIBRARY_REGISTRY_RETRY_H_
#define IMAGE_LIBRARY_REGISTRY_RETRY_H_

#include <cstdint>
#include <optional>
#include <random>

#include "registry/http.h"
#include "registry/task.h"
#include "registry/types.h"

namespace image_library::registry {

/// Sends requests by RetryPolicy: again after a failure that may pass, with a pause that doubles.
class RetryingSender {
 public:
  /// The transport must outlive the sender.
  RetryingSender(Transport& transport, RetryPolicy policy);

  /// The first answer that is not temporary, or the last one when the attempts are spent. Throws
  /// the transport's last Error.
  /// The request must outlive the task.
  Task<Response> Send(const Request& request);

  std::int64_t retries() const noexcept { return retries_; }

 private:
  int Delay(int attempt);

  Transport& transport_;
  const RetryPolicy policy_;
  std::int64_t retries_ = 0;
  std::minstd_rand jitter_;
};

}  // namespace image_library::registry

#endif
