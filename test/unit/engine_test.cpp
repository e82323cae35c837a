// The sync engine over a registry in memory and a catalog in memory: which requests it makes, and
// what it writes.
#include "sync/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/digest.h"
#include "fake_transport.h"
#include "memory_catalog.h"

namespace image_library::sync {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using registry::Answer;
using registry::FakeTransport;
using registry::Method;
using registry::Request;
using registry::Response;

// Repositories with tags that point at small images made from their names.
class MemoryRegistry {
 public:
  void Tag(const std::string& repository, const std::string& tag, const std::string& content) {
    const std::string config =
        R"({"os":"linux","architecture":"amd64","config":{"Labels":{"content":")" + content +
        R"("}}})";
    const std::string config_digest = Sha256Digest(config);
    const std::string manifest =
        R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
        config_digest + R"(","size":)" + std::to_string(config.size()) + R"(},"layers":[]})";
    Raw(repository, tag, manifest);
    blobs_[config_digest] = config;
  }
  void Raw(const std::string& repository, const std::string& tag, const std::string& manifest) {
    const std::string digest = Sha256Digest(manifest);
    manifests_[digest] = manifest;
    tags_[repository][tag] = digest;
  }
  void Untag(const std::string& repository, const std::string& tag) {
    tags_[repository].erase(tag);
  }
  // Hides a tag from the listing; HEAD finds it all the same.
  void Hide(const std::string& tag) { hidden_.insert(tag); }
  void Fail(const std::string& part_of_url, int status) { failures_[part_of_url] = status; }
  void Heal() { failures_.clear(); }
  std::string DigestOf(const std::string& repository, const std::string& tag) {
    return tags_[repository][tag];
  }

  Response Handle(const Request& request) {
    const std::string path = request.url.substr(std::string("https://r.example").size());
    for (const auto& [part, status] : failures_)
      if (path.find(part) != std::string::npos) return Answer(status);
    if (path == "/v2/") return Answer(200, "{}");
    if (path.rfind("/v2/_catalog", 0) == 0) return Catalog();
    const std::size_t list = path.find("/tags/list");
    if (list != std::string::npos) return List(path.substr(4, list - 4));
    const std::size_t manifest = path.find("/manifests/");
    if (manifest != std::string::npos)
      return Manifest(path.substr(4, manifest - 4), path.substr(manifest + 11), request.method);
    const std::size_t blob = path.find("/blobs/");
    if (blob != std::string::npos) {
      const auto found = blobs_.find(path.substr(blob + 7));
      return found == blobs_.end() ? Answer(404) : Answer(200, found->second);
    }
    return Answer(404);
  }

 private:
  Response Catalog() const {
    std::string names;
    for (const auto& [name, tags] : tags_) names += (names.empty() ? "\"" : ",\"") + name + "\"";
    return Answer(200, R"({"repositories":[)" + names + "]}");
  }
  Response List(const std::string& repository) const {
    const auto found = tags_.find(repository);
    if (found == tags_.end()) return Answer(404, R"({"errors":[{"code":"NAME_UNKNOWN"}]})");
    std::string names;
    for (const auto& [tag, digest] : found->second)
      if (hidden_.count(tag) == 0) names += (names.empty() ? "\"" : ",\"") + tag + "\"";
    return Answer(200, R"({"tags":[)" + names + "]}");
  }
  Response Manifest(const std::string& repository, const std::string& reference, Method method) {
    std::string digest = reference;
    const auto found = tags_.find(repository);
    if (found != tags_.end() && found->second.count(reference) != 0)
      digest = found->second.at(reference);
    const auto manifest = manifests_.find(digest);
    if (manifest == manifests_.end()) return Answer(404);
    const bool index = manifest->second.find("\"manifests\":") != std::string::npos;
    return Answer(200, method == Method::kHead ? "" : manifest->second,
                  {{"content-type", index ? "application/vnd.oci.image.index.v1+json"
                                          : "application/vnd.oci.image.manifest.v1+json"},
                   {"docker-content-digest", digest}});
  }

  std::map<std::string, std::map<std::string, std::string>> tags_;
  std::map<std::string, std::string> manifests_, blobs_;
  std::map<std::string, int> failures_;
  std::set<std::string> hidden_;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : transport_([this](const Request& request) { return registry_.Handle(request); }) {
    config_.name = "r";
    config_.url = ParseRegistryUrl("https://r.example");
    Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"]}])");
  }
  void Rules(const std::string& json) { config_.rules = RuleSet::FromJson(json); }
  RunResult Sync(EngineOptions options = {}) {
    registry::Client client({config_.url, {}}, transport_);
    Engine engine(config_, catalog_, client, options);
    registry::Await(engine.Run());
    return engine.result();
  }
  // Requests but the ping and the probe for referrers.
  std::vector<std::string> Requests() {
    std::vector<std::string> requests;
    for (std::string& line : transport_.TakeLog()) {
      if (line == "GET https://r.example/v2/" || line.find("/referrers/") != std::string::npos)
        continue;
      const std::size_t host = line.find("https://r.example/v2/");
      requests.push_back(line.erase(host, 21));
    }
    return requests;
  }

  MemoryRegistry registry_;
  MemoryCatalog catalog_;
  FakeTransport transport_;
  RegistryConfig config_;
};

