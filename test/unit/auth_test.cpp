#include "registry/auth.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_transport.h"

namespace image_library::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constinit std::int64_t now_seconds = 0;

std::chrono::steady_clock::time_point Now() {
  return std::chrono::steady_clock::time_point(std::chrono::seconds(now_seconds));
}

constexpr const char* kChallenge =
    "Bearer realm=\"https://auth.registry.example/token\",service=\"reg\","
    "scope=\"repository:team/app:pull\"";
constexpr const char* kTokenUrl =
    "https://auth.registry.example/token?service=reg&scope=repository%3Ateam%2Fapp%3Apull";
// base64 of alice:s3cret
constexpr const char* kAlice = "Basic YWxpY2U6czNjcmV0";

class AuthTest : public testing::Test {
 protected:
  AuthTest() : transport_([this](const Request& request) { return token_server_(request); }) {
    now_seconds = 1000;
    token_server_ = [this](const Request&) {
      return registry::Answer(200, R"({"token": "t)" + std::to_string(++tokens_) + R"("})");
    };
  }

  Authenticator& Make(std::vector<Credential> credentials,
                      const std::string& origin = "https://registry.example") {
    authenticator_ = std::make_unique<Authenticator>(
        AuthSettings{origin, std::move(credentials), realm_hosts_, reload_}, sender_, &Now);
    return *authenticator_;
  }

  std::string Answer(const std::string& challenge, const std::string& sent = "",
                     AuthTarget target = {"app", "team/app", "content"}) {
    std::vector<std::string> challenges;
    if (!challenge.empty()) challenges.push_back(challenge);
    return Await(authenticator_->Answer(challenges, std::move(target), sent));
  }

  std::string Known(AuthTarget target = {"app", "team/app", "content"}) {
    return Await(authenticator_->Authorization(std::move(target)));
  }

  std::vector<std::string> realm_hosts_;
  ReloadCredentials reload_;
  int tokens_ = 0;
  FakeTransport::Handler token_server_;
  FakeTransport transport_;
  RetryingSender sender_{transport_, RetryPolicy()};
  std::unique_ptr<Authenticator> authenticator_;
};

const std::vector<Credential> kCredential = {{"", "alice", "s3cret"}};

TEST(SelectChallengeTest, BearerBeforeBasicAndUnknownSchemesIgnored) {
  EXPECT_EQ(
      SelectChallenge({"Negotiate", "Basic realm=\"x\", Bearer realm=\"https://a/\""})->scheme,
      "bearer");
  EXPECT_EQ(SelectChallenge({"Negotiate abc==, BASIC realm=\"x\""})->scheme, "basic");
  EXPECT_EQ(SelectChallenge({"Bearer service=\"no realm\"", "Basic realm=x"})->scheme, "basic");
  EXPECT_FALSE(SelectChallenge({"Negotiate", "Digest realm=\"x\""}));
  EXPECT_FALSE(SelectChallenge({}));
  EXPECT_EQ(SelectChallenge({"Bearer realm=\"https://a/\",scope=\"repository:x:pull,push\""})
                ->params.at("scope"),
            "repository:x:pull,push");
}

TEST(TrustRealmTest, HttpsOrTheSameHttpHost) {
  const auto trust = [](const std::string& origin, const std::string& realm) {
    return TrustRealm(*ParseLocation(origin), *ParseLocation(realm));
  };
  EXPECT_EQ(trust("https://registry-1.docker.io/", "https://auth.docker.io/token"),
            RealmTrust::kCredentials);
  EXPECT_EQ(trust("https://host/", "https://host:8443/token"), RealmTrust::kCredentials);
  EXPECT_EQ(trust("http://127.0.0.1:5000/", "http://127.0.0.1:5001/token"),
            RealmTrust::kCredentials);
  EXPECT_EQ(trust("https://registry.example/", "https://evil.test/token"), RealmTrust::kAnonymous);
  EXPECT_EQ(trust("https://registry.example/", "http://registry.example/token"),
            RealmTrust::kRefused);
  EXPECT_EQ(trust("http://registry.example/", "http://169.254.169.254/token"),
            RealmTrust::kRefused);
}

