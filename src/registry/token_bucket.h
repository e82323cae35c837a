// A token bucket: so many requests a second, at most one second's worth at once.
#ifndef IMAGE_LIBRARY_REGISTRY_TOKEN_BUCKET_H_
#define IMAGE_LIBRARY_REGISTRY_TOKEN_BUCKET_H_

#include <algorithm>
#include <chrono>

namespace image_library::registry {

class TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Full at first. Precondition: per_second >= 1.
  TokenBucket(int per_second, TimePoint now)
      : rate_(per_second), tokens_(per_second), filled_at_(now) {}

  /// Takes a token; false when there is none.
  bool Take(TimePoint now) {
    Fill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

  /// When Take will succeed.
  TimePoint NextAt(TimePoint now) {
    Fill(now);
    if (tokens_ >= 1) return now;
    const std::chrono::duration<double> wait((1 - tokens_) / rate_);
    return now + std::chrono::ceil<std::chrono::microseconds>(wait);
  }

 private:
  void Fill(TimePoint now) {
    const std::chrono::duration<double> passed = now - filled_at_;
    tokens_ = std::min(rate_, tokens_ + passed.count() * rate_);
    filled_at_ = now;
  }

  double rate_;
  double tokens_;
  TimePoint filled_at_;
};

}  // namespace image_library::registry

#endif
