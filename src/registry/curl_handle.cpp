#include "registry/curl_handle.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

#include <sys/socket.h>

#include "core/error.h"
#include "core/strings.h"
#include "core/text.h"
#include "registry/address.h"
#include "registry/location.h"

namespace image_library::registry {

namespace {

constexpr std::size_t kMaxHeaders = 64u << 10;
// Each takes more memory than its few bytes.
constexpr std::size_t kMaxHeaderFields = 500;
// Bodies of errors are only looked into: the rest is not worth the bytes.
constexpr std::size_t kMaxErrorBody = 64u << 10;
constexpr long kReceiveBuffer = 16384;
// Answers of token servers and errors are never asked for twice: they are small, and may not be
// the same again.
constexpr std::size_t kAlwaysAdmitted = 64u << 10;

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// Points at the text, which must outlive the handle.
curl_blob BlobOf(const std::string& text) {
  curl_blob blob;
  blob.data = const_cast<char*>(text.data());
  blob.len = text.size();
  blob.flags = CURL_BLOB_NOCOPY;
  return blob;
}

// Certificates and handshakes. TLS 1.3 reports a missing client certificate only on the first read.
bool IsTlsFailure(CURLcode result, std::string_view text) {
  switch (result) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ENGINE_INITFAILED:
      return true;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return text.find("SSL") != std::string_view::npos &&
             text.find("alert") != std::string_view::npos;
    default:
      return false;
  }
}

bool IsConnectionFailure(CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PROXY:
      return true;
    default:
      return false;
  }
}

}  // namespace

SignalBlock::SignalBlock() noexcept {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old_);
}

SignalBlock::~SignalBlock() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }

CurlHandle::CurlHandle(const HttpOptions& options, BodyGate& gate,
                       std::shared_ptr<std::size_t> held)
    : options_(options), gate_(gate), held_(std::move(held)), easy_(curl_easy_init()) {
  if (easy_ == nullptr) throw std::bad_alloc();
  try {
    SetConnection();
    SetTls();
  } catch (...) {
    curl_easy_cleanup(easy_);
    throw;
  }
}

CurlHandle::~CurlHandle() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(header_list_);
}

template <typename Value>
void CurlHandle::Set(CURLoption option, Value value) {
  const CURLcode result = curl_easy_setopt(easy_, option, value);
  if (result == CURLE_OK) return;
  if (result == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
  throw Error(ErrorKind::kProtocol, "libcurl refuses an option", curl_easy_strerror(result));
}

void CurlHandle::SetConnection() {
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_QUICK_EXIT, 1L);  // a hanging name lookup must not delay the end of the process
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_FOLLOWLOCATION, 0L);
  Set(CURLOPT_PATH_AS_IS, 1L);
  Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  // Always set: otherwise libcurl asks the environment of whoever started the process.
  Set(CURLOPT_PROXY, options_.proxy.c_str());
  Set(CURLOPT_NOPROXY, "");
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  Set(CURLOPT_TCP_NODELAY, 1L);
  Set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  Set(CURLOPT_USERAGENT, options_.user_agent.c_str());
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
  Set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.total_timeout_ms));
  Set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  Set(CURLOPT_LOW_SPEED_TIME, std::max(1L, (options_.idle_timeout_ms + 999L) / 1000));
  Set(CURLOPT_ERRORBUFFER, error_text_);
  Set(CURLOPT_WRITEFUNCTION, &CurlHandle::OnBody);
  Set(CURLOPT_WRITEDATA, this);
  Set(CURLOPT_HEADERFUNCTION, &CurlHandle::OnHeader);
  Set(CURLOPT_HEADERDATA, this);
  Set(CURLOPT_OPENSOCKETFUNCTION, &CurlHandle::OnOpenSocket);
  Set(CURLOPT_OPENSOCKETDATA, this);
  Set(CURLOPT_PRIVATE, static_cast<void*>(this));
}

void CurlHandle::SetTls() {
  Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  Set(CURLOPT_SSL_VERIFYPEER, 1L);
  Set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (options_.ca_certificate.empty()) return;
  curl_blob blob = BlobOf(options_.ca_certificate);
  Set(CURLOPT_CAINFO_BLOB, &blob);
  // The blob replaces the system's bundle, but not its directory of certificates.
  Set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
}

// The certificate says who we are: it is for the registry alone, not for where it redirects to.
void CurlHandle::SetHost(const std::string& url) {
  RequireAllowedHost(options_.allowed_hosts, !options_.proxy.empty(), url);
  SetWaitingForTls(url.starts_with("https:"));
  if (options_.client_certificate.empty()) return;
  const std::optional<Location> location = ParseLocation(url);
  SetClientCertificate(location && location->host == options_.client_host);
}

