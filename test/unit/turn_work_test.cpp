// Who does the work that a turn of the event loop has gathered.
#include "sync/turn_work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "fake_transport.h"

namespace image_library::sync {
namespace {

using registry::Task;
using ::testing::ElementsAre;

class TurnWorkTest : public ::testing::Test {
 protected:
  using Job = std::vector<int>;

  TurnWorkTest() { transport_.holding_sleeps = true; }
  Task<void> Add(int number) {
    const auto part = turn_.Enter([](const Job& job) { return job.size() < 3; });
    part->job.push_back(number);
    co_await turn_.Finish(part, *this, &TurnWorkTest::Work);
  }
  Task<void> Work(Job& job) {
    done_.push_back(job);
    co_return;
  }

  registry::FakeTransport transport_{[](const registry::Request&) { return registry::Response(); }};
  TurnWork<Job> turn_{transport_};
  std::vector<Job> done_;
};

TEST_F(TurnWorkTest, AJobThatTakesNoMoreIsFollowedByAnother) {
  std::vector<Task<void>> tasks;
  for (int i = 1; i <= 4; ++i) {
    tasks.push_back(Add(i));
    tasks.back().Start();
  }
  transport_.asleep.ResumeAll();
  for (const Task<void>& task : tasks) EXPECT_TRUE(task.Done());
  EXPECT_THAT(done_, ElementsAre(ElementsAre(1, 2, 3), ElementsAre(4)));
}

// As when memory runs out before the first one waits.
TEST_F(TurnWorkTest, WhoComesLaterDoesTheWorkOfOneWhoNeverWaited) {
  turn_.Enter([](const Job&) { return true; })->job.push_back(1);
  Task<void> second = Add(2), third = Add(3);
  second.Start();
  third.Start();
  transport_.asleep.ResumeAll();
  EXPECT_TRUE(second.Done() && third.Done());
  EXPECT_THAT(done_, ElementsAre(ElementsAre(1, 2, 3)));
}

}  // namespace
}  // namespace image_library::sync
