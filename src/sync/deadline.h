// How long a run may take.
#ifndef IMAGE_LIBRARY_SYNC_DEADLINE_H_
#define IMAGE_LIBRARY_SYNC_DEADLINE_H_

#include <chrono>
#include <exception>
#include <functional>
#include <utility>

#include "registry/http.h"

namespace image_library::sync {

/// Sends no request of a run that has taken too long: such a request throws Error kBudget, as one
/// beyond a budget of requests does, and drops those that wait to be sent. What is under way ends.
class DeadlineTransport : public registry::Transport {
 public:
  using Seconds = std::chrono::duration<double>;
  /// Time since an arbitrary moment; tests have their own.
  using Now = std::function<Seconds()>;

  /// The inner transport must outlive it. limit: 0 for none. The time runs from here.
  DeadlineTransport(registry::Transport& inner, Seconds limit, Now now = SteadyNow)
      : inner_(inner), limit_(limit), now_(std::move(now)), began_(now_()) {}

  registry::Task<registry::Response> Send(const registry::Request& request) override;
  registry::Task<void> Sleep(int milliseconds) override { return inner_.Sleep(milliseconds); }
  void DropQueued(std::exception_ptr failure) override { inner_.DropQueued(std::move(failure)); }

  /// A request was refused.
  bool ended_run() const noexcept { return ended_run_; }
  Seconds elapsed() const { return now_() - began_; }
  /// More than half of the limit is over at the end of such a span.
  bool IsMoreThanHalf(Seconds span) const { return limit_.count() > 0 && span > limit_ / 2; }

  static Seconds SteadyNow() { return std::chrono::steady_clock::now().time_since_epoch(); }

 private:
  registry::Transport& inner_;
  const Seconds limit_;
  const Now now_;
  const Seconds began_;
  bool ended_run_ = false;
};

}  // namespace image_library::sync

#endif
