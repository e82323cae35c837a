// What hangs on images: the referrers API, fallback tags, cosign's tags, and how they change.
#include "engine_fixture.h"
#include "core/rule.h"

namespace image_library::sync {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";

std::string DescriptorOf(const std::string& digest, const std::string& artifact_type) {
  return R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" + digest +
         R"(","size":9,"artifactType":")" + artifact_type + R"("})";
}

std::string IndexOf(const std::string& descriptors) {
  return R"({"schemaVersion":2,"mediaType":")" + std::string(kIndexType) + R"(","manifests":[)" +
         descriptors + "]}";
}

class ImageReferrersTest : public EngineTest {
 protected:
  ImageReferrersTest() {
    registry_.Tag("team/app", "1", "a");
    subject_ = registry_.DigestOf("team/app", "1");
  }
  // What the API answers.
  void Api(const std::string& descriptors) {
    registry_.Serve("/referrers/",
                    Answer(200, IndexOf(descriptors), {{"content-type", kIndexType}}));
  }
  // A referrer's manifest, stored; its digest.
  std::string Attach(const std::string& subject, const std::string& more) {
    const std::string manifest = R"({"schemaVersion":2,"layers":[],"subject":{"digest":")" +
                                 subject + R"(","size":1})" + more + "}";
    registry_.Store(Sha256Digest(manifest), manifest);
    return Sha256Digest(manifest);
  }
  std::vector<std::string> Types() const {
    std::vector<std::string> types;
    for (const Referrer& referrer : store_.referrers) types.push_back(referrer.artifact_type);
    return types;
  }
  DueReferrers Due() const {
    DueReferrers due{"team/app", subject_, {}, {}};
    for (const Referrer& referrer : store_.referrers) {
      due.known[referrer.digest] = referrer.artifact_type;
      if (!referrer.tag.empty()) due.tags.push_back(referrer.tag);
    }
    return due;
  }

  std::string subject_;
};

TEST_F(ImageReferrersTest, TheApiIsAskedForNewImagesAndBelieved) {
  Api(DescriptorOf(Sha256Digest("s"), "application/spdx+json"));
  Sync();
  ASSERT_THAT(store_.referrers, SizeIs(1));
  EXPECT_EQ(store_.referrers[0].subject, subject_);
  EXPECT_EQ(store_.referrers[0].source, "api");
  transport_.TakeLog();
  Sync();
  for (const std::string& line : transport_.TakeLog())
    EXPECT_EQ(line.find("referrers"), std::string::npos) << line;
}

// Each repository is asked what refers to an image in it, whoever knew the image before.
TEST_F(ImageReferrersTest, AKnownImageIsAskedAboutInARepositoryThatIsNewToIt) {
  Sync();
  ASSERT_THAT(store_.referrers, IsEmpty());
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  registry_.Copy("team/app", "1", "team/copy");
  registry_.Tag("team/copy", FallbackTag(subject_) + ".sig", "signature");
  registry_.Serve("team/copy/referrers/",
                  Answer(200, IndexOf(DescriptorOf(Sha256Digest("s"), "application/spdx+json")),
                         {{"content-type", kIndexType}}));
  config_.abilities = {};
  Sync();
  EXPECT_THAT(Types(), UnorderedElementsAre("application/spdx+json",
                                            "application/vnd.oci.image.config.v1+json"));
  transport_.TakeLog();
  Sync();
  for (const std::string& line : transport_.TakeLog())
    EXPECT_EQ(line.find("referrers"), std::string::npos) << line;
}

TEST_F(ImageReferrersTest, TheSizeOfACosignTagIsThatOfItsManifest) {
  const std::string body =
      R"({"schemaVersion":2,"layers":[{"mediaType":"application/x","digest":")" +
      Sha256Digest("layer") + R"(","size":123456789}]})";
  registry_.Raw("team/app", FallbackTag(subject_) + ".sig", body);
  Sync();
  ASSERT_THAT(store_.referrers, SizeIs(1));
  EXPECT_EQ(store_.referrers[0].size_bytes, static_cast<std::int64_t>(body.size()));
}

