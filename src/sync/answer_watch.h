// How long a registry has kept a run waiting.
#ifndef IMAGE_LIBRARY_SYNC_ANSWER_WATCH_H_
#define IMAGE_LIBRARY_SYNC_ANSWER_WATCH_H_

#include <chrono>
#include <optional>
#include <utility>

#include "registry/http.h"

namespace image_library::sync {

/// Sees the requests of a run go and their answers come. Must be under whatever makes requests wait
/// for a limit, since that time is not the registry's.
class AnswerWatch {
 public:
  using TimePoint = registry::Transport::TimePoint;

  void Sent(TimePoint now) {
    ++under_way_;
    if (!since_) since_ = now;
  }
  /// An answer of any status.
  void Answered(TimePoint now) {
    --under_way_;
    answered_ = true;
    since_ = under_way_ > 0 ? std::optional<TimePoint>(now) : std::nullopt;
  }
  /// No answer came: the next request goes on with the wait of this one.
  void Failed() { --under_way_; }

  /// Whether the registry has answered at all.
  bool answered() const noexcept { return answered_; }
  /// Time since the last answer, or since the first request after it; zero while none is under way.
  std::chrono::milliseconds Silence(TimePoint now) const {
    if (under_way_ == 0 || !since_) return std::chrono::milliseconds(0);
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - *since_);
  }

 private:
  int under_way_ = 0;
  bool answered_ = false;
  std::optional<TimePoint> since_;
};

/// Tells an AnswerWatch of what goes over a transport. Both must outlive it.
class WatchedTransport : public registry::Transport {
 public:
  WatchedTransport(registry::Transport& inner, AnswerWatch& watch) : inner_(inner), watch_(watch) {}

  registry::Task<registry::Response> Send(const registry::Request& request) override {
    watch_.Sent(Now());
    try {
      registry::Response response = co_await inner_.Send(request);
      watch_.Answered(Now());
      co_return response;
    } catch (...) {
      watch_.Failed();
      throw;
    }
  }
  registry::Task<void> Sleep(int milliseconds) override { return inner_.Sleep(milliseconds); }
  TimePoint Now() const override { return inner_.Now(); }
  void DropQueued(std::exception_ptr failure) override { inner_.DropQueued(std::move(failure)); }

 private:
  registry::Transport& inner_;
  AnswerWatch& watch_;
};

}  // namespace image_library::sync

#endif
