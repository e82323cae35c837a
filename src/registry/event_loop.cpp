#include "registry/event_loop.h"

#include <algorithm>
#include <climits>
#include <stdexcept>
#include <utility>

namespace image_library::registry {

namespace {

int MillisecondsUntil(std::optional<Clock::time_point> moment, Clock::time_point now) {
  if (!moment) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*moment - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(wait, 0, INT_MAX));
}

}  // namespace

Transfer::~Transfer() {
  if (loop_ && handle_) loop_->Cancel(*this);
}

void Transfer::await_suspend(std::coroutine_handle<> awaiting) noexcept {
  awaiting_ = awaiting;
  number_ = ++loop_->transfers_;
  loop_->queued_.PushBack(*this);
}

Response Transfer::await_resume() {
  if (failure_) std::rethrow_exception(failure_);
  return handle_->Finish(result_);
}

Timer::~Timer() {
  if (waiting_) loop_->timers_.erase(position_);
}

void Timer::await_suspend(std::coroutine_handle<> awaiting) {
  awaiting_ = awaiting;
  position_ = loop_->timers_.emplace(Clock::now() + std::chrono::milliseconds(milliseconds_), this);
  waiting_ = true;
}

EventLoop::EventLoop(HttpOptions&& options)
    : options_(std::move(options)),
      multi_(options_.max_connections + 4),
      ceiling_(options_.max_connections),
      held_(std::make_shared<std::size_t>(0)) {
  traffic_.ceiling = traffic_.lowest_ceiling = ceiling_.now();
  if (options_.requests_per_second) bucket_.emplace(*options_.requests_per_second, Clock::now());
}

EventLoop::~EventLoop() {
  while (!active_.Empty()) {
    Transfer& transfer = active_.PopFront();
    multi_.Remove(transfer.handle_->get());
    finished_.PushBack(transfer);
  }
  finished_.TakeAll(queued_);
  while (!finished_.Empty()) {
    Transfer& transfer = finished_.PopFront();
    transfer.handle_.reset();
    transfer.loop_ = nullptr;
  }
  for (const auto& [moment, timer] : timers_) timer->waiting_ = false;
}