TEST(BasicAuthorizationTest, Base64WithoutLineBreaks) {
  EXPECT_EQ(BasicAuthorization("alice", "s3cret"), kAlice);
  EXPECT_EQ(BasicAuthorization("", ""), "");
  const std::string value = BasicAuthorization("_json_key", std::string(8000, '\n'));
  EXPECT_EQ(value.find('\n'), std::string::npos);
  EXPECT_EQ(value.size(), 6 + (8000u + 10 + 2) / 3 * 4);
}

TEST_F(AuthTest, NothingIsKnownAtFirst) {
  Make(kCredential);
  EXPECT_EQ(authenticator_->scheme(), "");
  EXPECT_EQ(Known(), "");
  EXPECT_THAT(transport_.log, ElementsAre());
}

TEST_F(AuthTest, ATokenIsFetchedOnceAndUsedAgain) {
  Make(kCredential);
  EXPECT_EQ(Answer(kChallenge), "Bearer t1");
  EXPECT_EQ(Known(), "Bearer t1");
  EXPECT_EQ(Known({"app", "team/app", "list"}), "Bearer t1");
  EXPECT_EQ(Known({"other", "team/other", "content"}), "");
  EXPECT_EQ(Answer(kChallenge), "Bearer t1");
  EXPECT_EQ(authenticator_->scheme(), "bearer");
  EXPECT_THAT(transport_.log, ElementsAre(std::string("GET ") + kTokenUrl + " [" + kAlice + "]"));
}

TEST_F(AuthTest, AnonymousSendsNoAuthorization) {
  Make({{"", "", ""}});
  EXPECT_EQ(Answer(kChallenge), "Bearer t1");
  EXPECT_THAT(transport_.log, ElementsAre(std::string("GET ") + kTokenUrl));
}

TEST_F(AuthTest, CredentialsDoNotGoToAnotherOrganization) {
  Make(kCredential);
  EXPECT_EQ(Answer("Bearer realm=\"https://evil.test/token?a=b\",service=\"reg\""), "Bearer t1");
  EXPECT_THAT(transport_.log, ElementsAre("GET https://evil.test/token?a=b&service=reg&"
                                          "scope=repository%3Ateam%2Fapp%3Apull"));
}

TEST_F(AuthTest, AnInsecureRealmIsNotAsked) {
  Make(kCredential);
  for (const char* realm : {"http://registry.example/token", "http://169.254.169.254/latest",
                            "ftp://registry.example/", "https://user:pw@registry.example/"}) {
    const Error error = ErrorOf(authenticator_->Answer(
        {"Bearer realm=\"" + std::string(realm) + "\""}, {"app", "team/app", "content"}, ""));
    EXPECT_EQ(error.kind(), ErrorKind::kProtocol) << realm;
  }
  EXPECT_THAT(transport_.log, ElementsAre());
}

TEST_F(AuthTest, AChallengeThatIsNotAsciiIsNotFollowed) {
  Make(kCredential);
  for (const char* challenge :
       {"Bearer realm=\"https://to\xFFken.test/t\"",
        "Bearer realm=\"https://registry.example/t\",scope=\"repository:\x1B[2J:pull\"",
        "Bearer realm=\"https://registry.example/t\",service=\"\xC3\""}) {
    const Error error =
        ErrorOf(authenticator_->Answer({challenge}, {"app", "team/app", "content"}, ""));
    EXPECT_EQ(error.kind(), ErrorKind::kProtocol) << challenge;
    EXPECT_THAT(error.what(), testing::HasSubstr("that is not printable ASCII"));
  }
  EXPECT_EQ(authenticator_->token_server(), "");
  EXPECT_THAT(transport_.log, ElementsAre());
}

