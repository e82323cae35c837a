// Odd images: nested and sparse indexes, registries that lie about digests, tags that move.
#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Child(const std::string& digest, const std::string& more = {}) {
  return R"({"digest":")" + digest + R"(","size":1)" + more + "}";
}

std::string Index(const std::string& children) {
  return R"({"schemaVersion":2,"manifests":[)" + children + "]}";
}

class ImageReaderTest : public EngineTest {
 protected:
  ImageReaderTest() {
    registry_.Tag("team/other", "1", "a");
    image_ = registry_.DigestOf("team/other", "1");
  }
  std::string Store(const std::string& manifest) {
    registry_.Store(Sha256Digest(manifest), manifest);
    return Sha256Digest(manifest);
  }
  const Image& ImageOf(const std::string& tag) {
    return catalog_.images.at(registry_.DigestOf("team/app", tag));
  }

  std::string image_;
};

TEST_F(ImageReaderTest, NestedIndexesAreReadWithTheirAttestations) {
  const std::string attestation = Child(
      Sha256Digest("attestation"),
      R"(,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.type":"attestation-manifest"})");
  const std::string inner = Store(Index(Child(image_) + "," + attestation));
  registry_.Raw("team/app", "1", Index(Child(inner) + "," + Child(inner)));
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  ASSERT_THAT(ImageOf("1").platforms, SizeIs(1));
  EXPECT_EQ(ImageOf("1").platforms[0].platform.ToString(), "linux/amd64");
  ASSERT_THAT(ImageOf("1").referrers, SizeIs(1));
  EXPECT_EQ(ImageOf("1").referrers[0].subject, ImageOf("1").digest);
}

TEST_F(ImageReaderTest, IndexesNestedTooDeepAreRefused) {
  std::string digest = image_;
  for (int depth = 0; depth < 3; ++depth) digest = Store(Index(Child(digest)));
  registry_.Raw("team/app", "ok", Index(Child(digest)));
  registry_.Raw("team/app", "deep", Index(Child(Store(Index(Child(digest))))));
  Sync();
  EXPECT_THAT(ImageOf("ok").platforms, SizeIs(1));
  EXPECT_EQ(catalog_.problems.at({"team/app", "deep"}), "too large");
}

TEST_F(ImageReaderTest, AChildThatIsNotThereIsARowOfItsOwn) {
  registry_.Raw(
      "team/app", "1",
      Index(Child(image_, R"(,"platform":{"os":"linux","architecture":"amd64"})") + "," +
            Child(Sha256Digest("lost"), R"(,"platform":{"os":"linux","architecture":"arm64"})")));
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  ASSERT_THAT(ImageOf("1").platforms, SizeIs(2));
  EXPECT_TRUE(ImageOf("1").platforms[0].present);
  EXPECT_FALSE(ImageOf("1").platforms[1].present);
}

