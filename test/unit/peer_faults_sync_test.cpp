// Faults that other registry clients had, each numbered as in test/registries.md: those of whole
// syncs.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "memory_store.h"
#include "scripted_registry.h"
#include "sync/registry_run.h"

namespace image_library::sync {
namespace {

using registry::Answer;
using registry::Request;
using registry::ScriptedRegistry;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

const std::string kManifestType(media_type::kOciManifest);
const std::string kIndexType(media_type::kOciIndex);

class PeerFaultsSync : public testing::Test {
 protected:
  PeerFaultsSync() {
    config_.url = ParseRegistryUrl("https://r.example");
    config_.name = "r";
    Rule("[\"app\"]");
  }

  void Rule(const std::string& repositories) {
    std::string rules;
    for (const std::string& name : Json::Parse(repositories).Strings()) {
      rules += std::string(rules.empty() ? "" : ",") +
               "{\"rule_id\":" + std::to_string(rules.size() + 1) + ",\"repositories\":\"" + name +
               "\",\"tags\":[\"*\"]}";
    }
    config_.rules = RuleSet::FromJson("[" + rules + "]");
  }

  RunResult Sync() {
    LimitedTransport limits(registry_.transport, config_.requests_per_run, config_.url.Origin());
    DeadlineTransport deadline(limits, DeadlineTransport::Seconds(0));
    registry::Client client({config_.url, {}}, deadline);
    RegistryRun run(config_, store_, client, limits, deadline);
    registry::Await(run.Execute());
    return run.result();
  }

  /// A manifest and its config, which tells them apart.
  std::string Image(const std::string& tag, const std::string& content,
                    const std::string& type = kManifestType, const std::string& media = "") {
    const std::string config =
        R"({"os":"linux","architecture":"amd64","config":{"Labels":{"content":")" + content +
        R"("}}})";
    const std::string digest = Sha256Digest(config);
    registry_.Set("GET /v2/app/blobs/" + digest, Answer(200, config));
    return registry_.Manifest(
        "app", tag,
        "{\"schemaVersion\":2," + (media.empty() ? "" : "\"mediaType\":\"" + media + "\",") +
            R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
            digest + R"(","size":)" + std::to_string(config.size()) + R"(},"layers":[]})",
        type);
  }
  std::string Index(const std::string& tag, const std::vector<std::string>& children,
                    const std::string& type = kIndexType,
                    const std::string& child_type = kManifestType) {
    std::string list;
    for (const std::string& child : children)
      list += (list.empty() ? "" : ",") +
              ("{\"mediaType\":\"" + child_type + "\",\"digest\":\"" + child + "\",\"size\":1}");
    return registry_.Manifest(
        "app", tag,
        R"({"schemaVersion":2,"mediaType":")" + type + R"(","manifests":[)" + list + "]}", type);
  }
  /// Of the image of a tag.
  Unread UnreadOf(const std::string& tag) {
    return store_.images.at(store_.tags["app"][tag].digest).unread;
  }
  std::vector<std::string> Present(const std::string& repository = "app") {
    std::vector<std::string> present;
    for (const auto& [name, tag] : store_.tags[repository])
      if (!tag.missing) present.push_back(name);
    return present;
  }

  ScriptedRegistry registry_;
  MemoryStore store_;
  RegistryConfig config_;
};

// Hub's replicas answered with different counts from scan to scan.
TEST_F(PeerFaultsSync, Case10_AListThatFlipsRemovesNothing) {
  for (const char* tag : {"1", "2", "3"}) Image(tag, tag);
  registry_.Tags("app", R"(["1","2","3"])");
  Sync();
  for (const char* list : {R"(["1","2"])", R"(["1","2","3"])", R"(["2","3"])"}) {
    registry_.Tags("app", list);
    Sync();
    EXPECT_THAT(Present(), ElementsAre("1", "2", "3")) << list;
  }
}

