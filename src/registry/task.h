// Coroutines for one thread: many requests in flight, code that reads top to bottom.
#ifndef IMAGE_LIBRARY_REGISTRY_TASK_H_
#define IMAGE_LIBRARY_REGISTRY_TASK_H_

#include <coroutine>
#include <cstddef>
#include <exception>
#include <list>
#include <optional>
#include <utility>

namespace image_library::registry {

template <typename T = void>
class Task;

namespace internal {

// Resumes whoever awaited the task when it ends.
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
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
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

/// A counting semaphore for coroutines, first come first served.
class Semaphore {
 public:
  explicit Semaphore(std::size_t permits) : permits_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// `co_await semaphore.Acquire()`; pair with Release. A coroutine that is destroyed while it waits
  /// leaves the queue.
  auto Acquire() {
    struct Awaiter : Waiter {
      explicit Awaiter(Semaphore& owner) : semaphore(owner) {}
      Awaiter(const Awaiter&) = delete;
      Awaiter& operator=(const Awaiter&) = delete;
      ~Awaiter() {
        if (this->handle) semaphore.waiting_.remove(this);
      }
      bool await_ready() const noexcept {
        if (semaphore.permits_ == 0) return false;
        --semaphore.permits_;
        return true;
      }
      void await_suspend(std::coroutine_handle<> awaiting) {
        this->handle = awaiting;
        semaphore.waiting_.push_back(this);
      }
      void await_resume() const noexcept {}
      Semaphore& semaphore;
    };
    return Awaiter(*this);
  }

  /// Hands the permit to the longest waiting coroutine, which resumes inside this call.
  void Release() {
    if (waiting_.empty()) {
      ++permits_;
      return;
    }
    Waiter* const next = waiting_.front();
    waiting_.pop_front();
    std::exchange(next->handle, {}).resume();
  }

 private:
  struct Waiter {
    std::coroutine_handle<> handle;  // set while queued
  };
  std::size_t permits_;
  std::list<Waiter*> waiting_;
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
    ++running_;
    tasks_.push_back(Run(std::move(task)));
    tasks_.back().Start();
  }

  /// Waits for every task; rethrows the first exception.
  Task<void> Join() {
    while (running_ > 0) co_await Changed{*this};
    tasks_.clear();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
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
