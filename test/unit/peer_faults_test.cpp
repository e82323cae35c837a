// Faults that other registry clients had, each numbered as in test/registries.md: listings,
// authorization, redirects and manifests. Those of whole syncs are in peer_faults_sync_test.cpp.
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "registry/client.h"
#include "scripted_registry.h"

namespace image_library::registry {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const std::string kList = "GET /v2/app/tags/list";
constexpr const char* kBody = R"({"schemaVersion":2,"config":{},"layers":[]})";
constexpr const char* kAlice = "Basic YWxpY2U6czNjcmV0";  // alice:s3cret

class PeerFaults : public testing::Test {
 protected:
  PeerFaults() { Make(); }

  void Make(std::vector<Credential> credentials = {}, std::vector<std::string> realm_hosts = {},
            const std::string& url = "https://r.example") {
    ClientOptions options;
    options.url = ParseRegistryUrl(url);
    options.credentials = std::move(credentials);
    options.realm_hosts = std::move(realm_hosts);
    options.reload_credentials = [this] { return renewed_; };
    client_ = std::make_unique<Client>(std::move(options), registry_.transport);
  }

  void Page(const std::string& query, const std::string& tags, const std::string& link = "") {
    Response page = Answer(200, "{\"tags\":" + tags + "}");
    if (!link.empty()) page.headers.Add("link", link);
    registry_.Set(kList + query, std::move(page));
  }
  std::vector<std::string> Tags() { return Await(client_->ListTags("app"))->names; }
  /// Authorization headers of the requests to a host.
  std::vector<std::string> SentTo(const std::string& host) {
    std::vector<std::string> sent;
    for (const Request& request : registry_.transport.requests) {
      if (request.url.starts_with("https://" + host + "/"))
        sent.push_back(HeaderOf(request, "Authorization"));
    }
    return sent;
  }

