// Repositories in which nothing is to be done, or only tags are to be looked at that may move: what
// is not read of the store, and when it is.
#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class SettledTest : public EngineTest {
 protected:
  SettledTest() {
    Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"],"exclude_tags":["old*"],)"
          R"("immutable_tags":true}])");
    registry_.Tag("team/app", "1.0", "a");
    registry_.Tag("team/app", "2.0", "b");
    registry_.Tag("team/app", "old", "c");
    registry_.Tag("team/web", "1.0", "d");
  }
  // How many repositories were read from the store.
  int LoadsOfSync() {
    store_.loads = store_.writes = 0;
    result_ = Sync();
    return store_.loads;
  }

  RunResult result_;
};

TEST_F(SettledTest, NothingIsReadOfTheStoreAndNothingWritten) {
  EXPECT_EQ(LoadsOfSync(), 2);
  EXPECT_EQ(LoadsOfSync(), 0);
  EXPECT_EQ(store_.writes, 0);
  EXPECT_EQ(result_.statistics.not_modified, 3);
  EXPECT_EQ(result_.statistics.repositories, 2);
  EXPECT_EQ(result_.outcome, Outcome::kComplete);
}

TEST_F(SettledTest, ANewTagIsRead) {
  Sync();
  registry_.Tag("team/app", "3.0", "e");
  EXPECT_EQ(LoadsOfSync(), 1);
  EXPECT_THAT(store_.tags["team/app"], SizeIs(3));
  EXPECT_EQ(LoadsOfSync(), 0);
}

TEST_F(SettledTest, ATagThatIsGoneIsMarkedMissing) {
  registry_.Tag("team/app", "3.0", "e");
  Sync();
  registry_.Untag("team/app", "3.0");
  EXPECT_EQ(LoadsOfSync(), 1);
  EXPECT_TRUE(store_.tags["team/app"]["3.0"].missing);
  // The listing of before comes back, but its tag may be another one.
  registry_.Tag("team/app", "3.0", "something else");
  EXPECT_EQ(LoadsOfSync(), 1);
  EXPECT_EQ(store_.tags["team/app"]["3.0"].digest, registry_.DigestOf("team/app", "3.0"));
}

// It is asked for in every run: it may be gone in the next one.
TEST_F(SettledTest, NotWhileAPresentTagIsNotListed) {
  registry_.Tag("team/app", "3.0", "e");
  registry_.Hide("3.0");
  registry_.Tag("team/app", "4.0", "f");
  store_.images[registry_.DigestOf("team/app", "3.0")].digest = "x";
  store_.tags["team/app"]["3.0"] = {"3.0", registry_.DigestOf("team/app", "3.0"), false, 1};
  Sync();
  EXPECT_EQ(LoadsOfSync(), 1);
}

TEST_F(SettledTest, OtherRulesReadItAgain) {
  Sync();
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"],"immutable_tags":true}])");
  EXPECT_EQ(LoadsOfSync(), 2);
  EXPECT_THAT(store_.tags["team/app"], SizeIs(3));
  EXPECT_EQ(LoadsOfSync(), 0);
}

TEST_F(SettledTest, OnlyTagsThatMayMoveAreLookedAt) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"],"immutable_tags":true},)"
        R"({"rule_id":2,"repositories":"team/app","tags":["2.0"],"priority":1}])");
  Sync();
  Requests();
  EXPECT_EQ(LoadsOfSync(), 0);
  EXPECT_THAT(Requests(),
              ElementsAre("GET team/app/tags/list?n=100", "HEAD team/app/manifests/2.0"));
  EXPECT_EQ(result_.statistics.not_modified, 3);
  EXPECT_EQ(store_.writes, 0);
  registry_.Tag("team/app", "2.0", "moved");
  LoadsOfSync();
  EXPECT_EQ(result_.statistics.tags_moved, 1);
  EXPECT_EQ(store_.tags["team/app"]["2.0"].digest, registry_.DigestOf("team/app", "2.0"));
  // It was settled again.
  EXPECT_EQ(LoadsOfSync(), 0);
  EXPECT_EQ(result_.statistics.not_modified, 3);
}

TEST_F(SettledTest, ATagThatMovedToWhatCannotBeReadEndsIt) {
  Rules(R"([{"rule_id":1,"repositories":"team/web","tags":["*"]}])");
  Sync();
  EXPECT_EQ(LoadsOfSync(), 0);
  registry_.Tag("team/web", "1.0", "moved");
  registry_.Serve("/blobs/", Answer(200, "no config"));
  Sync();
  EXPECT_EQ((store_.problems[{"team/web", "1.0"}]), "digest mismatch");
  EXPECT_THAT(store_.settled, SizeIs(0));
  registry_.Heal();
  EXPECT_EQ(LoadsOfSync(), 1);
  EXPECT_THAT(store_.problems, SizeIs(0));
  EXPECT_EQ(LoadsOfSync(), 1);  // the last one still had a problem on record
  EXPECT_EQ(LoadsOfSync(), 0);
}

// Its listing is the same, but the image is new to the repository.
TEST_F(SettledTest, SignaturesOfAnImageThatATagMovedToAreRead) {
  Rules(R"([{"rule_id":1,"repositories":"team/app","tags":["*"]}])");
  registry_.Tag("team/other", "1.0", "signed");
  const std::string digest = registry_.DigestOf("team/other", "1.0");
  registry_.Tag("team/app", "sha256-" + digest.substr(7) + ".sig", "signature");
  Sync();
  EXPECT_THAT(store_.referrers, SizeIs(0));
  EXPECT_EQ(LoadsOfSync(), 0);
  registry_.Copy("team/other", "1.0", "team/app");
  Sync();
  ASSERT_THAT(store_.referrers, SizeIs(1));
  EXPECT_EQ(store_.referrers[0].subject, digest);
}

TEST_F(SettledTest, AProblemIsEndedByTheNextRun) {
  Sync();
  store_.problems[{"team/app", "1.0"}] = "malformed";
  EXPECT_EQ(LoadsOfSync(), 1);
  EXPECT_TRUE(store_.problems.empty());
  EXPECT_EQ(LoadsOfSync(), 0);
}

TEST_F(SettledTest, NotBeforeEveryTagIsThere) {
  const std::string digest = registry_.DigestOf("team/web", "1.0");
  registry_.Serve("team/web/manifests/1.0", Answer(404));  // deleted since the listing
  Sync();
  EXPECT_EQ(LoadsOfSync(), 1);
  registry_.Heal();
  EXPECT_EQ(LoadsOfSync(), 1);
  EXPECT_EQ(store_.tags["team/web"]["1.0"].digest, digest);
  EXPECT_EQ(LoadsOfSync(), 0);
}

TEST_F(SettledTest, NotBeforeEveryImageIsRead) {
  registry_.Serve("/blobs/", Answer(200, "no config"));
  Sync();
  registry_.Heal();
  EXPECT_EQ(LoadsOfSync(), 2);
  EXPECT_EQ(store_.images[registry_.DigestOf("team/web", "1.0")].unread, Unread::kNothing);
}

// A list that lacks too much is refused, and so is a repository that is said not to exist.
TEST_F(SettledTest, ARepositoryThatIsSaidNotToExistIsNot) {
  Sync();
  registry_.Serve("team/app/tags/list", Answer(404));
  EXPECT_EQ(LoadsOfSync(), 1);
  EXPECT_EQ((store_.problems[{"team/app", ""}]), "removals refused");
  registry_.Heal();
  EXPECT_EQ(LoadsOfSync(), 1);
  EXPECT_TRUE(store_.problems.empty());
}

}  // namespace
}  // namespace image_library::sync
