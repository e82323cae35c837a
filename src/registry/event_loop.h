// What CurlTransport waits for: transfers and timers, in one thread.
#ifndef IMAGE_LIBRARY_REGISTRY_EVENT_LOOP_H_
#define IMAGE_LIBRARY_REGISTRY_EVENT_LOOP_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "registry/ceiling.h"
#include "registry/curl_handle.h"
#include "registry/curl_multi.h"
#include "registry/http.h"
#include "registry/intrusive_list.h"
#include "registry/token_bucket.h"

namespace image_library::registry {

class EventLoop;

/// Awaitable: a response. First in the queue, then with a handle in libcurl, then among the
/// finished. It lives in a coroutine's frame: destroying that frame cancels the transfer.
class Transfer : public ListNode {
 public:
  /// The request must outlive it.
  Transfer(EventLoop& loop, const Request& request) : loop_(&loop), request_(request) {}
  ~Transfer();

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept;
  Response await_resume();

 private:
  friend class EventLoop;

  EventLoop* loop_;
  const Request& request_;
  std::uint64_t number_ = 0;  ///< the older the smaller
  std::coroutine_handle<> awaiting_;
  std::unique_ptr<CurlHandle> handle_;
  CURLcode result_ = CURLE_OK;
  bool active_ = false;         ///< in libcurl
  std::exception_ptr failure_;  ///< why it could not be started
};

/// Awaitable: the end of a span of time.
class Timer {
 public:
  Timer(EventLoop& loop, int milliseconds) : loop_(&loop), milliseconds_(milliseconds) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting);
  void await_resume() const noexcept {}

 private:
  friend class EventLoop;

  EventLoop* loop_;
  int milliseconds_;
  std::coroutine_handle<> awaiting_;
  std::multimap<Clock::time_point, Timer*>::iterator position_;
  bool waiting_ = false;
};

/// Construct and destroy inside a SignalBlock. Transfers and timers may outlive it: they are never
/// resumed then.
class EventLoop final : private BodyGate {
 public:
  explicit EventLoop(HttpOptions&& options);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Starts what waits in the queue, waits, and resumes who has something to do: never from inside
  /// libcurl, and with the signals as they were.
  void Turn(Waiter& waiter);

  /// Ends with this failure whatever is in the queue.
  void DropQueued(const std::exception_ptr& failure) noexcept;

  const Traffic& traffic() const noexcept { return traffic_; }

 private:
  friend class Transfer;
  friend class Timer;

  bool Admits(const Transfer& transfer, std::size_t bytes) noexcept override;
  bool IsCrowded() const noexcept;
  bool MayStart() const noexcept;
  void SendAgain(Transfer& transfer) noexcept;
  void StartQueued();
  void Start(Transfer& transfer);
  void Drive();
  void TakeEnded() noexcept;
  void LearnFrom(const Transfer& transfer, bool full) noexcept;
  void ResumeFinished();
  void ResumeTimers();
  std::optional<Clock::time_point> NextDeadline(Clock::time_point now);
  std::unique_ptr<CurlHandle> TakeHandle();
  void Cancel(Transfer& transfer) noexcept;

  const HttpOptions options_;
  CurlMulti multi_;
  std::optional<TokenBucket> bucket_;
  Ceiling ceiling_;
  Traffic traffic_;
  std::shared_ptr<std::size_t> held_;  // bytes of bodies
  std::uint64_t transfers_ = 0;
  std::uint64_t newest_started_ = 0;
  std::uint64_t not_timed_ = 0;  ///< up to this one, answers may have waited for us
  Clock::time_point driven_at_ = Clock::now();
  std::size_t handles_ = 0;
  std::vector<std::unique_ptr<CurlHandle>> idle_;
  IntrusiveList<Transfer> queued_;
  IntrusiveList<Transfer> active_;
  std::size_t active_count_ = 0;
  CurlMulti::Finished ended_;  // empty between turns; kept for its memory
  IntrusiveList<Transfer> finished_;
  std::multimap<Clock::time_point, Timer*> timers_;
};

}  // namespace image_library::registry

#endif
