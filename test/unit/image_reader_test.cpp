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
    return store_.images.at(registry_.DigestOf("team/app", tag));
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
  EXPECT_EQ(store_.problems.at({"team/app", "deep"}), "too large");
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
    DueReferrers due{"team/app", ImageOf("1").digest, {}, {}};
    for (const PlatformImage& platform : ImageOf("1").platforms)
      (platform.present ? due.present : due.absent).push_back(platform.manifest_digest);
    store_.due = {due};
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
  EXPECT_THAT(store_.checked, SizeIs(1));
}

TEST_F(LateChildTest, OnlyWhatWasAbsentIsAskedUntilThen) {
  AskAgain();
  EXPECT_THAT(Manifests(), testing::ElementsAre(image_, Sha256Digest("sparse")));
  EXPECT_EQ(ImageOf("1").labels.size(), 0u);
  EXPECT_THAT(store_.checked, SizeIs(1));
}

TEST_F(LateChildTest, NothingIsLostThatWasThere) {
  registry_.Heal();
  registry_.Fail("team/app/manifests/" + registry_.DigestOf("team/other", "2"), 404);
  AskAgain();
  EXPECT_FALSE(ImageOf("1").platforms[0].present);
  EXPECT_TRUE(ImageOf("1").platforms[1].present);
}

// Another repository has what this one hides: whoever was first, the facts are those of the whole.
TEST_F(LateChildTest, AnotherRepositoryThatHasItIsRead) {
  ASSERT_EQ(ImageOf("1").labels.size(), 0u);
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  registry_.Heal();
  registry_.Fail("team/app/manifests/" + image_, 404);
  registry_.Copy("team/app", "1", "team/honest");
  const RunResult result = Sync();
  EXPECT_TRUE(ImageOf("1").platforms[0].present);
  EXPECT_EQ(ImageOf("1").labels.at("content"), "a");
  EXPECT_THAT(store_.tags["team/honest"], SizeIs(1));
  // The two of team/other are new; this one is only known better.
  EXPECT_EQ(result.statistics.images_added, 2);
}

TEST_F(LateChildTest, ARepositoryThatHidesMoreChangesNothing) {
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  const std::string other = registry_.DigestOf("team/other", "2");
  registry_.Untag("team/other", "1");
  registry_.Untag("team/other", "2");
  registry_.Fail("team/hider/manifests/" + other, 404);
  registry_.Copy("team/app", "1", "team/hider");
  Sync();
  EXPECT_FALSE(ImageOf("1").platforms[0].present);
  EXPECT_TRUE(ImageOf("1").platforms[1].present);
}

// Asked for every day while the image is approved.
TEST_F(LateChildTest, AChildThatIsGoneLaterIsNoLongerPresent) {
  const std::string other = registry_.DigestOf("team/other", "2");
  DueReferrers due{"team/app", ImageOf("1").digest, {}, {}};
  due.children = {other};
  store_.due = {due};
  Sync();
  EXPECT_THAT(Requests(), testing::Contains("HEAD team/app/manifests/" + other));
  EXPECT_TRUE(ImageOf("1").platforms[1].present);
  registry_.Fail("team/app/manifests/" + other, 404);
  Sync();
  EXPECT_FALSE(ImageOf("1").platforms[1].present);
  // Where the image is not to be had either, it says nothing.
  registry_.Heal();
  store_.images[due.digest].platforms[1].present = true;
  registry_.Fail("team/app/manifests/sha256", 404);
  Sync();
  EXPECT_TRUE(ImageOf("1").platforms[1].present);
  store_.images[due.digest].platforms[1].present = false;
  // It comes back as one that came late does.
  registry_.Heal();
  registry_.Fail("team/app/manifests/" + image_, 404);
  AskAgain();
  EXPECT_TRUE(ImageOf("1").platforms[1].present);
}

