// What check_registry says of registries of many kinds.
#include "sync/check.h"

#include <ctime>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/digest.h"
#include "fake_transport.h"
#include "sync/check_probe.h"

namespace image_library::sync {
namespace {

using registry::Answer;
using registry::FakeTransport;
using registry::Method;
using registry::Request;
using registry::Response;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBody = R"({"schemaVersion":2,"config":{},"layers":[]})";
const std::string kDigest = Sha256Digest(kBody);

Response Manifest(bool with_digest = true) {
  Response response =
      Answer(200, kBody, {{"content-type", "application/vnd.oci.image.manifest.v1+json"}});
  if (with_digest) response.headers.Add("docker-content-digest", kDigest);
  return response;
}

class CheckTest : public testing::Test {
 protected:
  CheckTest() : transport_([this](const Request& request) { return Handle(request); }) {
    config_.url = ParseRegistryUrl("https://r.example");
    config_.rules = RuleSet::FromJson(Rule("team/app"));
    answers_ = {{"GET ", Answer(200, "{}")},
                {"GET _catalog?n=1000", Answer(200, R"({"repositories":["team/app"]})")},
                {"GET team/app/tags/list?n=100", Answer(200, R"({"tags":["1","2"]})")},
                {"HEAD team/app/manifests/2", Manifest()},
                {"GET team/app/manifests/2", Manifest()}};
  }

  static std::string Rule(const std::string& repositories) {
    return R"([{"rule_id":1,"action":"include","repositories":")" + repositories +
           R"(","tags":["*"],"exclude_tags":[],"kind":"auto","approval":"manual","priority":100}])";
  }

  Response Handle(const Request& request) {
    const std::size_t api = request.url.find("/v2/");
    const std::string method = request.method == Method::kHead ? "HEAD " : "GET ";
    const auto found = answers_.find(
        method + (api == std::string::npos ? request.url : request.url.substr(api + 4)));
    return found == answers_.end() ? Answer(404) : found->second;
  }

  void Check() {
    results_ = Await(ProbeRegistry(config_, transport_));
    for (const CheckResult& result : results_) all_ += result.step + " " + result.detail + "\n";
  }
  const CheckResult& Row(const std::string& check) {
    for (const CheckResult& result : results_)
      if (result.step == check) return result;
    ADD_FAILURE() << "no row " << check << " in\n" << all_;
    static const CheckResult none;
    return none;
  }
  bool Has(const std::string& check) {
    for (const CheckResult& result : results_)
      if (result.step == check) return true;
    return false;
  }
  std::string Failed() {
    std::string failed;
    for (const CheckResult& result : results_)
      if (!result.ok) failed += result.step + " ";
    return failed;
  }

  RegistryConfig config_;
  std::map<std::string, Response> answers_;
  FakeTransport transport_;
  std::vector<CheckResult> results_;
  std::string all_;
};

TEST_F(CheckTest, ARegistryThatDoesEverything) {
  const std::time_t now = std::time(nullptr);
  char date[64];
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", std::gmtime(&now));
  answers_["GET "].headers = {{"date", date}};
  answers_["HEAD team/app/manifests/2"].headers.Add("etag", "\"x\"");
  answers_["GET team/app/referrers/" + kDigest] =
      Answer(200, R"({"schemaVersion":2,"manifests":[]})",
             {{"content-type", "application/vnd.oci.image.index.v1+json"}});
  Check();
  EXPECT_EQ(Failed(), "") << all_;
  EXPECT_EQ(Row("reach").detail, "answers at https://r.example");
  EXPECT_THAT(Row("tls").detail, HasSubstr("this server trusts"));
  EXPECT_EQ(Row("auth").detail, "none is asked for, no credential is set");
  EXPECT_EQ(Row("catalogue").detail, "1 repository");
  EXPECT_EQ(Row("tags").detail, "2 tags in team/app");
  EXPECT_EQ(Row("pages").detail, "the list came whole");
  EXPECT_EQ(Row("head").detail, "HEAD tells whether a tag has moved");
  EXPECT_EQ(Row("digest").detail, "Docker-Content-Digest is sent");
  EXPECT_THAT(Row("etag").detail, HasSubstr("an ETag"));
  EXPECT_EQ(Row("manifest").detail, "team/app:2 is " + kDigest);
  EXPECT_EQ(Row("referrers").detail, "referrers API");
  EXPECT_EQ(Row("limits").detail, "no rate limit is told");
  EXPECT_EQ(Row("clock").detail, "agrees with that of this server");
  EXPECT_FALSE(Has("warning"));
}

