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

// Nothing for a failure of the transport that may pass.
Task<std::optional<Response>> RetryingSender::Try(Request request, bool last) {
  try {
    co_return co_await transport_.Send(std::move(request));
  } catch (const Error& error) {
    if (last || !error.temporary() || error.kind() == ErrorKind::kRateLimited) throw;
  }
  co_return std::nullopt;
}

// Milliseconds until the next attempt.
int RetryingSender::Delay(int attempt) {
  const int full =
      std::min(policy_.first_delay_ms << std::min(attempt, 16), policy_.longest_delay_ms);
  return full / 2 + std::uniform_int_distribution<int>(0, full - full / 2)(jitter_);
}

Task<Response> RetryingSender::Send(Request request) {
  for (int attempt = 0;; ++attempt) {
    const bool last = attempt + 1 >= policy_.attempts;
    Request copy = request;
    std::optional<Response> response = co_await Try(std::move(copy), last);
    if (response && (last || !IsTemporary(*response))) co_return std::move(*response);
    ++retries_;  // without a response it is not the last: Try throws then
    co_await transport_.Sleep(Delay(attempt));
  }
}

}  // namespace image_library::registry