TEST_F(EngineTest, NewImageTakesTwoRequests) {
  registry_.Tag("team/app", "1.0", "a");
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kComplete);
  EXPECT_EQ(result.statistics.images_added, 1);
  const std::vector<std::string> requests = Requests();
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_THAT(requests[0], HasSubstr("GET team/app/tags/list"));
  EXPECT_EQ(requests[1], "GET team/app/manifests/1.0");
  EXPECT_THAT(requests[2], HasSubstr("GET team/app/blobs/sha256:"));
  const Image& image = catalog_.images.begin()->second;
  EXPECT_EQ(image.labels.at("content"), "a");
  ASSERT_THAT(image.platforms, SizeIs(1));
  EXPECT_EQ(image.platforms[0].platform.ToString(), "linux/amd64");
}

TEST_F(EngineTest, UnchangedTagTakesOneHeadAndNoWrite) {
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  Requests();
  catalog_.writes = 0;
  const RunResult result = Sync();
  EXPECT_EQ(result.statistics.not_modified, 1);
  EXPECT_EQ(Requests().back(), "HEAD team/app/manifests/1.0");
  EXPECT_EQ(catalog_.writes, 0);
}

TEST_F(EngineTest, ImmutableTagTakesNoRequest) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"],"immutable_tags":true}])");
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  Requests();
  Sync();
  EXPECT_THAT(Requests(), SizeIs(1));
}

TEST_F(EngineTest, TagsOfOneDigestShareItsImage) {
  registry_.Tag("team/app", "1.0", "a");
  registry_.Tag("team/app", "1", "a");
  registry_.Tag("team/app", "latest", "a");
  EXPECT_EQ(Sync().statistics.images_added, 1);
  EXPECT_THAT(catalog_.tags["team/app"], SizeIs(3));
}

TEST_F(EngineTest, MovedTagTakesTheNewDigest) {
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  registry_.Tag("team/app", "1.0", "b");
  Requests();
  const RunResult result = Sync();
  EXPECT_EQ(result.statistics.tags_moved, 1);
  EXPECT_EQ(catalog_.tags["team/app"]["1.0"].digest, registry_.DigestOf("team/app", "1.0"));
  EXPECT_THAT(Requests(), SizeIs(4));  // list, HEAD, manifest by digest, config
}

TEST_F(EngineTest, CatalogueOnlyForWildcards) {
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  EXPECT_THAT(Requests(), Not(::testing::Contains(HasSubstr("_catalog"))));
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  Sync();
  EXPECT_THAT(Requests(), ::testing::Contains(HasSubstr("_catalog")));
}

TEST_F(EngineTest, BadManifestIsRecordedAndTheRestGoesOn) {
  registry_.Raw("team/app", "bad", "<html>");
  registry_.Tag("team/app", "1.0", "a");
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(catalog_.problems.at({"team/app", "bad"}), "malformed");
  EXPECT_EQ(catalog_.tags["team/app"].count("1.0"), 1u);
  registry_.Tag("team/app", "bad", "good now");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(catalog_.problems, IsEmpty());
}

TEST_F(EngineTest, ProblemOfADeletedTagIsOver) {
  registry_.Raw("team/app", "bad", "<html>");
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  registry_.Untag("team/app", "bad");
  Sync();
  EXPECT_THAT(catalog_.problems, IsEmpty());
}

TEST_F(EngineTest, AbsentTagIsMissingOnlyWhenHeadAgrees) {
  for (const char* tag : {"1", "2", "3", "4"}) registry_.Tag("team/app", tag, tag);
  Sync();
  registry_.Hide("1");
  registry_.Untag("team/app", "2");
  EXPECT_EQ(Sync().statistics.tags_missing, 1);
  EXPECT_FALSE(catalog_.tags["team/app"]["1"].missing);
  EXPECT_TRUE(catalog_.tags["team/app"]["2"].missing);
}

TEST_F(EngineTest, MissingTagComesBack) {
  for (const char* tag : {"1", "2", "3"}) registry_.Tag("team/app", tag, tag);
  Sync();
  registry_.Untag("team/app", "2");
  Sync();
  ASSERT_TRUE(catalog_.tags["team/app"]["2"].missing);
  registry_.Tag("team/app", "2", "2");
  Sync();
  EXPECT_FALSE(catalog_.tags["team/app"]["2"].missing);
}