TEST_F(CheckTest, PagesWithoutALink) {
  std::string page;
  for (int i = 0; i < 100; ++i) page += (i == 0 ? "\"" : ",\"") + std::to_string(100 + i) + '"';
  answers_["GET team/app/tags/list?n=100"] = Answer(200, "{\"tags\":[" + page + "]}");
  answers_["GET team/app/tags/list?n=100&last=199"] = Answer(200, R"({"tags":["2"]})");
  Check();
  EXPECT_EQ(Row("tags").detail, "101 tags in team/app");
  EXPECT_EQ(Row("pages").detail,
            "lists come in pages without a Link to the next, which is asked for with last=: 2 were "
            "read");
}

TEST_F(CheckTest, ARegistryThatDoesTheLeast) {
  answers_.erase("GET _catalog?n=1000");
  answers_["GET team/app/tags/list?n=100"] = Answer(413);
  answers_["GET team/app/tags/list"] =
      Answer(200, R"({"tags":["1",null]})", {{"link", "<?last=1>; rel=next"}});
  answers_["GET team/app/tags/list?last=1"] = Answer(200, R"({"tags":["2"]})");
  answers_["HEAD team/app/manifests/2"] = Answer(405);
  answers_["GET team/app/manifests/2"] = Manifest(false);
  Check();
  EXPECT_EQ(Failed(), "") << all_;
  EXPECT_THAT(Row("catalogue").detail, HasSubstr("no rule needs it"));
  EXPECT_EQ(Row("tags").detail, "2 tags in team/app; 1 entries are no tags and left out");
  EXPECT_EQ(Row("pages").detail,
            "lists come in pages, each with a Link to the next: 2 were read; a page size of our "
            "choice is refused");
  EXPECT_THAT(Row("head").detail, HasSubstr("status 405"));
  EXPECT_THAT(Row("digest").detail, HasSubstr("hashed"));
  EXPECT_THAT(Row("referrers").detail, HasSubstr("fallback tags"));
  EXPECT_THAT(Row("clock").detail, HasSubstr("does not tell"));
}

TEST_F(CheckTest, AWildcardNeedsTheCatalogue) {
  config_.rules = RuleSet::FromJson(Rule("team/*"));
  answers_["GET _catalog?n=1000"] = Answer(401);
  Check();
  EXPECT_EQ(Failed(), "catalogue tags ") << all_;
  EXPECT_THAT(Row("catalogue").detail, HasSubstr("name the repositories instead"));
  EXPECT_THAT(Row("tags").detail, HasSubstr("set a credential"));
  config_.credentials = {{"", "robot", "sesame"}};
  Check();
  EXPECT_EQ(Row("tags").detail, "no repository is known: add a rule that names one");
}

TEST_F(CheckTest, ACatalogueThatIsDeniedIsNotOneThatIsNotOffered) {
  config_.rules = RuleSet();
  answers_["GET _catalog?n=1000"] = Answer(401);
  Check();
  EXPECT_EQ(Failed(), "tags ") << all_;
  EXPECT_EQ(Row("catalogue").detail, "denied, and no rule needs it");
  EXPECT_THAT(Row("tags").detail, HasSubstr("set a credential with image_library.set_credential"));
  answers_["GET _catalog?n=1000"] = Answer(404);
  Check();
  EXPECT_EQ(Row("catalogue").detail, "not offered, and no rule needs it");
  EXPECT_EQ(Row("tags").detail, "no repository is known: add a rule that names one");
}

TEST_F(CheckTest, WhatIsDeniedSaysHowTheAccountIsWritten) {
  for (const auto& [host, words] :
       std::map<std::string, std::string>{{"1234.dkr.ecr.eu-central-1.amazonaws.com", "12 hours"},
                                          {"team.azurecr.io", "00000000-0000"},
                                          {"europe-docker.pkg.dev", "_json_key"},
                                          {"nvcr.io", "$oauthtoken"},
                                          {"ghcr.io", "read:packages"},
                                          {"docker.enterprisedb.com", "subscription token"}}) {
    config_.url = ParseRegistryUrl("https://" + host);
    answers_["GET team/app/tags/list?n=100"] = Answer(403);
    Check();
    EXPECT_FALSE(Row("tags").ok);
    EXPECT_THAT(Row("tags").detail, HasSubstr(words));
    EXPECT_THAT(Row("tags").detail, HasSubstr("denied or absent"));
  }
}

