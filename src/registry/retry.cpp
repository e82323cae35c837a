#include "registry/retry.h"

#include <algorithm>

#include "core/error.h"
#include "registry/rate_limit.h"

namespace image_library::registry {

namespace {

// 522: an edge cache that cannot reach its origin.
bool IsTemporary(const Response& response) {
  switch (response.status) {
    case 503:
      return !IsLimitRefusal(response);
    case 408:
    case 500:
    case 502:
    case 504:
    case 522:
      return true;
    default:
      return false;
  }
}

}  // namespace

RetryingSender::RetryingSender(Transport& transport, RetryPolicy policy)
    : transport_(transport), policy_(policy), jitter_(std::random_device()()) {}

// Milliseconds until the next attempt.
int RetryingSender::Delay(int attempt) {
  const int full =
      std::min(policy_.first_delay_ms << std::min(attempt, 16), policy_.longest_delay_ms);
  return full / 2 + std::uniform_int_distribution<int>(0, full - full / 2)(jitter_);
}

Task<Response> RetryingSender::Send(const Request& request) {
  for (int attempt = 0;; ++attempt) {
    const bool last = attempt + 1 >= policy_.attempts;
    std::optional<Response> response;
    try {
      response = co_await transport_.Send(request);
    } catch (const Error& error) {
      if (last || !error.temporary() || error.kind() == ErrorKind::kRateLimited) throw;
    }
    if (response && (last || !IsTemporary(*response))) co_return std::move(*response);
    ++retries_;
    response.reset();
    co_await transport_.Sleep(Delay(attempt));
  }
}

}  // namespace image_library::registry