TEST_F(AuthTest, ARelativeRealmIsTheRegistrys) {
  Make(kCredential);
  Answer("Bearer realm=\"/auth/token\",scope=\"repository:team/app:pull\"");
  EXPECT_THAT(transport_.log, ElementsAre("GET https://registry.example/auth/token?"
                                          "scope=repository%3Ateam%2Fapp%3Apull [" +
                                          std::string(kAlice) + "]"));
}

TEST_F(AuthTest, TheScopeOfTheChallengeIsUsedForItsPurpose) {
  Make({});
  const std::string realm = "Bearer realm=\"https://registry.example/t\",scope=\"";
  EXPECT_EQ(Answer(realm + "repository:team/app:metadata_read\"", "", {"app", "team/app", "list"}),
            "Bearer t1");
  EXPECT_EQ(Known(), "Bearer t1");  // the only one known for the repository
  EXPECT_EQ(Answer(realm + "repository:team/app:pull\"", "Bearer t1"), "Bearer t2");
  EXPECT_EQ(Known({"app", "team/app", "list"}), "Bearer t1");
  EXPECT_EQ(Known(), "Bearer t2");
  EXPECT_EQ(transport_.log.size(), 2u);
}

TEST_F(AuthTest, ManyCoroutinesFetchOneToken) {
  Make(kCredential);
  transport_.holding = true;
  std::vector<Task<std::string>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(authenticator_->Answer({kChallenge}, {"app", "team/app", "content"}, ""));
    tasks.back().Start();
  }
  EXPECT_EQ(transport_.log.size(), 1u);
  transport_.held.ResumeAll();
  for (Task<std::string>& task : tasks) {
    ASSERT_TRUE(task.Done());
    EXPECT_EQ(task.Result(), "Bearer t1");
  }
  EXPECT_EQ(transport_.log.size(), 1u);
}

TEST_F(AuthTest, AFailedFetchFailsForEveryoneAndIsTriedAgainByTheNext) {
  Make(kCredential);
  token_server_ = [](const Request&) { return registry::Answer(401, "go away"); };
  transport_.holding = true;
  std::vector<Task<std::string>> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back(authenticator_->Answer({kChallenge}, {"app", "team/app", "content"}, ""));
    tasks.back().Start();
  }
  transport_.held.ResumeAll();
  for (Task<std::string>& task : tasks) {
    ASSERT_TRUE(task.Done());
    EXPECT_THROW(task.Result(), Error);
  }
  EXPECT_EQ(transport_.log.size(), 1u);
  transport_.holding = false;
  token_server_ = [](const Request&) { return registry::Answer(200, R"({"token": "good"})"); };
  EXPECT_EQ(Answer(kChallenge), "Bearer good");
}

TEST_F(AuthTest, ACancelledFetchDoesNotBlockTheNext) {
  Make(kCredential);
  transport_.holding = true;
  {
    Task<std::string> fetching =
        authenticator_->Answer({kChallenge}, {"app", "team/app", "content"}, "");
    fetching.Start();
    Task<std::string> waiting =
        authenticator_->Answer({kChallenge}, {"app", "team/app", "content"}, "");
    waiting.Start();
  }
  transport_.holding = false;
  EXPECT_EQ(Answer(kChallenge), "Bearer t1");
}

TEST_F(AuthTest, TokensExpireWithAMargin) {
  Make({});
  token_server_ = [this](const Request&) {
    return registry::Answer(200, R"({"access_token": "a)" + std::to_string(++tokens_) +
                                     R"(", "token": "b", "expires_in": 300,
                                     "issued_at": "1999-01-01T00:00:00Z"})");
  };
  EXPECT_EQ(Answer(kChallenge), "Bearer a1");
  now_seconds += 289;
  EXPECT_EQ(Known(), "Bearer a1");
  now_seconds += 1;
  EXPECT_EQ(Known(), "Bearer a2");
  EXPECT_EQ(transport_.log.size(), 2u);
}

