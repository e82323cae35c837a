#include "sync/limits.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.h"
#include "registry/rate_limit.h"

namespace image_library::sync {

using registry::Request;
using registry::Response;
using registry::Task;
using std::chrono::milliseconds;

namespace {

constexpr std::int64_t kReserve = 10;  // a tenth of the registry's limit
constexpr milliseconds kSlice(1000);   // how soon waiting requests notice that the run is over
constexpr milliseconds kShortestGap(10);

// Ends the wait for a connection when the registry refuses another request: Send waits its turn.
struct Recalled {};

}  // namespace

Task<Response> LimitedTransport::Send(const Request& request) {
  const bool own = request.url.starts_with(origin_);
  for (;;) {
    if (!MayPassAtOnce()) co_await WaitForTurn();
    if (nearly_used_up_)
      throw Error(ErrorKind::kBudget, "the registry's rate limit is nearly used up", {},
                  "The rest is left to those who pull images; the next run goes on from here.");
    if (budget_ && sent_ >= *budget_)
      throw Error(ErrorKind::kBudget,
                  "the budget of " + std::to_string(*budget_) + " requests per run is used up", {},
                  "The next run goes on from here.");
    ++sent_;
    const std::uint64_t pauses_before = pauses_;
    std::optional<Response> response;
    try {
      response = co_await inner_.Send(request);
    } catch (const Recalled&) {
    }
    if (!response) {
      --sent_;
      continue;
    }
    if (own) LearnRate(*response);
    if (!registry::IsLimitRefusal(*response)) {
      Succeeded(pauses_before);
      co_return std::move(*response);
    }
    if (!SlowDown(registry::RetryAfter(*response), pauses_before)) co_return std::move(*response);
    ++retries_;
  }
}

bool LimitedTransport::MayPassAtOnce() const {
  return !closed_ && gap_.count() == 0 && (pauses_ == 0 || Now() >= not_before_);
}

// Lets requests pass one by one, with a gap after a refusal.
Task<void> LimitedTransport::WaitForTurn() {
  co_await turn_.Acquire();
  for (;;) {
    const TimePoint now = Now();
    const auto wait = std::chrono::ceil<milliseconds>(std::max(not_before_, next_at_) - now);
    if (closed_ || wait.count() <= 0) break;
    try {
      co_await inner_.Sleep(static_cast<int>(std::min(wait, kSlice).count()));
    } catch (...) {  // want of memory: the others wait for this turn
      turn_.Release();
      throw;
    }
  }
  next_at_ = Now() + gap_;
  turn_.Release();
  if (closed_)
    throw Error(ErrorKind::kBudget, "the registry asked to be left alone for a while", {},
                "The next run goes on from here.");
}

// False when the registry is to be left alone from now on.
bool LimitedTransport::SlowDown(std::optional<std::int64_t> retry_after,
                                std::uint64_t pauses_before) {
  // Requests that wait for a connection would be refused too, and the registry counts them.
  inner_.DropQueued(std::make_exception_ptr(Recalled()));
  if (pauses_before == pauses_) {
    ++pauses_;
    ++refusals_;
    pause_ = std::max(pace_.first_pause, 2 * pause_);
    gap_ = std::clamp(2 * gap_, pace_.first_gap, pace_.longest_gap);
  }
  const milliseconds asked = std::chrono::seconds(retry_after.value_or(0));
  if (closed_ || nearly_used_up_ || asked > pace_.longest_wait || refusals_ >= pace_.refusals) {
    limited_ = closed_ = true;
    retry_after_ = std::max(retry_after_, retry_after.value_or(0));
    return false;
  }
  const milliseconds wait = retry_after ? asked : std::min(pause_, pace_.longest_wait);
  not_before_ = std::max(not_before_, Now() + wait);
  return true;
}

void LimitedTransport::Succeeded(std::uint64_t pauses_before) {
  if (pauses_before != pauses_ || pauses_ == 0) return;
  refusals_ = 0;
  pause_ = milliseconds(0);
  gap_ = gap_ * 9 / 10;
  if (gap_ < kShortestGap) gap_ = milliseconds(0);
}

void LimitedTransport::LearnRate(const Response& response) {
  registry::RateLimit rate;
  rate.Learn(response);
  if (rate.remaining && rate.limit && *rate.remaining <= *rate.limit / kReserve)
    limited_ = nearly_used_up_ = true;
}

}  // namespace image_library::sync
