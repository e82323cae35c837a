// What a registry says of how much may be asked of it. This is the one reader of these headers: who
// keeps what they say is sync::LimitedTransport for a run, and the probe for a check.
#ifndef IMAGE_LIBRARY_REGISTRY_RATE_LIMIT_H_
#define IMAGE_LIBRARY_REGISTRY_RATE_LIMIT_H_

#include <cstdint>
#include <optional>

#include "registry/http.h"

namespace image_library::registry {

/// Docker Hub's `ratelimit-limit` and `ratelimit-remaining`; nothing where the registry says
/// nothing.
struct RateLimit {
  std::optional<std::int64_t> limit;      ///< requests in a window
  std::optional<std::int64_t> remaining;  ///< of them
  std::int64_t window = 0;                ///< seconds; 0 when it does not say

  /// Takes over what an answer says; what it does not say stays.
  void Learn(const Response& response);
};

/// Seconds from 1 to 3,600 that the registry asks to be left alone; nothing without a Retry-After
/// that can be read.
std::optional<std::int64_t> RetryAfter(const Response& response);

/// The registry refused the request because of too many: 429, or 503 with a Retry-After that can be
/// read. Such a request is sent again by sync::LimitedTransport alone, which knows of all requests.
bool IsLimitRefusal(const Response& response);

}  // namespace image_library::registry

#endif
