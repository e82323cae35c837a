// CurlTransport against a real server on the loopback interface.
#include "registry/http.h"

#include <malloc.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "core/error.h"
#include "core/release.h"
#include "loopback_client.h"
#include "loopback_server.h"

namespace image_library::registry {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

struct Cancelled {};

// Throws at the first wait after a moment.
class CancellingWaiter : public Waiter {
 public:
  explicit CancellingWaiter(milliseconds after) : end_(steady_clock::now() + after) {}
  void Wait(int descriptor, int) override {
    pollfd poll_descriptor{descriptor, POLLIN, 0};
    poll(&poll_descriptor, 1, 10);
    if (steady_clock::now() >= end_) throw Cancelled();
  }

 private:
  steady_clock::time_point end_;
};

Task<void> SendMany(Transport& transport, std::string url, int count, int* answered) {
  for (int i = 0; i < count; ++i) {
    Request request;
    request.url = url;
    const Response response = co_await transport.Send(std::move(request));
    if (response.status == 200) ++*answered;
  }
}

Task<void> SendSideBySide(Transport& transport, std::string url, int count, int* answered) {
  Group group(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) co_await group.Spawn(SendMany(transport, url, 1, answered));
  co_await group.Join();
}

class HttpTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new LoopbackServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  static std::string Url(const std::string& path) {
    return "http://127.0.0.1:" + server_->port() + "/" + path;
  }

  static HttpOptions Local() {
    HttpOptions options;
    options.allow_private = true;
    return options;
  }

  Outcome Send(Request request, HttpOptions options = Local()) {
    CurlTransport transport(std::move(options));
    return SendOn(transport, std::move(request));
  }

  Outcome SendOn(CurlTransport& transport, Request request) {
    Outcome outcome;
    transport.Run(SendOne(transport, std::move(request), &outcome), waiter_);
    return outcome;
  }

  Outcome Get(const std::string& path, HttpOptions options = Local()) {
    Request request;
    request.url = Url(path);
    return Send(std::move(request), std::move(options));
  }

  // A second transport, so that asking changes nothing but the number of connections.
  static std::string Connections() {
    Outcome outcome;
    PollWaiter waiter;
    CurlTransport transport(Local());
    Request request;
    request.url = Url("state/connections");
    transport.Run(SendOne(transport, std::move(request), &outcome), waiter);
    return outcome.response.body;
  }

  inline static LoopbackServer* server_ = nullptr;
  PollWaiter waiter_;
};

TEST_F(HttpTest, StatusHeadersAndBody) {
  const Outcome outcome = Get("hello");
  ASSERT_FALSE(outcome.error) << outcome.error->what() << " " << outcome.error->detail();
  EXPECT_EQ(outcome.response.status, 200);
  EXPECT_EQ(outcome.response.body, "hello");
  EXPECT_EQ(outcome.response.Header("etag"), "\"e\"");
  EXPECT_EQ(outcome.response.Header("absent"), "");
  EXPECT_EQ(outcome.response.headers.All("x-two"), (std::vector<std::string_view>{"one", "two"}));
}

TEST_F(HttpTest, AnyStatusIsAnAnswer) {
  for (const int status : {204, 302, 401, 404, 429, 500, 503}) {
    const Outcome outcome = Get("status/" + std::to_string(status));
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.response.status, status);
  }
}

TEST_F(HttpTest, RedirectsAreNotFollowed) {
  const Outcome outcome = Get("redirect");
  EXPECT_EQ(outcome.response.status, 302);
  EXPECT_EQ(outcome.response.Header("location"), "/hello");
}

TEST_F(HttpTest, HeadHasHeadersAndNoBody) {
  CurlTransport transport(Local());
  Request request;
  request.method = Method::kHead;
  request.url = Url("hello");
  const Outcome head = SendOn(transport, request);
  EXPECT_EQ(head.response.status, 200);
  EXPECT_EQ(head.response.Header("content-length"), "5");
  EXPECT_EQ(head.response.body, "");
  request.method = Method::kGet;
  EXPECT_EQ(SendOn(transport, request).response.body, "hello");
}