TEST_F(ImageReaderTest, WhatImagesShareIsAskedForOnce) {
  registry_.Tag("team/other", "2", "b");
  const std::string second = registry_.DigestOf("team/other", "2");
  for (const char* tag : {"1", "2", "3"})
    registry_.Raw(
        "team/app", tag,
        Index(Child(image_, R"(,"platform":{"os":"linux","architecture":"amd64"})") + "," +
              Child(second, std::string(R"(,"platform":{"os":"linux","architecture":")") + "arm" +
                                tag + R"("})")));
  // The same config in another manifest.
  registry_.Raw("team/app", "4", registry_.Body(image_, R"("annotations":{"a":"b"},)"));
  Sync();
  std::map<std::string, int> asked;
  for (const std::string& line : Requests())
    if (line.find("sha256:") != std::string::npos) ++asked[line];
  EXPECT_THAT(asked, SizeIs(4));  // two manifests, two configs
  EXPECT_THAT(asked, testing::Each(testing::Field(&std::pair<const std::string, int>::second, 1)));
  for (const char* tag : {"1", "2", "3"}) {
    ASSERT_THAT(ImageOf(tag).platforms, SizeIs(2));
    EXPECT_EQ(ImageOf(tag).platforms[1].platform.architecture, std::string("arm") + tag);
    EXPECT_EQ(ImageOf(tag).labels.at("content"), "a");
  }
  EXPECT_EQ(ImageOf("4").annotations.at("a"), "b");
  EXPECT_EQ(ImageOf("4").labels.at("content"), "a");
}

// Of layers only types and sizes are kept, and they are those of all of them.
TEST_F(ImageReaderTest, LayersAreSummed) {
  const auto layer = [](const char* type, const char* size) {
    return std::string(R"({"mediaType":"application/)") + type + R"(","digest":")" +
           Sha256Digest(size) + R"(","size":)" + size + "}";
  };
  registry_.Raw("team/app", "1",
                R"({"schemaVersion":2,"layers":[)" + layer("a", "10") + "," + layer("b", "200") +
                    "," + layer("a", "3000") + "]}");
  Sync();
  EXPECT_EQ(ImageOf("1").size_bytes, 3210);
  EXPECT_THAT(ImageOf("1").layer_types, testing::ElementsAre("application/a", "application/b"));
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
  store_.due = {{"team/app", ImageOf("1").digest, {}, {}, {inner}}};
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
  const Image& image = store_.images.at(Sha256Digest(R"({"schemaVersion":1,"fsLayers":[]})"));
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
  EXPECT_EQ(store_.tags["team/app"]["1"].digest, Sha256Digest(manifest));
  EXPECT_EQ(store_.problems.at({"team/app", "1"}), "digest mismatch");
  store_.writes = 0;
  EXPECT_EQ(Sync().statistics.not_modified, 1);
  EXPECT_EQ(store_.writes, 0);
  EXPECT_EQ(store_.problems.at({"team/app", "1"}), "digest mismatch");
  registry_.Heal();
  Sync();
  EXPECT_THAT(store_.problems, IsEmpty());
}

// S1: HEAD said one digest, and when its manifest is asked for the tag is elsewhere.
TEST_F(ImageReaderTest, ATagThatMovesWhileItIsLookedAt) {
  registry_.Tag("team/app", "1", "a");
  Sync();
  registry_.Tag("team/app", "1", "b");
  const std::string moved = registry_.DigestOf("team/app", "1");
  registry_.Fail("manifests/" + moved, 404);
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(store_.tags["team/app"]["1"].digest, moved);
}

TEST_F(ImageReaderTest, AnImmutableTagThatCameBackElsewhereIsTold) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"],"immutable_tags":true}])");
  for (const char* tag : {"1", "2", "3"}) registry_.Tag("team/app", tag, tag);
  Sync();
  registry_.Untag("team/app", "1");
  Sync();
  registry_.Tag("team/app", "1", "something else");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(store_.problems.at({"team/app", "1"}), "immutable tag moved");
  Sync();
  EXPECT_EQ(store_.problems.at({"team/app", "1"}), "immutable tag moved");
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
