#include "registry/curl_multi.h"

#include <array>
#include <new>

#include <sys/epoll.h>
#include <unistd.h>

#include "core/error.h"

namespace image_library::registry {

namespace {

// In the process that uses it and not before: libcurl does not survive a fork.
void SetUpLibcurl() {
  static constinit bool done = false;
  if (done) return;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    throw Error(ErrorKind::kUnreachable, "libcurl cannot be set up");
  }
  done = true;
}

// Transfers that libcurl has lost would be waited for, for ever.
void Check(CURLMcode result) {
  if (result == CURLM_OUT_OF_MEMORY) throw std::bad_alloc();
}

int SelectBits(std::uint32_t events) noexcept {
  int bits = 0;
  if (events & (EPOLLIN | EPOLLHUP)) bits |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) bits |= CURL_CSELECT_OUT;
  if (events & EPOLLERR) bits |= CURL_CSELECT_ERR;
  return bits;
}

}  // namespace

CurlMulti::CurlMulti(int max_connections) {
  SetUpLibcurl();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  multi_ = curl_multi_init();
  if (epoll_ < 0 || multi_ == nullptr) {
    if (epoll_ >= 0) close(epoll_);
    if (multi_ != nullptr) curl_multi_cleanup(multi_);
    throw Error(ErrorKind::kUnreachable, "libcurl cannot be set up");
  }
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(max_connections));
  // Of one HTTP/2 connection, as far as its server allows so many.
  curl_multi_setopt(multi_, CURLMOPT_MAX_CONCURRENT_STREAMS, static_cast<long>(max_connections));
}

CurlMulti::~CurlMulti() {
  curl_multi_cleanup(multi_);
  close(epoll_);
}

void CurlMulti::Add(CURL* easy) {
  const CURLMcode result = curl_multi_add_handle(multi_, easy);
  if (result == CURLM_OUT_OF_MEMORY) throw std::bad_alloc();
  if (result != CURLM_OK) {
    throw Error(ErrorKind::kUnreachable, "libcurl cannot start a transfer");
  }
}

void CurlMulti::Remove(CURL* easy) noexcept { curl_multi_remove_handle(multi_, easy); }

int CurlMulti::OnSocket(CURL*, curl_socket_t socket, int what, void* self, void* known) noexcept {
  auto* multi = static_cast<CurlMulti*>(self);
  epoll_event event{};
  event.data.fd = socket;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(multi->epoll_, EPOLL_CTL_DEL, socket, &event);
    return 0;
  }
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  if (known != nullptr) return epoll_ctl(multi->epoll_, EPOLL_CTL_MOD, socket, &event);
  curl_multi_assign(multi->multi_, socket, multi);
  return epoll_ctl(multi->epoll_, EPOLL_CTL_ADD, socket, &event);
}

int CurlMulti::OnTimer(CURLM*, long milliseconds, void* self) noexcept {
  auto* multi = static_cast<CurlMulti*>(self);
  multi->deadline_.reset();
  if (milliseconds >= 0) {
    multi->deadline_ = Clock::now() + std::chrono::milliseconds(milliseconds);
  }
  return 0;
}

void CurlMulti::DriveSockets() {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  int running = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    Check(curl_multi_socket_action(multi_, event.data.fd, SelectBits(event.events), &running));
  }
}

void CurlMulti::DriveTimer() {
  if (!deadline_ || *deadline_ > Clock::now()) return;
  deadline_.reset();
  int running = 0;
  Check(curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running));
}

void CurlMulti::Drive(Finished* finished) {
  DriveSockets();
  DriveTimer();
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode result = message->data.result;
    Remove(easy);  // the message is gone after this
    finished->emplace_back(easy, result);
  }
}

}  // namespace image_library::registry
