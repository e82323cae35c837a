// What puts transport, limits, client and run together, against a registry on the loopback
// interface.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loopback_client.h"
#include "loopback_server.h"
#include "memory_store.h"
#include "sync/answer_watch.h"
#include "sync/browse.h"
#include "sync/check.h"
#include "sync/sync_registry.h"

namespace image_library::sync {
namespace {

using registry::PollWaiter;
using testing::ElementsAre;
using testing::HasSubstr;

class OverHttp : public testing::Test {
 protected:
  OverHttp() {
    config_.url = ParseRegistryUrl("http://127.0.0.1:" + server_.port());
    config_.allow_private = true;
    config_.rules = RuleSet::FromJson(R"([{"rule_id":1,"repositories":"app/*","tags":["*"]}])");
  }

  LoopbackServer server_;
  RegistryConfig config_;
  MemoryStore store_;
  PollWaiter waiter_;
};

TEST_F(OverHttp, ASyncStoresWhatTheRegistryHas) {
  AnswerWatch watch;
  RunOptions options;
  options.watch = &watch;
  const RunResult result = SyncRegistry(config_, store_, waiter_, options);
  EXPECT_EQ(result.outcome, Outcome::kComplete) << result.error;
  EXPECT_EQ(store_.tags["app/web"].size(), 2u);
  EXPECT_EQ(store_.images.size(), 1u) << "both tags point at it";
  EXPECT_GT(result.statistics.bytes, 0);
  EXPECT_EQ(result.statistics.tags_seen, 2);
  EXPECT_TRUE(watch.answered());
}

TEST_F(OverHttp, ARunKeepsToItsBudget) {
  config_.requests_per_run = 2;
  const RunResult result = SyncRegistry(config_, store_, waiter_);
  EXPECT_EQ(result.outcome, Outcome::kPartial);
  EXPECT_EQ(result.statistics.requests, 2);
}

TEST_F(OverHttp, ARegistryThatIsNotThereFailsTheRun) {
  config_.url = ParseRegistryUrl("http://127.0.0.1:1");
  const RunResult result = SyncRegistry(config_, store_, waiter_);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_THAT(result.error, HasSubstr("127.0.0.1"));
  EXPECT_EQ(store_.writes, 0);
}

TEST_F(OverHttp, APrivateAddressIsRefusedUnlessAllowed) {
  config_.allow_private = false;
  EXPECT_EQ(SyncRegistry(config_, store_, waiter_).outcome, Outcome::kFailed);
}

TEST_F(OverHttp, BrowsingListsRepositoriesAndTags) {
  EXPECT_THAT(BrowseRepositories(config_, Pattern::Parse("app/*", PatternSubject::kRepository), 30,
                                 waiter_),
              ElementsAre("app/web"));
  EXPECT_THAT(BrowseRepositories(config_, Pattern::Parse("other/*", PatternSubject::kRepository),
                                 30, waiter_),
              ElementsAre());
  const std::vector<ListedRepository> listed =
      BrowseTags(config_, {"app/web", "app/none"}, 30, waiter_);
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_THAT(listed[0].tags, ElementsAre("1.0", "1.1"));
  EXPECT_FALSE(listed[0].failure);
  EXPECT_TRUE(listed[1].failure);
}

TEST_F(OverHttp, ACheckGoesThroughTheSteps) {
  const std::vector<CheckResult> results = CheckRegistry(config_, waiter_);
  ASSERT_FALSE(results.empty());
  EXPECT_EQ(results.front().step, "reach");
  for (const CheckResult& result : results) EXPECT_TRUE(result.ok) << result.step << result.detail;
  config_.url = ParseRegistryUrl("http://127.0.0.1:1");
  EXPECT_FALSE(CheckRegistry(config_, waiter_).front().ok);
}

}  // namespace
}  // namespace image_library::sync