  ScriptedRegistry registry_;
  std::vector<Credential> renewed_;
  std::unique_ptr<Client> client_;
};

// Quay made its cap on n a hard error overnight.
TEST_F(PeerFaults, Case01_APageSizeThatIsRefusedIsLeftOut) {
  registry_.Set(kList + "?n=100",
                Answer(413, R"({"errors":[{"code":"TOO_MANY_TAGS_REQUESTED"}]})"));
  Page("", R"(["a"])");
  EXPECT_THAT(Tags(), ElementsAre("a"));
}

TEST_F(PeerFaults, Case02_EveryPageIsRead) {
  Page("?n=100", R"(["a"])", "</v2/app/tags/list?last=a&n=100>; rel=\"next\"");
  Page("?last=a&n=100", R"(["b"])", "</v2/app/tags/list?last=b&n=100>; rel=\"next\"");
  Page("?last=b&n=100", R"(["c"])");
  EXPECT_THAT(Tags(), ElementsAre("a", "b", "c"));
}

// Quay went from next_page to last: the query is the registry's, whatever it is.
TEST_F(PeerFaults, Case03_CursorsAreOpaque) {
  Page("?n=100", R"(["a"])", "</v2/app/tags/list?next_page=gAAA%3D%2F&n=100>; rel=\"next\"");
  Page("?next_page=gAAA%3D%2F&n=100", R"(["b"])");
  EXPECT_THAT(Tags(), ElementsAre("a", "b"));
  EXPECT_THAT(registry_.TakeKeys(),
              ElementsAre(kList + "?n=100", kList + "?next_page=gAAA%3D%2F&n=100"));
}

TEST_F(PeerFaults, Case04_LinksAreParsedNotCut) {
  Page("?n=100", R"(["a"])", "</v2/app/tags/list?n=50&last=a>; rel=\"next\"");
  Page("?n=50&last=a", R"(["b"])");
  EXPECT_THAT(Tags(), ElementsAre("a", "b"));
}

// GHCR: 1000 of 1088 tags, though fewer than n came with a link.
TEST_F(PeerFaults, Case05_AShortPageIsNotTheEnd) {
  Page("?n=100", R"(["a","b"])", "</v2/app/tags/list?n=0&last=b>; rel=\"next\"");
  Page("?n=0&last=b", R"([])", "</v2/app/tags/list?last=c>; rel=\"next\"");
  Page("?last=c", R"(["d"])");
  EXPECT_THAT(Tags(), ElementsAre("a", "b", "d"));
}

// Nexus: no port, http behind a proxy, a path of its own.
TEST_F(PeerFaults, Case06_ALinkKeepsOurOriginAndPath) {
  Page("?n=100", R"(["a"])",
       "<http://r.example:80/repository/docker/v2/app/tags/list?last=a>; rel=next");
  Page("?last=a", R"(["b"])");
  EXPECT_THAT(Tags(), ElementsAre("a", "b"));
  EXPECT_THAT(registry_.transport.log, Each(HasSubstr("https://r.example/v2/app/tags/list")));
}

// Artifactory: the repository's key is missing from the link, and last is a number.
TEST_F(PeerFaults, Case07_ALinkKeepsTheRepositoryKey) {
  Make({}, {}, "https://r.example/docker-local");
  const std::string list = "GET /v2/docker-local/app/tags/list";
  registry_.Set(list + "?n=100",
                Answer(200, R"({"tags":["a"]})",
                       {{"link", "</v2/app/tags/list?last=10000&n=100>; rel=\"next\""}}));
  registry_.Set(list + "?last=10000&n=100", Answer(200, R"({"tags":["b"]})"));
  EXPECT_THAT(Tags(), ElementsAre("a", "b"));
}

// ACR repeated the page for ever.
TEST_F(PeerFaults, Case08_APageThatRepeatsEndsTheList) {
  Page("?n=100", R"(["a","b"])", "</v2/app/tags/list?last=b&x=1>; rel=\"next\"");
  Page("?last=b&x=1", R"(["a","b"])", "</v2/app/tags/list?last=b&x=2>; rel=\"next\"");
  EXPECT_THAT(Tags(), ElementsAre("a", "b"));
  EXPECT_THAT(registry_.transport.log, SizeIs(2));
}

TEST_F(PeerFaults, Case09_NullsAndDigestsAreNoTags) {
  Page("?n=100", R"([null,"","a",")" + Sha256Digest("x") + R"(",7])");
  const Listing listing = *Await(client_->ListTags("app"));
  EXPECT_THAT(listing.names, ElementsAre("a"));
  EXPECT_EQ(listing.invalid, 4u);
}

// After its last tag is deleted a repository is 404 or has null for tags.
TEST_F(PeerFaults, Case13_ARepositoryWithoutTagsIsNoError) {
  EXPECT_FALSE(Await(client_->ListTags("app")));
  Page("?n=100", "null");
  EXPECT_THAT(Tags(), IsEmpty());
}

TEST_F(PeerFaults, Case14_WithoutADigestHeaderTheBodyIsHashed) {
  const auto type =
      std::make_pair(std::string("content-type"), std::string(media_type::kOciManifest));
  registry_.Set("HEAD /v2/app/manifests/1", Answer(200, "", {type}));
  registry_.Set("GET /v2/app/manifests/1", Answer(200, kBody, {type}));
  const TagHead head = Await(client_->HeadTag("app", "1"));
  EXPECT_TRUE(head.found);
  EXPECT_EQ(head.digest, "");
  EXPECT_EQ(Await(client_->GetManifest("app", "1"))->digest, Sha256Digest(kBody));
}

// Too narrow an Accept brings the digest of one platform instead of the list's.
TEST_F(PeerFaults, Case15_HeadAcceptsWhatGetAccepts) {
  registry_.Manifest("app", "1", kBody);
  Await(client_->HeadTag("app", "1"));
  Await(client_->GetManifest("app", "1"));
  for (const Request& request : registry_.transport.requests) {
    EXPECT_THAT(HeaderOf(request, "Accept"),
                AllOf(HasSubstr(std::string(media_type::kOciIndex)),
                      HasSubstr(std::string(media_type::kOciManifest)),
                      HasSubstr(std::string(media_type::kDockerList)),
                      HasSubstr(std::string(media_type::kDockerManifest))));
  }
}

TEST_F(PeerFaults, Case19_BodiesHaveALimit) {
  registry_.Manifest("app", "1", kBody);
  registry_.Tags("app", "[]");
  Await(client_->GetManifest("app", "1"));
  Tags();
  EXPECT_EQ(registry_.transport.requests[0].max_body, limit::kManifest);
  EXPECT_EQ(registry_.transport.requests[1].max_body, limit::kList);
}

TEST_F(PeerFaults, Case20_TokensAndCredentialsAreRenewedInALongRun) {
  Make({{"", "alice", "s3cret"}});
  const std::string bearer = "Bearer realm=\"https://r.example/token\",service=\"s\"";
  registry_.Set("GET /token?service=s&scope=repository%3Aapp%3Apull",
                {Answer(200, R"({"token":"t1"})"), Answer(200, R"({"token":"t2"})")});
  registry_.Set(kList + "?n=100",
                {Answer(401, "", {{"www-authenticate", bearer}}), Answer(200, R"({"tags":["a"]})"),
                 Answer(401, "", {{"www-authenticate", bearer + ",error=\"invalid_token\""}}),
                 Answer(200, R"({"tags":["b"]})")});
  EXPECT_THAT(Tags(), ElementsAre("a"));
  EXPECT_THAT(Tags(), ElementsAre("b"));
  EXPECT_THAT(registry_.transport.log.back(), HasSubstr("[Bearer t2]"));
}

// ECR tells an expired password by 403, in plain text.
TEST_F(PeerFaults, Case20_ADenialReadsTheCredentialAgain) {
  Make({{"", "AWS", "old"}});
  renewed_ = {{"", "alice", "s3cret"}};
  registry_.Set("GET /v2/",
                {Answer(401, "", {{"www-authenticate", "Basic realm=\"ecr\""}}), Answer(200)});
  Await(client_->Ping());
  registry_.Set(kList + "?n=100", {Answer(403, "Your Authorization Token has expired"),
                                   Answer(200, R"({"tags":["a"]})")});
  EXPECT_THAT(Tags(), ElementsAre("a"));
  EXPECT_THAT(registry_.transport.log.back(), HasSubstr(kAlice));
}

TEST_F(PeerFaults, Case21_RefreshTokensRotateAndNoOfflineTokenIsAsked) {
  Make({{"", "<token>", "refresh 1"}});
  const std::string bearer = "Bearer realm=\"https://r.example/token\",service=\"s\"";
  registry_.Set("POST /token", {Answer(200, R"({"access_token":"t1","refresh_token":"refresh 2"})"),
                                Answer(200, R"({"access_token":"t2"})")});
  registry_.Set(kList + "?n=100",
                {Answer(401, "", {{"www-authenticate", bearer}}), Answer(200, R"({"tags":[]})"),
                 Answer(401, "", {{"www-authenticate", bearer}}), Answer(200, R"({"tags":[]})")});
  Tags();
  Tags();
  std::vector<std::string> asked;
  for (const Request& request : registry_.transport.requests) {
    EXPECT_THAT(request.url + request.body, Not(HasSubstr("offline_token")));
    if (request.method == Method::kPost) asked.push_back(request.body);
  }
  EXPECT_THAT(asked, ElementsAre(HasSubstr("refresh_token=refresh%201"),
                                 HasSubstr("refresh_token=refresh%202")));
}

// Servers honour the first scope or the last: one a token. A later page may want another one.
TEST_F(PeerFaults, Case22_OneScopeATokenAndEachPagesOwn) {
  const std::string realm = "Bearer realm=\"https://r.example/token\",scope=";
  registry_.Set(kList + "?n=100",
                {Answer(401, "", {{"www-authenticate", realm + "\"repository:app:pull\""}}),
                 Answer(200, R"({"tags":["a"]})", {{"link", "<?last=a>; rel=next"}})});
  registry_.Set(kList + "?last=a",
                {Answer(401, "", {{"www-authenticate", realm + "\"repository:app:pull,list\""}}),
                 Answer(200, R"({"tags":["b"]})")});
  registry_.Set("GET /token?scope=repository%3Aapp%3Apull", Answer(200, R"({"token":"t1"})"));
  registry_.Set("GET /token?scope=repository%3Aapp%3Apull%2Clist",
                Answer(200, R"({"token":"t2"})"));
  EXPECT_THAT(Tags(), ElementsAre("a", "b"));
  for (const std::string& key : registry_.TakeKeys())
    EXPECT_EQ(key.find("scope="), key.rfind("scope=")) << key;
}

TEST_F(PeerFaults, Case23_TheScopeIsThatOfTheFailingRequest) {
  registry_.Challenge(
      "Bearer "
      "realm=\"https://r.example/oauth2/"
      "token\",service=\"s\",scope=\"repository:app:metadata_read\"");
  registry_.Set("GET /oauth2/token?service=s&scope=repository%3Aapp%3Ametadata_read",
                Answer(200, R"({"access_token":"t"})"));
  registry_.Tags("app", R"(["a"])");
  EXPECT_THAT(Tags(), ElementsAre("a"));
}

TEST_F(PeerFaults, Case24_CredentialsAreThoseOfTheRegistryNotOfTheRealm) {
  Make({{"", "alice", "s3cret"}}, {"gitlab.test"});
  registry_.Challenge("Bearer realm=\"https://gitlab.test/jwt/auth?x=1\",service=\"s\"");
  registry_.Set("GET https://gitlab.test/jwt/auth?x=1&service=s&scope=repository%3Aapp%3Apull",
                Answer(200, R"({"token":"t"})"));
  registry_.Tags("app", R"(["a"])");
  EXPECT_THAT(Tags(), ElementsAre("a"));
  EXPECT_THAT(SentTo("gitlab.test"), ElementsAre(kAlice));
}

TEST_F(PeerFaults, Case25_NoAuthorizationBehindARedirect) {
  Make({{"", "alice", "s3cret"}});
  const std::string digest = Sha256Digest("{}");
  registry_.Challenge("Basic realm=\"x\"");
  registry_.Set("GET /v2/app/blobs/" + digest,
                Answer(307, "", {{"location", "https://s3.test/x?X-Amz-Signature=1"}}));
  registry_.Set("GET https://s3.test/x?X-Amz-Signature=1", Answer(200, "{}"));
  EXPECT_EQ(Await(client_->GetBlob("app", digest)), "{}");
  EXPECT_THAT(SentTo("s3.test"), ElementsAre(""));
}

// The opposite: the target wants a token of its own, and gets an anonymous one.
TEST_F(PeerFaults, Case25_ATargetThatAsksGetsItsOwnToken) {
  Make({{"", "alice", "s3cret"}});
  const std::string digest = Sha256Digest("{}");
  registry_.Set("GET /v2/app/blobs/" + digest,
                Answer(307, "", {{"location", "https://cdn.test/x"}}));
  registry_.Set("GET https://cdn.test/x",
                {Answer(401, "", {{"www-authenticate", "Bearer realm=\"https://cdn.test/token\""}}),
                 Answer(200, "{}")});
  registry_.Set("GET https://cdn.test/token?scope=repository%3Aapp%3Apull",
                Answer(200, R"({"token":"theirs"})"));
  EXPECT_EQ(Await(client_->GetBlob("app", digest)), "{}");
  EXPECT_THAT(SentTo("cdn.test"), ElementsAre("", "", "Bearer theirs"));
}

TEST_F(PeerFaults, Case26_RealmsElsewhereGetNothing) {
  for (const std::string realm :
       {"http://169.254.169.254/latest", "http://r.example/token", "ftp://r.example/",
        "https://u:p@r.example/", "file:///etc/passwd"}) {
    SCOPED_TRACE(realm);
    Make({{"", "alice", "s3cret"}});
    registry_.Challenge("Bearer realm=\"" + realm + "\"");
    registry_.TakeKeys();
    EXPECT_EQ(ErrorOf(client_->ListTags("app")).kind(), ErrorKind::kProtocol);
    EXPECT_THAT(registry_.TakeKeys(), SizeIs(1));  // the realm was not asked
  }
  Make({{"", "alice", "s3cret"}});
  registry_.Challenge("Bearer realm=\"https://attacker.test/token\"");
  registry_.Set("GET https://attacker.test/token?scope=repository%3Aapp%3Apull",
                {Answer(302, "", {{"location", "https://elsewhere.test/"}})});
  EXPECT_THROW(Tags(), Error);  // and a redirect of a token server is not followed
  EXPECT_THAT(SentTo("attacker.test"), ElementsAre(""));
  EXPECT_TRUE(registry_.transport.requests.back().public_only);
}

TEST_F(PeerFaults, Case27_AnotherRegistrysChallengeIsAnsweredThere) {
  Make({{"", "alice", "s3cret"}});
  registry_.Challenge("Bearer realm=\"https://r.example/token\"");
  registry_.Set("GET /token?scope=repository%3Aapp%3Apull", Answer(200, R"({"token":"ours"})"));
  registry_.Set("GET /v2/app/manifests/1",
                Answer(307, "", {{"location", "https://other.test/v2/app/manifests/1"}}));
  registry_.Set(
      "GET https://other.test/v2/app/manifests/1",
      {Answer(401, "", {{"www-authenticate", "Bearer realm=\"https://other.test/token\""}}),
       Answer(200, kBody, {{"content-type", std::string(media_type::kOciManifest)}})});
  registry_.Set("GET https://other.test/token?scope=repository%3Aapp%3Apull",
                Answer(200, R"({"token":"theirs"})"));
  EXPECT_EQ(Await(client_->GetManifest("app", "1"))->digest, Sha256Digest(kBody));
  EXPECT_THAT(SentTo("other.test"), ElementsAre("", "", "Bearer theirs"));
}

// Hub answers 401 for a repository that is not there, and has no catalogue.
TEST_F(PeerFaults, Case31_DeniedMayBeAbsentAndIsNotTriedAgain) {
  registry_.Challenge("Bearer realm=\"https://r.example/token\"");
  registry_.Set("GET /token?scope=repository%3Aapp%3Apull", Answer(200, R"({"token":"t"})"));
  const Response denied =
      Answer(401, "",
             {{"www-authenticate",
               "Bearer realm=\"https://r.example/token\",error=\"insufficient_scope\""}});
  registry_.Set(kList + "?n=100", denied);
  const Error error = ErrorOf(client_->ListTags("app"));
  EXPECT_EQ(error.kind(), ErrorKind::kUnauthorized);
  EXPECT_THAT(error.what(), HasSubstr("denied or absent"));
  EXPECT_THAT(registry_.transport.log, SizeIs(3));
  EXPECT_THAT(registry_.transport.sleeps, IsEmpty());
  registry_.Set("GET /v2/_catalog?n=1000", denied);
  registry_.Set("GET /token", Answer(200, R"({"token":"t"})"));
  EXPECT_EQ(ErrorOf(client_->ListRepositories()).kind(), ErrorKind::kUnauthorized);
  EXPECT_THAT(registry_.transport.sleeps, IsEmpty());
}

TEST_F(PeerFaults, Case31_DockerHubsApiIsElsewhere) {
  EXPECT_EQ(ParseRegistryUrl("docker.io/library").Origin(), "https://registry-1.docker.io");
  EXPECT_EQ(ParseRegistryUrl("https://index.docker.io").host, "docker.io");
}

// A virtual repository of Artifactory: 403 to HEAD of a tag that is not there.
TEST_F(PeerFaults, Case32_AHeadThatIsDeniedIsAskedAgainByGet) {
  registry_.Set("HEAD /v2/app/manifests/gone", Answer(403));
  EXPECT_FALSE(Await(client_->HeadTag("app", "gone")).found);
  registry_.Manifest("app", "1", kBody);
  registry_.Set("HEAD /v2/app/manifests/1", Answer(403));
  EXPECT_EQ(Await(client_->HeadTag("app", "1")).digest, Sha256Digest(kBody));
}

}  // namespace
}  // namespace image_library::registry