// Requests to a host wait for the handshake of its first connection, which tells whether they may
// all use that one (HTTP/2). Without TLS nothing would tell before the first answer has come.
void CurlHandle::SetWaitingForTls(bool tls) {
  if (tls != waits_for_tls_) Set(CURLOPT_PIPEWAIT, tls ? 1L : 0L);
  waits_for_tls_ = tls;
}

// Libcurl opens another connection when it differs from that of an open one.
void CurlHandle::SetClientCertificate(bool shown) {
  if (shown == shows_certificate_) return;
  curl_blob certificate = BlobOf(options_.client_certificate);
  curl_blob key = BlobOf(options_.client_key);
  Set(CURLOPT_SSLCERT_BLOB, shown ? &certificate : nullptr);
  Set(CURLOPT_SSLKEY_BLOB, shown ? &key : nullptr);
  shows_certificate_ = shown;
}

void CurlHandle::SetMethod(Method method) {
  if (method != method_ || method == Method::kPost) {
    Set(CURLOPT_HTTPGET, 1L);  // also ends HEAD and POST
    if (method == Method::kHead) Set(CURLOPT_NOBODY, 1L);
    if (method == Method::kPost) Set(CURLOPT_POST, 1L);
  }
  method_ = method;
  if (method != Method::kPost) return;
  Set(CURLOPT_POSTFIELDS, request_->body.c_str());
  Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_->body.size()));
}

void CurlHandle::SetHeaders(const std::vector<std::pair<std::string, std::string>>& headers) {
  if (headers == headers_) return;
  for (const auto& [name, value] : headers) {
    if (HasControlCharacter(name) || HasControlCharacter(value)) {
      throw Error(ErrorKind::kProtocol, "header \"" + Scrub(name, 64) + "\" is no header value",
                  "It contains control characters.");
    }
  }
  Set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  curl_slist_free_all(std::exchange(header_list_, nullptr));
  headers_.clear();
  for (const auto& [name, value] : headers) {
    curl_slist* longer = curl_slist_append(header_list_, (name + ": " + value).c_str());
    if (longer == nullptr) throw std::bad_alloc();
    header_list_ = longer;
  }
  Set(CURLOPT_HTTPHEADER, header_list_);
  headers_ = headers;
}

void CurlHandle::Prepare(const Request& request) {
  request_ = &request;
  Drop();
  response_.held = HeldBytes(held_);
  body_bytes_ = header_bytes_ = 0;
  stop_ = Stop::kNone;
  refused_address_.clear();
  refused_always_ = false;
  error_text_[0] = '\0';
  SetHost(request.url);
  Set(CURLOPT_URL, request.url.c_str());
  SetMethod(request.method);
  SetHeaders(request.headers);
}

