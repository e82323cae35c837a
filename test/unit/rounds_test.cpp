// Runs that a limit ends: exactly so many requests, and the next one goes on where it stopped.
#include "engine_fixture.h"
#include "sync/progress.h"

namespace image_library::sync {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RoundsTest : public EngineTest {
 protected:
  void Budget(int requests) { config_.requests_per_run = requests; }
  void Fill(int repositories, int tags) {
    Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
    for (int i = 0; i < repositories; ++i)
      for (int j = 0; j < tags; ++j) {
        const std::string name = "team/" + std::string(1, static_cast<char>('a' + i));
        registry_.Tag(name, "1." + std::to_string(j), name + std::to_string(j));
      }
  }
  std::size_t Tags() const {
    std::size_t count = 0;
    for (const auto& [name, tags] : store_.tags) count += tags.size();
    return count;
  }
  // Runs until one is complete; the number of runs.
  int SyncAll(int most) {
    for (int runs = 1; runs <= most; ++runs)
      if (Sync().outcome == Outcome::kComplete) return runs;
    ADD_FAILURE() << "not complete after " << most << " runs";
    return most;
  }
};

TEST_F(RoundsTest, ABudgetIsUsedUpExactly) {
  Fill(3, 10);
  for (const int budget : {4, 7, 20}) {
    Budget(budget);
    const RunResult result = Sync();
    EXPECT_EQ(result.outcome, Outcome::kPartial);
    EXPECT_EQ(result.statistics.requests, budget);
    EXPECT_THAT(transport_.TakeLog(), SizeIs(budget));
    EXPECT_THAT(result.error, HasSubstr("budget of " + std::to_string(budget) + " requests"));
    EXPECT_FALSE(result.limited);
    EXPECT_THAT(store_.problems, IsEmpty());
  }
}

TEST_F(RoundsTest, TheSumOfRunsReadsEverything) {
  Fill(4, 10);
  Budget(20);
  SyncAll(30);
  EXPECT_EQ(Tags(), 40u);
  EXPECT_THAT(store_.images, SizeIs(40));
  EXPECT_EQ(config_.progress, Progress());
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(RoundsTest, EveryKnownTagIsLookedAtBeforeAnyIsAgain) {
  Fill(4, 10);
  SyncAll(1);
  Budget(16);
  transport_.TakeLog();
  std::map<std::string, int> looks;
  const int runs = SyncAll(20);
  for (const std::string& line : transport_.TakeLog())
    if (line.rfind("HEAD", 0) == 0) ++looks[line];
  EXPECT_THAT(looks, SizeIs(40));
  EXPECT_THAT(looks, Each(::testing::Field(&std::pair<const std::string, int>::second, 1)));
  EXPECT_GT(runs, 3);
}

TEST_F(RoundsTest, MovedTagsAreFoundUnderABudget) {
  Fill(2, 10);
  SyncAll(1);
  registry_.Tag("team/b", "1.9", "moved");
  Budget(12);
  SyncAll(20);
  EXPECT_EQ(store_.tags["team/b"]["1.9"].digest, registry_.DigestOf("team/b", "1.9"));
}

TEST_F(RoundsTest, NewTagsComeBeforeLooksAtKnownOnes) {
  Fill(2, 10);
  SyncAll(1);
  transport_.TakeLog();
  registry_.Tag("team/b", "2.0", "new");
  Budget(12);
  Sync();
  const std::vector<std::string> requests = Requests();
  const auto at = [&](const std::string& part) {
    return std::find_if(
               requests.begin(), requests.end(),
               [&](const std::string& line) { return line.find(part) != std::string::npos; }) -
           requests.begin();
  };
  EXPECT_LT(at("GET team/b/manifests/2.0"), at("HEAD team/a"));
  EXPECT_LT(at("HEAD team/a"), static_cast<long>(requests.size()));
}

// Else new tags that keep coming would use up every budget.
TEST_F(RoundsTest, LooksThatWaitHaveHalfOfTheBudget) {
  Fill(1, 10);
  SyncAll(1);
  Budget(9);
  Sync();  // begins to look
  ASSERT_TRUE(config_.progress.looking);
  for (int run = 0; run < 2; ++run) {
    for (int i = 0; i < 20; ++i)
      registry_.Tag("team/c" + std::to_string(run * 20 + i), "1", std::to_string(run * 100 + i));
    transport_.TakeLog();
    Sync();
    EXPECT_THAT(transport_.TakeLog(), Contains(StartsWith("HEAD")));
  }
}

TEST_F(RoundsTest, AnImageBeyondTheBudgetDoesNotStopTheOthers) {
  Fill(2, 3);
  std::string children;
  for (int i = 0; i < 30; ++i) {
    const std::string child =
        R"({"schemaVersion":2,"layers":[],"annotations":{"n":")" + std::to_string(i) + R"("}})";
    registry_.Store(Sha256Digest(child), child);
    children += (i == 0 ? "" : ",") + (R"({"digest":")" + Sha256Digest(child)) +
                R"(","size":1,"platform":{"os":"linux","architecture":"a)" + std::to_string(i) +
                R"("}})";
  }
  registry_.Raw("team/a", "0", R"({"schemaVersion":2,"manifests":[)" + children + "]}");
  Budget(14);
  for (int run = 0; run < 8; ++run) Sync();
  EXPECT_EQ(Tags(), 6u);
  EXPECT_EQ(store_.problems.at({"team/a", "0"}), "over budget");
  Budget(50);
  SyncAll(3);
  EXPECT_EQ(Tags(), 7u);
  EXPECT_THAT(store_.problems, IsEmpty());
}

