// Nothing is lost by a listing that lies, and what a person says is gone goes.
#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RemovalsTest : public EngineTest {
 protected:
  RemovalsTest() {
    for (const char* tag : {"1", "2", "3", "4", "5", "6"}) registry_.Tag("team/app", tag, tag);
    Sync();
  }
  bool Missing(const std::string& tag) { return store_.tags["team/app"][tag].missing; }
};

TEST_F(RemovalsTest, AreRefusedOnceAndToldOnce) {
  for (const char* tag : {"1", "2", "3", "4"}) registry_.Untag("team/app", tag);
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_THAT(store_.refused["team/app"], ElementsAre("1", "2", "3", "4"));
  EXPECT_EQ(store_.problems.at({"team/app", ""}), "removals refused");
  EXPECT_FALSE(Missing("1"));
  // A listing that is whole again ends it.
  for (const char* tag : {"1", "2", "3"}) registry_.Tag("team/app", tag, tag);
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(store_.refused, IsEmpty());
  EXPECT_THAT(store_.problems, IsEmpty());
  EXPECT_TRUE(Missing("4"));
}

TEST_F(RemovalsTest, AcceptedOnesGoAndNoOthers) {
  for (const char* tag : {"1", "2", "3", "4"}) registry_.Untag("team/app", tag);
  Sync();
  store_.accepted = true;
  for (const char* tag : {"5", "6"}) registry_.Untag("team/app", tag);
  Sync();
  for (const char* tag : {"1", "2", "3", "4"}) EXPECT_TRUE(Missing(tag)) << tag;
  EXPECT_FALSE(Missing("5"));
  // What vanished since is another question.
  EXPECT_THAT(store_.refused["team/app"], ElementsAre("5", "6"));
  EXPECT_FALSE(store_.accepted);
}

TEST_F(RemovalsTest, AcceptedOnesThatAreThereAfterAllStay) {
  for (const char* tag : {"1", "2", "3", "4"}) registry_.Hide(tag);
  Sync();
  store_.accepted = true;
  EXPECT_EQ(Sync().statistics.tags_missing, 0);
  EXPECT_FALSE(Missing("1"));
}

TEST_F(RemovalsTest, ARepositoryThatIsNotFoundLosesNothing) {
  for (const char* tag : {"2", "3", "4", "5", "6"}) {
    registry_.Untag("team/app", tag);
    store_.tags["team/app"].erase(tag);
  }
  registry_.Fail("team/app", 404);  // one tag is known: no share of it would be too much
  EXPECT_EQ(Sync().outcome, Outcome::kPartial);
  EXPECT_FALSE(Missing("1"));
  EXPECT_THAT(store_.refused["team/app"], ElementsAre("1"));
  store_.accepted = true;
  Sync();
  EXPECT_TRUE(Missing("1"));
}

TEST_F(RemovalsTest, ARefusedRepositoryLosesNothing) {
  for (const int status : {401, 403, 500, 503}) {
    registry_.Fail("team/app/tags", status);
    Sync();
    EXPECT_FALSE(Missing("1")) << status;
  }
}

TEST_F(RemovalsTest, OnlyA404IsAnAbsence) {
  registry_.Untag("team/app", "1");
  for (const int status : {401, 403, 500, 503}) {
    registry_.Fail("manifests/1", status);
    Sync();
    EXPECT_FALSE(Missing("1")) << status;
  }
  registry_.Heal();
  Sync();
  EXPECT_TRUE(Missing("1"));
}

TEST_F(RemovalsTest, ACatalogueThatForgetsRemovesNothing) {
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  registry_.Serve("/v2/_catalog", Answer(200, R"({"repositories":[]})"));
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_FALSE(Missing("1"));
}

TEST_F(RemovalsTest, ARuleThatTakesATagNoMoreRemovesNothing) {
  Rules(R"([{"rule_id":2,"repositories":"team/app","tags":["1"]}])");
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_THAT(store_.tags["team/app"], SizeIs(6));
  EXPECT_FALSE(Missing("6"));
}

}  // namespace
}  // namespace image_library::sync