// Room for so many bytes more, and for what the parser wants behind them: it reads them where they
// are. Doubled, but not beyond what can come.
bool CurlHandle::MakeRoom(std::size_t size) {
  constexpr std::size_t kBehind = 64;
  std::string& body = response_.body;
  const std::size_t needed = body.size() + size + kBehind;
  if (needed <= body.capacity()) return true;
  curl_off_t length = -1;
  curl_easy_getinfo(easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  std::size_t most = request_->max_body;
  if (length >= 0) most = std::min(most, static_cast<std::size_t>(length));
  const std::size_t room = std::max(needed, std::min(2 * body.capacity(), most + kBehind));
  if (room > kAlwaysAdmitted && !gate_.Admits(*transfer, room - body.capacity())) {
    stop_ = Stop::kTurnedAway;
    return false;
  }
  std::string larger;
  larger.reserve(room);  // exactly: body.reserve() would double it
  larger.append(body);
  body.swap(larger);
  response_.held.Set(body.capacity());
  return true;
}

bool CurlHandle::TakeBody(const char* data, std::size_t size) {
  body_bytes_ += size;
  if (status() >= 300 &&
      response_.body.size() + size > std::min(kMaxErrorBody, request_->max_body)) {
    stop_ = Stop::kErrorBodyCut;
    return false;
  }
  if (size > request_->max_body - response_.body.size()) {
    stop_ = Stop::kBodyTooLarge;
    return false;
  }
  if (!MakeRoom(size)) return false;
  response_.body.append(data, size);
  return true;
}

bool CurlHandle::TakeHeader(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaders || response_.headers.size() >= kMaxHeaderFields) {
    stop_ = Stop::kHeadersTooLarge;
    return false;
  }
  if (line.starts_with("HTTP/")) {  // a final response after an interim or a proxy's one
    response_.headers.Clear();
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  response_.headers.Add(line.substr(0, colon), Trim(line.substr(colon + 1)));
  return true;
}

// An exception must not pass through libcurl: it becomes a failed write.
std::size_t CurlHandle::OnBody(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept {
  auto* handle = static_cast<CurlHandle*>(self);
  try {
    return handle->TakeBody(data, size * count) ? size * count : 0;
  } catch (...) {
    handle->stop_ = Stop::kNoMemory;
    return 0;
  }
}

std::size_t CurlHandle::OnHeader(char* data, std::size_t size, std::size_t count,
                                 void* self) noexcept {
  auto* handle = static_cast<CurlHandle*>(self);
  try {
    return handle->TakeHeader({data, size * count}) ? size * count : 0;
  } catch (...) {
    handle->stop_ = Stop::kNoMemory;
    return 0;
  }
}

// The address that is really connected to, whatever the name resolved to a moment ago.
curl_socket_t CurlHandle::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto* handle = static_cast<CurlHandle*>(self);
  const AddressClass kind = ClassifyAddress(address->addr);
  // A proxy that the administrator names is usually inside.
  const bool private_allowed = (handle->options_.allow_private && !handle->request_->public_only) ||
                               !handle->options_.proxy.empty();
  const bool allowed =
      kind == AddressClass::kPublic || (kind == AddressClass::kPrivate && private_allowed);
  if (!allowed) {
    try {
      handle->refused_address_ = AddressText(address->addr);
      handle->refused_always_ = kind == AddressClass::kForbidden;
    } catch (...) {
      handle->stop_ = Stop::kNoMemory;
    }
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int CurlHandle::status() const noexcept {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

std::chrono::microseconds CurlHandle::waited() const noexcept {
  curl_off_t sent = 0, answered = 0;
  curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &sent);
  curl_easy_getinfo(easy_, CURLINFO_STARTTRANSFER_TIME_T, &answered);
  return std::chrono::microseconds(std::max<curl_off_t>(0, answered - sent));
}

Response CurlHandle::Finish(CURLcode result) {
  if (result != CURLE_OK && stop_ != Stop::kErrorBodyCut) Throw(result);
  response_.status = status();
  return std::move(response_);
}

void CurlHandle::Throw(CURLcode result) const {
  const std::string host = "\"" + Scrub(HostOf(request_->url), 300) + "\"";
  const std::string text =
      Scrub(error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(result), 500);
  if (stop_ == Stop::kNoMemory || result == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
  if (stop_ == Stop::kBodyTooLarge) {
    throw Error(ErrorKind::kTooLarge, "answer of " + host + " is too large",
                "The limit is " + std::to_string(request_->max_body) + " bytes.");
  }
  if (stop_ == Stop::kHeadersTooLarge) {
    throw Error(ErrorKind::kTooLarge, "headers of " + host + " are too large",
                "The limit is " + std::to_string(kMaxHeaders) + " bytes in " +
                    std::to_string(kMaxHeaderFields) + " fields.");
  }
  if (result == CURLE_COULDNT_CONNECT && !refused_address_.empty()) {
    throw Error(ErrorKind::kForbiddenAddress, "address of " + host + " is not allowed",
                "The name stands for " + refused_address_ +
                    (refused_always_ ? ", a link-local, metadata or reserved address."
                                     : ", a loopback or private address."),
                refused_always_         ? "No registry can be at this address."
                : request_->public_only ? "If it is the token server of this registry, name it in "
                                          "the registry's realm_hosts."
                                        : "Set allow_private for this registry when it is inside "
                                          "your own network.");
  }
  if (IsTlsFailure(result, text)) {
    const bool alert = text.find("alert") != std::string::npos;
    const bool no_tls = text.find("wrong version number") != std::string::npos;
    throw Error(ErrorKind::kTls, "no secure connection to " + host, text + ".",
                no_tls ? "The port answers without TLS: if it shall be so, write http:// in the "
                         "registry's URL."
                : alert
                    ? "If the registry knows its clients by certificates, check the one that "
                      "image_library.set_client_certificate keeps."
                    : "Check the registry's certificate, and that the CA certificate set for the "
                      "registry has signed it.");
  }
  if (IsConnectionFailure(result)) {
    // With TLS 1.3 the refusal of a client's certificate may get lost behind the reset, which
    // libcurl tells by one of many codes.
    const bool cut = request_->url.starts_with("https:") && result != CURLE_OPERATION_TIMEDOUT &&
                     result != CURLE_COULDNT_CONNECT && result != CURLE_COULDNT_RESOLVE_HOST &&
                     result != CURLE_COULDNT_RESOLVE_PROXY && result != CURLE_PARTIAL_FILE;
    std::string hint = "Check the registry's address, and that it is reachable from this server.";
    if (cut) {
      hint += " If it knows its clients by certificates, ";
      hint += shows_certificate_ ? "it may not know ours: see image_library.set_client_certificate."
                                 : "set one with image_library.set_client_certificate.";
    }
    throw Error(ErrorKind::kUnreachable, "no answer from " + host, text + ".", std::move(hint));
  }
  throw Error(ErrorKind::kProtocol, "no HTTP answer from " + host, text + ".",
              "Check the registry's URL.");
}

}  // namespace image_library::registry