// As when a replica lags behind its registry: what came later is read when it is time to ask again.
class LateChildTest : public ImageReaderTest {
 protected:
  // An index of three: amd64 is served, or not, by answers of its own; riscv64 never is.
  LateChildTest() {
    registry_.Tag("team/other", "2", "b");
    const auto platform = [](const char* architecture) {
      return std::string(R"(,"platform":{"os":"linux","architecture":")") + architecture + R"("})";
    };
    registry_.Raw("team/app", "1",
                  Index(Child(image_, platform("amd64")) + "," +
                        Child(registry_.DigestOf("team/other", "2"), platform("arm64")) + "," +
                        Child(Sha256Digest("sparse"), platform("riscv64"))));
    registry_.Fail("team/app/manifests/" + image_, 404);
    Sync();
    transport_.TakeLog();
  }
  // What the library would ask about.
  void AskAgain() {
    DueReferrers due{"team/app", ImageOf("1").digest, {}, {}, 1};
    for (const PlatformImage& platform : ImageOf("1").platforms)
      (platform.present ? due.present : due.absent).push_back(platform.manifest_digest);
    catalog_.due = {due};
    Sync();
  }
  std::vector<std::string> Manifests() {
    std::vector<std::string> asked;
    for (const std::string& line : Requests())
      if (line.starts_with("GET") && line.find("/manifests/sha256:") != std::string::npos)
        asked.push_back(line.substr(line.rfind('/') + 1));
    return asked;
  }
};

TEST_F(LateChildTest, IsReadWithTheWholeImageOnceItIsThere) {
  EXPECT_EQ(ImageOf("1").labels.size(), 0u);
  registry_.Heal();
  AskAgain();
  ASSERT_THAT(ImageOf("1").platforms, SizeIs(3));
  EXPECT_TRUE(ImageOf("1").platforms[0].present);
  EXPECT_FALSE(ImageOf("1").platforms[2].present);
  EXPECT_EQ(ImageOf("1").labels.at("content"), "a");
  EXPECT_THAT(catalog_.checked, SizeIs(1));
}

TEST_F(LateChildTest, OnlyWhatWasAbsentIsAskedUntilThen) {
  AskAgain();
  EXPECT_THAT(Manifests(), testing::ElementsAre(image_, Sha256Digest("sparse")));
  EXPECT_EQ(ImageOf("1").labels.size(), 0u);
  EXPECT_THAT(catalog_.checked, SizeIs(1));
}

TEST_F(LateChildTest, NothingIsLostThatWasThere) {
  registry_.Heal();
  registry_.Fail("team/app/manifests/" + registry_.DigestOf("team/other", "2"), 404);
  AskAgain();
  EXPECT_FALSE(ImageOf("1").platforms[0].present);
  EXPECT_TRUE(ImageOf("1").platforms[1].present);
}

TEST_F(LateChildTest, IsNotReadForARuleThatIsGone) {
  registry_.Heal();
  Rules(R"([{"rule_id":2,"repositories":"team/app","tags":["*"]}])");
  AskAgain();
  EXPECT_THAT(Manifests(), IsEmpty());
}

// An index among the children that is not there may name any platform.
TEST_F(ImageReaderTest, AnIndexThatComesLater) {
  const std::string inner = Store(Index(Child(image_)));
  registry_.Raw("team/app", "1", Index(Child(inner)));
  registry_.Fail("team/app/manifests/" + inner, 404);
  Sync();
  ASSERT_THAT(ImageOf("1").platforms, SizeIs(1));
  EXPECT_EQ(ImageOf("1").platforms[0].platform.ToString(), "unknown/unknown");
  registry_.Heal();
  catalog_.due = {{"team/app", ImageOf("1").digest, {}, {}, 1, {inner}}};
  Sync();
  ASSERT_THAT(ImageOf("1").platforms, SizeIs(1));
  EXPECT_EQ(ImageOf("1").platforms[0].platform.ToString(), "linux/amd64");
}

TEST_F(ImageReaderTest, Schema1IsKeptByItsDigest) {
  registry_.Serve(
      "manifests/1",
      Answer(200, R"({"schemaVersion":1,"fsLayers":[]})",
             {{"content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws"},
              {"docker-content-digest", Sha256Digest(R"({"schemaVersion":1,"fsLayers":[]})")}}));
  registry_.Tag("team/app", "1", "a");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  const Image& image = catalog_.images.at(Sha256Digest(R"({"schemaVersion":1,"fsLayers":[]})"));
  EXPECT_THAT(image.media_type, HasSubstr("manifest.v1+json"));
  EXPECT_THAT(image.platforms, IsEmpty());
}

// M4: the body is the truth, the header a claim.
TEST_F(ImageReaderTest, AWrongDigestHeaderIsAWarning) {
  const std::string manifest = R"({"schemaVersion":2,"layers":[]})";
  registry_.Raw("team/app", "1", manifest);
  const Response lie = Answer(200, manifest,
                              {{"content-type", "application/vnd.oci.image.manifest.v1+json"},
                               {"docker-content-digest", Sha256Digest("lie")}});
  registry_.Serve("manifests/1", lie);
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(catalog_.tags["team/app"]["1"].digest, Sha256Digest(manifest));
  EXPECT_EQ(catalog_.problems.at({"team/app", "1"}), "digest mismatch");
  catalog_.writes = 0;
  EXPECT_EQ(Sync().statistics.not_modified, 1);
  EXPECT_EQ(catalog_.writes, 0);
  EXPECT_EQ(catalog_.problems.at({"team/app", "1"}), "digest mismatch");
  registry_.Heal();
  Sync();
  EXPECT_THAT(catalog_.problems, IsEmpty());
}

// S1: HEAD said one digest, and when its manifest is asked for the tag is elsewhere.
TEST_F(ImageReaderTest, ATagThatMovesWhileItIsLookedAt) {
  registry_.Tag("team/app", "1", "a");
  Sync();
  registry_.Tag("team/app", "1", "b");
  const std::string moved = registry_.DigestOf("team/app", "1");
  registry_.Fail("manifests/" + moved, 404);
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(catalog_.tags["team/app"]["1"].digest, moved);
}

TEST_F(ImageReaderTest, AnImmutableTagThatCameBackElsewhereIsTold) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"],"immutable_tags":true}])");
  for (const char* tag : {"1", "2", "3"}) registry_.Tag("team/app", tag, tag);
  Sync();
  registry_.Untag("team/app", "1");
  Sync();
  registry_.Tag("team/app", "1", "something else");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(catalog_.problems.at({"team/app", "1"}), "immutable tag moved");
  Sync();
  EXPECT_EQ(catalog_.problems.at({"team/app", "1"}), "immutable tag moved");
}

TEST_F(ImageReaderTest, HeadThatDoesNotWorkIsRemembered) {
  registry_.Tag("team/app", "1", "a");
  Sync();
  transport_.TakeLog();
  config_.abilities.head = false;
  EXPECT_EQ(Sync().statistics.not_modified, 1);
  for (const std::string& line : transport_.TakeLog()) EXPECT_NE(line.rfind("HEAD", 0), 0u) << line;
}

}  // namespace
}  // namespace image_library::sync