TEST_F(AuthTest, AShortOrAbsentLifeIsAMinute) {
  for (const char* life :
       {"", R"(, "expires_in": 0)", R"(, "expires_in": -5)", R"(, "expires_in": "soon")"}) {
    Make({});
    token_server_ = [this, life](const Request&) {
      return registry::Answer(200,
                              R"({"token": "t)" + std::to_string(++tokens_) + "\"" + life + "}");
    };
    const std::string first = Answer(kChallenge);
    now_seconds += 49;
    EXPECT_EQ(Known(), first) << life;
    now_seconds += 1;
    EXPECT_NE(Known(), first) << life;
  }
}

TEST_F(AuthTest, ARefusedTokenIsFetchedAnewOnce) {
  Make({});
  EXPECT_EQ(Answer(kChallenge), "Bearer t1");
  EXPECT_EQ(Answer(std::string(kChallenge) + ",error=\"invalid_token\"", "Bearer t1"), "Bearer t2");
  // Another coroutine that still used the old one takes the new one.
  EXPECT_EQ(Answer(std::string(kChallenge) + ",error=\"invalid_token\"", "Bearer t1"), "Bearer t2");
  EXPECT_EQ(transport_.log.size(), 2u);
}

TEST_F(AuthTest, InsufficientScopeIsFinal) {
  Make({});
  EXPECT_EQ(Answer(kChallenge), "Bearer t1");
  EXPECT_EQ(Answer(std::string(kChallenge) + ",error=\"insufficient_scope\"", "Bearer t1"), "");
  EXPECT_EQ(transport_.log.size(), 1u);
}

TEST_F(AuthTest, BasicIsSentAtOnceAfterItsFirstChallenge) {
  Make(kCredential);
  EXPECT_EQ(Answer("Basic realm=\"registry\""), kAlice);
  EXPECT_EQ(Known({"other", "team/other", "list"}), kAlice);
  EXPECT_EQ(Answer("Basic realm=\"registry\"", kAlice), "");
  EXPECT_THAT(transport_.log, ElementsAre());
}

TEST_F(AuthTest, BasicWithoutCredentialHasNoAnswer) {
  Make({});
  EXPECT_EQ(Answer("Basic realm=\"registry\""), "");
}

TEST_F(AuthTest, TheLongestPrefixChoosesTheCredential) {
  Make({{"", "all", "1"}, {"nim", "nim", "2"}, {"nim/meta/", "meta", "3"}});
  EXPECT_EQ(Answer("Basic realm=x", "", {"nim", "nim", ""}), BasicAuthorization("nim", "2"));
  EXPECT_EQ(Known({"nim/other", "", ""}), BasicAuthorization("nim", "2"));
  EXPECT_EQ(Known({"nim/meta/llama", "", ""}), BasicAuthorization("meta", "3"));
  EXPECT_EQ(Known({"nimble", "", ""}), BasicAuthorization("all", "1"));
  EXPECT_EQ(Known({"", "", ""}), BasicAuthorization("all", "1"));
}

TEST_F(AuthTest, AMissingChallengeIsThatOfThePing) {
  Make({});
  authenticator_->Learn(registry::Answer(
      401, "", {{"www-authenticate", "Bearer realm=\"https://registry.example/t\""}}));
  EXPECT_EQ(authenticator_->scheme(), "bearer");
  EXPECT_EQ(Answer(""), "Bearer t1");
  EXPECT_THAT(transport_.log, ElementsAre("GET https://registry.example/t?"
                                          "scope=repository%3Ateam%2Fapp%3Apull"));
  Make({});
  authenticator_->Learn(registry::Answer(200));
  EXPECT_EQ(authenticator_->scheme(), "none");
  EXPECT_EQ(Answer(""), "");
}

const std::vector<Credential> kIdentity = {{"", "<token>", "refresh me&"}};

