// The client against a scripted registry: what it asks, in what order, and what it makes of it.
#include "registry/client.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "core/digest.h"
#include "core/error.h"
#include "fake_transport.h"

namespace image_library::registry {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::Not;

constexpr const char* kRoot = "https://registry.example/v2/";
// As sha512sum tells it.
std::string Sha512Of(const std::string& body) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(body.data(), body.size(), hash, &size, EVP_sha512(), nullptr);
  std::string digest = "sha512:";
  for (unsigned int i = 0; i < size; ++i) {
    digest += "0123456789abcdef"[hash[i] >> 4];
    digest += "0123456789abcdef"[hash[i] & 15];
  }
  return digest;
}

constexpr const char* kManifestBody = R"({"schemaVersion":2,"config":{},"layers":[]})";
const std::string kManifestType = "application/vnd.oci.image.manifest.v1+json";

// base64 of alice:s3cret
constexpr const char* kAlice = "Basic YWxpY2U6czNjcmV0";

class ClientTest : public testing::Test {
 protected:
  ClientTest() : transport_([this](const Request& request) { return handler_(request); }) {
    Make();
  }

  void Make(const std::string& url = "https://registry.example/team",
            std::vector<Credential> credentials = {}) {
    client_ = std::make_unique<Client>(ClientOptions{ParseRegistryUrl(url), std::move(credentials)},
                                       transport_);
  }

  /// Answers by `METHOD path?query`; 404 for anything else.
  void Serve(std::map<std::string, Response> answers) {
    handler_ = [answers = std::move(answers)](const Request& request) {
      const std::string method = request.method == Method::kHead ? "HEAD " : "GET ";
      const auto found = answers.find(method + request.url.substr(request.url.find("/v2/") + 4));
      return found == answers.end() ? Answer(404) : found->second;
    };
  }

  void ServeAlways(Response response) {
    handler_ = [response](const Request&) { return response; };
  }

  FakeTransport::Handler handler_;
  FakeTransport transport_;
  std::unique_ptr<Client> client_;
};

Response Manifest(const std::string& body, const std::string& digest = "") {
  Response response = Answer(200, body, {{"content-type", kManifestType}});
  if (!digest.empty()) response.headers.Add("docker-content-digest", digest);
  return response;
}

TEST_F(ClientTest, PingOfAnOpenRegistry) {
  ServeAlways(Answer(200, "{}"));
  EXPECT_EQ(client_->authentication(), "");
  Await(client_->Ping());
  EXPECT_EQ(client_->authentication(), "none");
  EXPECT_THAT(transport_.log, ElementsAre("GET https://registry.example/v2/"));
}

TEST_F(ClientTest, PingLearnsBearerWithoutFetchingAToken) {
  Make("https://registry.example", {{"", "alice", "s3cret"}});
  ServeAlways(Answer(401, "", {{"www-authenticate", "Bearer realm=\"https://a.test/\""}}));
  Await(client_->Ping());
  EXPECT_EQ(client_->authentication(), "bearer");
  EXPECT_EQ(transport_.log.size(), 1u);
}

TEST_F(ClientTest, PingTriesABasicCredential) {
  Make("https://registry.example", {{"", "alice", "s3cret"}});
  handler_ = [](const Request& request) {
    return HeaderOf(request, "Authorization") == kAlice
               ? Answer(200)
               : Answer(401, "", {{"www-authenticate", "Basic realm=\"r\""}});
  };
  Await(client_->Ping());
  EXPECT_EQ(client_->authentication(), "basic");
  const std::string url = "GET https://registry.example/v2/";
  EXPECT_THAT(transport_.log, ElementsAre(url, url + " [" + kAlice + "]"));
  handler_ = [](const Request&) {
    return Answer(401, "", {{"www-authenticate", "Basic realm=\"r\""}});
  };
  const Error error = ErrorOf(client_->Ping());
  EXPECT_EQ(error.kind(), ErrorKind::kUnauthorized);
  EXPECT_EQ(error.hint(), "Check the user name and the password of the registry's credential.");
}

