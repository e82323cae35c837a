// How far a run is, and how often it says so.
#include "sync/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using std::chrono::milliseconds;

TEST(RunReportTest, SaysHowFarARunIs) {
  RunReport report;
  report.statistics.requests = 1;
  EXPECT_THAT(report.ToText(), testing::StartsWith("finding repositories, 0 tags, "));
  report.repositories = 120;
  report.repositories_done = 37;
  report.statistics.tags_seen = 4512;
  report.statistics.images_added = 1204;
  report.statistics.requests = 620;
  report.elapsed = std::chrono::seconds(2);
  EXPECT_EQ(report.ToText(),
            "37 of 120 repositories, 4512 tags, 1204 images added, 0 tags moved, 0 missing, 0 "
            "problems, 620 requests (310/s)");
}

class LinesStore : public MemoryStore {
 public:
  void ReportProgress(const RunReport& report) override { lines.push_back(report.ToText()); }
  std::vector<std::string> lines;
};

class NoWaiter : public registry::Waiter {
 public:
  void Wait(int, int) override { ++waits; }
  int waits = 0;
};

TEST(ReportingWaiterTest, ReportsAtOnceAndThenOnceAnInterval) {
  LinesStore store;
  NoWaiter inner;
  std::chrono::steady_clock::time_point now;
  ReportingWaiter waiter(
      inner, store, [] { return RunReport(); }, [&] { return now; }, milliseconds(1000));
  for (int i = 0; i < 100; ++i) waiter.Wait(-1, 0);
  EXPECT_EQ(store.lines.size(), 1u);
  now += milliseconds(999);
  waiter.Wait(-1, 0);
  EXPECT_EQ(store.lines.size(), 1u);
  now += milliseconds(1);
  waiter.Wait(-1, 0);
  EXPECT_EQ(store.lines.size(), 2u);
  EXPECT_EQ(inner.waits, 102);
}

TEST_F(EngineTest, ARunKnowsHowFarItIs) {
  Rules(R"([{"rule_id":1,"repositories":"team/*","tags":["*"]}])");
  for (const char* name : {"team/a", "team/b", "team/c"}) registry_.Tag(name, "1", name);
  LimitedTransport limits(transport_, std::nullopt, config_.url.Origin());
  DeadlineTransport deadline(limits, DeadlineTransport::Seconds(0), [this] { return now_; });
  registry::Client client(ClientOptionsOf(config_), deadline);
  RegistryRun run(config_, store_, client, limits, deadline);
  EXPECT_FALSE(run.Report().repositories);
  registry::Await(run.Execute());
  EXPECT_EQ(run.Report().repositories, 3u);
  EXPECT_EQ(run.Report().repositories_done, 3u);
  EXPECT_EQ(run.Report().statistics.tags_seen, 3);
  EXPECT_EQ(run.Report().statistics.requests, limits.sent());
}

}  // namespace
}  // namespace image_library::sync
