// Images that cannot be read, or not whole: their tags are shown as the registry has them.
#include "engine_fixture.h"
#include "scripted_registry.h"

namespace image_library::sync {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kOllama =
    R"({"schemaVersion":2,
        "config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":")" +
    Sha256Digest("lost") +
    R"(","size":4},"annotations":{"a":"b"},"layers":[{"mediaType":"application/vnd.ollama.image.model",
        "digest":")" +
    Sha256Digest("model") + R"(","size":100}]})";

class UnreadImagesTest : public EngineTest {
 protected:
  const KnownTag& Tag(const std::string& tag) { return store_.tags["team/app"].at(tag); }
  const Image& ImageOf(const std::string& tag) { return store_.images.at(Tag(tag).digest); }
  std::string ProblemOf(const std::string& tag) {
    const auto found = store_.problems.find({"team/app", tag});
    return found == store_.problems.end() ? std::string() : found->second;
  }
  // A tag that the library knows and whose registry has another image now.
  void Move(const std::string& manifest) {
    registry_.Tag("team/app", "1", "a");
    Sync();
    ASSERT_EQ(Tag("1").digest, registry_.DigestOf("team/app", "1"));
    registry_.Raw("team/app", "1", manifest);
  }
};

TEST_F(UnreadImagesTest, ATagMovesToAManifestThatCannotBeRead) {
  Move("<html>");
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(result.statistics.tags_moved, 1);
  EXPECT_EQ(Tag("1").digest, Sha256Digest("<html>"));
  EXPECT_EQ(ImageOf("1").unread, Unread::kManifest);
  EXPECT_EQ(ProblemOf("1"), "malformed");
}

TEST_F(UnreadImagesTest, ATagMovesToAManifestThatIsNotThere) {
  Move("lost");
  registry_.Forget(Sha256Digest("lost"));
  registry_.Serve("manifests/1",
                  Answer(200, "", {{"docker-content-digest", Sha256Digest("lost")}}));
  registry_.Fail("manifests/sha256", 404);
  Sync();
  EXPECT_EQ(Tag("1").digest, Sha256Digest("lost"));
  EXPECT_EQ(ImageOf("1").unread, Unread::kManifest);
}

// The digest of a new tag whose body did not arrive is what HEAD says.
TEST_F(UnreadImagesTest, ANewTagThatIsNoManifest) {
  registry_.Raw("team/app", "1", "<html>");
  Sync();
  EXPECT_EQ(Tag("1").digest, Sha256Digest("<html>"));
  EXPECT_EQ(ImageOf("1").unread, Unread::kManifest);
  EXPECT_EQ(ProblemOf("1"), "malformed");
}

TEST_F(UnreadImagesTest, ANewTagWhoseDigestNobodyTellsIsOnlyAProblem) {
  registry_.Tag("team/app", "1", "a");
  registry_.Serve("manifests/1", Answer(200, "<html>"));
  Sync();
  EXPECT_EQ(store_.tags["team/app"].count("1"), 0u);
  EXPECT_THAT(store_.images, IsEmpty());
  EXPECT_EQ(ProblemOf("1"), "malformed");
}

TEST_F(UnreadImagesTest, ItIsReadAgainByEveryRunAndWrittenOnce) {
  Move("<html>");
  Sync();
  const int writes = store_.writes;
  transport_.TakeLog();
  EXPECT_EQ(Sync().statistics.tags_moved, 0);
  EXPECT_EQ(store_.writes, writes + 1);  // of the problem, which a database finds unchanged
  EXPECT_THAT(Requests(), testing::Contains(HasSubstr("GET team/app/manifests/sha256")));
  EXPECT_EQ(ProblemOf("1"), "malformed");
}

TEST_F(UnreadImagesTest, OnceItCanBeReadItIsAnImageLikeOthers) {
  registry_.Tag("team/app", "1", "a");
  const std::string digest = registry_.DigestOf("team/app", "1");
  registry_.Fail("manifests/" + digest, 403);
  Sync();
  registry_.Tag("team/app", "1", "b");
  registry_.Fail("manifests/" + registry_.DigestOf("team/app", "1"), 403);
  Sync();
  EXPECT_EQ(Tag("1").digest, registry_.DigestOf("team/app", "1"));
  EXPECT_EQ(ImageOf("1").unread, Unread::kManifest);
  EXPECT_EQ(ProblemOf("1"), "denied");
  registry_.Heal();
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(ImageOf("1").unread, Unread::kNothing);
  EXPECT_EQ(ImageOf("1").labels.at("content"), "b");
  EXPECT_EQ(ProblemOf("1"), "");
  transport_.TakeLog();
  Sync();
  EXPECT_THAT(Requests(), SizeIs(2));  // list and HEAD: nothing is read again
}