TEST_F(ClientTest, AnHttpsPortSaysSo) {
  const char* const go = "Client sent an HTTP request to an HTTPS server.\n";
  const char* const nginx = "<html>The plain HTTP request was sent to HTTPS port</html>";
  for (const char* body : {go, nginx}) {
    Make("http://registry.example");
    ServeAlways(Answer(400, body));
    EXPECT_THAT(ErrorOf(client_->Ping()).hint(), HasSubstr("https://"));
  }
  Make();
  ServeAlways(Answer(400, go));
  EXPECT_THAT(ErrorOf(client_->Ping()).hint(), Not(HasSubstr("https://")));
}

TEST_F(ClientTest, PingOfSomethingElse) {
  for (const auto& [status, kind] :
       std::vector<std::pair<int, ErrorKind>>{{404, ErrorKind::kNotFound},
                                              {301, ErrorKind::kProtocol},
                                              {403, ErrorKind::kUnauthorized},
                                              {418, ErrorKind::kProtocol},
                                              {500, ErrorKind::kServer}}) {
    ServeAlways(Answer(status));
    const Error error = ErrorOf(client_->Ping());
    EXPECT_EQ(error.kind(), kind) << status;
    EXPECT_THAT(error.what(), HasSubstr("registry \"registry.example\""));
    EXPECT_FALSE(error.hint().empty());
  }
  ServeAlways(Answer(401, "", {{"www-authenticate", "Negotiate"}}));
  EXPECT_EQ(ErrorOf(client_->Ping()).kind(), ErrorKind::kProtocol);
}

// A registry with a token server; only the token for the right scope opens it.
Response TokenRegistry(const Request& request, int* tokens) {
  const std::string realm = "https://auth.registry.example/token";
  if (request.url.starts_with(realm)) {
    ++*tokens;
    const std::string scope = request.url.substr(request.url.find("scope=") + 6);
    return Answer(200, "{\"token\":\"for-" + scope + "\"}");
  }
  const std::size_t start = request.url.find("/v2/") + 4;
  const std::string name = request.url.substr(start, request.url.find("/manifests/") - start);
  std::string scope = "repository%3A" + name + "%3Apull";
  scope.replace(scope.find('/'), 1, "%2F");
  if (HeaderOf(request, "Authorization") == "Bearer for-" + scope) {
    return Manifest(kManifestBody, Sha256Digest(kManifestBody));
  }
  return Answer(401, "",
                {{"www-authenticate", "Bearer realm=\"" + realm + "\",service=\"reg\",scope=\"" +
                                          "repository:" + name + ":pull\""}});
}

TEST_F(ClientTest, OneTokenARepository) {
  int tokens = 0;
  handler_ = [&tokens](const Request& request) { return TokenRegistry(request, &tokens); };
  EXPECT_TRUE(Await(client_->HeadTag("app", "1")).found);
  EXPECT_TRUE(Await(client_->HeadTag("app", "2")).found);
  EXPECT_TRUE(Await(client_->HeadTag("web", "1")).found);
  const std::string token = "GET https://auth.registry.example/token?service=reg&scope=";
  const std::string app = "repository%3Ateam%2Fapp%3Apull";
  const std::string web = "repository%3Ateam%2Fweb%3Apull";
  EXPECT_THAT(
      transport_.log,
      ElementsAre(
          "HEAD https://registry.example/v2/team/app/manifests/1", token + app,
          "HEAD https://registry.example/v2/team/app/manifests/1 [Bearer for-" + app + "]",
          "HEAD https://registry.example/v2/team/app/manifests/2 [Bearer for-" + app + "]",
          "HEAD https://registry.example/v2/team/web/manifests/1", token + web,
          "HEAD https://registry.example/v2/team/web/manifests/1 [Bearer for-" + web + "]"));
}