TEST_F(ImageReferrersTest, AnnotationsAreScrubbedAndBounded) {
  std::string annotations;
  for (int i = 0; i < 1200; ++i)
    annotations += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":"\u0007")";
  Api(R"({"digest":")" + Sha256Digest("s") +
      R"(","size":9,"artifactType":"application/a","annotations":{)" + annotations + "}}");
  Sync();
  ASSERT_THAT(store_.referrers, SizeIs(1));
  // A scrubbed control character takes three bytes.
  EXPECT_LE(BytesOf(store_.referrers[0].annotations), 66u << 10);
  EXPECT_GT(BytesOf(store_.referrers[0].annotations), 63u << 10);
  EXPECT_EQ(store_.referrers[0].annotations.at("0"), "\xEF\xBF\xBD");
}

// Each may have half a MiB of them, and an image a thousand referrers.
TEST_F(ImageReferrersTest, AnnotationsReadFromManifestsAreBoundedTogether) {
  std::string descriptors;
  for (int i = 0; i < 40; ++i) {
    const std::string manifest =
        Attach(subject_, R"(,"artifactType":"application/a","annotations":{"a":")" +
                             std::string(60000, static_cast<char>('a' + i % 26)) +
                             std::to_string(i) + R"("})");
    descriptors += (i == 0 ? "" : ",") + (R"({"digest":")" + manifest + R"(","size":9})");
  }
  Api(descriptors);
  Sync();
  ASSERT_THAT(store_.referrers, SizeIs(40));
  std::size_t bytes = 0;
  for (const Referrer& referrer : store_.referrers) bytes += BytesOf(referrer.annotations);
  EXPECT_LE(bytes, image_library::limit::kListedAnnotations);
  EXPECT_GT(bytes, image_library::limit::kListedAnnotations / 2);
}

TEST_F(ImageReferrersTest, AMissingTypeIsReadFromTheManifest) {
  const std::string by_itself = Attach(subject_, R"(,"artifactType":"application/a")");
  const std::string by_config =
      Attach(subject_, R"(,"config":{"mediaType":"application/c","digest":")" + Sha256Digest("c") +
                           R"(","size":1})");
  Api(DescriptorOf(by_itself, "application/vnd.oci.empty.v1+json") + "," +
      DescriptorOf(by_config, ""));
  Sync();
  EXPECT_THAT(Types(), UnorderedElementsAre("application/a", "application/c"));
}

TEST_F(ImageReferrersTest, WhatBelongsToSomethingElseIsLeftOut) {
  const std::string other = Attach(Sha256Digest("other"), R"(,"artifactType":"application/a")");
  Api(DescriptorOf(other, "") + "," + DescriptorOf(subject_, "application/self"));
  Sync();
  EXPECT_THAT(store_.referrers, IsEmpty());
}

TEST_F(ImageReferrersTest, AnEmptyAnswerIsNotTheLastWord) {
  Api("");
  registry_.Raw("team/app", FallbackTag(subject_),
                IndexOf(DescriptorOf(Sha256Digest("s"), "application/spdx+json")));
  Sync();
  ASSERT_THAT(store_.referrers, SizeIs(1));
  EXPECT_EQ(store_.referrers[0].source, "fallback tag");
}

TEST_F(ImageReferrersTest, AFallbackTagThatIsTheSubjectItselfIsNone) {
  registry_.Raw("team/app", "2", IndexOf(DescriptorOf(subject_, "")));
  const std::string index = registry_.DigestOf("team/app", "2");
  registry_.Raw("team/app", FallbackTag(index), IndexOf(DescriptorOf(subject_, "")));
  Sync();
  EXPECT_THAT(store_.referrers, IsEmpty());
}

TEST_F(ImageReferrersTest, FailuresKeepWhatWasFound) {
  Api(DescriptorOf(Sha256Digest("s"), "application/spdx+json"));
  Sync();
  store_.due = {Due()};
  for (const int status : {401, 403, 500, 503}) {
    registry_.Fail("/referrers/", status);
    Sync();
    EXPECT_THAT(store_.referrers, SizeIs(1)) << status;
    EXPECT_THAT(store_.checked, IsEmpty()) << status;
  }
}

