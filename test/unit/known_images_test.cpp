// Digests that are asked for in one turn of the event loop are one call of the store.
#include "sync/known_images.h"

#include <stdexcept>

#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using registry::Task;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class KnownImagesTest : public EngineTest {
 protected:
  KnownImagesTest() {
    for (const char* digest : {"a", "b"}) store_.images[digest].digest = digest;
    store_.images["b"].unread = Unread::kConfig;
    transport_.holding_sleeps = true;
  }
  Task<std::optional<KnownImage>> Ask(const std::string& digest) {
    Task<std::optional<KnownImage>> task = known_.Find({"team/app", digest});
    task.Start();
    return task;
  }
  void EndTurn() { transport_.asleep.ResumeAll(); }

  KnownImages known_{store_, transport_};
};

TEST_F(KnownImagesTest, ATurnIsOneCall) {
  Task<std::optional<KnownImage>> a = Ask("a"), b = Ask("b"), c = Ask("c"), again = Ask("a");
  EXPECT_THAT(store_.looks, IsEmpty());
  EndTurn();
  EXPECT_THAT(store_.looks, ElementsAre(ElementsAre("a", "b", "c", "a")));
  ASSERT_TRUE(a.Done() && b.Done() && c.Done() && again.Done());
  EXPECT_TRUE(a.Result()->whole);
  EXPECT_FALSE(b.Result()->whole);
  EXPECT_FALSE(c.Result().has_value());
  EXPECT_EQ(again.Result()->digest, "a");
  // The next turn asks again.
  Task<std::optional<KnownImage>> later = Ask("b");
  EndTurn();
  EXPECT_THAT(store_.looks, SizeIs(2));
  EXPECT_TRUE(later.Done());
}

TEST_F(KnownImagesTest, EveryoneGetsTheError) {
  store_.broken = true;
  Task<std::optional<KnownImage>> a = Ask("a"), b = Ask("b");
  EndTurn();
  ASSERT_TRUE(a.Done() && b.Done());
  EXPECT_THROW(a.Result(), std::runtime_error);
  EXPECT_THROW(b.Result(), std::runtime_error);
  store_.broken = false;
  Task<std::optional<KnownImage>> later = Ask("a");
  EndTurn();
  ASSERT_TRUE(later.Done());
  EXPECT_TRUE(later.Result().has_value());
}

TEST_F(KnownImagesTest, ACancelledRunAsksNothing) {
  { Task<std::optional<KnownImage>> a = Ask("a"), b = Ask("b"); }
  EndTurn();
  EXPECT_THAT(store_.looks, IsEmpty());
}

TEST_F(KnownImagesTest, TagsOfOneDigestThatIsAskedForShareItsImage) {
  store_.images.clear();
  for (const char* tag : {"1", "1.0", "latest"}) registry_.Tag("team/app", tag, "same");
  registry_.Tag("team/app", "2.0", "other");
  LimitedTransport limits(transport_, std::nullopt, config_.url.Origin());
  DeadlineTransport deadline(limits, std::chrono::seconds(0));
  registry::Client client(ClientOptionsOf(config_), deadline);
  RegistryRun run(config_, store_, client, limits, deadline, RunOptions());
  Task<void> task = run.Execute();
  task.Start();
  while (!task.Done()) {
    ASSERT_FALSE(transport_.asleep.Empty());
    EndTurn();
  }
  task.Result();
  EXPECT_EQ(run.result().statistics.images_added, 2);
  EXPECT_THAT(store_.images, SizeIs(2));
  EXPECT_THAT(store_.tags["team/app"], SizeIs(4));
  // One look for both images; the tags that wait for one ask nothing.
  EXPECT_THAT(store_.looks, ElementsAre(SizeIs(2)));
  EXPECT_THAT(Requests(), SizeIs(7));  // list, four manifests, two configs
}

}  // namespace
}  // namespace image_library::sync