TEST_F(UnreadImagesTest, AnImmutableTagIsReadAgainToo) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"],"immutable_tags":true}])");
  registry_.Tag("team/app", "1", "a");
  registry_.Fail("/blobs/", 404);
  Sync();
  EXPECT_EQ(ImageOf("1").unread, Unread::kConfig);
  registry_.Heal();
  Sync();
  EXPECT_EQ(ImageOf("1").unread, Unread::kNothing);
}

// Whoever cannot be asked now has not said that the image cannot be read.
TEST_F(UnreadImagesTest, TroubleOfTheRegistryMovesATagOnlyWhenItLasts) {
  registry_.Tag("team/app", "1", "a");
  Sync();
  const std::string before = Tag("1").digest;
  registry_.Tag("team/app", "1", "b");
  registry_.Fail("manifests/sha256", 500);
  Sync();
  EXPECT_EQ(Tag("1").digest, before);
  EXPECT_EQ(ProblemOf("1"), "server error");
  Sync();
  EXPECT_EQ(Tag("1").digest, registry_.DigestOf("team/app", "1"));
  EXPECT_EQ(ImageOf("1").unread, Unread::kManifest);
  EXPECT_EQ(ProblemOf("1"), "server error");
}

TEST_F(UnreadImagesTest, TagsOfOneImageShareItsProblem) {
  const std::string manifest = R"({"schemaVersion":2,"manifests":[],"layers":[]})";
  for (const char* tag : {"1", "2", "3"}) registry_.Raw("team/app", tag, manifest);
  EXPECT_EQ(Sync().statistics.problems, 3);
  for (const char* tag : {"1", "2", "3"}) {
    EXPECT_EQ(Tag(tag).digest, Sha256Digest(manifest)) << tag;
    EXPECT_EQ(ProblemOf(tag), "malformed") << tag;
  }
  EXPECT_THAT(store_.images, SizeIs(1));
}

TEST_F(UnreadImagesTest, WithoutItsConfigAnImageIsWhatItsManifestSays) {
  registry_.Raw("team/app", "1", kOllama);
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_EQ(ProblemOf("1"), "not found");
  const Image& image = ImageOf("1");
  EXPECT_EQ(image.unread, Unread::kConfig);
  EXPECT_EQ(image.annotations.at("a"), "b");
  EXPECT_EQ(image.size_bytes, 104);
  EXPECT_EQ(image.config_type, "application/vnd.docker.container.image.v1+json");
  EXPECT_THAT(image.layer_types, testing::ElementsAre("application/vnd.ollama.image.model"));
}

TEST_F(UnreadImagesTest, AConfigThatIsNoneIsLeftOut) {
  registry_.Tag("team/app", "1", "a");
  for (const char* config : {"[]", "<html>", "{\"os\":"}) {
    const std::string manifest =
        R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
        Sha256Digest(config) + R"(","size":1},"layers":[]})";
    registry_.Blob(config);
    registry_.Raw("team/app", "1", manifest);
    Sync();
    EXPECT_EQ(Tag("1").digest, Sha256Digest(manifest)) << config;
    EXPECT_EQ(ImageOf("1").unread, Unread::kConfig) << config;
    EXPECT_EQ(ProblemOf("1"), "malformed") << config;
  }
}

TEST_F(UnreadImagesTest, APlatformWithoutItsConfigIsThatOfTheIndex) {
  registry_.Tag("team/other", "1", "a");
  const std::string child = registry_.DigestOf("team/other", "1");
  registry_.Raw("team/app", "1",
                R"({"schemaVersion":2,"manifests":[{"digest":")" + child +
                    R"(","size":1,"platform":{"os":"linux","architecture":"arm64"}}]})");
  registry_.Fail("/blobs/", 404);
  Sync();
  ASSERT_THAT(ImageOf("1").platforms, SizeIs(1));
  EXPECT_EQ(ImageOf("1").platforms[0].platform.ToString(), "linux/arm64");
  EXPECT_EQ(ImageOf("1").unread, Unread::kConfig);
  registry_.Heal();
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(ImageOf("1").unread, Unread::kNothing);
  EXPECT_EQ(ImageOf("1").labels.at("content"), "a");
}