// The scope of pulling is what nearly all registries want: no request is sent to be told so.
TEST_F(ClientTest, ATokenIsAskedForAtOnceAfterAChallengeOfThePing) {
  int tokens = 0;
  handler_ = [&tokens](const Request& request) {
    if (!request.url.ends_with("/v2/")) return TokenRegistry(request, &tokens);
    return Answer(401, "",
                  {{"www-authenticate",
                    "Bearer realm=\"https://auth.registry.example/token\",service=\"reg\""}});
  };
  Await(client_->Ping());
  transport_.TakeLog();
  EXPECT_TRUE(Await(client_->HeadTag("app", "1")).found);
  EXPECT_THAT(transport_.log, testing::SizeIs(2));  // token, HEAD
  EXPECT_EQ(tokens, 1);
}

Task<void> HeadSideBySide(Client& client, int* found, int number) {
  const TagHead head = co_await client.HeadTag("app", std::to_string(number));
  if (head.found) ++*found;
}

Task<void> HeadAll(Client& client, int* found) {
  Group group(16);
  for (int i = 0; i < 16; ++i) co_await group.Spawn(HeadSideBySide(client, found, i));
  co_await group.Join();
}

TEST_F(ClientTest, OneTokenForManyCoroutines) {
  int tokens = 0, found = 0;
  handler_ = [&tokens](const Request& request) { return TokenRegistry(request, &tokens); };
  transport_.holding = true;
  Task<void> all = HeadAll(*client_, &found);
  all.Start();
  while (!all.Done()) {
    ASSERT_FALSE(transport_.held.Empty());
    transport_.held.ResumeOne();
  }
  EXPECT_EQ(found, 16);
  EXPECT_EQ(tokens, 1);
  EXPECT_EQ(transport_.log.size(), 16u + 1 + 16);
}

TEST_F(ClientTest, AFreshTokenThatIsRefusedIsFinal) {
  Make("https://registry.example/team", {{"", "alice", "s3cret"}});
  handler_ = [](const Request& request) {
    if (request.url.starts_with("https://registry.example/token")) {
      return Answer(200, R"({"token": "secret-token"})");
    }
    return Answer(
        401, R"({"errors":[{"code":"DENIED","message":"secret-token s3cret"}]})",
        {{"www-authenticate", "Bearer realm=\"/token\",scope=\"x\",error=\"insufficient_scope\""}});
  };
  const Error error = ErrorOf(client_->ListTags("app"));
  EXPECT_EQ(error.kind(), ErrorKind::kUnauthorized);
  EXPECT_STREQ(error.what(),
               "could not read tags of repository \"registry.example/team/app\": denied or absent");
  EXPECT_EQ(error.detail(), "The registry answered with status 401 (DENIED).");
  EXPECT_THAT(error.hint(), HasSubstr("credential"));
  EXPECT_EQ(transport_.log.size(), 3u);
}

TEST_F(ClientTest, HeadTagByDigestHeader) {
  const std::string digest = Sha256Digest("x");
  Serve({{"HEAD team/app/manifests/1", Manifest("", digest)},
         {"HEAD team/app/manifests/2", Manifest("")},
         {"HEAD team/app/manifests/3", Manifest("", "sha256:nonsense")}});
  EXPECT_EQ(Await(client_->HeadTag("app", "1")).digest, digest);
  for (const char* tag : {"2", "3"}) {
    const TagHead head = Await(client_->HeadTag("app", tag));
    EXPECT_TRUE(head.found);
    EXPECT_EQ(head.digest, "");
  }
  EXPECT_FALSE(Await(client_->HeadTag("app", "4")).found);
  EXPECT_EQ(transport_.log.size(), 4u);  // 404 is believed where HEAD works
}

