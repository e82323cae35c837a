// Coroutines for one thread: many requests in flight, code that reads top to bottom.
#ifndef IMAGE_LIBRARY_REGISTRY_TASK_H_
#define IMAGE_LIBRARY_REGISTRY_TASK_H_

#include <coroutine>
#include <cstddef>
#include <exception>
#include <list>
#include <optional>
#include <utility>

#include "registry/frame_memory.h"
#include "registry/intrusive_list.h"

namespace image_library::registry {

template <typename T = void>
class Task;

namespace internal {

// Resumes the coroutine that awaits the task when it ends.
struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    std::coroutine_handle<> next = self.promise().continuation;
    return next ? next : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  static void* operator new(std::size_t size) { return FrameMemory::Take(size); }
  static void operator delete(void* frame, std::size_t size) noexcept {
    FrameMemory::GiveBack(frame, size);
  }

  std::coroutine_handle<> continuation;
  std::exception_ptr error;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }
};

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  void return_value(T result) { value.emplace(std::move(result)); }
  T Take() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void Take() const {
    if (error) std::rethrow_exception(error);
  }
};

}  // namespace internal

/// A lazy coroutine: it runs when awaited (or started by the event loop), and whoever awaits it
/// receives its value or its exception. Destroying a suspended task destroys its frame, which is
/// how a run is cancelled. Coroutines take their arguments by value, or by reference to something
/// that outlives them; lambdas with captures are not used as coroutines.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return handle_.done(); }
  // Runs the task here rather than by symmetric transfer, which without optimization is a nested
  // call: a loop over tasks that end at once would overflow the stack.
  bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.resume();
    if (handle_.done()) return false;
    handle_.promise().continuation = awaiting;
    return true;
  }
  T await_resume() { return handle_.promise().Take(); }

  /// For the event loop: run to the first suspension; `Done` and `Result` afterwards.
  void Start() { handle_.resume(); }
  bool Done() const noexcept { return handle_.done(); }
  T Result() { return handle_.promise().Take(); }

 private:
  Handle handle_;
};

namespace internal {

template <typename T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}

inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace internal

/// Coroutines that wait for something to happen, first come first served. One that is destroyed
/// while it waits leaves the queue.
class WaitQueue {
 public:
  class Awaiter : public ListNode {
   public:
    explicit Awaiter(WaitQueue& queue) noexcept : queue_(queue) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept {
      handle_ = handle;
      queue_.waiting_.PushBack(*this);
    }
    void await_resume() const noexcept {}

   private:
    friend class WaitQueue;
    WaitQueue& queue_;
    std::coroutine_handle<> handle_;
  };

  /// `co_await queue.Wait()`.
  Awaiter Wait() noexcept { return Awaiter(*this); }

  bool Empty() const noexcept { return waiting_.Empty(); }

  /// Resumes the longest waiting coroutine inside this call. Precondition: not Empty().
  void ResumeOne() { waiting_.PopFront().handle_.resume(); }

  /// Resumes everyone who waits now; who waits again meanwhile is left for the next call.
  void ResumeAll() {
    IntrusiveList<Awaiter> now;
    now.TakeAll(waiting_);
    while (!now.Empty()) now.PopFront().handle_.resume();
  }

 private:
  IntrusiveList<Awaiter> waiting_;
};

/// A lock for coroutines, first come first served.
class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  /// Waits for the lock; pair with Release.
  Task<void> Acquire() {
    if (held_ || !waiting_.Empty())
      co_await waiting_.Wait();  // Release took the lock for this coroutine
    else
      held_ = true;
  }

  /// Takes the lock if that needs no waiting.
  bool TryAcquire() noexcept {
    if (held_ || !waiting_.Empty()) return false;
    return held_ = true;
  }

  /// Gives the lock back; waiting coroutines resume inside this call (or inside the call of Release
  /// that it is nested in). Not for destructors: a cancelled run resumes nobody.
  void Release() {
    held_ = false;
    if (releasing_) return;
    releasing_ = true;
    while (!held_ && !waiting_.Empty()) {
      held_ = true;
      waiting_.ResumeOne();
    }
    releasing_ = false;
  }

 private:
  bool held_ = false;
  bool releasing_ = false;
  WaitQueue waiting_;
};

/// Runs tasks side by side, at most `limit` at a time:
///   Group group(8);
///   for (...) co_await group.Spawn(Work(item));
///   co_await group.Join();
/// After the first exception no new task starts; Join rethrows it when the running ones have ended.
/// The group must outlive its tasks: destroy it only after Join, or with the whole run.
class Group {
 public:
  explicit Group(std::size_t limit) : limit_(limit) {}
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  /// Waits for a free place, then starts the task.
  Task<void> Spawn(Task<void> task) {
    while (running_ >= limit_) co_await Changed{*this};
    if (error_) co_return;
    Reap();
    tasks_.push_back(Run(std::move(task)));
    ++running_;  // after what may fail for want of memory: Join would wait for nobody
    tasks_.back().Start();
  }

  /// Waits for every task; rethrows the first exception.
  Task<void> Join() {
    while (running_ > 0) co_await Changed{*this};
    tasks_.clear();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Suspends the one coroutine that fills or joins the group until a task ends.
  struct Changed {
    Group& group;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { group.waiter_ = handle; }
    void await_resume() const noexcept {}
  };

  Task<void> Run(Task<void> task) {
    try {
      co_await task;
    } catch (...) {
      if (!error_) error_ = std::current_exception();
    }
    --running_;
    co_await Notify{*this};
  }

  // Makes the waiting coroutine the continuation of the task that ends.
  struct Notify {
    Group& group;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(Task<void>::Handle self) noexcept {
      self.promise().continuation = std::exchange(group.waiter_, {});
      return false;
    }
    void await_resume() const noexcept {}
  };

  // Frees the frames of ended tasks, so that memory is bounded by the limit.
  void Reap() {
    tasks_.remove_if([](const Task<void>& task) { return task.Done(); });
  }

  std::size_t limit_;
  std::size_t running_ = 0;
  std::exception_ptr error_;
  std::coroutine_handle<> waiter_;
  std::list<Task<void>> tasks_;
};

}  // namespace image_library::registry

#endif
