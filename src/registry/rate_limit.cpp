#include "registry/rate_limit.h"

#include <ctime>

#include "core/http_header.h"

namespace image_library::registry {

void RateLimit::Learn(const Response& response) {
  const auto remaining_now = ParseRateLimit(response.Header("ratelimit-remaining"));
  const auto limit_now = ParseRateLimit(response.Header("ratelimit-limit"));
  if (remaining_now) remaining = remaining_now->requests;
  if (limit_now) limit = limit_now->requests;
  for (const auto& value : {remaining_now, limit_now}) {
    if (value && value->window > 0) window = value->window;
  }
}

std::optional<std::int64_t> RetryAfter(const Response& response) {
  return ParseRetryAfter(response.Header("retry-after"), std::time(nullptr));
}

bool IsLimitRefusal(const Response& response) {
  return response.status == 429 || (response.status == 503 && RetryAfter(response));
}

}  // namespace image_library::registry
