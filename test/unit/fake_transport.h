// A Transport that answers from a function and writes down what it was asked.
#ifndef IMAGE_LIBRARY_TEST_UNIT_FAKE_TRANSPORT_H_
#define IMAGE_LIBRARY_TEST_UNIT_FAKE_TRANSPORT_H_

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "registry/http.h"

namespace image_library::registry {

class FakeTransport : public Transport {
 public:
  using Handler = std::function<Response(const Request&)>;

  explicit FakeTransport(Handler handler) : handler_(std::move(handler)) {}

  Task<Response> Send(const Request& request) override {
    log.push_back(Describe(request));
    requests.push_back(request);
    if (holding) co_await held.Wait();
    co_return handler_(request);
  }

  /// Takes no time but its own.
  Task<void> Sleep(int milliseconds) override {
    // Only the end of the turn of an event loop.
    if (milliseconds > 0) sleeps.push_back(milliseconds);
    now += std::chrono::milliseconds(milliseconds);
    if (holding_sleeps) co_await asleep.Wait();
  }
  TimePoint Now() const override { return now; }

  void DropQueued(std::exception_ptr) override { ++drops; }

  void handler(Handler handler) { handler_ = std::move(handler); }
  std::vector<std::string> TakeLog() { return std::exchange(log, {}); }

  std::vector<std::string> log;  ///< `GET url`, then the Authorization in brackets if any
  std::vector<Request> requests;
  std::vector<int> sleeps;
  TimePoint now = TimePoint() + std::chrono::hours(1);
  int drops = 0;         ///< calls of DropQueued
  bool holding = false;  ///< answers wait for held.ResumeOne or ResumeAll
  WaitQueue held;
  bool holding_sleeps = false;  ///< sleepers wait for asleep.ResumeAll
  WaitQueue asleep;

 private:
  static std::string Describe(const Request& request) {
    std::string text = request.method == Method::kGet    ? "GET "
                       : request.method == Method::kHead ? "HEAD "
                                                         : "POST ";
    text += request.url;
    for (const auto& [name, value] : request.headers) {
      if (name == "Authorization") text += " [" + value + "]";
    }
    return text;
  }

  Handler handler_;
};

inline std::string HeaderOf(const Request& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return {};
}

inline Response Answer(int status, std::string body = {},
                       const std::vector<std::pair<std::string, std::string>>& headers = {}) {
  Response response{status, {}, std::move(body)};
  for (const auto& [name, value] : headers) response.headers.Add(name, value);
  return response;
}

/// Runs a task that never has to wait.
template <typename T>
T Await(Task<T> task) {
  task.Start();
  if (!task.Done()) throw std::logic_error("the task still waits");
  return task.Result();
}

/// The Error that a task throws; fails the test when it throws none.
template <typename T>
Error ErrorOf(Task<T> task) {
  try {
    Await(std::move(task));
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("no error was thrown");
}

}  // namespace image_library::registry

#endif
