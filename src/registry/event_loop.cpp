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
      held_(std::make_shared<std::size_t>(0)) {
  if (options_.requests_per_second) bucket_.emplace(*options_.requests_per_second, Clock::now());
}

EventLoop::~EventLoop() {
  for (const auto& [easy, transfer] : active_) {
    multi_.Remove(easy);
    finished_.PushBack(*transfer);
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
  CURL* const easy = transfer.handle_->get();
  if (active_.erase(easy) != 0) {
    const SignalBlock block;
    multi_.Remove(easy);
  }
  traffic_.bytes += static_cast<std::int64_t>(transfer.handle_->body_bytes());
  transfer.handle_->Drop();
  idle_.push_back(std::move(transfer.handle_));
}

// What would be started now might be dropped soon.
bool EventLoop::IsCrowded() const noexcept { return *held_ > options_.body_budget / 2; }

bool EventLoop::MayStart() const noexcept {
  if (active_.empty()) return true;
  return active_.size() < static_cast<std::size_t>(options_.max_connections) && !IsCrowded();
}

// From inside libcurl.
bool EventLoop::Admits(CURL* easy, std::size_t bytes) noexcept {
  bool admitted = *held_ + bytes <= options_.body_budget;
  if (!admitted) {
    const auto found = active_.find(easy);
    const std::uint64_t number = found == active_.end() ? UINT64_MAX : found->second->number_;
    const auto newer = [number](const auto& other) { return other.second->number_ > number; };
    admitted = std::none_of(active_.begin(), active_.end(), newer) &&
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
    active_.emplace(transfer.handle_->get(), &transfer);
    multi_.Add(transfer.handle_->get());
  } catch (...) {
    transfer.failure_ = std::current_exception();
    if (transfer.handle_) active_.erase(transfer.handle_->get());
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
  }
  Drive();  // the requests leave before the loop sleeps
}

void EventLoop::Drive() {
  CurlMulti::Finished ended;
  {
    const SignalBlock block;
    multi_.Drive(&ended);
  }
  for (const auto& [easy, result] : ended) {
    const auto found = active_.find(easy);
    Transfer& transfer = *found->second;
    active_.erase(found);
    transfer.result_ = result;
    if (transfer.handle_->turned_away())
      SendAgain(transfer);
    else
      finished_.PushBack(transfer);
  }
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
  StartQueued();
  const Clock::time_point now = Clock::now();
  const std::optional<Clock::time_point> deadline = NextDeadline(now);
  if (!deadline && active_.empty()) throw std::logic_error("a task waits for nothing");
  waiter.Wait(multi_.descriptor(), MillisecondsUntil(deadline, now));
  Drive();
  ResumeFinished();
  ResumeTimers();
}

}  // namespace image_library::registry