TEST_F(HttpTest, OneHandleServesEveryMethodAndItsOwnHeaders) {
  CurlTransport transport(Local());
  Request post;
  post.method = Method::kPost;
  post.url = Url("echo/token");
  post.body = "grant_type=refresh_token";
  post.headers = {{"Authorization", "Bearer abc"}, {"Content-Type", "text/x-test"}};
  const std::string posted = SendOn(transport, post).response.body;
  EXPECT_THAT(posted, HasSubstr("POST /echo/token\n"));
  EXPECT_THAT(posted, HasSubstr("Authorization: Bearer abc\n"));
  EXPECT_THAT(posted, HasSubstr("Content-Type: text/x-test\n"));
  EXPECT_THAT(posted, HasSubstr(std::string("User-Agent: image_library/") + kRelease + "\n"));
  EXPECT_TRUE(posted.ends_with("grant_type=refresh_token"));
  Request get;
  get.url = Url("echo/a/../b?x=%2F&y");
  const std::string got = SendOn(transport, get).response.body;
  EXPECT_THAT(got, HasSubstr("GET /echo/a/../b?x=%2F&y\n"));
  EXPECT_THAT(got, Not(HasSubstr("Authorization")));
  EXPECT_THAT(got, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(got, Not(HasSubstr("Accept-Encoding")));
  EXPECT_EQ(transport.traffic().bytes, static_cast<std::int64_t>(posted.size() + got.size()));
}

TEST_F(HttpTest, ConnectionsAreReused) {
  const int before = std::stoi(Connections());
  CurlTransport transport(Local());
  int answered = 0;
  transport.Run(SendMany(transport, Url("hello"), 50, &answered), waiter_);
  EXPECT_EQ(answered, 50);
  EXPECT_EQ(std::stoi(Connections()) - before, 2);  // ours and that of asking
}

TEST_F(HttpTest, AsManyRequestsAtOnceAsAllowed) {
  HttpOptions options = Local();
  options.max_connections = 3;
  CurlTransport transport(options);
  int answered = 0;
  transport.Run(SendSideBySide(transport, Url("busy/0.05"), 9, &answered), waiter_);
  EXPECT_EQ(answered, 9);
  EXPECT_EQ(Get("state/peak").response.body, "3");
}

TEST_F(HttpTest, FewerRequestsAtOnceWhereTheyAreRefused) {
  HttpOptions options = Local();
  options.max_connections = 32;
  CurlTransport transport(options);
  EXPECT_EQ(transport.traffic().ceiling, 16);
  int answered = 0;
  transport.Run(SendSideBySide(transport, Url("crowd/2"), 200, &answered), waiter_);
  EXPECT_GT(answered, 0);
  EXPECT_LT(answered, 200);
  EXPECT_LE(transport.traffic().lowest_ceiling, 8);
  EXPECT_GE(transport.traffic().lowest_ceiling, 1);
  // What is borne is found out again.
  answered = 0;
  transport.Run(SendSideBySide(transport, Url("hello"), 1000, &answered), waiter_);
  EXPECT_EQ(answered, 1000);
  EXPECT_GT(transport.traffic().ceiling, 8);
}

TEST(TlsTest, WithoutHttp2EachRequestInFlightHasAConnection) {
  LoopbackServer server("--tls");
  HttpOptions options;
  options.allow_private = true;
  options.ca_certificate = server.certificate();
  options.max_connections = 4;
  CurlTransport transport(options);
  PollWaiter waiter;
  const std::string url = "https://127.0.0.1:" + server.port() + "/";
  int answered = 0;
  transport.Run(SendSideBySide(transport, url + "busy/0.2", 12, &answered), waiter);
  EXPECT_EQ(answered, 12);
  Outcome peak;
  Request request;
  request.url = url + "state/peak";
  transport.Run(SendOne(transport, request, &peak), waiter);
  EXPECT_EQ(peak.response.body, "4");
}

TEST_F(HttpTest, RequestsPerSecond) {
  HttpOptions options = Local();
  options.requests_per_second = 20;
  CurlTransport transport(options);
  int answered = 0;
  const auto start = steady_clock::now();
  transport.Run(SendSideBySide(transport, Url("hello"), 30, &answered), waiter_);
  const auto took = steady_clock::now() - start;
  EXPECT_EQ(answered, 30);
  EXPECT_GE(took, milliseconds(490));  // 20 at once, 10 more at 20 a second
  EXPECT_LT(took, milliseconds(3000));
}

TEST_F(HttpTest, BodyLimit) {
  Request request;
  request.url = Url("bytes/1000");
  request.max_body = 1000;
  EXPECT_EQ(Send(request).response.body.size(), 1000u);
  request.max_body = 999;
  EXPECT_EQ(KindOf(Send(request)), ErrorKind::kTooLarge);
  request.url = Url("endless");
  request.max_body = 100000;
  EXPECT_EQ(KindOf(Send(request)), ErrorKind::kTooLarge);
}

constinit std::size_t most_in_use = 0;

// Blocks that are as large as bodies.
std::size_t InUse() { return mallinfo2().hblkhd; }

// Each answer is kept until another one has come, as that of an index is while it is read.
Task<void> SendAndKeep(CurlTransport& transport, Request request, std::size_t* bytes) {
  Request again = request;
  const Response first = co_await transport.Send(std::move(request));
  const Response second = co_await transport.Send(std::move(again));
  most_in_use = std::max(most_in_use, InUse());
  *bytes += first.body.size() + second.body.size();
}

Task<void> SendMany(CurlTransport& transport, std::string url, int count, std::size_t* bytes) {
  Group group(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    Request request;
    request.url = url;
    Task<void> task = SendAndKeep(transport, std::move(request), bytes);
    co_await group.Spawn(std::move(task));
  }
  co_await group.Join();
}

TEST_F(HttpTest, BodiesInMemoryHaveABudget) {
  constexpr std::size_t kSize = 3000000;
  HttpOptions options = Local();
  options.body_budget = 4u << 20;
  CurlTransport transport(options);
  PollWaiter waiter;
  std::size_t bytes = 0;
  const std::size_t before = most_in_use = InUse();
  transport.Run(SendMany(transport, Url("bytes/" + std::to_string(kSize)), 20, &bytes), waiter);
  EXPECT_EQ(bytes, 40 * kSize);
  EXPECT_LE(transport.traffic().most_held, options.body_budget + 2 * kSize + 20 * (64u << 10));
  EXPECT_GE(transport.traffic().most_held, kSize);
  // What is dropped is not kept uncounted.
  EXPECT_LE(most_in_use - before, transport.traffic().most_held + kSize);
  // Without that many bytes at once, each is asked for once.
  options.body_budget = 100u << 20;
  CurlTransport generous(options);
  generous.Run(SendMany(generous, Url("bytes/" + std::to_string(kSize)), 20, &bytes), waiter);
  EXPECT_EQ(bytes, 80 * kSize);
  EXPECT_EQ(generous.traffic().bytes, static_cast<std::int64_t>(40 * kSize));
  EXPECT_GT(generous.traffic().most_held, options.body_budget / 20);
}

TEST_F(HttpTest, HeaderLimit) {
  EXPECT_EQ(Get("headers/60").response.status, 200);
  const Outcome outcome = Get("headers/70");
  EXPECT_EQ(KindOf(outcome), ErrorKind::kTooLarge);
  EXPECT_THAT(outcome.error->what(), HasSubstr("headers of \"127.0.0.1:"));
  EXPECT_EQ(Get("fields/450").response.status, 200);
  const Outcome fields = Get("fields/550");
  EXPECT_EQ(KindOf(fields), ErrorKind::kTooLarge);
}

TEST_F(HttpTest, ALongErrorBodyIsCutAndTheStatusStays) {
  const Outcome outcome = Get("error-bytes/1000000");
  ASSERT_FALSE(outcome.error);
  EXPECT_EQ(outcome.response.status, 404);
  EXPECT_LE(outcome.response.body.size(), 65536u);
}

TEST_F(HttpTest, Timeouts) {
  HttpOptions total = Local();
  total.total_timeout_ms = 200;
  EXPECT_EQ(KindOf(Get("hang", total)), ErrorKind::kUnreachable);
  HttpOptions idle = Local();
  idle.idle_timeout_ms = 1000;
  const auto start = steady_clock::now();
  EXPECT_EQ(KindOf(Get("stall", idle)), ErrorKind::kUnreachable);
  EXPECT_LT(steady_clock::now() - start, milliseconds(9000));  // libcurl averages over 5 seconds
}

TEST_F(HttpTest, ACutConnectionIsUnreachable) {
  EXPECT_EQ(KindOf(Get("cut")), ErrorKind::kUnreachable);
}

TEST_F(HttpTest, AClosedPortIsUnreachable) {
  Request request;
  request.url = "http://127.0.0.1:1/v2/?secret=1";
  const Outcome outcome = Send(request);
  EXPECT_EQ(KindOf(outcome), ErrorKind::kUnreachable);
  EXPECT_STREQ(outcome.error->what(), "no answer from \"127.0.0.1:1\"");
  EXPECT_THAT(outcome.error->detail(), Not(HasSubstr("secret")));
}

TEST_F(HttpTest, PrivateAddressesNeedPermission) {
  const Outcome outcome = Get("hello", HttpOptions());
  EXPECT_EQ(KindOf(outcome), ErrorKind::kForbiddenAddress);
  EXPECT_THAT(outcome.error->detail(), HasSubstr("127.0.0.1"));
  Request request;
  request.url = "http://localhost:" + server_->port() + "/hello";
  EXPECT_EQ(KindOf(Send(request, HttpOptions())), ErrorKind::kForbiddenAddress);
}

TEST_F(HttpTest, MetadataAddressesAreAlwaysRefused) {
  Request request;
  request.url = "http://169.254.169.254/latest/meta-data";
  const auto start = steady_clock::now();
  EXPECT_EQ(KindOf(Send(request)), ErrorKind::kForbiddenAddress);
  EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
}

TEST_F(HttpTest, OtherProtocolsAndUserInformationAreRefused) {
  for (const std::string& url :
       {std::string("file:///etc/hostname"), std::string("ftp://127.0.0.1/"),
        "http://user:secret@127.0.0.1:" + server_->port() + "/hello"}) {
    Request request;
    request.url = url;
    const Outcome outcome = Send(request);
    EXPECT_EQ(KindOf(outcome), ErrorKind::kProtocol) << url;
    EXPECT_THAT(std::string(outcome.error->what()) + outcome.error->detail(),
                Not(HasSubstr("secret")));
  }
}

TEST_F(HttpTest, TheProxyOfTheEnvironmentIsIgnored) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("all_proxy", "http://127.0.0.1:1", 1);
  const Outcome outcome = Get("hello");
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  EXPECT_EQ(outcome.response.status, 200);
}

