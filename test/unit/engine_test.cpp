// The sync engine over a registry in memory and a store in memory: which requests it makes, and
// what it writes.
#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

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
  const Image& image = store_.images.begin()->second;
  EXPECT_EQ(image.labels.at("content"), "a");
  ASSERT_THAT(image.platforms, SizeIs(1));
  EXPECT_EQ(image.platforms[0].platform.ToString(), "linux/amd64");
}

TEST_F(EngineTest, UnchangedTagTakesOneHeadAndNoWrite) {
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  Requests();
  transport_.requests.clear();
  store_.writes = 0;
  const RunResult result = Sync();
  EXPECT_EQ(result.statistics.not_modified, 1);
  EXPECT_THAT(Requests(),
              ElementsAre("GET team/app/tags/list?n=100", "HEAD team/app/manifests/1.0"));
  EXPECT_EQ(store_.writes, 0);
  for (const Request& request : transport_.requests)
    EXPECT_EQ(registry::HeaderOf(request, "If-None-Match"), "") << request.url;
}

// Where the ETag is the digest, a check brings the manifest of a tag that moved.
TEST_F(EngineTest, AConditionalRequestWhereTheEtagIsTheDigest) {
  registry_.etags = true;
  registry_.Tag("team/app", "1.0", "a");
  registry_.Tag("team/app", "2.0", "b");
  config_.abilities = Sync().abilities;
  EXPECT_EQ(config_.abilities.conditional, true);
  registry_.Tag("team/app", "2.0", "c");
  Requests();
  const RunResult result = Sync();
  EXPECT_EQ(result.statistics.not_modified, 1);
  EXPECT_EQ(result.statistics.tags_moved, 1);
  const std::vector<std::string> requests = Requests();
  EXPECT_THAT(requests, SizeIs(4));  // list, both tags, the new config
  for (const std::string& line : requests) EXPECT_NE(line.rfind("HEAD", 0), 0u) << line;
  EXPECT_EQ(store_.tags["team/app"]["2.0"].digest, registry_.DigestOf("team/app", "2.0"));
}

TEST_F(EngineTest, ARegistryThatSendsManifestsAllTheSameIsAskedByHeadAgain) {
  registry_.etags = true;
  registry_.heeds_etags = false;
  registry_.Tag("team/app", "1.0", "a");
  config_.abilities = Sync().abilities;
  EXPECT_EQ(config_.abilities.conditional, true);
  store_.writes = 0;
  config_.abilities = Sync().abilities;
  EXPECT_EQ(config_.abilities.conditional, false);
  EXPECT_EQ(store_.writes, 0);
  Requests();
  EXPECT_EQ(Sync().abilities.conditional, false);
  EXPECT_THAT(Requests(),
              ElementsAre("GET team/app/tags/list?n=100", "HEAD team/app/manifests/1.0"));
}

// There a GET counts as a pull.
TEST_F(EngineTest, DockerHubIsAskedByHead) {
  registry_.etags = true;
  registry_.Tag("team/app", "1.0", "a");
  config_.abilities = Sync().abilities;
  config_.url.host = "docker.io";
  transport_.requests.clear();
  transport_.handler([this](const Request& request) {
    Request here = request;
    here.url.replace(0, here.url.find("/v2/"), "https://r.example");
    return registry_.Handle(here);
  });
  Sync();
  EXPECT_EQ(transport_.requests.back().method, Method::kHead);
}

// Without HEAD every check is a GET, and one with If-None-Match may come without a body.
TEST_F(EngineTest, WithoutHeadTheManifestIsNotReadTwice) {
  registry_.Tag("team/app", "1.0", "a");
  config_.abilities = Sync().abilities;
  config_.abilities.head = false;
  registry_.Tag("team/app", "1.0", "b");
  transport_.requests.clear();
  Sync();
  ASSERT_THAT(transport_.requests, SizeIs(4));  // ping, list, manifest, config
  EXPECT_NE(registry::HeaderOf(transport_.requests[2], "If-None-Match"), "");
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
  EXPECT_THAT(store_.tags["team/app"], SizeIs(3));
}

