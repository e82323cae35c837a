// What a run may ask of a registry: its own budget, and what the registry lets it ask.
#ifndef IMAGE_LIBRARY_SYNC_LIMITS_H_
#define IMAGE_LIBRARY_SYNC_LIMITS_H_

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "registry/http.h"
#include "registry/task.h"

namespace image_library::sync {

/// How a run slows down when a registry refuses a request with 429, or with 503 and a Retry-After.
struct Pace {
  std::chrono::milliseconds first_pause{250};     ///< without a Retry-After; doubled each time
  std::chrono::milliseconds first_gap{50};        ///< between requests then; doubled each time
  std::chrono::milliseconds longest_gap{2000};    ///< a tenth less with each success
  std::chrono::milliseconds longest_wait{30000};  ///< a longer Retry-After ends the run
  int refusals = 8;                               ///< so many without a success between end it too
};

/// Sends the requests of a run, tokens and retries among them, and remembers for all of them what
/// the registry wants:
///   - a refused request is sent again, after the Retry-After or a pause. Meanwhile none is sent,
///     and afterwards they go with a gap between them, one by one;
///   - a registry that asks to be left alone for longer, or that refuses again and again, is asked
///     nothing more: the refusal is the answer then, and further requests throw Error kBudget;
///   - none is sent beyond the budget of the run, which counts them all;
///   - none is sent once a rate limit that the registry tells (`ratelimit-remaining`, as Docker Hub
///     does) is down to a tenth: the rest is left to those who pull images.
/// The last two throw Error kBudget, which no retry helps.
class LimitedTransport : public registry::Transport {
 public:
  /// The inner transport must outlive it. budget: requests; nothing: no limit. origin: whose rate
  /// headers count; what redirects lead to may tell of limits of its own.
  LimitedTransport(registry::Transport& inner, std::optional<int> budget, const std::string& origin,
                   Pace pace = {})
      : inner_(inner), budget_(budget), origin_(origin + "/"), pace_(pace) {}

  registry::Task<registry::Response> Send(const registry::Request& request) override;
  registry::Task<void> Sleep(int milliseconds) override { return inner_.Sleep(milliseconds); }
  TimePoint Now() const override { return inner_.Now(); }
  void DropQueued(std::exception_ptr failure) override { inner_.DropQueued(std::move(failure)); }

  std::int64_t sent() const noexcept { return sent_; }
  /// Requests that were sent again after a refusal.
  std::int64_t retries() const noexcept { return retries_; }
  std::optional<int> budget() const noexcept { return budget_; }
  /// The registry, not the run's own budget, ended it.
  bool limited() const noexcept { return limited_; }
  /// Seconds that the registry then asked to be left alone, from 1 to 3,600; 0 when it did not say
  /// how long.
  std::int64_t retry_after() const noexcept { return retry_after_; }

 private:
  bool MayPassAtOnce() const;
  registry::Task<void> WaitForTurn();
  bool SlowDown(std::optional<std::int64_t> retry_after, std::uint64_t pauses_before);
  void Succeeded(std::uint64_t pauses_before);
  void LearnRate(const registry::Response& response);

  registry::Transport& inner_;
  const std::optional<int> budget_;
  const std::string origin_;
  const Pace pace_;
  std::int64_t sent_ = 0;
  std::int64_t retries_ = 0;
  bool limited_ = false;
  bool closed_ = false;
  bool nearly_used_up_ = false;
  std::int64_t retry_after_ = 0;
  // An answer to a request that was sent before a pause does not count after it.
  std::uint64_t pauses_ = 0;
  int refusals_ = 0;  // since the last success
  std::chrono::milliseconds pause_{0};
  std::chrono::milliseconds gap_{0};
  TimePoint not_before_{};
  TimePoint next_at_{};
  registry::Mutex turn_;
};

}  // namespace image_library::sync

#endif