// M1: whichever is left out may be answered by 404, or by another manifest.
TEST_F(ClientTest, EveryManifestRequestAcceptsAllTypes) {
  ServeAlways(Manifest(kManifestBody, Sha256Digest(kManifestBody)));
  Await(client_->HeadTag("app", "1"));
  Await(client_->GetManifest("app", "1"));
  Await(client_->GetManifest("app", Sha256Digest(kManifestBody)));
  ASSERT_EQ(transport_.requests.size(), 3u);
  for (const Request& request : transport_.requests)
    EXPECT_EQ(HeaderOf(request, "Accept"),
              "application/vnd.oci.image.index.v1+json, "
              "application/vnd.oci.image.manifest.v1+json, "
              "application/vnd.docker.distribution.manifest.list.v2+json, "
              "application/vnd.docker.distribution.manifest.v2+json, "
              "application/vnd.oci.artifact.manifest.v1+json");
}

TEST_F(ClientTest, WhereHeadDoesNotWorkGetDoes) {
  for (const int status : {403, 404, 405, 501}) {
    Make();
    transport_.TakeLog();
    handler_ = [status](const Request& request) {
      if (request.method == Method::kHead) return Answer(status);
      return request.url.ends_with("/absent") ? Answer(404) : Manifest(kManifestBody);
    };
    EXPECT_FALSE(Await(client_->HeadTag("app", "absent")).found);
    EXPECT_EQ(Await(client_->HeadTag("app", "1")).digest, Sha256Digest(kManifestBody));
    EXPECT_EQ(Await(client_->HeadTag("app", "2")).digest, Sha256Digest(kManifestBody));
    const std::string root = "https://registry.example/v2/team/app/manifests/";
    EXPECT_THAT(transport_.log,
                ElementsAre("HEAD " + root + "absent", "GET " + root + "absent",
                            "HEAD " + root + "1", "GET " + root + "1", "GET " + root + "2"))
        << status;
  }
}

TEST_F(ClientTest, HeadTagRefused) {
  ServeAlways(Answer(403));
  const Error error = ErrorOf(client_->HeadTag("app", "1"));
  EXPECT_EQ(error.kind(), ErrorKind::kUnauthorized);
  EXPECT_THAT(error.what(), HasSubstr("tag \"1\" of repository \"registry.example/team/app\""));
}

TEST_F(ClientTest, ManifestByTag) {
  const std::string digest = Sha256Digest(kManifestBody);
  const std::string wrong = Sha256Digest("other");
  Serve({{"GET team/app/manifests/1", Manifest(kManifestBody, digest)},
         {"GET team/app/manifests/2", Manifest(kManifestBody, wrong)},
         {"GET team/app/manifests/3", Manifest(kManifestBody)}});
  const auto good = Await(client_->GetManifest("app", "1"));
  EXPECT_EQ(good->digest, digest);
  EXPECT_EQ(good->content_type, kManifestType);
  EXPECT_EQ(good->body, kManifestBody);
  EXPECT_EQ(good->claimed_digest, "");
  EXPECT_EQ(Await(client_->GetManifest("app", "2"))->digest, digest);
  EXPECT_EQ(Await(client_->GetManifest("app", "2"))->claimed_digest, wrong);
  EXPECT_EQ(Await(client_->GetManifest("app", "3"))->claimed_digest, "");
  EXPECT_FALSE(Await(client_->GetManifest("app", "4")));
}