TEST_F(EngineTest, ListingThatShrinksTooFarIsRefused) {
  for (const char* tag : {"1", "2", "3", "4"}) registry_.Tag("team/app", tag, tag);
  Sync();
  for (const char* tag : {"1", "2", "3"}) registry_.Untag("team/app", tag);
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_FALSE(catalog_.tags["team/app"]["1"].missing);
  EngineOptions options;
  options.max_removal_percent = 100;
  EXPECT_EQ(Sync(options).statistics.tags_missing, 3);
}

TEST_F(EngineTest, UnreachableRegistryFailsTheRun) {
  registry_.Fail("/v2/", 503);
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_THAT(result.error, HasSubstr("503"));
  EXPECT_EQ(catalog_.writes, 0);
}

TEST_F(EngineTest, DeniedRegistryFailsTheRun) {
  registry_.Fail("/tags/list", 403);
  EXPECT_EQ(Sync().outcome, Outcome::kFailed);
}

TEST_F(EngineTest, OneDeniedRepositoryDoesNotStopTheOthers) {
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  registry_.Tag("team/app", "1.0", "a");
  registry_.Tag("team/secret", "1.0", "b");
  registry_.Fail("team/secret/tags", 403);
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_EQ(catalog_.problems.at({"team/secret", ""}), "denied");
  EXPECT_EQ(catalog_.tags["team/app"].count("1.0"), 1u);
}

TEST_F(EngineTest, ServerErrorsInARowEndTheRun) {
  for (int i = 0; i < 40; ++i)
    registry_.Tag("team/app", "1." + std::to_string(i), std::to_string(i));
  registry_.Fail("/blobs/", 500);
  EngineOptions options;
  options.tags_at_once = 1;
  const RunResult result = Sync(options);
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(result.statistics.problems, options.failures_to_stop);
  EXPECT_THAT(result.error, HasSubstr("500"));
}

TEST_F(EngineTest, LargeRepositoryIsWrittenInBatches) {
  for (int i = 0; i < 25; ++i)
    registry_.Tag("team/app", "1." + std::to_string(i), std::to_string(i));
  EngineOptions options;
  options.images_per_batch = 10;
  options.tags_at_once = 1;
  Sync(options);
  EXPECT_THAT(catalog_.images, SizeIs(25));
  EXPECT_EQ(catalog_.largest_batch, 10u);
}

TEST_F(EngineTest, IndexIsReadWithItsPlatformsAndAttestations) {
  registry_.Tag("team/app", "amd64", "a");
  const std::string child = registry_.DigestOf("team/app", "amd64");
  registry_.Untag("team/app", "amd64");
  const std::string lost = Sha256Digest("lost");
  registry_.Raw(
      "team/app", "1.0",
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
    {"digest":")" +
          child + R"(","size":1,"platform":{"os":"linux","architecture":"amd64"}},
    {"digest":")" +
          lost + R"(","size":1,"platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
    {"digest":")" +
          Sha256Digest("attestation") +
          R"(","size":7,"platform":{"os":"unknown","architecture":"unknown"},
     "annotations":{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":")" +
          child + R"("}}]})");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  const Image& image = catalog_.images.at(registry_.DigestOf("team/app", "1.0"));
  std::vector<std::string> platforms;
  for (const PlatformImage& platform : image.platforms)
    platforms.push_back(platform.platform.ToString());
  EXPECT_THAT(platforms, UnorderedElementsAre("linux/amd64", "linux/arm64/v8"));
  EXPECT_EQ(image.labels.at("content"), "a");
  ASSERT_THAT(image.referrers, SizeIs(1));
  EXPECT_EQ(image.referrers[0].subject, image.digest);
}

TEST_F(EngineTest, CosignTagIsAReferrerAndNoImage) {
  registry_.Tag("team/app", "1.0", "a");
  const std::string digest = registry_.DigestOf("team/app", "1.0");
  registry_.Tag("team/app", "sha256-" + digest.substr(7) + ".sig", "signature");
  Sync();
  EXPECT_THAT(catalog_.tags["team/app"], SizeIs(1));
  ASSERT_THAT(catalog_.referrers, SizeIs(1));
  EXPECT_EQ(catalog_.referrers[0].subject, digest);
  EXPECT_EQ(catalog_.referrers[0].source, "cosign tag");
}

TEST_F(EngineTest, UnwantedPlatformsAreNotFetched) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"],"platforms":["linux/arm64"]}])");
  registry_.Tag("team/app", "x", "a");
  const std::string child = registry_.DigestOf("team/app", "x");
  registry_.Untag("team/app", "x");
  registry_.Raw("team/app", "1.0",
                R"({"schemaVersion":2,"manifests":[{"digest":")" + child +
                    R"(","size":1,"platform":{"os":"linux","architecture":"amd64"}}]})");
  Sync();
  EXPECT_THAT(Requests(), SizeIs(2));  // list, index
}

}  // namespace
}  // namespace image_library::sync