TEST_F(HttpTest, HeadersWithControlCharactersAreRefused) {
  CurlTransport transport(Local());
  Request request;
  request.url = Url("echo");
  request.headers = {{"Authorization", "Bearer secret\r\nX-Injected: 1"}};
  const Outcome outcome = SendOn(transport, request);
  EXPECT_EQ(KindOf(outcome), ErrorKind::kProtocol);
  EXPECT_THAT(outcome.error->what(), Not(HasSubstr("secret")));
  request.headers.clear();
  EXPECT_EQ(SendOn(transport, request).response.status, 200);
}

TEST_F(HttpTest, AThrowingWaiterCancelsAtOnceAndTheTransportStaysUsable) {
  HttpOptions options = Local();
  options.max_connections = 4;
  CurlTransport transport(options);
  int answered = 0;
  CancellingWaiter cancelling(milliseconds(50));
  const auto start = steady_clock::now();
  EXPECT_THROW(transport.Run(SendSideBySide(transport, Url("hang"), 10, &answered), cancelling),
               Cancelled);
  EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
  EXPECT_EQ(answered, 0);
  transport.Run(SendSideBySide(transport, Url("hello"), 10, &answered), waiter_);
  EXPECT_EQ(answered, 10);
}

// Of three requests over one connection the first is under way when the others are dropped.
Task<void> DropOthers(Transport& transport, std::string url, std::vector<Outcome>* outcomes) {
  Group group(3);
  for (Outcome& outcome : *outcomes) {
    Request request;
    request.url = url;
    co_await group.Spawn(SendOne(transport, std::move(request), &outcome));
  }
  co_await transport.Sleep(20);
  transport.DropQueued(std::make_exception_ptr(Error(ErrorKind::kRateLimited, "enough")));
  co_await group.Join();
}