// M5: the registry's digest is of another algorithm, and the tag does not seem to move for that.
TEST_F(ClientTest, Sha512DigestsAreVerifiedAndKept) {
  const std::string digest = Sha512Of(kManifestBody);
  const std::string other = Sha512Of("other");
  Serve({{"HEAD team/app/manifests/1", Manifest("", digest)},
         {"GET team/app/manifests/1", Manifest(kManifestBody, digest)},
         {"GET team/app/manifests/2", Manifest(kManifestBody, other)},
         {"GET team/app/manifests/" + digest, Manifest(kManifestBody, digest)},
         {"GET team/app/manifests/" + other, Manifest(kManifestBody, other)}});
  EXPECT_EQ(Await(client_->HeadTag("app", "1")).digest, digest);
  EXPECT_EQ(Await(client_->GetManifest("app", "1"))->digest, digest);
  EXPECT_EQ(Await(client_->GetManifest("app", "1"))->claimed_digest, "");
  EXPECT_EQ(Await(client_->GetManifest("app", "2"))->digest, Sha256Digest(kManifestBody));
  EXPECT_EQ(Await(client_->GetManifest("app", "2"))->claimed_digest, other);
  EXPECT_EQ(Await(client_->GetManifest("app", digest))->digest, digest);
  EXPECT_EQ(ErrorOf(client_->GetManifest("app", other)).kind(), ErrorKind::kDigestMismatch);
  Make();
  handler_ = [&](const Request& request) {
    return request.method == Method::kHead ? Answer(405) : Manifest(kManifestBody, digest);
  };
  EXPECT_EQ(Await(client_->HeadTag("app", "1")).digest, digest);
}

TEST_F(ClientTest, ManifestByDigestIsVerified) {
  const std::string digest = Sha256Digest(kManifestBody);
  const std::string other = Sha256Digest("other");
  Serve({{"GET team/app/manifests/" + digest, Manifest(kManifestBody, other)},
         {"GET team/app/manifests/" + other, Manifest(kManifestBody, other)}});
  EXPECT_EQ(Await(client_->GetManifest("app", digest))->digest, digest);
  EXPECT_EQ(ErrorOf(client_->GetManifest("app", other)).kind(), ErrorKind::kDigestMismatch);
}

TEST_F(ClientTest, WhatIsNoManifest) {
  ServeAlways(Answer(200, "<html>Log in</html>", {{"content-type", "text/html"}}));
  EXPECT_EQ(ErrorOf(client_->GetManifest("app", "1")).kind(), ErrorKind::kMalformed);
}

// The body holds signatures beside what the digest is of.
TEST_F(ClientTest, Schema1IsVerifiedWithoutItsSignatures) {
  const std::string payload = "{\n   \"schemaVersion\": 1,\n   \"fsLayers\": []\n}";
  const std::string digest = Sha256Digest(payload);
  // {"formatLength":42,"formatTail":"Cn0"}
  const std::string body =
      payload.substr(0, 42) +
      R"(,"signatures":[{"protected":"eyJmb3JtYXRMZW5ndGgiOjQyLCJmb3JtYXRUYWlsIjoiQ24wIn0"}]})";
  const std::string type = "application/vnd.docker.distribution.manifest.v1+prettyjws; a=b";
  ServeAlways(Answer(200, body, {{"content-type", type}, {"docker-content-digest", digest}}));
  for (const std::string& reference : {std::string("1"), digest}) {
    const auto manifest = Await(client_->GetManifest("app", reference));
    ASSERT_TRUE(manifest) << reference;
    EXPECT_EQ(manifest->digest, digest);
    EXPECT_EQ(manifest->claimed_digest, "");
  }
  EXPECT_EQ(ErrorOf(client_->GetManifest("app", Sha256Digest("x"))).kind(),
            ErrorKind::kDigestMismatch);
  ServeAlways(Answer(200, R"({"schemaVersion":1,"signatures":[{"protected":"e30"}]})",
                     {{"content-type", type}}));
  EXPECT_EQ(ErrorOf(client_->GetManifest("app", "1")).kind(), ErrorKind::kMalformed);
}