TEST_F(AuthTest, AnIdentityTokenIsExchangedByPost) {
  Make(kIdentity);
  token_server_ = [](const Request&) {
    return registry::Answer(200, R"({"access_token": "a", "refresh_token": "newer"})");
  };
  EXPECT_EQ(Answer(kChallenge), "Bearer a");
  now_seconds += 100;
  EXPECT_EQ(Known(), "Bearer a");
  ASSERT_THAT(transport_.log, ElementsAre("POST https://auth.registry.example/token",
                                          "POST https://auth.registry.example/token"));
  const std::string form =
      "grant_type=refresh_token&client_id=image_library&service=reg&"
      "scope=repository%3Ateam%2Fapp%3Apull&refresh_token=";
  EXPECT_EQ(transport_.requests[0].body, form + "refresh%20me%26");
  EXPECT_EQ(transport_.requests[1].body, form + "newer");
}

TEST_F(AuthTest, WherePostDoesNotWorkAnIdentityTokenIsSentByGet) {
  for (const int status : {400, 401, 404, 405}) {
    Make(kIdentity);
    transport_.TakeLog();
    token_server_ = [status](const Request& request) {
      return request.method == Method::kPost ? registry::Answer(status)
                                             : registry::Answer(200, R"({"token": "g"})");
    };
    EXPECT_EQ(Answer(kChallenge), "Bearer g");
    EXPECT_THAT(transport_.log,
                ElementsAre("POST https://auth.registry.example/token",
                            std::string("GET ") + kTokenUrl + " [" +
                                BasicAuthorization("<token>", "refresh me&") + "]"));
  }
}

struct BadAnswer {
  int status;
  std::string body;
  ErrorKind kind;
};

// base64 of alice:renewed
constexpr const char* kRenewed = "Basic YWxpY2U6cmVuZXdlZA==";

TEST_F(AuthTest, ABasicCredentialThatIsRefusedIsReadAgainAtMostOnceAMinute) {
  int reads = 0;
  std::vector<Credential> stored = kCredential;
  reload_ = [&] {
    ++reads;
    return stored;
  };
  Make(kCredential);
  const std::string basic = Answer("Basic realm=\"ecr\"");
  const AuthTarget target{"app", "team/app", "content"};
  EXPECT_EQ(authenticator_->AnswerDenial(target, basic), "");  // it is still the same
  stored = {{"", "alice", "renewed"}};
  EXPECT_EQ(authenticator_->AnswerDenial(target, basic), "");
  EXPECT_EQ(reads, 1);
  now_seconds += 61;
  EXPECT_EQ(authenticator_->AnswerDenial(target, basic), kRenewed);
  EXPECT_EQ(Known(), kRenewed);
  EXPECT_EQ(Answer("Basic realm=\"ecr\"", kRenewed), "");  // refused as well: final
  EXPECT_EQ(reads, 2);
}

TEST_F(AuthTest, ADenialWithoutBasicIsFinal) {
  int reads = 0;
  reload_ = [&] {
    ++reads;
    return std::vector<Credential>{{"", "alice", "renewed"}};
  };
  Make(kCredential);
  const AuthTarget target{"app", "team/app", "content"};
  EXPECT_EQ(authenticator_->AnswerDenial(target, ""), "");
  const std::string bearer = Answer(kChallenge);
  EXPECT_EQ(authenticator_->AnswerDenial(target, bearer), "");
  EXPECT_EQ(reads, 0);
}

TEST_F(AuthTest, ATokenServerThatRefusesIsAskedOnceMoreWithARenewedCredential) {
  reload_ = [] { return std::vector<Credential>{{"", "alice", "renewed"}}; };
  token_server_ = [](const Request& request) {
    return HeaderOf(request, "Authorization") == kRenewed
               ? registry::Answer(200, R"({"token":"fresh"})")
               : registry::Answer(401);
  };
  Make(kCredential);
  EXPECT_EQ(Answer(kChallenge), "Bearer fresh");
  EXPECT_THAT(transport_.TakeLog(),
              ElementsAre(std::string("GET ") + kTokenUrl + " [" + kAlice + "]",
                          std::string("GET ") + kTokenUrl + " [" + kRenewed + "]"));
  EXPECT_EQ(Known(), "Bearer fresh");
  EXPECT_THAT(transport_.log, testing::IsEmpty());
}

