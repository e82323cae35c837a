// HTTP for registries: one libcurl multi handle, many requests in flight, one thread.
#ifndef IMAGE_LIBRARY_REGISTRY_HTTP_H_
#define IMAGE_LIBRARY_REGISTRY_HTTP_H_

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/release.h"
#include "registry/headers.h"
#include "registry/held_bytes.h"
#include "registry/task.h"

namespace image_library::registry {

enum class Method { kGet, kHead, kPost };

struct Request {
  Method method = Method::kGet;
  std::string url;  ///< absolute, http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                 ///< of a POST
  std::size_t max_body = 4u << 20;  ///< bytes; more ends the transfer with kTooLarge
  bool public_only = false;         ///< no private address, even where the options allow them
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
  HeldBytes held = {};  ///< counts the body; a body that is kept without it is not counted

  /// First value of a header, or empty.
  std::string_view Header(std::string_view name) const noexcept { return headers.First(name); }
};

/// How the event loop sleeps: until the descriptor is readable or the timeout is over (-1: none).
/// May throw to cancel everything (the worker throws when PostgreSQL wants it gone).
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void Wait(int descriptor, int timeout_ms) = 0;
};

/// Sends requests. The seam for unit tests.
class Transport {
 public:
  virtual ~Transport() = default;
  /// The request must outlive the task. Throws Error: kUnreachable, kTls, kForbiddenAddress,
  /// kTooLarge, kProtocol. Any status is an answer, not an error. Redirects are not followed.
  virtual Task<Response> Send(const Request& request) = 0;
  /// Resumes the caller after so many milliseconds.
  virtual Task<void> Sleep(int milliseconds) = 0;
  using TimePoint = std::chrono::steady_clock::time_point;
  /// The time that Sleep goes by.
  virtual TimePoint Now() const { return std::chrono::steady_clock::now(); }
  /// Fails with this what waits to be sent; what is under way goes on.
  virtual void DropQueued(std::exception_ptr failure) = 0;
};

struct HttpOptions {
  int max_connections = 16;                ///< requests in flight at most (registry/ceiling.h)
  std::optional<int> requests_per_second;  ///< token bucket over all requests
  std::string ca_certificate;              ///< PEM; empty: the system's store
  bool allow_private = false;              ///< loopback and private networks
  std::string client_certificate;          ///< PEM, shown to client_host only; empty: none
  std::string client_key;                  ///< PEM, of the certificate
  std::string client_host;  ///< without port: who may ask for the client's certificate
  /// Hosts that may be asked at all (core/host_list.h); empty: every host, but none by proxy.
  std::vector<std::string> allowed_hosts;
  std::string user_agent = std::string("image_library/") + kRelease;
  std::string proxy;  ///< empty: none, whatever the environment says
  int connect_timeout_ms = 10000;
  int idle_timeout_ms = 30000;  ///< a transfer without a byte for so long is given up
  int total_timeout_ms = 120000;
  /// Bytes of bodies in memory, those of Responses that still live among them. When they are used
  /// up, a body that is being received is dropped and asked for again later, except that of the
  /// newest request: the holder of a body mostly waits for one more answer, and then frees both.
  std::size_t body_budget = 8u << 20;
};

/// Traffic of one run.
struct Traffic {
  std::int64_t bytes = 0;     ///< of bodies, those that were dropped and sent again among them
  std::size_t most_held = 0;  ///< bytes of bodies in memory at once
  int ceiling = 0;            ///< of requests in flight, as it is now (registry/ceiling.h)
  int lowest_ceiling = 0;     ///< as low as it has been
};

/// The libcurl transport. It never blocks except in the Waiter, and blocks all signals around every
/// libcurl call, since libcurl's resolver starts threads. TLS 1.2 or later, certificates verified,
/// protocols http and https only, no proxy or netrc from the environment, addresses checked on the
/// connected socket (link-local and metadata addresses always refused).
class CurlTransport : public Transport {
 public:
  /// Throws Error kUnreachable when libcurl cannot be set up.
  explicit CurlTransport(HttpOptions options);
  ~CurlTransport() override;

  Task<Response> Send(const Request& request) override;
  Task<void> Sleep(int milliseconds) override;
  void DropQueued(std::exception_ptr failure) override;

  /// Runs a task and everything it starts to the end; returns its result or throws its exception.
  void Run(Task<void> task, Waiter& waiter);

  const Traffic& traffic() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace image_library::registry

#endif