TEST_F(EngineTest, MovedTagTakesTheNewDigest) {
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  registry_.Tag("team/app", "1.0", "b");
  Requests();
  const RunResult result = Sync();
  EXPECT_EQ(result.statistics.tags_moved, 1);
  EXPECT_EQ(store_.tags["team/app"]["1.0"].digest, registry_.DigestOf("team/app", "1.0"));
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

TEST_F(EngineTest, ARefusedCatalogueStopsOnlyRulesThatNeedIt) {
  registry_.Tag("team/app", "1.0", "a");
  registry_.Tag("team/known", "1.0", "b");
  registry_.Tag("team/other", "1.0", "c");
  Rules(R"([{"rule_id":1,"repositories":"team/known","tags":["*"]}])");
  Sync();
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"]},
            {"rule_id":2,"repositories":"team/*","tags":["*"]},
            {"rule_id":3,"repositories":"team/*","tags":["1.*"]}])");
  for (const int status : {401, 403, 404, 405, 500}) {
    registry_.Fail("_catalog", status);
    const RunResult result = Sync();
    EXPECT_EQ(result.outcome, Outcome::kPartial) << status;
    EXPECT_EQ(store_.tags["team/app"].count("1.0"), 1u) << status;
    // What the library has of them is read on.
    EXPECT_FALSE(store_.tags["team/known"].at("1.0").missing) << status;
    EXPECT_EQ(store_.tags.count("team/other"), 0u) << status;
    ASSERT_THAT(store_.problems, SizeIs(1)) << status;
    EXPECT_EQ(store_.problems.at({"team/*", ""}), "catalogue refused");
    EXPECT_THAT(store_.details.at({"team/*", ""}), HasSubstr("rule 2, 3 needs")) << status;
  }
  registry_.Heal();
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(store_.tags.count("team/other"), 1u);
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(EngineTest, ARunWithNothingButARefusedCatalogueFails) {
  registry_.Tag("team/app", "1.0", "a");
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  registry_.Fail("_catalog", 401);
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_THAT(result.error, HasSubstr("repositories of registry"));
  EXPECT_EQ(store_.problems.at({"team/*", ""}), "catalogue refused");
}

TEST_F(EngineTest, AnUnreachableRegistryHasNotRefusedItsCatalogue) {
  registry_.Tag("team/app", "1.0", "a");
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"]},
            {"rule_id":2,"repositories":"team/*","tags":["*"]}])");
  registry_.Fail("_catalog", 429, {{"retry-after", "3600"}});
  EXPECT_EQ(Sync().outcome, Outcome::kFailed);
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(EngineTest, BadManifestIsRecordedAndTheRestGoesOn) {
  registry_.Raw("team/app", "bad", "<html>");
  registry_.Tag("team/app", "1.0", "a");
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(store_.problems.at({"team/app", "bad"}), "malformed");
  EXPECT_EQ(store_.tags["team/app"].count("1.0"), 1u);
  registry_.Tag("team/app", "bad", "good now");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(EngineTest, ProblemOfADeletedTagIsOver) {
  registry_.Raw("team/app", "bad", "<html>");
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  registry_.Untag("team/app", "bad");
  Sync();
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(EngineTest, ProblemOfARepositoryThatNoRuleNamesIsOver) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"]},
            {"rule_id":2,"repositories":"team/ap","tags":["*"]}])");
  registry_.Tag("team/app", "1.0", "a");
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_EQ(store_.problems.count({"team/ap", ""}), 1u);
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"]}])");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(EngineTest, AbsentTagIsMissingOnlyWhenHeadAgrees) {
  for (const char* tag : {"1", "2", "3", "4"}) registry_.Tag("team/app", tag, tag);
  Sync();
  registry_.Hide("1");
  registry_.Untag("team/app", "2");
  EXPECT_EQ(Sync().statistics.tags_missing, 1);
  EXPECT_FALSE(store_.tags["team/app"]["1"].missing);
  EXPECT_TRUE(store_.tags["team/app"]["2"].missing);
}

