#include "registry/ceiling.h"

#include <algorithm>
#include <utility>

namespace image_library::registry {

Ceiling::Ceiling(int most)
    : most_(std::max(1, most)), now_(std::min(most_, kFirst)), lowest_(now_) {}

void Ceiling::Answered(std::uint64_t number, std::uint64_t newest, bool full,
                       std::optional<Duration> waited) {
  if (waited) Learn(*waited);
  if (number <= lowered_at_) return;  // it says how it was before
  if (IsSlow(1)) {
    if (now_ > kLeastForLatency) LowerTo(std::max(kLeastForLatency, now_ * 3 / 4), newest);
    return;
  }
  if (!full || now_ >= most_ || IsSlow(2)) return;
  if (!steep_ && ++answers_ < now_) return;
  answers_ = 0;
  ++now_;
}

void Ceiling::Refused(std::uint64_t number, std::uint64_t newest) {
  if (number > lowered_at_) LowerTo(std::max(1, now_ / 2), newest);
}

// The best is that of this window and the one before, so that a registry that has become slow for
// good is not taken for a crowded one for ever.
void Ceiling::Learn(Duration waited) noexcept {
  mean_ = mean_.count() == 0 ? waited : (7 * mean_ + waited) / 8;
  best_ = std::min(best_, waited);
  best_of_window_ = std::min(best_of_window_, waited);
  if (++in_window_ < kWindow) return;
  in_window_ = 0;
  best_ = std::exchange(best_of_window_, Duration::max());
}

// Whether answers take so much longer than at best, or a part of that.
bool Ceiling::IsSlow(int divisor) const noexcept {
  if (best_ == Duration::max()) return false;
  return mean_ > kFarLonger * best_ / divisor && mean_ - best_ > kBearable / divisor;
}

void Ceiling::LowerTo(int ceiling, std::uint64_t newest) noexcept {
  now_ = ceiling;
  lowest_ = std::min(lowest_, now_);
  lowered_at_ = newest;
  steep_ = false;
  answers_ = 0;
}

}  // namespace image_library::registry
