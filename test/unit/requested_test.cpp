// Repositories that were requested: what is read of them, alone and during a run of the registry.
#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RequestedTest : public EngineTest {
 protected:
  RequestedTest() {
    Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"],"exclude_tags":["old*"]}])");
    registry_.Tag("team/app", "1.0", "a");
    registry_.Tag("team/app", "2.0", "b");
    registry_.Tag("team/web", "1.0", "d");
    Sync();
    Requests();
  }
  RunResult Look(const std::string& repository, std::vector<std::string> tags = {}) {
    store_.requested = {{repository, "1", std::move(tags)}};
    RunOptions options;
    options.requested_only = true;
    return Sync(options);
  }
};

TEST_F(RequestedTest, OnlyTheTagsAreRead) {
  registry_.Tag("team/app", "2.0", "moved");
  registry_.Tag("team/app", "3.0", "new");
  registry_.Tag("team/app", "old", "excluded");
  registry_.Tag("team/web", "2.0", "not asked for");
  EXPECT_EQ(Look("team/app", {"2.0", "3.0", "old"}).outcome, Outcome::kComplete);
  EXPECT_EQ(store_.tags["team/app"]["2.0"].digest, registry_.DigestOf("team/app", "2.0"));
  EXPECT_EQ(store_.tags["team/app"].count("3.0"), 1u);
  EXPECT_EQ(store_.tags["team/app"].count("old"), 0u);
  EXPECT_EQ(store_.tags["team/web"].count("2.0"), 0u);
  EXPECT_THAT(store_.looked["team/app"], ElementsAre(""));
  for (const std::string& request : Requests()) {
    EXPECT_EQ(request.find("tags/list"), std::string::npos) << request;
    EXPECT_EQ(request.find("manifests/1.0"), std::string::npos) << request;
  }
}

TEST_F(RequestedTest, WithoutTagsTheWholeRepository) {
  registry_.Tag("team/app", "3.0", "new");
  registry_.Untag("team/app", "1.0");
  Look("team/app");
  EXPECT_EQ(store_.tags["team/app"].count("3.0"), 1u);
  EXPECT_TRUE(store_.tags["team/app"]["1.0"].missing);
}

// The tag was read by this run, or by the last one, and moved after that.
TEST_F(RequestedTest, ATagThatJustMovedIsLookedAtAgain) {
  for (auto& [name, tag] : store_.tags["team/app"]) tag.fresh = true;
  registry_.Tag("team/app", "2.0", "moved once more");
  keeps_fresh_ = true;
  Look("team/app");
  EXPECT_EQ(store_.tags["team/app"]["2.0"].digest, registry_.DigestOf("team/app", "2.0"));
}

TEST_F(RequestedTest, ANewRepositoryIsListed) {
  registry_.Tag("team/new", "1.0", "e");
  registry_.Tag("team/new", "2.0", "f");
  Look("team/new", {"2.0"});
  EXPECT_EQ(store_.tags["team/new"].size(), 2u);
}

TEST_F(RequestedTest, TheNewestTagsNeedAListing) {
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"],"newest":1}])");
  registry_.Tag("team/app", "1.5", "late");
  Look("team/app", {"1.5"});
  EXPECT_EQ(store_.tags["team/app"].count("1.5"), 0u);
}

TEST_F(RequestedTest, WhatTheRegistryDoesNotHaveIsNoProblemOfTheLibrary) {
  Look("team/made-up", {"1.0"});
  EXPECT_THAT(store_.problems, IsEmpty());
  // Answered: names that somebody makes up are asked for once.
  EXPECT_THAT(store_.looked["team/made-up"], ElementsAre(""));
  EXPECT_THAT(store_.tags["team/made-up"], IsEmpty());
}

TEST_F(RequestedTest, WhatNoRuleTakesIsNotAskedFor) {
  Look("alien/app", {"1.0"});
  EXPECT_THAT(Requests(), IsEmpty());
  EXPECT_THAT(store_.looked["alien/app"], ElementsAre("no rule takes the repository"));
}

TEST_F(RequestedTest, ARefusalIsToldAndNothingIsMarkedMissing) {
  registry_.Fail("team/app", 503);
  Look("team/app");
  ASSERT_EQ(store_.looked["team/app"].size(), 1u);
  EXPECT_NE(store_.looked["team/app"][0], "");
  EXPECT_FALSE(store_.tags["team/app"]["1.0"].missing);
}

TEST_F(RequestedTest, TheProgressOfTheRegistryIsNotUsed) {
  config_.progress.looking = true;
  config_.requests_per_run = 100;
  registry_.Tag("team/app", "1.0", "moved");
  Look("team/app");
  EXPECT_EQ(store_.tags["team/app"]["1.0"].digest, registry_.DigestOf("team/app", "1.0"));
}

// While the run reads other repositories, one is pushed that it has read already.
TEST_F(RequestedTest, ALongRunLooksInBetween) {
  for (int i = 0; i < 30; ++i)
    registry_.Tag("team/z" + std::to_string(i), "1.0", "z" + std::to_string(i));
  Sync();
  bool pushed = false;
  int requests = 0;
  int before = 0;
  store_.on_requested = [&] {
    if (pushed || requests < 12) return;
    pushed = true;
    registry_.Tag("team/app", "3.0", "pushed");
    store_.requested = {{"team/app", "7", {"3.0"}}};
    before = requests;
  };
  RunOptions options;
  // Each repository takes two seconds.
  transport_.handler([&](const Request& request) {
    ++requests;
    now_ += DeadlineTransport::Seconds(1);
    return registry_.Handle(request);
  });
  EXPECT_EQ(Sync(options).outcome, Outcome::kComplete);
  ASSERT_TRUE(pushed);
  EXPECT_THAT(store_.looked["team/app"], ElementsAre(""));
  EXPECT_EQ(store_.tags["team/app"].count("3.0"), 1u);
  EXPECT_GT(requests, before + 10) << "the run had not ended";
}

}  // namespace
}  // namespace image_library::sync