TEST_F(ImageReferrersTest, ManyAreAskedForInPortions) {
  Api("");
  int portions = 0;
  store_.on_due = [&] {
    ++portions;
    store_.due.clear();
    // Two new ones in each of five portions; one that failed stays due.
    for (int i = portions > 5 ? 9 : 2 * portions; i < 2 * portions + 2 && i < 12; ++i)
      store_.due.push_back({"team/app", Sha256Digest(std::to_string(i)), {}, {}});
  };
  Sync();
  EXPECT_EQ(portions, 6);
  EXPECT_THAT(store_.checked, SizeIs(10));
}

TEST_F(ImageReferrersTest, ManyLeaveHalfOfTheRequests) {
  Api("");
  for (int i = 0; i < 1000; ++i)
    store_.due.push_back({"team/app", Sha256Digest(std::to_string(i)), {}, {}});
  config_.requests_per_run = 800;
  Sync();
  EXPECT_GT(store_.checked.size(), 350u);
  EXPECT_LE(store_.checked.size(), 400u);
  store_.checked.clear();
  config_.requests_per_run = 300;
  Sync();
  EXPECT_EQ(store_.checked.size(), 200u);
}

TEST_F(ImageReferrersTest, LaterOnesAreFoundAndLostOnesGo) {
  Api("");
  Sync();
  ASSERT_THAT(store_.referrers, IsEmpty());
  Api(DescriptorOf(Sha256Digest("s"), "application/spdx+json"));
  store_.due = {Due()};
  Sync();
  EXPECT_THAT(store_.referrers, SizeIs(1));
  EXPECT_THAT(store_.checked, ElementsAre(subject_));
  Api("");
  store_.due = {Due()};
  Sync();
  EXPECT_THAT(store_.referrers, IsEmpty());
}

TEST_F(ImageReferrersTest, CosignTagsAreReadOnceAndGoWithTheirTag) {
  const std::string tag = FallbackTag(subject_) + ".sig";
  Sync();
  registry_.Tag("team/app", tag, "signature");
  Sync();  // the image is known, the tag is new
  ASSERT_THAT(store_.referrers, SizeIs(1));
  EXPECT_EQ(store_.referrers[0].source, "cosign tag");
  EXPECT_THAT(store_.tags["team/app"], SizeIs(1));
  registry_.Tag("team/app", "2", "b");
  transport_.TakeLog();
  Sync();
  for (const std::string& line : transport_.TakeLog())
    EXPECT_EQ(line.find(".sig"), std::string::npos) << line;
  registry_.Untag("team/app", tag);
  Sync();
  EXPECT_THAT(store_.referrers, IsEmpty());
}

TEST_F(ImageReferrersTest, ARegistryWithoutTheApiIsAskedOnce) {
  registry_.Tag("team/app", "2", "b");
  RunOptions options;
  options.tags_at_once = 1;
  const RunResult result = Sync(options);
  EXPECT_EQ(result.abilities.referrers, false);
  int asked = 0;
  for (const std::string& line : transport_.TakeLog())
    asked += line.find("/referrers/") != std::string::npos;
  EXPECT_EQ(asked, 1);
  config_.abilities = result.abilities;
  registry_.Tag("team/app", "3", "c");
  Sync();
  for (const std::string& line : transport_.TakeLog())
    EXPECT_EQ(line.find("/referrers/"), std::string::npos) << line;
}

// A sha512 digest does not fit into a tag: the tag has half of it.
TEST_F(ImageReferrersTest, FallbackTagsOfLongDigestsAreCut) {
  const std::string digest = "sha512:" + std::string(128, 'c');
  EXPECT_EQ(FallbackTag(digest), "sha512-" + std::string(64, 'c'));
  std::string subject;
  EXPECT_TRUE(IsReferrerTag(FallbackTag(digest), &subject));
  EXPECT_EQ(subject, "sha512:" + std::string(64, 'c'));
}

// Referrers of referrers are not followed: no circle leads anywhere.
TEST_F(ImageReferrersTest, CirclesEndAtTheFirst) {
  const std::string a = Attach(subject_, R"(,"artifactType":"application/a")");
  Api(DescriptorOf(a, "") + "," + DescriptorOf(a, "application/a"));
  Sync();
  EXPECT_THAT(store_.referrers, SizeIs(1));
}

}  // namespace
}  // namespace image_library::sync
