// Small batches of different repositories that come in one turn of the event loop are one call of
// the store.
#include <stdexcept>

#include "engine_fixture.h"
#include "sync/batch_writer.h"

namespace image_library::sync {
namespace {

using registry::Task;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A batch with one tag and its image.
Batch BatchOf(const std::string& repository, const std::string& digest) {
  Batch batch;
  batch.repository = repository;
  Image image;
  image.digest = digest;
  batch.Add(std::move(image));
  batch.tags.push_back({"1.0", digest, 1});
  return batch;
}

class GatheredBatchesTest : public EngineTest {
 protected:
  GatheredBatchesTest() { transport_.holding_sleeps = true; }
  Task<Written> Write(Batch batch) {
    Task<Written> task = writer_.Write(std::move(batch));
    task.Start();
    return task;
  }
  void EndTurn() { transport_.asleep.ResumeAll(); }

  BatchWriter writer_{store_, transport_};
};

TEST_F(GatheredBatchesTest, ATurnIsOneCall) {
  Task<Written> a = Write(BatchOf("a", "1")), b = Write(BatchOf("b", "2"));
  EXPECT_EQ(store_.tries, 0);
  EndTurn();
  ASSERT_TRUE(a.Done() && b.Done());
  EXPECT_EQ(store_.writes, 1);
  EXPECT_THAT(store_.tags, SizeIs(2));
  EXPECT_FALSE(b.Result().busy);
  Task<Written> later = Write(BatchOf("c", "3"));
  EndTurn();
  EXPECT_TRUE(later.Done());
  EXPECT_EQ(store_.writes, 2);
}

// Which of the two has more of the image is for the store to see, one after the other.
TEST_F(GatheredBatchesTest, AnImageOfTwoRepositoriesIsTwoCalls) {
  Task<Written> a = Write(BatchOf("a", "same")), b = Write(BatchOf("b", "same"));
  EndTurn();
  ASSERT_TRUE(a.Done() && b.Done());
  EXPECT_EQ(store_.writes, 2);
  EXPECT_THAT(store_.tags, SizeIs(2));
}

TEST_F(GatheredBatchesTest, ARepositoryIsNotTwiceInACall) {
  Batch problem;
  problem.repository = "a";
  problem.problems.push_back({"a", "", "busy", "x"});
  Task<Written> a = Write(BatchOf("a", "1")), again = Write(std::move(problem));
  EndTurn();
  ASSERT_TRUE(a.Done() && again.Done());
  EXPECT_EQ(store_.writes, 2);
}

// All repositories that have the image are locked for it.
TEST_F(GatheredBatchesTest, ACompletedImageIsWrittenAlone) {
  Batch completed = BatchOf("a", "1");
  completed.completed.push_back(completed.images.front());
  EXPECT_TRUE(Write(std::move(completed)).Done());
}

TEST_F(GatheredBatchesTest, ALargeOneDoesNotWait) {
  Batch large = BatchOf("a", "0");
  for (int i = 1; i <= 200; ++i) large.Add(UnreadImage(std::to_string(i)));
  EXPECT_TRUE(Write(std::move(large)).Done());
  EXPECT_EQ(store_.writes, 1);
}

TEST_F(GatheredBatchesTest, ARefusedOneTakesNoOtherWithIt) {
  store_.before_write = [](const Batch& batch) {
    if (batch.repository == "b" && !batch.tags.empty()) throw DataRefused("jsonb is full");
  };
  Task<Written> a = Write(BatchOf("a", "1")), b = Write(BatchOf("b", "2")),
                c = Write(BatchOf("c", "3"));
  EndTurn();
  ASSERT_TRUE(a.Done() && b.Done() && c.Done());
  EXPECT_THAT(store_.tags["a"], SizeIs(1));
  EXPECT_THAT(store_.tags["b"], IsEmpty());
  EXPECT_THAT(store_.tags["c"], SizeIs(1));
  EXPECT_EQ(a.Result().problems, 0u);
  EXPECT_THAT(b.Result().refused,
              ElementsAre(std::make_pair(std::string("2"), std::string("jsonb is full"))));
}

TEST_F(GatheredBatchesTest, ALockedOneMakesNoOtherWait) {
  store_.before_write = [](const Batch& batch) {
    if (batch.repository == "b" && !batch.tags.empty()) throw StoreBusy("locked");
  };
  Task<Written> a = Write(BatchOf("a", "1")), b = Write(BatchOf("b", "2"));
  while (!b.Done()) EndTurn();
  ASSERT_TRUE(a.Done());
  EXPECT_FALSE(a.Result().busy);
  EXPECT_TRUE(b.Result().busy);
  EXPECT_THAT(store_.tags["a"], SizeIs(1));
}

TEST_F(GatheredBatchesTest, EveryoneGetsAnyOtherError) {
  store_.before_write = [](const Batch&) { throw std::runtime_error("disk full"); };
  Task<Written> a = Write(BatchOf("a", "1")), b = Write(BatchOf("b", "2"));
  EndTurn();
  ASSERT_TRUE(a.Done() && b.Done());
  EXPECT_THROW(a.Result(), std::runtime_error);
  EXPECT_THROW(b.Result(), std::runtime_error);
}

TEST_F(GatheredBatchesTest, ACancelledRunWritesNothing) {
  { Task<Written> a = Write(BatchOf("a", "1")), b = Write(BatchOf("b", "2")); }
  EndTurn();
  EXPECT_EQ(store_.tries, 0);
}

}  // namespace
}  // namespace image_library::sync