TEST_F(HttpTest, WhatIsDroppedFromTheQueueFailsAndIsNotSent) {
  HttpOptions options = Local();
  options.max_connections = 1;
  CurlTransport transport(options);
  std::vector<Outcome> outcomes(3);
  transport.Run(DropOthers(transport, Url("busy/0.2"), &outcomes), waiter_);
  EXPECT_EQ(outcomes[0].response.status, 200);
  for (int i : {1, 2}) {
    ASSERT_TRUE(outcomes[i].error);
    EXPECT_EQ(outcomes[i].error->kind(), ErrorKind::kRateLimited);
  }
  EXPECT_EQ(transport.traffic().bytes, static_cast<std::int64_t>(outcomes[0].response.body.size()));
  EXPECT_EQ(SendOn(transport, Request{Method::kGet, Url("hello"), {}, {}}).response.status, 200);
}

Task<void> SleepThenNote(Transport& transport, int sleep_ms, std::vector<int>* notes) {
  co_await transport.Sleep(sleep_ms);
  notes->push_back(sleep_ms);
}

Task<void> SleepSideBySide(Transport& transport, std::vector<int> spans, std::vector<int>* notes) {
  Group group(spans.size());
  for (const int span : spans) co_await group.Spawn(SleepThenNote(transport, span, notes));
  co_await group.Join();
}

