// What a run may ask of a registry: its own budget, and what the registry lets it ask.
#ifndef IMAGE_LIBRARY_SYNC_LIMITS_H_
#define IMAGE_LIBRARY_SYNC_LIMITS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "registry/http.h"

namespace image_library::sync {

/// Counts every request that a run sends, tokens and retries among them, and sends none
///   - beyond the budget of the run,
///   - before the time that a Retry-After names: waits up to 5 seconds for it, else refuses,
///   - once a rate limit that the registry tells (`ratelimit-remaining`, as Docker Hub does) is
///   down
///     to a tenth: the rest is for those who pull.
/// A refused request throws Error kBudget, which no retry helps.
class LimitedTransport : public registry::Transport {
 public:
  /// The inner transport must outlive it. budget: requests; nothing: no limit. origin: whose rate
  /// headers count; what redirects lead to may tell of limits of its own.
  LimitedTransport(registry::Transport& inner, std::optional<int> budget, const std::string& origin)
      : inner_(inner), budget_(budget), origin_(origin + "/") {}

  registry::Task<registry::Response> Send(registry::Request request) override;
  registry::Task<void> Sleep(int milliseconds) override { return inner_.Sleep(milliseconds); }
  void DropQueued(const Error& error) override { inner_.DropQueued(error); }

  std::int64_t sent() const noexcept { return sent_; }
  std::optional<int> budget() const noexcept { return budget_; }
  /// The registry, not the run's own budget, had enough of us.
  bool limited() const noexcept { return limited_; }
  /// Seconds from the last answer that the registry asks to be left alone, from 1 to 3,600; 0 when
  /// it did not say how long.
  std::int64_t retry_after() const noexcept { return retry_after_; }

 private:
  using Clock = std::chrono::steady_clock;

  registry::Task<void> WaitForTurn();
  void LearnRetryAfter(const registry::Response& response);
  void LearnRate(const registry::Response& response);

  registry::Transport& inner_;
  const std::optional<int> budget_;
  const std::string origin_;
  std::int64_t sent_ = 0;
  bool limited_ = false;
  bool nearly_used_up_ = false;
  std::int64_t retry_after_ = 0;
  std::optional<Clock::time_point> not_before_;
};

}  // namespace image_library::sync

#endif