std::unique_ptr<CurlHandle> EventLoop::TakeHandle() {
  if (idle_.empty()) {
    idle_.reserve(++handles_);  // so that giving it back cannot fail
    BodyGate& gate = *this;
    return std::make_unique<CurlHandle>(options_, gate, held_);
  }
  std::unique_ptr<CurlHandle> handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

// Takes the handle back, from a transfer that ended or from one that nobody waits for any more.
void EventLoop::Cancel(Transfer& transfer) noexcept {
  if (transfer.active_) {
    transfer.active_ = false;
    transfer.Unlink();
    --active_count_;
    const SignalBlock block;
    multi_.Remove(transfer.handle_->get());
  }
  traffic_.bytes += static_cast<std::int64_t>(transfer.handle_->body_bytes());
  transfer.handle_->Drop();
  idle_.push_back(std::move(transfer.handle_));
}

// What would be started now might be dropped soon.
bool EventLoop::IsCrowded() const noexcept { return *held_ > options_.body_budget / 2; }

bool EventLoop::MayStart() const noexcept {
  if (active_count_ == 0) return true;
  return active_count_ < static_cast<std::size_t>(ceiling_.now()) && !IsCrowded();
}

// From inside libcurl.
bool EventLoop::Admits(const Transfer& transfer, std::size_t bytes) noexcept {
  bool admitted = *held_ + bytes <= options_.body_budget;
  if (!admitted) {
    const std::uint64_t number = transfer.number_;
    admitted = !active_.AnyOf([number](const Transfer& other) { return other.number_ > number; }) &&
               (queued_.Empty() || queued_.Back().number_ < number);
  }
  if (admitted) traffic_.most_held = std::max(traffic_.most_held, *held_ + bytes);
  return admitted;
}

void EventLoop::SendAgain(Transfer& transfer) noexcept {
  Cancel(transfer);
  queued_.Insert(transfer, [](const Transfer& left, const Transfer& right) {
    return left.number_ < right.number_;
  });
}

void EventLoop::Start(Transfer& transfer) {
  try {
    transfer.handle_ = TakeHandle();
    transfer.handle_->Prepare(transfer.request_);
    transfer.handle_->transfer = &transfer;
    multi_.Add(transfer.handle_->get());
    active_.PushBack(transfer);
    transfer.active_ = true;
    ++active_count_;
    newest_started_ = std::max(newest_started_, transfer.number_);
  } catch (...) {
    transfer.failure_ = std::current_exception();
    finished_.PushBack(transfer);
  }
}

void EventLoop::StartQueued() {
  if (queued_.Empty()) return;
  {
    const SignalBlock block;
    while (!queued_.Empty() && MayStart() && (!bucket_ || bucket_->Take(Clock::now()))) {
      // Depth first when memory is short: an image that is half read is read to its end before
      // another one is begun.
      Start(IsCrowded() ? queued_.PopBack() : queued_.PopFront());
    }
    multi_.Drive(&ended_);  // the requests leave before the loop sleeps
  }
  TakeEnded();
}

void EventLoop::Drive() {
  {
    const SignalBlock block;
    multi_.Drive(&ended_);
  }
  TakeEnded();
}

void EventLoop::TakeEnded() noexcept {
  const bool full = active_count_ >= static_cast<std::size_t>(ceiling_.now());
  for (const auto& [easy, result] : ended_) {
    Transfer& transfer = *CurlHandle::Of(easy).transfer;
    transfer.result_ = result;
    LearnFrom(transfer, full);
    transfer.active_ = false;
    transfer.Unlink();
    --active_count_;
    if (transfer.handle_->turned_away())
      SendAgain(transfer);
    else
      finished_.PushBack(transfer);
  }
  ended_.clear();
}

// What the end of a transfer says of how many the registry bears.
void EventLoop::LearnFrom(const Transfer& transfer, bool full) noexcept {
  const int status = transfer.handle_->status();
  if (status == 429 || status == 503 || transfer.result_ == CURLE_OPERATION_TIMEDOUT) {
    ceiling_.Refused(transfer.number_, newest_started_);
  } else if (status != 0) {
    std::optional<Ceiling::Duration> waited;
    if (transfer.number_ > not_timed_) waited = transfer.handle_->waited();
    ceiling_.Answered(transfer.number_, newest_started_, full, waited);
  }
  traffic_.ceiling = ceiling_.now();
  traffic_.lowest_ceiling = ceiling_.lowest();
}

void EventLoop::DropQueued(const std::exception_ptr& failure) noexcept {
  while (!queued_.Empty()) {
    Transfer& transfer = queued_.PopFront();
    transfer.failure_ = failure;
    finished_.PushBack(transfer);
  }
}

void EventLoop::ResumeFinished() {
  while (!finished_.Empty()) finished_.PopFront().awaiting_.resume();
}

void EventLoop::ResumeTimers() {
  const Clock::time_point now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Timer* const timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->waiting_ = false;
    timer->awaiting_.resume();
  }
}

std::optional<Clock::time_point> EventLoop::NextDeadline(Clock::time_point now) {
  std::optional<Clock::time_point> next = multi_.deadline();
  const auto consider = [&next](Clock::time_point moment) {
    if (!next || moment < *next) next = moment;
  };
  if (!finished_.Empty()) consider(now);
  if (!timers_.empty()) consider(timers_.begin()->first);
  if (!queued_.Empty() && MayStart()) consider(bucket_ ? bucket_->NextAt(now) : now);
  return next;
}

void EventLoop::Turn(Waiter& waiter) {
  constexpr std::chrono::milliseconds kAway(10);
  // Who was resumed did something else for a while: it wrote to a database.
  if (Clock::now() - driven_at_ > kAway) not_timed_ = transfers_;
  StartQueued();
  const Clock::time_point now = Clock::now();
  const std::optional<Clock::time_point> deadline = NextDeadline(now);
  if (!deadline && active_count_ == 0) throw std::logic_error("a task waits for nothing");
  waiter.Wait(multi_.descriptor(), MillisecondsUntil(deadline, now));
  Drive();
  driven_at_ = Clock::now();
  ResumeFinished();
  ResumeTimers();
}

}  // namespace image_library::registry