TEST_F(HttpTest, SleepsEndInOrder) {
  CurlTransport transport(Local());
  std::vector<int> notes;
  const auto start = steady_clock::now();
  transport.Run(SleepSideBySide(transport, {60, 20, 40, 0}, &notes), waiter_);
  EXPECT_EQ(notes, (std::vector<int>{0, 20, 40, 60}));
  EXPECT_GE(steady_clock::now() - start, milliseconds(60));
  CancellingWaiter cancelling(milliseconds(20));
  EXPECT_THROW(transport.Run(SleepSideBySide(transport, {50000, 50000}, &notes), cancelling),
               Cancelled);
}

TEST_F(HttpTest, TheTransportMayGoBeforeItsTasks) {
  std::vector<int> notes;
  int answered = 0;
  auto transport = std::make_unique<CurlTransport>(Local());
  Task<void> sleeping = SleepSideBySide(*transport, {50000}, &notes);
  Task<void> sending = SendSideBySide(*transport, Url("hang"), 20, &answered);
  sleeping.Start();
  sending.Start();
  CancellingWaiter cancelling(milliseconds(20));
  EXPECT_THROW(transport->Run(SleepSideBySide(*transport, {50000}, &notes), cancelling), Cancelled);
  transport.reset();
  EXPECT_FALSE(sleeping.Done());
  EXPECT_FALSE(sending.Done());
}

Task<void> WaitForNothing(WaitQueue& queue) { co_await queue.Wait(); }

TEST_F(HttpTest, ATaskThatWaitsForNothingDoesNotHang) {
  CurlTransport transport(Local());
  WaitQueue queue;
  EXPECT_THROW(transport.Run(WaitForNothing(queue), waiter_), std::logic_error);
}

class MaskWaiter : public PollWaiter {
 public:
  void Wait(int descriptor, int timeout_ms) override {
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, nullptr, &now);
    if (sigismember(&now, SIGTERM)) blocked = true;
    PollWaiter::Wait(descriptor, timeout_ms);
  }
  bool blocked = false;
};

TEST_F(HttpTest, SignalsAreOpenWhileItWaits) {
  CurlTransport transport(Local());
  MaskWaiter waiter;
  int answered = 0;
  transport.Run(SendMany(transport, Url("hello"), 3, &answered), waiter);
  EXPECT_EQ(answered, 3);
  EXPECT_FALSE(waiter.blocked);
}

TEST(HttpsTest, OnlyTheGivenCertificateIsTrusted) {
  const LoopbackServer server("--tls");
  const LoopbackServer other("--tls");
  PollWaiter waiter;
  Request request;
  request.url = "https://127.0.0.1:" + server.port() + "/hello";
  const auto send = [&](std::string certificate, std::string url) {
    HttpOptions options;
    options.allow_private = true;
    options.ca_certificate = std::move(certificate);
    CurlTransport transport(std::move(options));
    Request copy = request;
    copy.url = std::move(url);
    Outcome outcome;
    transport.Run(SendOne(transport, std::move(copy), &outcome), waiter);
    return outcome;
  };
  EXPECT_EQ(send(server.certificate(), request.url).response.body, "hello");
  EXPECT_EQ(KindOf(send(other.certificate(), request.url)), ErrorKind::kTls);
  EXPECT_EQ(KindOf(send("", request.url)), ErrorKind::kTls);
  EXPECT_EQ(KindOf(send("no certificate", request.url)), ErrorKind::kTls);
  // The certificate is for 127.0.0.1 only.
  EXPECT_EQ(KindOf(send(server.certificate(), "https://localhost:" + server.port() + "/hello")),
            ErrorKind::kTls);
}

}  // namespace
}  // namespace image_library::registry