TEST_F(PeerFaultsSync, Case11_ABrokenTagStopsNothing) {
  Image("1", "a");
  registry_.Manifest("app", "2", "no json at all");
  Image("3", "c");
  registry_.Tags("app", R"(["1","2","3"])");
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_THAT(Present(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(UnreadOf("2"), Unread::kManifest);
  EXPECT_THAT(store_.problems, SizeIs(1));
  registry_.Tags("app", "[]");  // and no tags at all is not believed
  Sync();
  EXPECT_THAT(Present(), ElementsAre("1", "2", "3"));
}

// One 404, one empty body with status 200, one empty repository.
TEST_F(PeerFaultsSync, Case12_OneRepositoryEndsNoOther) {
  Rule(R"(["absent","broken","empty","app"])");
  registry_.Set("GET /v2/broken/tags/list?n=100", Answer(200, ""));
  registry_.Tags("empty", "[]");
  Image("1", "a");
  registry_.Tags("app", R"(["1"])");
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_THAT(Present(), ElementsAre("1"));
  EXPECT_EQ(store_.problems.count({"absent", ""}), 1u);
  EXPECT_EQ(store_.problems.count({"broken", ""}), 1u);
  EXPECT_EQ(store_.problems.count({"empty", ""}), 0u);
}

TEST_F(PeerFaultsSync, Case16_MediaTypesMayBeAbsentAndMixed) {
  Image("plain", "a");  // an OCI manifest without mediaType
  const std::string child = Image("", "b");
  Index("list", {child}, std::string(media_type::kDockerList));  // of an OCI child
  registry_.Tags("app", R"(["plain","list"])");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(Present(), ElementsAre("list", "plain"));
  for (const auto& [tag, content] : {std::pair("plain", "a"), std::pair("list", "b")}) {
    const auto& image = store_.images.at(store_.tags["app"][tag].digest);
    EXPECT_EQ(image.labels.at("content"), content);
    ASSERT_THAT(image.platforms, SizeIs(1));
    EXPECT_EQ(image.platforms[0].platform.ToString(), "linux/amd64");
  }
}

// CVE-2021-41190: one body, two readings.
TEST_F(PeerFaultsSync, Case17_AmbiguousManifestsAreRefused) {
  const std::string layers = R"("config":{},"layers":[])";
  registry_.Manifest("app", "both", R"({"schemaVersion":2,"manifests":[],)" + layers + "}");
  registry_.Manifest("app", "claims",
                     R"({"schemaVersion":2,"mediaType":")" + kIndexType + R"(",)" + layers + "}");
  Image("1", "a", kIndexType, kManifestType);  // the header says another type than the body
  registry_.Tags("app", R"(["both","claims","1"])");
  Sync();
  for (const char* tag : {"both", "claims", "1"}) {
    EXPECT_EQ(UnreadOf(tag), Unread::kManifest) << tag;
    EXPECT_THAT(store_.images.at(store_.tags["app"][tag].digest).labels, IsEmpty()) << tag;
  }
  EXPECT_THAT(store_.problems, SizeIs(3));
}

TEST_F(PeerFaultsSync, Case18_NestedIndexesHaveADepth) {
  const std::string image = Image("", "a");
  std::string nested = Index("1", {image});
  nested = Index("2", {nested}, kIndexType, kIndexType);
  for (int depth = 3; depth < 12; ++depth)
    nested = Index(std::to_string(depth), {nested, nested}, kIndexType, kIndexType);
  registry_.Tags("app", R"(["1","2","11"])");
  Sync();
  EXPECT_EQ(UnreadOf("1"), Unread::kNothing);
  EXPECT_EQ(UnreadOf("2"), Unread::kNothing);
  EXPECT_EQ(UnreadOf("11"), Unread::kManifest);
  EXPECT_EQ((store_.problems[{"app", "11"}]), "too large");
}

// GHCR redirected to github.com, and answered with 429 for hours.
TEST_F(PeerFaultsSync, Case28_AMissingReferrersApiIsAskedOnceAndNotFollowed) {
  std::string tags;
  for (const char* tag : {"1", "2", "3"}) {
    registry_.Set("GET /v2/app/referrers/" + Image(tag, tag),
                  Answer(303, "", {{"location", "https://github.test/404"}}));
    tags += std::string(tags.empty() ? "\"" : ",\"") + tag + "\"";
  }
  registry_.Tags("app", "[" + tags + "]");
  Sync();
  int asked = 0;
  for (const std::string& key : registry_.TakeKeys()) {
    EXPECT_THAT(key, Not(HasSubstr("github.test")));
    asked += key.find("/referrers/") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(Present(), SizeIs(3));
}

TEST_F(PeerFaultsSync, Case29_NotAcceptableIsNoApi) {
  const std::string digest = Image("1", "a");
  registry_.Set("GET /v2/app/referrers/" + digest, Answer(406));
  const std::string tag = "sha256-" + digest.substr(7);
  const std::string sbom = Sha256Digest("sbom");
  registry_.Manifest("app", tag,
                     R"({"schemaVersion":2,"manifests":[{"mediaType":")" + kManifestType +
                         R"(","digest":")" + sbom +
                         R"(","size":1,"artifactType":"application/spdx+json"}]})",
                     kIndexType);
  registry_.Tags("app", "[\"1\",\"" + tag + "\"]");
  Sync();
  EXPECT_THAT(Present(), ElementsAre("1"));
  ASSERT_FALSE(store_.referrers.empty());
  EXPECT_EQ(store_.referrers.front().digest, sbom);
}

// GitLab resolves the fallback tag to the subject itself, whose platforms look like referrers.
TEST_F(PeerFaultsSync, Case30_TheSubjectIsNotItsOwnReferrer) {
  const std::string child = Image("", "a");
  const std::string subject = Index("1", {child});
  const std::string tag = "sha256-" + subject.substr(7);
  Index(tag, {child});
  registry_.Tags("app", "[\"1\",\"" + tag + "\"]");
  Sync();
  EXPECT_THAT(store_.referrers, IsEmpty());
}

// GET counts as a pull, and keeps images from being cleaned up.
TEST_F(PeerFaultsSync, Case33_AnUnchangedSyncGetsNoManifest) {
  Image("1", "a");
  registry_.Tags("app", R"(["1"])");
  Sync();
  registry_.TakeKeys();
  Sync();
  EXPECT_THAT(registry_.TakeKeys(),
              Not(Contains(AllOf(StartsWith("GET"), HasSubstr("/manifests/")))));
}

TEST_F(PeerFaultsSync, Case34_NulInJsonIsThatImagesProblem) {
  registry_.Manifest("app", "nul",
                     R"({"schemaVersion":2,"config":{},"layers":[],"annotations":{"a":"\u0000"}})");
  registry_.Manifest("app", "surrogate",
                     R"({"schemaVersion":2,"config":{},"layers":[],"annotations":{"a":"\ud800"}})");
  Image("1", "a");
  registry_.Tags("app", R"(["1","nul","surrogate"])");
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_EQ(UnreadOf("1"), Unread::kNothing);
  EXPECT_EQ(UnreadOf("nul"), Unread::kManifest);
  EXPECT_EQ((store_.problems[{"app", "nul"}]), "malformed");
  EXPECT_EQ((store_.problems[{"app", "surrogate"}]), "malformed");
}

}  // namespace
}  // namespace image_library::sync