TEST_F(AuthTest, ACredentialThatCannotBeReadAgainStays) {
  reload_ = []() -> std::vector<Credential> {
    throw Error(ErrorKind::kInvalidArgument, "could not open credential file");
  };
  token_server_ = [](const Request&) { return registry::Answer(401); };
  Make(kCredential);
  EXPECT_EQ(
      ErrorOf(authenticator_->Answer({kChallenge}, {"app", "team/app", "content"}, "")).kind(),
      ErrorKind::kUnauthorized);
}

TEST_F(AuthTest, ATokenServerOfRealmHostsGetsCredentials) {
  realm_hosts_ = {"*.elsewhere.test"};
  Make(kCredential);
  Answer("Bearer realm=\"https://auth.elsewhere.test/\"");
  Answer("Bearer realm=\"https://auth.foreign.test/\"", "", {"b", "b", "content"});
  EXPECT_EQ(authenticator_->token_server(), "auth.elsewhere.test");
  EXPECT_EQ(HeaderOf(transport_.requests[0], "Authorization"), kAlice);
  EXPECT_FALSE(transport_.requests[0].public_only);
  EXPECT_EQ(HeaderOf(transport_.requests[1], "Authorization"), "");
  EXPECT_TRUE(transport_.requests[1].public_only);
}

TEST_F(AuthTest, CloudsUserNamesAreSentAsTheyAre) {
  // Google's key is a JSON of kilobytes, with line breaks; the others are NVIDIA's, AWS's, ACR's.
  const std::string key = "{\n  \"private_key\": \"" + std::string(3000, 'x') + "\"\n}\n";
  for (const Credential& credential :
       std::vector<Credential>{{"", "_json_key", key},
                               {"", "$oauthtoken", "nvapi-1"},
                               {"", "AWS", std::string(4000, 'y')},
                               {"", "oauth2accesstoken", "ya29.x"},
                               {"", "00000000-0000-0000-0000-000000000000", "refresh"}}) {
    Make({credential});
    const std::string basic = Answer("Basic realm=\"x\"");
    EXPECT_EQ(basic, BasicAuthorization(credential.username, credential.password));
    EXPECT_EQ(basic.find_first_of("\r\n"), std::string::npos);
  }
}

TEST_F(AuthTest, BadTokenServers) {
  for (const BadAnswer& bad : std::vector<BadAnswer>{
           {401, "{}", ErrorKind::kUnauthorized},
           {403, "<html>", ErrorKind::kUnauthorized},
           {302, "", ErrorKind::kProtocol},
           {404, "", ErrorKind::kNotFound},
           {429, "", ErrorKind::kRateLimited},
           {500, "", ErrorKind::kServer},
           {200, "<html>", ErrorKind::kProtocol},
           {200, "{}", ErrorKind::kProtocol},
           {200, R"({"token": ""})", ErrorKind::kProtocol},
           {200, R"({"token": "a\r\nX-Injected: b"})", ErrorKind::kProtocol},
           {200, R"([])", ErrorKind::kProtocol},
           {200, R"({"token": ")" + std::string(16385, 't') + R"("})", ErrorKind::kProtocol},
           {200, R"({"token": "t", "refresh_token": ")" + std::string(16385, 'r') + R"("})",
            ErrorKind::kProtocol},
       }) {
    Make(kCredential);
    token_server_ = [&bad](const Request&) { return registry::Answer(bad.status, bad.body); };
    const Error error =
        ErrorOf(authenticator_->Answer({kChallenge}, {"app", "team/app", "content"}, ""));
    EXPECT_EQ(error.kind(), bad.kind) << bad.status << bad.body;
    const std::string all = std::string(error.what()) + error.detail() + error.hint();
    EXPECT_THAT(all, HasSubstr("auth.registry.example"));
    EXPECT_THAT(all, Not(HasSubstr("s3cret")));
    EXPECT_THAT(all, Not(HasSubstr("YWxpY2U6")));
    EXPECT_THAT(all, Not(HasSubstr("service=")));
  }
}

