// How much a run holds while it reads images: few MiB, however large and many they are.
#include "engine_fixture.h"
#include "heap.h"
#include "sync/once.h"
#include "sync/room.h"

namespace image_library::sync {
namespace {

using registry::Task;
using registry::WaitQueue;
using ::testing::ElementsAre;
using ::testing::SizeIs;

// Images of 4 MiB that are made when they are asked for, and what of the heap is in use then.
class LargeImagesTest : public EngineTest {
 protected:
  LargeImagesTest() {
    transport_.handler([this](const Request& request) {
      most_ = std::max(most_, HeapInUse());
      const std::size_t reference = request.url.rfind('/') + 1;
      const auto large = large_.find(request.url.substr(reference));
      if (large == large_.end()) return registry_.Handle(request);
      return Answer(200, request.method == Method::kHead ? "" : Large(large->second),
                    {{"content-type", "application/vnd.oci.image.manifest.v1+json"}});
    });
  }
  // The number of this digest, and its manifest: almost all of it annotations.
  std::string Add(int number) {
    const std::string digest = Sha256Digest(Large(number));
    large_[digest] = number;
    return digest;
  }
  static std::string Config(int number) {
    return R"({"os":"linux","architecture":"a)" + std::to_string(number) + R"("})";
  }
  std::string Large(int number) {
    const std::string config = Config(number);
    registry_.Blob(config);
    std::string body = R"({"schemaVersion":2,"config":{"mediaType":)"
                       R"("application/vnd.oci.image.config.v1+json","digest":")" +
                       Sha256Digest(config) + R"(","size":9},"layers":[],"annotations":{)";
    for (int i = 0; i < 62; ++i)
      body += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"" +
              std::string(60000, static_cast<char>('a' + number % 26)) + "\"";
    return body + R"(,"number":")" + std::to_string(number) + "\"}}";
  }
  // Answers come one by one, each when everybody waits for one.
  void SyncSideBySide(RunOptions options = {}) {
    transport_.holding = true;
    LimitedTransport limits(transport_, {}, config_.url.Origin());
    DeadlineTransport deadline(limits, DeadlineTransport::Seconds(0));
    registry::Client client(ClientOptionsOf(config_), deadline);
    RegistryRun run(config_, store_, client, limits, deadline, options);
    Task<void> task = run.Execute();
    before_ = most_ = HeapInUse();
    task.Start();
    while (!task.Done()) transport_.held.ResumeOne();
    task.Result();
    outcome_ = run.result().outcome;
  }

  std::map<std::string, int> large_;
  std::size_t before_ = 0, most_ = 0;
  Outcome outcome_ = Outcome::kFailed;
};

TEST_F(LargeImagesTest, OneChildOfAnIndexIsHeldAtATime) {
  std::string children;
  for (int i = 0; i < 40; ++i)
    children += (i == 0 ? "" : ",") + (R"({"digest":")" + Add(i)) +
                R"(","size":4000000,"platform":{"os":"linux","architecture":"a)" +
                std::to_string(i) + R"("}})";
  registry_.Raw("team/app", "1", R"({"schemaVersion":2,"manifests":[)" + children + "]}");
  SyncSideBySide();
  EXPECT_EQ(outcome_, Outcome::kComplete);
  EXPECT_THAT(store_.images.begin()->second.platforms, SizeIs(40));
  EXPECT_EQ(store_.images.begin()->second.annotations.at("0").front(), 'a');
  EXPECT_LT((most_ - before_) / kMiB, 24u);
}

TEST_F(LargeImagesTest, ManyIndexesSideBySideHoldFew) {
  for (int tag = 0; tag < 12; ++tag) {
    std::string children;
    for (int i = 0; i < 3; ++i)
      children += (i == 0 ? "" : ",") + (R"({"digest":")" + Add(tag * 3 + i)) +
                  R"(","size":4000000,"platform":{"os":"linux","architecture":"a"}})";
    registry_.Raw("team/app", std::to_string(tag),
                  R"({"schemaVersion":2,"manifests":[)" + children + "]}");
  }
  store_.forgetful = true;
  SyncSideBySide();
  EXPECT_EQ(outcome_, Outcome::kComplete);
  EXPECT_THAT(store_.tags["team/app"], SizeIs(12));
  EXPECT_LT((most_ - before_) / kMiB, 50u);
}

TEST_F(LargeImagesTest, ManyLargeManifestsSideBySideHoldFew) {
  for (int i = 0; i < 24; ++i) registry_.Raw("team/app", std::to_string(i), Large(i));
  store_.forgetful = true;
  SyncSideBySide();
  EXPECT_EQ(outcome_, Outcome::kComplete);
  EXPECT_THAT(store_.tags["team/app"], SizeIs(24));
  EXPECT_LT((most_ - before_) / kMiB, 64u);
}

