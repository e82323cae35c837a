// The forms of docker's config.json (docker/cli, cli/config/configfile; containers-auth.json(5)).
#include "registry/docker_config.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace image_library::registry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kAlice = R"({"auth":"YWxpY2U6czNjcmV0"})";  // alice:s3cret

std::vector<Credential> Read(const std::string& key, const std::string& entry = kAlice,
                             const std::string& host = "registry.example",
                             const std::string& prefix = "") {
  return ReadDockerConfig(R"({"auths":{")" + key + R"(":)" + entry + "}}", host, prefix);
}

TEST(DockerConfigTest, KeysOfAHost) {
  const Credential alice{"", "alice", "s3cret"};
  for (const char* key :
       {"registry.example", "https://registry.example", "http://registry.example/",
        "https://registry.example/v1/", "https://registry.example/v2/", "Registry.Example",
        "registry.example:443"})
    EXPECT_THAT(Read(key), ElementsAre(alice)) << key;
  for (const char* key : {"registry.example:5000", "other.registry.example",
                          "registry.example.evil", "*.example", ""})
    EXPECT_THAT(Read(key), IsEmpty()) << key;
  EXPECT_THAT(Read("lab:5000", kAlice, "lab:5000"), ElementsAre(alice));
  EXPECT_THAT(Read("lab", kAlice, "lab:443"), ElementsAre(alice));
}

TEST(DockerConfigTest, DockerHubsOldNames) {
  for (const char* key : {"docker.io", "https://index.docker.io/v1/", "index.docker.io",
                          "registry-1.docker.io", "registry.hub.docker.com"})
    EXPECT_EQ(Read(key, kAlice, "docker.io").size(), 1u) << key;
}

TEST(DockerConfigTest, PathsAreRepositoryPrefixes) {
  EXPECT_THAT(Read("registry.example/team/app"),
              ElementsAre(Credential{"team/app", "alice", "s3cret"}));
  // Relative to the registry's own prefix.
  EXPECT_THAT(Read("registry.example/team/app", kAlice, "registry.example", "team"),
              ElementsAre(Credential{"app", "alice", "s3cret"}));
  EXPECT_THAT(Read("registry.example/team", kAlice, "registry.example", "team/app"),
              ElementsAre(Credential{"", "alice", "s3cret"}));
  EXPECT_THAT(Read("registry.example/teams", kAlice, "registry.example", "team"), IsEmpty());
}

TEST(DockerConfigTest, Entries) {
  const std::string key = "registry.example";
  EXPECT_THAT(Read(key, R"({"username":"bob","password":"p:w"})"),
              ElementsAre(Credential{"", "bob", "p:w"}));
  // b64 of `bob:p:w\0\0`
  EXPECT_THAT(Read(key, R"({"auth":"Ym9iOnA6dwAA"})"), ElementsAre(Credential{"", "bob", "p:w"}));
  EXPECT_THAT(Read(key, R"({"auth":"YWxpY2U6czNjcmV0","identitytoken":"eyJ"})"),
              ElementsAre(Credential{"", "<token>", "eyJ"}));
  for (const char* entry : {"{}", R"({"auth":""})", R"({"auth":"!!"})", R"({"auth":"Ym9i"})", "[]",
                            "null", R"({"auth":7})"})
    EXPECT_THAT(Read(key, entry), IsEmpty()) << entry;
}

TEST(DockerConfigTest, HelpersAreNotRun) {
  EXPECT_THAT(ReadDockerConfig(R"({"credsStore":"x","credHelpers":{"registry.example":"x"},
                                   "auths":{"registry.example":{}}})",
                               "registry.example", ""),
              IsEmpty());
}

// Why a file has no password for a host; empty when it has one.
std::string Lack(const std::string& json, const std::string& prefix = "") {
  try {
    RequireDockerCredential(json, "registry.example", prefix);
  } catch (const Error& error) {
    return error.what() + (" | " + error.detail());
  }
  return {};
}

TEST(DockerConfigTest, SaysWhatIsLacking) {
  using testing::HasSubstr;
  EXPECT_EQ(Lack(R"({"auths":{"registry.example":{"auth":"YWxpY2U6czNjcmV0"}}})"), "");
  EXPECT_THAT(Lack("{}"),
              HasSubstr("no entry for host \"registry.example\" | It has no \"auths\""));
  EXPECT_THAT(Lack("[1]"), HasSubstr("no entry"));
  EXPECT_THAT(Lack(R"({"auths":{"s3cret.example":{"auth":"YWxpY2U6czNjcmV0"}}})"),
              testing::AllOf(HasSubstr("no entry for host \"registry.example\""),
                             testing::Not(HasSubstr("s3cret"))));
  EXPECT_THAT(Lack(R"({"auths":{"registry.example":{}}})"), HasSubstr("entry is empty"));
  EXPECT_THAT(Lack(R"({"auths":{"registry.example":{"auth":"s3cret"}}})"),
              testing::AllOf(HasSubstr("base64"), testing::Not(HasSubstr("s3cret"))));
  EXPECT_THAT(Lack(R"({"auths":{"registry.example":{}},"credsStore":"desktop"})"),
              HasSubstr("credential helper"));
  EXPECT_THAT(Lack(R"({"credHelpers":{"registry.example":"ecr-login"}})"),
              HasSubstr("credential helper"));
  EXPECT_THAT(Lack(R"({"credHelpers":{"other.example":"ecr-login"}})"), HasSubstr("no entry"));
  EXPECT_THAT(Lack(R"({"auths":{"registry.example/other":{"auth":"YWxpY2U6czNjcmV0"}}})", "team"),
              HasSubstr("other paths"));
}

TEST(DockerConfigTest, ErrorsQuoteNothing) {
  try {
    ReadDockerConfig("{\"auths\": s3cret", "registry.example", "");
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    const std::string shown = error.what() + error.detail() + error.hint();
    EXPECT_EQ(shown.find("s3cret"), std::string::npos) << shown;
  }
}

}  // namespace
}  // namespace image_library::registry
