#include "registry/retry.h"

#include <algorithm>
#include <ctime>

#include "core/error.h"
#include "core/http_header.h"
#include "registry/status.h"

namespace image_library::registry {

namespace {

// 522: an edge cache that cannot reach its origin.
bool IsTemporary(int status) {
  switch (status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
    case 522:
      return true;
    default:
      return false;
  }
}

Error Closed() {
  return Error(ErrorKind::kRateLimited, "the registry limits requests",
               "It named a time to come back, which is not over.", kLimitHint);
}

}  // namespace

RetryingSender::RetryingSender(Transport& transport, RetryPolicy policy)
    : transport_(transport), policy_(policy), jitter_(std::random_device()()) {}

// Whatever waits its turn would only be refused as well, and held against us.
void RetryingSender::CloseFor(std::int64_t seconds) {
  closed_until_ = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  transport_.DropQueued(Closed());
}

// Nothing for a failure of the transport that may pass.
Task<std::optional<Response>> RetryingSender::Try(Request request, bool last) {
  try {
    co_return co_await transport_.Send(std::move(request));
  } catch (const Error& error) {
    if (last || !error.temporary() || error.kind() == ErrorKind::kRateLimited) throw;
  }
  co_return std::nullopt;
}

// Milliseconds until the next attempt; nothing when it would be too long to wait for.
std::optional<int> RetryingSender::Delay(const std::optional<Response>& response, int attempt) {
  if (response) {
    const auto seconds = ParseRetryAfter(response->Header("retry-after"), std::time(nullptr));
    if (seconds) {
      if (*seconds * 1000 > policy_.longest_wait_ms) {
        CloseFor(*seconds);
        return std::nullopt;
      }
      return static_cast<int>(*seconds * 1000);
    }
  }
  const int full =
      std::min(policy_.first_delay_ms << std::min(attempt, 16), policy_.longest_wait_ms);
  return full / 2 + std::uniform_int_distribution<int>(0, full - full / 2)(jitter_);
}

Task<Response> RetryingSender::Send(Request request) {
  for (int attempt = 0;; ++attempt) {
    if (std::chrono::steady_clock::now() < closed_until_) throw Closed();
    const bool last = attempt + 1 >= policy_.attempts;
    Request copy = request;
    std::optional<Response> response = co_await Try(std::move(copy), last);
    if (response && !IsTemporary(response->status)) co_return std::move(*response);
    const std::optional<int> delay = Delay(response, attempt);
    if (response && (last || !delay)) co_return std::move(*response);
    ++retries_;  // without a response it is not the last: Try throws then
    co_await transport_.Sleep(*delay);
  }
}

}  // namespace image_library::registry