// Nobody is left waiting for room when the database ends the run.
TEST_F(EngineTest, WhatEndsARunEndsItForThoseWhoWaitToo) {
  for (int i = 0; i < 100; ++i) registry_.Tag("team/app", std::to_string(i), std::to_string(i));
  store_.broken = transport_.holding = true;
  LimitedTransport limits(transport_, {}, config_.url.Origin());
  DeadlineTransport deadline(limits, DeadlineTransport::Seconds(0));
  registry::Client client(ClientOptionsOf(config_), deadline);
  RunOptions options;
  options.tags_at_once = 100;
  RegistryRun run(config_, store_, client, limits, deadline, options);
  Task<void> task = run.Execute();
  task.Start();
  while (!transport_.held.Empty()) transport_.held.ResumeOne();
  ASSERT_TRUE(task.Done());
  EXPECT_THROW(task.Result(), std::runtime_error);
}

// --- Room

Task<void> Read(Room& room, WaitQueue& network, std::size_t bytes, int& inside, int& most) {
  Room::Place place;
  co_await room.Enter(place);
  most = std::max(most, ++inside);
  co_await network.Wait();
  room.Hold(place, bytes);
  co_await network.Wait();
  --inside;
  room.Leave(place);
}

int MostInside(std::size_t bytes) {
  Room room(32 * kMiB, 8 * kMiB);
  WaitQueue network;
  int inside = 0, most = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 100; ++i) {
    tasks.push_back(Read(room, network, bytes, inside, most));
    tasks.back().Start();
  }
  while (!network.Empty()) network.ResumeOne();
  for (Task<void>& task : tasks) EXPECT_TRUE(task.Done());
  EXPECT_EQ(inside, 0);
  return most;
}

TEST(RoomTest, ManySmallOnesFewLargeOnes) {
  EXPECT_EQ(MostInside(1000), 32);
  EXPECT_EQ(MostInside(8 * kMiB), 4);
  // What does not fit at all has the room to itself.
  EXPECT_LE(MostInside(100 * kMiB), 4);
}

TEST(RoomTest, WhoIsInsideEntersAgainAtOnce) {
  Room room(kMiB, kMiB);
  Room::Place place, other;
  registry::Await(room.Enter(place));
  registry::Await(room.Enter(place));
  Task<void> waits = room.Enter(other);
  waits.Start();
  EXPECT_FALSE(waits.Done());
  room.Leave(place);
  EXPECT_TRUE(waits.Done());
  room.Leave(place);
  room.Leave(other);
}

// --- Once

struct Thing {
  std::string text;
  std::size_t bytes = 0;
};

class OnceTest : public ::testing::Test {
 protected:
  Task<Thing> Make(std::string text, std::size_t bytes) {
    ++made_;
    co_await network_.Wait();
    if (text.empty()) throw Error(ErrorKind::kServer, "no");
    co_return Thing{text, bytes};
  }
  Task<void> Ask(std::string key, std::string text, std::size_t bytes = 1,
                 std::string repository = "app") {
    Task<Thing> make = Make(std::move(text), bytes);
    try {
      const Once<Thing>::Value value =
          co_await once_.Get(std::move(key), std::move(repository), std::move(make));
      got_.push_back(value->text);
    } catch (const Error& error) {
      got_.push_back(error.what());
    }
  }

  Once<Thing> once_{10000};
  WaitQueue network_;
  int made_ = 0;
  std::vector<std::string> got_;
};

TEST_F(OnceTest, WhoComesSecondWaitsForTheFirst) {
  Task<void> first = Ask("key", "one"), second = Ask("key", "two");
  first.Start();
  second.Start();
  network_.ResumeOne();
  EXPECT_THAT(got_, ElementsAre("one", "one"));
  registry::Await(Ask("key", "three"));
  EXPECT_EQ(made_, 1);
}

TEST_F(OnceTest, AFailureIsSharedAndNotKept) {
  Task<void> first = Ask("key", ""), second = Ask("key", "two"), third = Ask("key", "three");
  first.Start();
  second.Start();
  network_.ResumeOne();
  EXPECT_THAT(got_, ElementsAre("no", "no"));
  third.Start();
  network_.ResumeOne();
  EXPECT_EQ(got_.back(), "three");
}

// It may have what the first one lacks, or may not read.
TEST_F(OnceTest, AFailureIsNotThatOfAnotherRepository) {
  std::vector<Task<void>> tasks;
  for (const char* repository : {"a", "a", "b", "b"}) {
    tasks.push_back(Ask("key", *repository == 'a' ? "" : "there", 1, repository));
    tasks.back().Start();
  }
  EXPECT_EQ(made_, 1);
  network_.ResumeOne();
  EXPECT_THAT(got_, ElementsAre("no", "no"));
  EXPECT_EQ(made_, 2);
  network_.ResumeOne();
  EXPECT_THAT(got_, ElementsAre("no", "no", "there", "there"));
}

TEST_F(OnceTest, TheOldestIsForgottenWhenThereIsTooMuch) {
  std::vector<Task<void>> tasks;
  for (const char* key : {"a", "b", "a", "c", "a"}) {
    tasks.push_back(Ask(key, key, 4000));
    tasks.back().Start();
    if (!network_.Empty()) network_.ResumeOne();
  }
  EXPECT_EQ(made_, 4);  // a, b, c, and a again
  EXPECT_THAT(got_, ElementsAre("a", "b", "a", "c", "a"));
}

}  // namespace
}  // namespace image_library::sync
