// libcurl's multi handle behind one epoll descriptor.
#ifndef IMAGE_LIBRARY_REGISTRY_CURL_MULTI_H_
#define IMAGE_LIBRARY_REGISTRY_CURL_MULTI_H_

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <curl/curl.h>

namespace image_library::registry {

using Clock = std::chrono::steady_clock;

/// Call every method inside a SignalBlock.
class CurlMulti {
 public:
  using Finished = std::vector<std::pair<CURL*, CURLcode>>;

  /// Sets libcurl up on first use in this process; keeps at most max_connections open.
  /// Throws Error kUnreachable.
  explicit CurlMulti(int max_connections);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  /// Throws Error kUnreachable.
  void Add(CURL* easy);
  void Remove(CURL* easy) noexcept;

  /// Readable when Drive has work to do.
  int descriptor() const noexcept { return epoll_; }
  /// When Drive has work to do without a readable descriptor.
  std::optional<Clock::time_point> deadline() const noexcept { return deadline_; }

  /// Moves every transfer as far as it goes without waiting, and takes out those that ended. No
  /// coroutine may be resumed before it returns.
  void Drive(Finished* finished);

 private:
  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* known) noexcept;
  static int OnTimer(CURLM* multi, long milliseconds, void* self) noexcept;

  void DriveSockets();
  void DriveTimer();

  int epoll_ = -1;
  CURLM* multi_ = nullptr;
  std::optional<Clock::time_point> deadline_;
};

}  // namespace image_library::registry

#endif