// What is signed of schema 1 is whatever its header says: here an OCI manifest. Only that is read,
// since only that hashes to the digest.
TEST_F(ClientTest, FactsAreThoseOfWhatTheDigestIsOf) {
  const std::string payload = R"({"schemaVersion":2,"layers":[]})";
  const std::string digest = Sha256Digest(payload);
  // {"formatLength":30,"formatTail":"fQ"}
  const std::string body =
      payload.substr(0, 30) +
      R"(,"schemaVersion":1,"signatures":[{"protected":"eyJmb3JtYXRMZW5ndGgiOjMwLCJmb3JtYXRUYWlsIjoiZlEifQ"}]})";
  for (const std::string type : {"application/vnd.docker.distribution.manifest.v1+prettyjws",
                                 "application/vnd.oci.image.manifest.v1+json", "text/plain"}) {
    ServeAlways(Answer(200, body, {{"content-type", type}, {"docker-content-digest", digest}}));
    for (const std::string& reference : {std::string("1"), digest}) {
      const auto manifest = Await(client_->GetManifest("app", reference));
      EXPECT_EQ(manifest->digest, digest);
      EXPECT_EQ(manifest->body, payload);
    }
  }
  // An OCI manifest is none of schema 1 for being sent as one.
  ServeAlways(Answer(200, kManifestBody,
                     {{"content-type", "application/vnd.docker.distribution.manifest.v1+json"}}));
  EXPECT_EQ(Await(client_->GetManifest("app", "1"))->digest, Sha256Digest(kManifestBody));
  // Where HEAD does not work, the digest is that of what is signed as well.
  handler_ = [&](const Request& request) {
    return request.method == Method::kHead ? Answer(405) : Answer(200, body);
  };
  EXPECT_EQ(Await(client_->HeadTag("app", "1")).digest, digest);
}