TEST_F(EngineTest, MissingTagComesBack) {
  for (const char* tag : {"1", "2", "3"}) registry_.Tag("team/app", tag, tag);
  Sync();
  registry_.Untag("team/app", "2");
  Sync();
  ASSERT_TRUE(store_.tags["team/app"]["2"].missing);
  registry_.Tag("team/app", "2", "2");
  Sync();
  EXPECT_FALSE(store_.tags["team/app"]["2"].missing);
}

TEST_F(EngineTest, ListingThatShrinksTooFarIsRefused) {
  for (const char* tag : {"1", "2", "3", "4"}) registry_.Tag("team/app", tag, tag);
  Sync();
  for (const char* tag : {"1", "2", "3"}) registry_.Untag("team/app", tag);
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_FALSE(store_.tags["team/app"]["1"].missing);
  RunOptions options;
  options.max_removal_percent = 100;
  EXPECT_EQ(Sync(options).statistics.tags_missing, 3);
}

TEST_F(EngineTest, UnreachableRegistryFailsTheRun) {
  registry_.Fail("/v2/", 503);
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_THAT(result.error, HasSubstr("503"));
  EXPECT_EQ(store_.writes, 0);
}

TEST_F(EngineTest, DeniedRegistryFailsTheRunAndRemovesNothing) {
  registry_.Tag("team/app", "1.0", "a");
  Sync();
  for (const int status : {401, 403}) {
    registry_.Fail("/team/", status);
    const RunResult result = Sync();
    EXPECT_EQ(result.outcome, Outcome::kFailed) << status;
    EXPECT_THAT(result.error, HasSubstr("denied or absent"));
    EXPECT_FALSE(store_.tags["team/app"]["1.0"].missing) << status;
  }
}

TEST_F(EngineTest, OneDeniedRepositoryDoesNotStopTheOthers) {
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  registry_.Tag("team/app", "1.0", "a");
  registry_.Tag("team/secret", "1.0", "b");
  registry_.Fail("team/secret/tags", 403);
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_EQ(store_.problems.at({"team/secret", ""}), "denied");
  EXPECT_EQ(store_.tags["team/app"].count("1.0"), 1u);
}

TEST_F(EngineTest, ServerErrorsInARowEndTheRun) {
  for (int i = 0; i < 40; ++i)
    registry_.Tag("team/app", "1." + std::to_string(i), std::to_string(i));
  registry_.Fail("/blobs/", 500);
  RunOptions options;
  options.tags_at_once = 1;
  const RunResult result = Sync(options);
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(result.statistics.problems, options.failures_to_stop);
  EXPECT_THAT(result.error, HasSubstr("500"));
}

TEST_F(EngineTest, LargeRepositoryIsWrittenInBatches) {
  for (int i = 0; i < 25; ++i)
    registry_.Tag("team/app", "1." + std::to_string(i), std::to_string(i));
  RunOptions options;
  options.images_per_batch = 10;
  options.tags_at_once = 1;
  Sync(options);
  EXPECT_THAT(store_.images, SizeIs(25));
  EXPECT_EQ(store_.largest_batch, 10u);
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
  const Image& image = store_.images.at(registry_.DigestOf("team/app", "1.0"));
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
  EXPECT_THAT(store_.tags["team/app"], SizeIs(1));
  ASSERT_THAT(store_.referrers, SizeIs(1));
  EXPECT_EQ(store_.referrers[0].subject, digest);
  EXPECT_EQ(store_.referrers[0].source, "cosign tag");
}

// Facts of a digest are the same whoever reads it first.
TEST_F(EngineTest, EveryPlatformIsReadWhateverTheRuleSays) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"],"platforms":["linux/arm64"]}])");
  registry_.Tag("team/app", "x", "a");
  const std::string child = registry_.DigestOf("team/app", "x");
  registry_.Untag("team/app", "x");
  registry_.Raw("team/app", "1.0",
                R"({"schemaVersion":2,"manifests":[{"digest":")" + child +
                    R"(","size":1,"platform":{"os":"linux","architecture":"amd64"}}]})");
  Sync();
  const Image& image = store_.images.at(registry_.DigestOf("team/app", "1.0"));
  ASSERT_THAT(image.platforms, SizeIs(1));
  EXPECT_EQ(image.labels.at("content"), "a");
}

}  // namespace
}  // namespace image_library::sync