TEST_F(AuthTest, AChallengeThatIsTooLongIsNotFollowed) {
  const auto challenge = [](std::size_t realm, std::size_t service, std::size_t scope) {
    const std::string url = "https://auth.registry.example/";
    return "Bearer realm=\"" + url + std::string(realm - url.size(), 'r') + "\",service=\"" +
           std::string(service, 's') + "\",scope=\"" + std::string(scope, 'p') + "\"";
  };
  Make(kCredential);
  EXPECT_EQ(Answer(challenge(2048, 1024, 1024)), "Bearer t1");
  struct {
    std::string challenge, name;
  } const cases[] = {{challenge(2049, 1, 1), "realm"},
                     {challenge(100, 1025, 1), "service"},
                     {challenge(100, 1, 1025), "scope"}};
  for (const auto& [text, name] : cases) {
    const Error error = ErrorOf(authenticator_->Answer({text}, {"app", "team/app", "list"}, ""));
    EXPECT_EQ(error.kind(), ErrorKind::kProtocol);
    EXPECT_THAT(error.what(), HasSubstr("registry \"registry.example\" sends a challenge with a " +
                                        name + " of more than"));
  }
  EXPECT_EQ(transport_.log.size(), 1u);
}

TEST_F(AuthTest, TokensOfLongAgoAreForgotten) {
  Make(kCredential);
  const auto target = [](std::size_t i) {
    const std::string name = "r" + std::to_string(i);
    return AuthTarget{name, name, "list"};
  };
  const std::string challenge = "Bearer realm=\"https://auth.registry.example/token\"";
  const std::string first = Answer(challenge, "", target(0));
  for (std::size_t i = 1; i < limit::kTokens; ++i) Answer(challenge, "", target(i));
  EXPECT_EQ(Known(target(0)), first);  // which makes it the youngest
  Answer(challenge, "", target(limit::kTokens));
  EXPECT_EQ(Known(target(0)), first);
  EXPECT_EQ(Known(target(1)), "");
  EXPECT_NE(Known(target(2)), "");
  EXPECT_EQ(transport_.log.size(), limit::kTokens + 1);
  EXPECT_NE(Answer(challenge, "Bearer t2", target(1)), "Bearer t2");  // and is asked for again
}

// More are fetched at once than are kept: everyone gets its own.
TEST_F(AuthTest, ATokenThatIsWaitedForIsNotForgotten) {
  Make(kCredential);
  transport_.holding = true;
  std::vector<Task<std::string>> fetches;
  const std::size_t many = 2 * limit::kTokens;
  for (std::size_t i = 0; i < 2 * many; ++i) {
    const std::string name = "r" + std::to_string(i % many);
    fetches.push_back(authenticator_->Answer({"Bearer realm=\"https://auth.registry.example/t\""},
                                             {name, name, "list"}, ""));
    fetches.back().Start();
  }
  EXPECT_EQ(transport_.log.size(), many);
  while (!transport_.held.Empty()) transport_.held.ResumeOne();
  for (std::size_t i = 0; i < many; ++i) {
    ASSERT_TRUE(fetches[i].Done() && fetches[many + i].Done());
    const std::string mine = fetches[i].Result();
    EXPECT_EQ(mine, "Bearer t" + std::to_string(i + 1));
    EXPECT_EQ(fetches[many + i].Result(), mine);
  }
  EXPECT_EQ(transport_.log.size(), many);
}

}  // namespace
}  // namespace image_library::registry