TEST_F(ClientTest, NamesThatAreNoneAreNeverSent) {
  ServeAlways(Answer(200));
  for (const char* name : {"", "../x", "App", "a//b", "a?x", "a%2fb", "a\r\nb"}) {
    EXPECT_EQ(ErrorOf(client_->ListTags(name)).kind(), ErrorKind::kInvalidArgument) << name;
  }
  for (const char* tag : {"", "a/../b", "a b", "sha256:abc", "a\nb"}) {
    EXPECT_EQ(ErrorOf(client_->GetManifest("app", tag)).kind(), ErrorKind::kInvalidArgument);
    EXPECT_EQ(ErrorOf(client_->HeadTag("app", tag)).kind(), ErrorKind::kInvalidArgument);
  }
  EXPECT_EQ(ErrorOf(client_->GetBlob("app", "sha256:x")).kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(ErrorOf(client_->ListReferrers("app", "1")).kind(), ErrorKind::kInvalidArgument);
  EXPECT_THAT(transport_.log, IsEmpty());
}

TEST_F(ClientTest, BlobsAreVerified) {
  const std::string digest = Sha256Digest("config");
  ServeAlways(Answer(200, "config"));
  EXPECT_EQ(Await(client_->GetBlob("app", digest)), "config");
  EXPECT_EQ(transport_.requests[0].max_body, limit::kConfig);
  ServeAlways(Answer(200, "other"));
  EXPECT_EQ(ErrorOf(client_->GetBlob("app", digest)).kind(), ErrorKind::kDigestMismatch);
  ServeAlways(Answer(404));
  const Error error = ErrorOf(client_->GetBlob("app", digest));
  EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
  EXPECT_THAT(error.what(), HasSubstr("registry.example/team/app"));
}

TEST_F(ClientTest, RedirectsLoseTheAuthorizationForGood) {
  Make("https://registry.example", {{"", "alice", "s3cret"}});
  const std::string digest = Sha256Digest("config");
  const std::map<std::string, Response> answers = {
      {kRoot + ("app/blobs/" + digest), Answer(307, "", {{"location", "/same?x=1"}})},
      {"https://registry.example/same?x=1",
       Answer(302, "", {{"location", "https://registry.example:8443/port"}})},
      {"https://registry.example:8443/port",
       Answer(301, "", {{"location", "https://cdn.test/blob?sig=abc"}})},
      {"https://cdn.test/blob?sig=abc",
       Answer(308, "", {{"location", "https://registry.example/back"}})},
      {"https://registry.example/back", Answer(200, "config")}};
  handler_ = [&answers](const Request& request) {
    if (request.url.ends_with("/v2/") && HeaderOf(request, "Authorization").empty()) {
      return Answer(401, "", {{"www-authenticate", "Basic realm=x"}});
    }
    const auto found = answers.find(request.url);
    return found == answers.end() ? Answer(200) : found->second;
  };
  Await(client_->Ping());
  transport_.TakeLog();
  EXPECT_EQ(Await(client_->GetBlob("app", digest)), "config");
  const std::string alice = " [" + std::string(kAlice) + "]";
  EXPECT_THAT(
      transport_.log,
      ElementsAre("GET https://registry.example/v2/app/blobs/" + digest + alice,
                  "GET https://registry.example/same?x=1" + alice,
                  "GET https://registry.example:8443/port", "GET https://cdn.test/blob?sig=abc",
                  "GET https://registry.example/back"));
}

TEST_F(ClientTest, RedirectsThatAreNotFollowed) {
  const std::string digest = Sha256Digest("config");
  for (const char* target : {"", "http://registry.example/x", "ftp://registry.example/x",
                             "file:///etc/passwd", "https://user:pw@registry.example/x"}) {
    ServeAlways(Answer(307, "", {{"location", target}}));
    transport_.TakeLog();
    const Error error = ErrorOf(client_->GetBlob("app", digest));
    EXPECT_EQ(error.kind(), ErrorKind::kProtocol) << target;
    EXPECT_EQ(transport_.log.size(), 1u) << target;
  }
  ServeAlways(Answer(302, "", {{"location", "/again"}}));
  transport_.TakeLog();
  EXPECT_THAT(ErrorOf(client_->GetBlob("app", digest)).what(), HasSubstr("too many redirects"));
  EXPECT_EQ(transport_.log.size(), 1u + limit::kRedirects);
}

// What a redirect's target wants is remembered of a few targets.
TEST_F(ClientTest, TargetsOfRedirectsOfLongAgoAreForgotten) {
  const std::string digest = Sha256Digest("config");
  int port = 1;
  handler_ = [&port](const Request& request) {
    if (request.url.starts_with("https://registry.example/"))
      return Answer(307, "", {{"location", "https://cdn.test:" + std::to_string(port) + "/blob"}});
    if (request.url.starts_with("https://cdn.test/token")) return Answer(200, R"({"token":"t"})");
    if (!HeaderOf(request, "Authorization").empty()) return Answer(200, "config");
    return Answer(401, "", {{"www-authenticate", "Bearer realm=\"https://cdn.test/token\""}});
  };
  const auto requests = [&](int to) {
    port = to;
    transport_.TakeLog();
    Await(client_->GetBlob("app", digest));
    return transport_.log.size();
  };
  EXPECT_EQ(requests(1), 4u);
  EXPECT_EQ(requests(1), 2u);
  for (int other = 2; other <= 40; ++other) EXPECT_EQ(requests(other), 4u);
  EXPECT_EQ(requests(40), 2u);
  EXPECT_EQ(requests(1), 4u);
}

TEST_F(ClientTest, ARedirectToAnotherRegistryIsANewAnonymousContext) {
  Make("https://registry.example", {{"", "alice", "s3cret"}});
  handler_ = [](const Request& request) {
    if (request.url.starts_with("https://registry.example/")) {
      return Answer(307, "", {{"location", "https://eu.mirror.test/v2/app/manifests/1"}});
    }
    if (request.url.starts_with("https://mirror.test/token")) {
      return Answer(200, R"({"token": "anonymous"})");
    }
    if (HeaderOf(request, "Authorization") == "Bearer anonymous") return Manifest(kManifestBody);
    return Answer(401, "",
                  {{"www-authenticate",
                    "Bearer realm=\"https://mirror.test/token\",scope=\"repository:app:pull\""}});
  };
  EXPECT_TRUE(Await(client_->GetManifest("app", "1")));
  EXPECT_THAT(transport_.log,
              ElementsAre("GET https://registry.example/v2/app/manifests/1",
                          "GET https://eu.mirror.test/v2/app/manifests/1",
                          "GET https://mirror.test/token?scope=repository%3Aapp%3Apull",
                          "GET https://eu.mirror.test/v2/app/manifests/1 [Bearer anonymous]"));
}

TEST_F(ClientTest, TemporaryFailuresAreTriedAgainWithJitter) {
  for (const int status : {408, 500, 502, 503, 504, 522}) {
    Make();
    transport_.TakeLog();
    transport_.sleeps.clear();
    int left = 2;
    handler_ = [&left, status](const Request&) {
      return left-- > 0 ? Answer(status) : Answer(200, "{}");
    };
    Await(client_->Ping());
    EXPECT_EQ(transport_.log.size(), 3u) << status;
    EXPECT_EQ(client_->retries(), 2);
    ASSERT_EQ(transport_.sleeps.size(), 2u);
    EXPECT_THAT(transport_.sleeps[0], AllOf(Ge(250), Le(500)));
    EXPECT_THAT(transport_.sleeps[1], AllOf(Ge(500), Le(1000)));
  }
}

TEST_F(ClientTest, AFailureThatStaysIsToldAfterThreeAttempts) {
  ServeAlways(Answer(502));
  EXPECT_EQ(ErrorOf(client_->Ping()).kind(), ErrorKind::kServer);
  EXPECT_EQ(transport_.log.size(), 3u);
  handler_ = [](const Request&) -> Response {
    throw Error(ErrorKind::kUnreachable, "no answer from \"registry.example\"", "Refused.");
  };
  transport_.TakeLog();
  const Error error = ErrorOf(client_->ListTags("app"));
  EXPECT_EQ(error.kind(), ErrorKind::kUnreachable);
  EXPECT_STREQ(error.what(),
               "could not read tags of repository \"registry.example/team/app\": no answer from "
               "\"registry.example\"");
  EXPECT_EQ(error.detail(), "Refused.");
  EXPECT_EQ(transport_.log.size(), 3u);
  handler_ = [](const Request&) -> Response { throw Error(ErrorKind::kTls, "bad certificate"); };
  transport_.TakeLog();
  EXPECT_EQ(ErrorOf(client_->Ping()).kind(), ErrorKind::kTls);
  EXPECT_EQ(transport_.log.size(), 1u);
}

// LimitedTransport sends it again: limits_test.
TEST_F(ClientTest, ALimitIsNotTriedAgainHere) {
  for (const int status : {429, 503}) {
    Make();
    transport_.TakeLog();
    ServeAlways(Answer(status, "", {{"retry-after", "3"}}));
    EXPECT_EQ(ErrorOf(client_->Ping()).kind(), ErrorKind::kRateLimited);
    EXPECT_EQ(transport_.log.size(), 1u);
    EXPECT_EQ(client_->retries(), 0);
  }
  EXPECT_THAT(transport_.sleeps, IsEmpty());
}

TEST_F(ClientTest, ARetryAfterThatCannotBeReadIsNoLimit) {
  ServeAlways(Answer(503, "", {{"retry-after", "later"}}));
  EXPECT_EQ(ErrorOf(client_->Ping()).kind(), ErrorKind::kServer);
  EXPECT_EQ(transport_.log.size(), 3u);
}

TEST_F(ClientTest, EachWarningIsKeptOnce) {
  int asked = 0;
  handler_ = [&](const Request&) {
    return Answer(200, R"({"tags":[]})",
                  {{"warning", "299 - \"use another registry\""},
                   {"warning", "299 - \"number " + std::to_string(asked++) + "\""},
                   {"warning", "110 - \"stale\""}});
  };
  for (int i = 0; i < 30; ++i) Await(client_->ListTags("app"));
  EXPECT_EQ(client_->warnings().size(), 10u);
  EXPECT_EQ(client_->warnings().front(), "use another registry");
  EXPECT_EQ(client_->warnings()[1], "number 0");
}

}  // namespace
}  // namespace image_library::registry
