// One libcurl easy handle, set up once and used for many requests.
#ifndef IMAGE_LIBRARY_REGISTRY_CURL_HANDLE_H_
#define IMAGE_LIBRARY_REGISTRY_CURL_HANDLE_H_

#include <chrono>
#include <csignal>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <curl/curl.h>

#include "registry/http.h"

namespace image_library::registry {

/// Blocks every signal of this thread while it lives: libcurl's resolver starts threads, which
/// inherit the mask and so never run a signal handler of the process.
class SignalBlock {
 public:
  SignalBlock() noexcept;
  ~SignalBlock();
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t old_;
};

class Transfer;

/// Who may take memory for a body.
class BodyGate {
 public:
  /// False: the transfer is to be dropped, and sent again later.
  virtual bool Admits(const Transfer& transfer, std::size_t bytes) noexcept = 0;

 protected:
  ~BodyGate() = default;
};

/// Every method but the getters calls libcurl: construct, prepare and destroy inside a SignalBlock.
class CurlHandle {
 public:
  /// Options and gate must outlive the handle; held sums up what bodies take. Throws
  /// std::bad_alloc.
  CurlHandle(const HttpOptions& options, BodyGate& gate, std::shared_ptr<std::size_t> held);
  ~CurlHandle();
  CurlHandle(const CurlHandle&) = delete;
  CurlHandle& operator=(const CurlHandle&) = delete;

  /// Sets what differs from the handle's last request, which must outlive the transfer.
  /// Throws Error kProtocol when a header would break the request.
  void Prepare(const Request& request);

  /// The response of the ended transfer, or throws the Error that its result stands for.
  Response Finish(CURLcode result);

  /// Gives back what the last transfer has left in memory. (A body that is assigned to would keep
  /// its memory, which nobody counts then.)
  void Drop() noexcept {
    { const Response dropped = std::move(response_); }
    response_ = Response();
  }

  /// The gate did not admit its body.
  bool turned_away() const noexcept { return stop_ == Stop::kTurnedAway; }

  /// Of the transfer that ended; 0: there was no answer.
  int status() const noexcept;
  /// From when the request was sent to the first byte of its answer, as far as libcurl saw it.
  std::chrono::microseconds waited() const noexcept;

  CURL* get() const noexcept { return easy_; }
  /// The handle of an easy handle.
  static CurlHandle& Of(CURL* easy) noexcept {
    void* handle = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &handle);
    return *static_cast<CurlHandle*>(handle);
  }
  /// Whose transfer it is; set and read by the event loop.
  Transfer* transfer = nullptr;
  /// Bytes of body received by the transfer so far.
  std::size_t body_bytes() const noexcept { return body_bytes_; }

 private:
  enum class Stop { kNone, kBodyTooLarge, kHeadersTooLarge, kErrorBodyCut, kTurnedAway, kNoMemory };

  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose,
                                    curl_sockaddr* address) noexcept;

  template <typename Value>
  void Set(CURLoption option, Value value);
  void SetConnection();
  void SetTls();
  void SetHost(const std::string& url);
  void SetClientCertificate(bool shown);
  void SetWaitingForTls(bool tls);
  void SetMethod(Method method);
  void SetHeaders(const std::vector<std::pair<std::string, std::string>>& headers);
  bool TakeBody(const char* data, std::size_t size);
  bool MakeRoom(std::size_t size);
  bool TakeHeader(std::string_view line);
  [[noreturn]] void Throw(CURLcode result) const;

  const HttpOptions& options_;
  BodyGate& gate_;
  const std::shared_ptr<std::size_t> held_;
  CURL* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  // What the handle is set to.
  Method method_ = Method::kGet;
  bool shows_certificate_ = false;
  bool waits_for_tls_ = false;
  std::vector<std::pair<std::string, std::string>> headers_;
  // The transfer.
  const Request* request_ = nullptr;
  Response response_;
  std::size_t body_bytes_ = 0;
  std::size_t header_bytes_ = 0;
  Stop stop_ = Stop::kNone;
  std::string refused_address_;
  bool refused_always_ = false;
  char error_text_[CURL_ERROR_SIZE] = "";
};

}  // namespace image_library::registry

#endif