TEST_F(RoundsTest, AfterARetryAfterNoRequestIsSent) {
  Fill(4, 10);
  registry_.Fail("team/b/manifests", 429, {{"retry-after", "77"}});
  const RunResult result = Sync();
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_TRUE(result.limited);
  EXPECT_EQ(result.retry_after, 77);
  const std::vector<std::string> log = transport_.TakeLog();
  EXPECT_THAT(log.back(), HasSubstr("team/b/manifests"));
  // The next run works in rounds, and so gets further than this one.
  registry_.Heal();
  EXPECT_TRUE(config_.progress.limited);
  EXPECT_EQ(Sync().outcome, Outcome::kComplete);
  EXPECT_EQ(Tags(), 40u);
  EXPECT_EQ(config_.progress, Progress());
}

TEST_F(RoundsTest, RetryAfterIsASecondToAnHour) {
  Fill(1, 1);
  const struct {
    int status;
    const char* header;
    std::int64_t seconds;
  } cases[] = {{429, "1000000000", 3600},
               {429, "Fri, 31 Dec 9999 23:59:59 GMT", 3600},
               {503, "0", 1},
               {429, "Wed, 21 Oct 2015 07:28:00 GMT", 1},
               {429, "soon", 0},
               {429, "", 0}};
  for (const auto& c : cases) {
    registry_.Fail("/tags/list", c.status, {{"retry-after", c.header}});
    const RunResult result = Sync();
    EXPECT_TRUE(result.limited) << c.header;
    EXPECT_EQ(result.retry_after, c.seconds) << c.header;
  }
}

TEST_F(RoundsTest, ATenthOfTheRegistrysLimitIsLeftToOthers) {
  Fill(1, 10);
  registry_.Serve("manifests/1.3", Answer(200, R"({"schemaVersion":2,"layers":[]})",
                                          {{"ratelimit-limit", "100;w=21600"},
                                           {"ratelimit-remaining", "10;w=21600"}}));
  RunOptions options;
  options.tags_at_once = 1;
  const RunResult result = Sync(options);
  EXPECT_TRUE(result.limited);
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_THAT(result.error, HasSubstr("nearly used up"));
  EXPECT_THAT(transport_.TakeLog().back(), HasSubstr("manifests/1.3"));
  registry_.Serve("manifests/1.3", Answer(200, R"({"schemaVersion":2,"layers":[]})",
                                          {{"ratelimit-limit", "100;w=21600"},
                                           {"ratelimit-remaining", "11;w=21600"}}));
  EXPECT_FALSE(Sync(options).limited);
}