// What is known of an image is not lost for a platform that came late.
TEST_F(UnreadImagesTest, AnImageThatWasReadStaysRead) {
  registry_.Tag("team/other", "1", "a");
  registry_.Tag("team/other", "2", "b");
  const auto child = [&](const char* tag, const char* architecture) {
    return R"({"digest":")" + registry_.DigestOf("team/other", tag) +
           R"(","size":1,"platform":{"os":"linux","architecture":")" + architecture + "\"}}";
  };
  registry_.Raw("team/app", "1",
                R"({"schemaVersion":2,"manifests":[)" + child("1", "amd64") + "," +
                    child("2", "arm64") + "]}");
  registry_.Fail("manifests/" + registry_.DigestOf("team/other", "2"), 404);
  Sync();
  ASSERT_EQ(ImageOf("1").labels.at("content"), "a");
  registry_.Heal();
  registry_.Fail("/blobs/", 404);
  store_.due = {{"team/app", Tag("1").digest, {}, {}, {registry_.DigestOf("team/other", "2")}}};
  Sync();
  EXPECT_EQ(ImageOf("1").unread, Unread::kNothing);
  EXPECT_EQ(ImageOf("1").labels.at("content"), "a");
  registry_.Heal();
  Sync();
  EXPECT_TRUE(ImageOf("1").platforms[1].present);
}

// A HEAD that lies moves no tag: the body is the truth, and the claim is told.
TEST(LyingHeadTest, TheTagIsWhatItsBodySays) {
  registry::ScriptedRegistry registry;
  RegistryConfig config;
  config.name = "r";
  config.url = ParseRegistryUrl("https://r.example");
  config.rules = RuleSet::FromJson(R"([{"rule_id":1,"repositories":"app","tags":["*"]}])");
  MemoryStore store;
  const auto sync = [&] {
    store.NextRun();
    LimitedTransport limits(registry.transport, std::nullopt, config.url.Origin());
    DeadlineTransport deadline(limits, DeadlineTransport::Seconds(0));
    registry::Client client({config.url, {}}, deadline);
    RegistryRun run(config, store, client, limits, deadline);
    registry::Await(run.Execute());
    return run.result();
  };
  registry.Tags("app", R"(["1"])");
  const std::string digest = registry.Manifest("app", "1", R"({"schemaVersion":2,"layers":[]})");
  sync();
  const std::string lie = Sha256Digest("lie");
  registry.Set("HEAD /v2/app/manifests/1", Answer(200, "", {{"docker-content-digest", lie}}));
  registry.Set("GET /v2/app/manifests/" + lie, Answer(200, R"({"schemaVersion":2,"layers":[1]})"));
  EXPECT_EQ(sync().statistics.not_modified, 1);
  EXPECT_EQ(store.tags["app"]["1"].digest, digest);
  EXPECT_EQ(store.problems.at({"app", "1"}), "digest mismatch");
  EXPECT_THAT(store.details.at({"app", "1"}), HasSubstr(lie));
  EXPECT_THAT(store.images, SizeIs(1));
  sync();
  EXPECT_EQ(store.tags["app"]["1"].digest, digest);
}

// More of them than are remembered: each tag of an image has its problem.
TEST_F(UnreadImagesTest, ManyThatCannotBeRead) {
  for (int i = 0; i < 1200; ++i)
    registry_.Raw("team/app", std::to_string(i),
                  "{\"layers\":[],\"manifests\":[" + std::to_string(i % 600) + "]}");
  EXPECT_EQ(Sync().statistics.problems, 1200);
  EXPECT_THAT(store_.images, SizeIs(600));
  EXPECT_THAT(store_.problems, SizeIs(1200));
  EXPECT_THAT(store_.tags["team/app"], SizeIs(1200));
  EXPECT_EQ(Sync().statistics.problems, 1200);
  EXPECT_THAT(store_.problems, SizeIs(1200));
}

TEST_F(UnreadImagesTest, ARemovedTagIsMissing) {
  registry_.Tag("team/app", "2", "b");
  Move("<html>");
  Sync();
  registry_.Untag("team/app", "1");
  Sync();
  EXPECT_TRUE(Tag("1").missing);
  EXPECT_EQ(ProblemOf("1"), "");
}

}  // namespace
}  // namespace image_library::sync
