#include "registry/task.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace image_library::registry {
namespace {

Task<int> Constant(int value) { co_return value; }

Task<int> Fails() {
  throw std::runtime_error("no");
  co_return 0;
}

Task<void> AddUp(int count, long* sum) {
  for (int i = 0; i < count; ++i) *sum += co_await Constant(i);
}

Task<void> WaitThenNote(WaitQueue& queue, std::string name, std::vector<std::string>* notes) {
  co_await queue.Wait();
  notes->push_back(name);
}

TEST(TaskTest, IsLazyAndReturnsItsValue) {
  long sum = 0;
  Task<void> task = AddUp(4, &sum);
  EXPECT_FALSE(task.Done());
  EXPECT_EQ(sum, 0);
  task.Start();
  ASSERT_TRUE(task.Done());
  EXPECT_EQ(sum, 6);
}

TEST(TaskTest, ManyTasksThatEndAtOnceDoNotGrowTheStack) {
  long sum = 0;
  Task<void> task = AddUp(1000000, &sum);
  task.Start();
  ASSERT_TRUE(task.Done());
  EXPECT_EQ(sum, 499999500000L);
}

Task<std::string> Catches() {
  try {
    co_await Fails();
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "nothing thrown";
}

TEST(TaskTest, ThrowsIntoWhoAwaits) {
  Task<std::string> task = Catches();
  task.Start();
  ASSERT_TRUE(task.Done());
  EXPECT_EQ(task.Result(), "no");
  Task<int> fails = Fails();
  fails.Start();
  EXPECT_THROW(fails.Result(), std::runtime_error);
}

Task<void> HoldThenWait(WaitQueue& queue, std::shared_ptr<int> held) {
  co_await queue.Wait();
  *held = 1;
}

TEST(TaskTest, DestroyingASuspendedTaskFreesItsFrameAndLeavesTheQueue) {
  WaitQueue queue;
  auto held = std::make_shared<int>(0);
  {
    Task<void> task = HoldThenWait(queue, held);
    task.Start();
    EXPECT_EQ(held.use_count(), 2);
    EXPECT_FALSE(queue.Empty());
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(queue.Empty());
}

TEST(WaitQueueTest, ResumesInOrder) {
  WaitQueue queue;
  std::vector<std::string> notes;
  Task<void> a = WaitThenNote(queue, "a", &notes);
  Task<void> b = WaitThenNote(queue, "b", &notes);
  Task<void> c = WaitThenNote(queue, "c", &notes);
  a.Start();
  b.Start();
  c.Start();
  queue.ResumeOne();
  EXPECT_EQ(notes, (std::vector<std::string>{"a"}));
  queue.ResumeAll();
  EXPECT_EQ(notes, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(queue.Empty());
}

Task<void> WaitThenDestroy(WaitQueue& queue, Task<void>* victim) {
  co_await queue.Wait();
  *victim = Task<void>();
}

TEST(WaitQueueTest, AWaiterMayDestroyTheNextOne) {
  WaitQueue queue;
  std::vector<std::string> notes;
  Task<void> victim = WaitThenNote(queue, "victim", &notes);
  Task<void> killer = WaitThenDestroy(queue, &victim);
  Task<void> last = WaitThenNote(queue, "last", &notes);
  killer.Start();
  victim.Start();
  last.Start();
  queue.ResumeAll();
  EXPECT_EQ(notes, (std::vector<std::string>{"last"}));
}

Task<void> WaitTwice(WaitQueue& queue, int* turns) {
  co_await queue.Wait();
  ++*turns;
  co_await queue.Wait();
  ++*turns;
}

TEST(WaitQueueTest, WhoWaitsAgainIsLeftForTheNextCall) {
  WaitQueue queue;
  int turns = 0;
  Task<void> task = WaitTwice(queue, &turns);
  task.Start();
  queue.ResumeAll();
  EXPECT_EQ(turns, 1);
  queue.ResumeAll();
  EXPECT_EQ(turns, 2);
}

Task<void> Guarded(Mutex& mutex, WaitQueue& gate, int* inside, int* most, int* ended) {
  co_await mutex.Acquire();
  ++*inside;
  *most = std::max(*most, *inside);
  co_await gate.Wait();
  --*inside;
  ++*ended;
  mutex.Release();
}

TEST(MutexTest, AdmitsOneAtATime) {
  Mutex mutex;
  WaitQueue gate;
  int inside = 0, most = 0, ended = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 7; ++i) {
    tasks.push_back(Guarded(mutex, gate, &inside, &most, &ended));
    tasks.back().Start();
  }
  EXPECT_EQ(inside, 1);
  while (!gate.Empty()) gate.ResumeOne();
  EXPECT_EQ(ended, 7);
  EXPECT_EQ(most, 1);
  EXPECT_EQ(inside, 0);
}

Task<void> AcquireAndRelease(Mutex& mutex, int* ended) {
  co_await mutex.Acquire();
  ++*ended;
  mutex.Release();
}

TEST(MutexTest, ALongQueueDoesNotGrowTheStack) {
  Mutex mutex;
  Task<void> first = mutex.Acquire();
  first.Start();
  int ended = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 200000; ++i) {
    tasks.push_back(AcquireAndRelease(mutex, &ended));
    tasks.back().Start();
  }
  EXPECT_EQ(ended, 0);
  mutex.Release();
  EXPECT_EQ(ended, 200000);
}

TEST(MutexTest, ADestroyedWaiterDoesNotTakeIt) {
  Mutex mutex;
  int ended = 0;
  Task<void> first = mutex.Acquire();
  first.Start();
  Task<void> second = AcquireAndRelease(mutex, &ended);
  second.Start();
  Task<void> third = AcquireAndRelease(mutex, &ended);
  third.Start();
  second = Task<void>();
  mutex.Release();
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(third.Done());
}

// Work of a group: counts itself, waits at the gate, then ends or fails.
struct Work {
  WaitQueue gate;
  int started = 0, running = 0, most = 0, ended = 0;
};

Task<void> Worker(Work* work, bool fails) {
  ++work->started;
  work->most = std::max(work->most, ++work->running);
  co_await work->gate.Wait();
  --work->running;
  ++work->ended;
  if (fails) throw std::runtime_error("worker failed");
}

Task<void> RunGroup(Work* work, std::size_t limit, int count, int failing) {
  Group group(limit);
  for (int i = 0; i < count; ++i) co_await group.Spawn(Worker(work, i == failing));
  co_await group.Join();
}

TEST(GroupTest, RunsAtMostItsLimitSideBySide) {
  Work work;
  Task<void> run = RunGroup(&work, 3, 10, -1);
  run.Start();
  EXPECT_EQ(work.started, 3);
  while (!run.Done()) work.gate.ResumeOne();
  EXPECT_EQ(work.ended, 10);
  EXPECT_EQ(work.most, 3);
  EXPECT_NO_THROW(run.Result());
}

TEST(GroupTest, AFailureStartsNoNewTaskAndIsThrownWhenTheOthersHaveEnded) {
  Work work;
  Task<void> run = RunGroup(&work, 3, 10, 1);
  run.Start();
  work.gate.ResumeOne();  // the first ends, a fourth starts
  EXPECT_EQ(work.started, 4);
  work.gate.ResumeOne();  // the failing one
  EXPECT_EQ(work.started, 4);
  EXPECT_FALSE(run.Done());
  while (!work.gate.Empty()) work.gate.ResumeOne();
  ASSERT_TRUE(run.Done());
  EXPECT_EQ(work.ended, 4);
  EXPECT_THROW(run.Result(), std::runtime_error);
}

TEST(GroupTest, AFailureOfTheLastTaskIsThrownByJoin) {
  Work work;
  Task<void> run = RunGroup(&work, 8, 2, 0);
  run.Start();
  work.gate.ResumeAll();
  ASSERT_TRUE(run.Done());
  EXPECT_THROW(run.Result(), std::runtime_error);
}

TEST(GroupTest, DestroyingTheRunDestroysItsTasks) {
  Work work;
  {
    Task<void> run = RunGroup(&work, 3, 10, -1);
    run.Start();
    EXPECT_FALSE(work.gate.Empty());
  }
  EXPECT_TRUE(work.gate.Empty());
  EXPECT_EQ(work.ended, 0);
}

Task<void> Immediate(int* ended) {
  ++*ended;
  co_return;
}

Task<void> RunImmediate(int count, int* ended) {
  Group group(4);
  for (int i = 0; i < count; ++i) co_await group.Spawn(Immediate(ended));
  co_await group.Join();
}

TEST(GroupTest, TasksThatEndAtOnceDoNotGrowTheStackOrTheGroup) {
  int ended = 0;
  Task<void> run = RunImmediate(200000, &ended);
  run.Start();
  ASSERT_TRUE(run.Done());
  EXPECT_EQ(ended, 200000);
}

}  // namespace
}  // namespace image_library::registry
