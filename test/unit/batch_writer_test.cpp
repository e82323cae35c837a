// What the database refuses, or cannot take now, keeps nothing else from being stored.
#include <stdexcept>

#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

bool HasImage(const Batch& batch, const std::string& digest) {
  return std::any_of(batch.images.begin(), batch.images.end(),
                     [&](const Image& image) { return image.digest == digest; });
}

class BatchWriterTest : public EngineTest {
 protected:
  void Fill(int tags) {
    for (int i = 0; i < tags; ++i)
      registry_.Tag("team/app", "1." + std::to_string(i), std::to_string(i));
  }
  // The database refuses whatever has the image of the tag.
  void RefuseImageOf(const std::string& tag) {
    store_.before_write = [digest = registry_.DigestOf("team/app", tag)](const Batch& batch) {
      if (HasImage(batch, digest)) throw DataRefused("jsonb is full");
    };
  }
};

// A manifest with so many annotations of 60 kB.
std::string Annotated(int annotations, char fill) {
  std::string text;
  for (int i = 0; i < annotations; ++i)
    text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"" + std::string(60000, fill) + "\"";
  return R"({"schemaVersion":2,"layers":[],"annotations":{)" + text + "}}";
}

// Three of these are as much as one batch may hold.
TEST_F(BatchWriterTest, BatchesEndByBytes) {
  for (int i = 0; i < 6; ++i)
    registry_.Raw("team/app", std::to_string(i), Annotated(8, static_cast<char>('a' + i)));
  RunOptions options;
  options.tags_at_once = 1;
  EXPECT_EQ(Sync(options).outcome, Outcome::kComplete);
  EXPECT_THAT(store_.images, SizeIs(6));
  EXPECT_EQ(store_.largest_batch, 3u);
  EXPECT_THAT(store_.problems, IsEmpty());
}