// A registry where every request takes a second.
class DeadlineTest : public RoundsTest {
 protected:
  DeadlineTest() {
    transport_.handler([this](const Request& request) {
      now_ += DeadlineTransport::Seconds(1);
      return registry_.Handle(request);
    });
  }
  static RunOptions Timeout(int seconds) {
    RunOptions options;
    options.run_timeout = seconds;
    return options;
  }
};

TEST_F(DeadlineTest, ARunThatTakesTooLongStopsAndKeepsWhatItHas) {
  Fill(3, 10);
  const RunResult result = Sync(Timeout(20));
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(result.statistics.requests, 20);
  EXPECT_THAT(result.error, HasSubstr("run_timeout"));
  EXPECT_FALSE(result.limited);
  EXPECT_THAT(store_.problems, IsEmpty());
  EXPECT_GT(Tags(), 5u);
  EXPECT_GT(transport_.drops, 0);
  EXPECT_EQ(config_.progress.listing, "team/a");
}

TEST_F(DeadlineTest, TheNextRunGoesOnWhereItStopped) {
  Fill(4, 6);
  Sync(Timeout(20));
  ASSERT_EQ(config_.progress.listing, "team/b");
  transport_.TakeLog();
  Sync(Timeout(20));
  const std::vector<std::string> log = Requests();
  EXPECT_THAT(log, Contains(StartsWith("GET team/b/tags")));
  EXPECT_THAT(log, Not(Contains(StartsWith("GET team/a/tags"))));
}

TEST_F(DeadlineTest, TheSumOfRunsReadsAndLooksAtEverything) {
  Fill(4, 10);
  int runs = 1;
  while (Sync(Timeout(20)).outcome != Outcome::kComplete && ++runs < 40) {
  }
  EXPECT_LT(runs, 40);
  EXPECT_EQ(Tags(), 40u);
  EXPECT_EQ(config_.progress, Progress());
  EXPECT_THAT(store_.problems, IsEmpty());
}

// Looks that wait have half of the time, however many new tags come.
TEST_F(DeadlineTest, LooksThatWaitHaveHalfOfTheTime) {
  Fill(1, 30);
  SyncAll(1);
  config_.progress.looking = true;
  for (int i = 0; i < 20; ++i) registry_.Tag("team/c" + std::to_string(i), "1", std::to_string(i));
  transport_.TakeLog();
  Sync(Timeout(20));
  EXPECT_THAT(transport_.TakeLog(), Contains(StartsWith("HEAD")));
}

TEST_F(DeadlineTest, ARepositoryThatTakesAllOfTheTimeDoesNotStopTheOthers) {
  Fill(3, 2);
  registry_.Serve("team/a/tags",
                  Answer(200, R"({"tags":["1.0"]})",
                         {{"link", R"(</v2/team/a/tags/list?n=1&last=0>; rel="next")"}}));
  transport_.handler([this](const Request& request) {
    const bool slow = request.url.find("team/a/tags") != std::string::npos;
    now_ += DeadlineTransport::Seconds(slow ? 19 : 1);
    return registry_.Handle(request);
  });
  RunOptions options = Timeout(20);
  options.repositories_at_once = 1;
  for (int run = 0; run < 3; ++run) Sync(options);
  EXPECT_EQ(Tags(), 4u);
  EXPECT_EQ(store_.problems.at({"team/a", ""}), "over budget");
}

TEST_F(DeadlineTest, NoTimeoutIsNoLimit) {
  Fill(4, 10);
  EXPECT_EQ(Sync(Timeout(0)).outcome, Outcome::kComplete);
}

TEST(ProgressTest, IsReadAsItWasWritten) {
  const Progress progress{true, "team/a", true, "team/\"b", "1.0"};
  EXPECT_EQ(Progress::FromText(progress.ToText()), progress);
  EXPECT_EQ(Progress().ToText(), "");
  for (const char* text : {"", "nonsense", "[]", "{\"limited\": 7}"})
    EXPECT_EQ(Progress::FromText(text), Progress()) << text;
}

}  // namespace
}  // namespace image_library::sync
