#include "sync/limits.h"

#include <ctime>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/http_header.h"

namespace image_library::sync {

using registry::Request;
using registry::Response;
using registry::Task;

namespace {

constexpr std::chrono::milliseconds kLongestWait(5000);
constexpr std::int64_t kReserve = 10;  // a tenth of the registry's limit

}  // namespace

Task<Response> LimitedTransport::Send(Request request) {
  co_await WaitForTurn();
  if (nearly_used_up_)
    throw Error(ErrorKind::kBudget, "the registry's rate limit is nearly used up", {},
                "The rest is left to those who pull images; the next run goes on from here.");
  if (budget_ && sent_ >= *budget_)
    throw Error(ErrorKind::kBudget,
                "the budget of " + std::to_string(*budget_) + " requests per run is used up", {},
                "The next run goes on from here.");
  ++sent_;
  const bool own = request.url.starts_with(origin_);
  Response response = co_await inner_.Send(std::move(request));
  LearnRetryAfter(response);
  if (own) LearnRate(response);
  co_return std::move(response);
}

Task<void> LimitedTransport::WaitForTurn() {
  if (!not_before_) co_return;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*not_before_ - Clock::now());
  if (wait > kLongestWait)
    throw Error(ErrorKind::kBudget, "the registry asked to be left alone for a while", {},
                "The next run goes on from here.");
  if (wait.count() > 0) co_await inner_.Sleep(static_cast<int>(wait.count()));
}

void LimitedTransport::LearnRetryAfter(const Response& response) {
  const auto after = ParseRetryAfter(response.Header("retry-after"), std::time(nullptr));
  if (response.status == 429 || (response.status == 503 && after)) {
    limited_ = true;
    if (after) {
      retry_after_ = *after;
      not_before_ = Clock::now() + std::chrono::seconds(retry_after_);
    }
  }
}

void LimitedTransport::LearnRate(const Response& response) {
  const auto remaining = ParseRateLimit(response.Header("ratelimit-remaining"));
  const auto limit = ParseRateLimit(response.Header("ratelimit-limit"));
  if (remaining && limit && remaining->requests <= limit->requests / kReserve)
    limited_ = nearly_used_up_ = true;
}

}  // namespace image_library::sync
