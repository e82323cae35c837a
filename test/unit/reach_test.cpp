// What the transport may reach, by which way, and what it shows of us: hosts, addresses, proxies,
// certificates, limits.
#include <chrono>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loopback_client.h"
#include "loopback_server.h"
#include "registry/client.h"

namespace image_library::registry {
namespace {

using testing::HasSubstr;
using testing::Not;

HttpOptions Local() {
  HttpOptions options;
  options.allow_private = true;
  return options;
}

class ReachTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new LoopbackServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static std::string Url(const std::string& path, const std::string& host = "127.0.0.1") {
    return "http://" + host + ":" + server_->port() + "/" + path;
  }
  inline static LoopbackServer* server_ = nullptr;
};

TEST_F(ReachTest, OnlyAllowedHosts) {
  HttpOptions options = Local();
  options.allowed_hosts = {"*.example.org", "localhost:" + server_->port()};
  EXPECT_EQ(SendWith(options, Url("hello", "localhost")).response.status, 200);
  const Outcome refused = SendWith(options, Url("hello?token=sesame"));
  EXPECT_EQ(KindOf(refused), ErrorKind::kForbiddenAddress);
  EXPECT_EQ(refused.error->what(), "host \"127.0.0.1:" + server_->port() + "\" is not allowed");
  EXPECT_THAT(refused.error->hint(), HasSubstr("image_library.allowed_hosts"));
  EXPECT_EQ(KindOf(SendWith(options, "http://localhost:1/")), ErrorKind::kForbiddenAddress);
}

// M16: to the byte, over a socket.
TEST_F(ReachTest, ManifestsAndListsHaveALimit) {
  enum class What { kManifest, kTags, kReferrers };
  const auto ask = [](std::size_t bytes, What what) {
    CurlTransport transport(Local());
    PollWaiter waiter;
    Client client({ParseRegistryUrl(Url("")), {}}, transport);
    std::optional<ErrorKind> trouble;
    const auto run = [&]() -> Task<void> {
      const std::string repository = std::to_string(bytes);
      try {
        if (what == What::kReferrers)
          (void)co_await client.ListReferrers(repository, "sha256:" + std::string(64, 'a'));
        else if (what == What::kTags)
          (void)co_await client.ListTags(repository);
        else
          (void)co_await client.GetManifest(repository, "1");
      } catch (const Error& error) {
        trouble = error.kind();
      }
    };
    transport.Run(run(), waiter);
    return trouble;
  };
  EXPECT_EQ(ask(limit::kManifest, What::kManifest), std::nullopt);
  EXPECT_EQ(ask(limit::kManifest + 1, What::kManifest), ErrorKind::kTooLarge);
  EXPECT_NE(ask(limit::kManifest, What::kReferrers), ErrorKind::kTooLarge);
  EXPECT_EQ(ask(limit::kManifest + 1, What::kReferrers), ErrorKind::kTooLarge);
  EXPECT_NE(ask(limit::kList, What::kTags), ErrorKind::kTooLarge);
  EXPECT_EQ(ask(limit::kList + 1, What::kTags), ErrorKind::kTooLarge);
}

TEST_F(ReachTest, ByProxyOnlyToAllowedHosts) {
  HttpOptions options;  // the proxy's own address may be private
  options.proxy = "http://127.0.0.1:" + server_->port();
  EXPECT_EQ(KindOf(SendWith(options, "http://registry.example.org/hello")),
            ErrorKind::kForbiddenAddress);
  options.allowed_hosts = {"registry.example.org"};
  // The name resolves nowhere: the proxy answers.
  EXPECT_EQ(SendWith(options, "http://registry.example.org/hello").response.body, "hello");
  EXPECT_THAT(SendWith(options, "http://registry.example.org/echo").response.body,
              HasSubstr("GET http://registry.example.org/echo"));
  EXPECT_EQ(KindOf(SendWith(options, "http://169.254.169.254/latest/meta-data")),
            ErrorKind::kForbiddenAddress);
}

// A port that is open and one that is closed look alike to who may not go there.
TEST_F(ReachTest, RefusedAddressesTellNothingOfWhatListensThere) {
  const Outcome open = SendWith(HttpOptions(), Url("hello"));
  const Outcome closed = SendWith(HttpOptions(), "http://127.0.0.1:1/");
  EXPECT_EQ(KindOf(open), ErrorKind::kForbiddenAddress);
  EXPECT_EQ(KindOf(closed), ErrorKind::kForbiddenAddress);
  EXPECT_EQ(open.error->detail(), closed.error->detail());
  EXPECT_EQ(open.error->hint(), closed.error->hint());
}

TEST_F(ReachTest, ARequestForPublicAddressesStaysOffPrivateOnes) {
  const Outcome refused = SendWith(Local(), Url("hello"), true);
  EXPECT_EQ(KindOf(refused), ErrorKind::kForbiddenAddress);
  EXPECT_THAT(refused.error->hint(), HasSubstr("realm_hosts"));
}

TEST_F(ReachTest, CompressedBodiesAreTakenAsTheyAreSent) {
  // A gigabyte of gzip would be a megabyte: it is never inflated, and never asked for.
  const Outcome outcome = SendWith(Local(), Url("gzip/1000000"));
  EXPECT_LT(outcome.response.body.size(), 2000u);
  EXPECT_THAT(SendWith(Local(), Url("echo")).response.body, Not(HasSubstr("Accept-Encoding")));
}

TEST_F(ReachTest, ABodyThatDripsEndsWithTheTotalTime) {
  HttpOptions options = Local();
  options.total_timeout_ms = 300;
  EXPECT_EQ(KindOf(SendWith(options, Url("drip"))), ErrorKind::kUnreachable);
}

TEST_F(ReachTest, HttpsToAPortWithoutTlsSaysSo) {
  const Outcome outcome = SendWith(Local(), "https://127.0.0.1:" + server_->port() + "/v2/");
  EXPECT_EQ(KindOf(outcome), ErrorKind::kTls);
  EXPECT_THAT(outcome.error->hint(), HasSubstr("http://"));
}

TEST_F(ReachTest, Ipv6LiteralsKeepTheirBrackets) {
  const Outcome outcome = SendWith(Local(), "http://[::1]:1/v2/");
  EXPECT_EQ(KindOf(outcome), ErrorKind::kUnreachable);
  EXPECT_STREQ(outcome.error->what(), "no answer from \"[::1]:1\"");
}

TEST(ClientCertificateTest, ShownToTheRegistryAlone) {
  const LoopbackServer server("--mtls");
  HttpOptions options = Local();
  options.ca_certificate = server.certificate();
  options.client_certificate = server.certificate();
  options.client_key = server.key();
  options.client_host = "127.0.0.1";
  const std::string url = "https://127.0.0.1:" + server.port() + "/hello";
  EXPECT_EQ(SendWith(options, url).response.body, "hello");
  options.client_host = "registry.example.org";
  const Outcome elsewhere = SendWith(options, url);
  ASSERT_TRUE(elsewhere.error);  // of TLS, or a connection that was reset before it was read
  EXPECT_THAT(elsewhere.error->hint(), HasSubstr("set_client_certificate"));
  options.client_certificate.clear();
  options.client_host = "127.0.0.1";
  EXPECT_TRUE(SendWith(options, url).error);
}

TEST(ClientCertificateTest, AHandleShowsItToOneHostAndNotToTheNext) {
  const LoopbackServer asks("--mtls");
  const LoopbackServer open;
  HttpOptions options = Local();
  options.max_connections = 1;
  options.ca_certificate = asks.certificate();
  options.client_certificate = asks.certificate();
  options.client_key = asks.key();
  options.client_host = "127.0.0.1";
  CurlTransport transport(options);
  PollWaiter waiter;
  for (const std::string& url :
       {"https://127.0.0.1:" + asks.port() + "/hello", "http://localhost:" + open.port() + "/hello",
        "https://127.0.0.1:" + asks.port() + "/hello"}) {
    Request request;
    request.url = url;
    Outcome outcome;
    transport.Run(SendOne(transport, std::move(request), &outcome), waiter);
    EXPECT_EQ(outcome.response.body, "hello") << url;
  }
}

TEST(TlsTest, OldTlsIsRefused) {
  const LoopbackServer server("--old-tls");
  HttpOptions options = Local();
  options.ca_certificate = server.certificate();
  EXPECT_EQ(KindOf(SendWith(options, "https://127.0.0.1:" + server.port() + "/hello")),
            ErrorKind::kTls);
}

}  // namespace
}  // namespace image_library::registry
