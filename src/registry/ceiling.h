// How many requests may be in flight: as many as are set, or fewer where the registry suffers.
#ifndef IMAGE_LIBRARY_REGISTRY_CEILING_H_
#define IMAGE_LIBRARY_REGISTRY_CEILING_H_

#include <chrono>
#include <cstdint>
#include <optional>

namespace image_library::registry {

/// Additive increase, multiplicative decrease, as TCP does it. The ceiling
///   - is halved when a request is refused (429, 503) or not answered in time;
///   - goes down to three quarters when answers take far longer than they did at best: the requests
///     would only wait for each other in the registry. Not below kLeastForLatency for that;
///   - goes up by one for each answer until the first of these, and by one for each round of as
///   many
///     answers as there are requests in flight afterwards, as long as it is used up and answers
///     come about as fast as ever.
/// One decrease counts for all requests that were sent before it. Requests are known by their
/// numbers, which rise.
class Ceiling {
 public:
  using Duration = std::chrono::microseconds;

  /// Most requests that may be in flight, at least 1.
  explicit Ceiling(int most);

  /// From 1 to the most.
  int now() const noexcept { return now_; }
  /// The lowest that it has been.
  int lowest() const noexcept { return lowest_; }

  /// An answer that was no refusal. newest: the last request that was sent. full: as many were in
  /// flight as may be. waited: how long the registry took for it; nothing where that is not known.
  void Answered(std::uint64_t number, std::uint64_t newest, bool full,
                std::optional<Duration> waited);
  /// A refusal, or no answer in time.
  void Refused(std::uint64_t number, std::uint64_t newest);

 private:
  static constexpr int kFirst = 16;
  static constexpr int kLeastForLatency = 4;
  static constexpr int kFarLonger = 10;         // times the best
  static constexpr Duration kBearable{500000};  // longer than the best, whatever the best is
  static constexpr int kWindow = 500;           // answers that the best is of, at least

  void Learn(Duration waited) noexcept;
  bool IsSlow(int divisor) const noexcept;
  void LowerTo(int ceiling, std::uint64_t newest) noexcept;

  const int most_;
  int now_;
  int lowest_;
  bool steep_ = true;             // before the first decrease
  int answers_ = 0;               // since the last change
  std::uint64_t lowered_at_ = 0;  // the newest request at the last decrease
  // Of what the registry takes.
  Duration mean_{0};  // of recent answers
  Duration best_ = Duration::max(), best_of_window_ = Duration::max();
  int in_window_ = 0;
};

}  // namespace image_library::registry

#endif