// The image is kept without what is over the limit, and that is told as long as the tag points at
// it.
TEST_F(BatchWriterTest, AnnotationsOverTheirLimitAreAProblemThatStays) {
  registry_.Raw("team/app", "1", Annotated(20, 'a'));
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  ASSERT_THAT(store_.images, SizeIs(1));
  EXPECT_THAT(store_.images.begin()->second.annotations, SizeIs(8));
  Sync();
  ASSERT_THAT(store_.problems, SizeIs(1));
  EXPECT_EQ(store_.problems.begin()->second, "annotations cut");
  registry_.Raw("team/app", "1", Annotated(1, 'b'));
  Sync();
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(BatchWriterTest, TagsOfKnownImagesEndBatchesToo) {
  Fill(10);
  Sync();
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  for (int i = 0; i < 10; ++i)
    registry_.Tag("team/copy", "1." + std::to_string(i), std::to_string(i));
  std::size_t most = 0;
  store_.before_write = [&](const Batch& batch) { most = std::max(most, batch.tags.size()); };
  RunOptions options;
  options.images_per_batch = 4;
  options.tags_at_once = 1;
  Sync(options);
  EXPECT_THAT(store_.tags["team/copy"], SizeIs(10));
  EXPECT_EQ(most, 4u);
}

TEST_F(BatchWriterTest, TheCulpritIsAloneOnRecordAndTheRestIsStored) {
  Fill(20);
  RefuseImageOf("1.7");
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(result.statistics.problems, 1);
  EXPECT_THAT(store_.tags["team/app"], SizeIs(19));
  EXPECT_THAT(store_.problems,
              ElementsAre(std::make_pair(std::make_pair("team/app", "1.7"), "not stored")));
  EXPECT_EQ(store_.details.at({"team/app", "1.7"}), "jsonb is full");
  // About 2 log2 n tries, not n.
  EXPECT_LT(store_.tries, 20);

  transport_.TakeLog();
  Sync();
  const std::vector<std::string> requests = Requests();
  EXPECT_THAT(requests, Contains("GET team/app/manifests/1.7"));
  EXPECT_THAT(requests, Not(Contains("GET team/app/manifests/1.8")));
  store_.before_write = nullptr;
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(store_.problems, IsEmpty());
  EXPECT_THAT(store_.tags["team/app"], SizeIs(20));
}

TEST_F(BatchWriterTest, EveryTagOfARefusedImageIsOnRecord) {
  Fill(3);
  for (const char* tag : {"a", "b", "z"}) registry_.Tag("team/app", tag, "shared");
  RefuseImageOf("a");
  RunOptions options;
  options.tags_at_once = 1;
  options.images_per_batch = 4;  // a and the others end a batch: b and z come later
  Sync(options);
  EXPECT_THAT(store_.tags["team/app"], SizeIs(3));
  EXPECT_THAT(store_.problems, SizeIs(3));
  for (const char* tag : {"a", "b", "z"})
    EXPECT_EQ(store_.details.at({"team/app", tag}), "jsonb is full") << tag;
}

TEST_F(BatchWriterTest, AListingThatIsRefusedTakesNoImagesWithIt) {
  Fill(5);
  store_.before_write = [](const Batch& batch) {
    if (batch.listing) throw DataRefused("array is too large");
  };
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_THAT(store_.tags["team/app"], SizeIs(5));
  EXPECT_THAT(store_.details.at({"team/app", ""}), HasSubstr("array is too large"));
}

TEST_F(BatchWriterTest, AReferrerThatIsRefusedTakesNoOtherWithIt) {
  Fill(1);
  const std::string digest = registry_.DigestOf("team/app", "1.0");
  registry_.Tag("team/app", FallbackTag(digest) + ".sig", "signature");
  registry_.Tag("team/app", FallbackTag(digest) + ".att", "attestation");
  store_.before_write = [](const Batch& batch) {
    for (const Referrer& referrer : batch.referrers)
      if (referrer.tag.ends_with(".att")) throw DataRefused("no such thing");
  };
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  ASSERT_THAT(store_.referrers, SizeIs(1));
  EXPECT_EQ(store_.referrers[0].tag, FallbackTag(digest) + ".sig");
  EXPECT_EQ(store_.problems.at({"team/app", FallbackTag(digest) + ".att"}), "not stored");
}

TEST_F(BatchWriterTest, AnythingElseEndsTheRun) {
  Fill(3);
  store_.before_write = [](const Batch&) { throw std::runtime_error("disk full"); };
  EXPECT_THROW(Sync(), std::runtime_error);
  EXPECT_EQ(store_.tries, 1);
}

class BusyTest : public BatchWriterTest {
 protected:
  BusyTest() {
    Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
    for (const char* name : {"team/a", "team/b", "team/c"})
      for (const char* tag : {"1", "2", "3"}) registry_.Tag(name, tag, std::string(name) + tag);
  }
};

TEST_F(BusyTest, AShortWaitIsNoTrouble) {
  int refusals = 2;
  store_.before_write = [&](const Batch&) {
    if (refusals-- > 0) throw StoreBusy("lock timeout");
  };
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(store_.problems, IsEmpty());
  EXPECT_THAT(store_.images, SizeIs(9));
  // The waits are those of the transport, in which others go on.
  EXPECT_THAT(transport_.sleeps, SizeIs(2));
}

TEST_F(BusyTest, ALongOneCostsOneRepositoryUntilTheNextRun) {
  store_.before_write = [](const Batch& batch) {
    if (batch.repository == "team/b" && !batch.tags.empty()) throw StoreBusy("lock timeout");
  };
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_THAT(store_.problems, ElementsAre(std::make_pair(std::make_pair("team/b", ""), "busy")));
  EXPECT_THAT(store_.tags["team/a"], SizeIs(3));
  EXPECT_THAT(store_.tags["team/b"], IsEmpty());
  EXPECT_THAT(store_.tags["team/c"], SizeIs(3));
  EXPECT_EQ(store_.fingerprints["team/b"], "");
  store_.before_write = nullptr;
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(store_.tags["team/b"], SizeIs(3));
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(BusyTest, NoMoreIsReadOfABusyRepository) {
  for (int i = 0; i < 50; ++i) registry_.Tag("team/b", "2." + std::to_string(i), "b");
  store_.before_write = [](const Batch& batch) {
    if (batch.repository == "team/b" && !batch.tags.empty()) throw StoreBusy("lock timeout");
  };
  RunOptions options;
  options.images_per_batch = 2;
  options.tags_at_once = 1;
  Sync(options);
  int asked = 0;
  for (const std::string& line : Requests()) asked += line.starts_with("GET team/b/manifests");
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace image_library::sync