TEST_F(CheckTest, ATokenServerElsewhereGetsNoCredential) {
  config_.credentials = {{"", "alice", "s3cret"}};
  answers_["GET "] =
      Answer(401, "", {{"www-authenticate", "Bearer realm=\"https://auth.elsewhere.test/token\""}});
  Check();
  EXPECT_THAT(Row("auth").detail, HasSubstr("auth.elsewhere.test"));
  EXPECT_THAT(Row("auth").detail, HasSubstr("realm_hosts"));
  config_.realm_hosts = {"auth.elsewhere.test"};
  Check();
  EXPECT_EQ(Row("auth").detail, "bearer with tokens of auth.elsewhere.test, 1 credential is set");
  EXPECT_THAT(all_, Not(HasSubstr("s3cret")));
}

TEST_F(CheckTest, AWrongPasswordEndsTheCheck) {
  config_.credentials = {{"", "alice", "s3cret"}};
  answers_["GET "] = Answer(401, "", {{"www-authenticate", "Basic realm=\"x\""}});
  Check();
  EXPECT_EQ(Failed(), "auth ");
  EXPECT_TRUE(Row("reach").ok);
  EXPECT_FALSE(Has("tags"));
}

TEST_F(CheckTest, UnreachableAndInsecure) {
  answers_["GET "] = Answer(503);
  Check();
  EXPECT_EQ(Failed(), "reach ");
  FakeTransport broken([](const Request&) -> Response {
    throw Error(ErrorKind::kTls, "no secure connection to \"r.example\"");
  });
  results_ = Await(ProbeRegistry(config_, broken));
  EXPECT_EQ(Failed(), "tls ");
  config_.url = ParseRegistryUrl("http://r.example");
  answers_["GET "] = Answer(400, "Client sent an HTTP request to an HTTPS server.");
  Check();
  EXPECT_THAT(Row("reach").detail, HasSubstr("it speaks https. Write https://"));
  config_.credentials = {{"", "alice", "s3cret"}};
  answers_["GET "] = Answer(200, "{}");
  Check();
  EXPECT_THAT(Row("tls").detail, HasSubstr("not even the password"));
}

TEST_F(CheckTest, LimitsClockAndWarnings) {
  answers_["GET "].headers = {{"date", "Wed, 21 Oct 2015 07:28:00 GMT"}};
  answers_["HEAD team/app/manifests/2"].headers.Add("ratelimit-limit", "100;w=21600");
  answers_["HEAD team/app/manifests/2"].headers.Add("ratelimit-remaining", "76;w=21600");
  answers_["GET team/app/manifests/2"].headers.Add("warning", "299 - \"moves to x\"");
  Check();
  EXPECT_EQ(Failed(), "");
  EXPECT_EQ(Row("limits").detail, "76 of 100 requests are left, in 21600 seconds");
  EXPECT_THAT(Row("clock").detail, HasSubstr("behind"));
  EXPECT_EQ(Row("warning").detail, "the registry says: moves to x");
  answers_["GET team/app/manifests/2"].headers.Add("ratelimit-remaining", "0;w=21600");
  Check();
  EXPECT_EQ(Failed(), "limits ");
}

TEST_F(CheckTest, RateHeadersOfARedirectsTargetAreNotTheRegistrys) {
  answers_["GET team/app/manifests/2"] = Answer(307, "", {{"location", "https://cdn.test/x"}});
  answers_["GET https://cdn.test/x"] = Manifest();
  answers_["GET https://cdn.test/x"].headers.Add("ratelimit-remaining", "0;w=60");
  Check();
  EXPECT_EQ(Failed(), "");
  EXPECT_EQ(Row("limits").detail, "no rate limit is told");
}

TEST_F(CheckTest, ARegistryThatLiesOfItsDigests) {
  answers_["GET team/app/manifests/2"] =
      Answer(200, kBody,
             {{"content-type", "application/vnd.oci.image.manifest.v1+json"},
              {"docker-content-digest", Sha256Digest("another")}});
  Check();
  EXPECT_EQ(Failed(), "manifest ");
}

}  // namespace
}  // namespace image_library::sync
