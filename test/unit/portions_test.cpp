// Repositories of many tags: what is held of them, and that nothing is lost between portions.
#include "engine_fixture.h"
#include "heap.h"
#include "sync/tag_walk.h"

namespace image_library::sync {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Lt;
using ::testing::SizeIs;

KnownTag Tag(const std::string& name) { return {name, "d", false, 1}; }

// Each tag as listed (l), known (k) and with a problem (p).
std::string Walked(MemoryStore& store, const std::vector<std::string>& listing,
                   TagWalk::Options options, const std::string& from = {}) {
  const std::string repository = "r";
  TagWalk walk(store, repository, listing, options, from);
  std::string text;
  while (const std::optional<TagWalk::Step> step = walk.Next())
    text += (text.empty() ? "" : " ") + step->name + (step->listed() ? "l" : "") +
            (step->known ? "k" : "") + (step->problem.empty() ? "" : "p");
  return text;
}

TEST(TagWalkTest, GoesThroughAllByName) {
  MemoryStore store;
  for (const char* name : {"b", "d", "e", "h"}) store.tags["r"][name] = Tag(name);
  for (const char* name : {"", "a", "e", "f", "i"}) store.problems[{"r", name}] = "malformed";
  store.tags["q"]["z"] = store.tags["s"]["a"] = Tag("z");
  const std::vector<std::string> listing = {"c", "d", "e", "g"};
  const std::string all = "ap bk cl dlk elkp fp gl hk ip";
  for (std::size_t portion = 1; portion < 7; ++portion)
    EXPECT_EQ(Walked(store, listing, {portion}), all) << portion;
  EXPECT_EQ(Walked(store, listing, {2, false, true}), "ap cl dl elp fp gl ip");
  EXPECT_EQ(Walked(store, listing, {2, true, false}), "bk cl dlk elk gl hk");
  EXPECT_EQ(Walked(store, {}, {2, true, true}, "e"), "ekp fp hk ip");
  EXPECT_EQ(Walked(store, {}, {2, false, false}), "");
}

// Names that begin with others: none comes twice, none is passed over.
TEST(TagWalkTest, NamesThatBeginWithOthers) {
  MemoryStore store;
  std::string all;
  for (const char* name : {"1", "1-", "1.", "1.0", "10", "1_", "1a"}) {
    store.tags["r"][name] = Tag(name);
    all += (all.empty() ? "" : " ") + (name + std::string("k"));
  }
  for (std::size_t portion = 1; portion < 9; ++portion)
    EXPECT_EQ(Walked(store, {}, {portion}), all) << portion;
}

class PortionsTest : public EngineTest {
 protected:
  static constexpr int kTags = 250;

  PortionsTest() {
    options_.tags_per_portion = 100;
    for (int i = 0; i < kTags; ++i) registry_.Tag("team/app", Name(i), std::to_string(i % 3));
  }
  static std::string Name(int i) { return "v" + std::to_string(1000 + i); }
  RunResult SyncAll() {
    store_.portions.clear();
    store_.loads = store_.writes = 0;
    return Sync(options_);
  }

  RunOptions options_;
};

TEST_F(PortionsTest, UnchangedTagsAreReadOnceAndNothingIsWritten) {
  EXPECT_EQ(SyncAll().statistics.tags_seen, kTags);
  EXPECT_THAT(store_.portions, SizeIs(0));
  const RunResult result = SyncAll();
  EXPECT_EQ(result.statistics.not_modified, kTags);
  EXPECT_EQ(result.statistics.tags_seen, kTags);
  EXPECT_EQ(store_.loads, 0);
  EXPECT_EQ(store_.writes, 0);
  EXPECT_THAT(store_.portions, ElementsAre(100, 100, 50));
  EXPECT_THAT(store_.looks, SizeIs(Lt(kTags)));
}

// A tag that fails is no reason to hold the others, and is read once, after them.
TEST_F(PortionsTest, WithAProblemTheyAreReadTwice) {
  SyncAll();
  registry_.Tag("team/app", "w", "3");
  registry_.Serve("manifests/w", Answer(500));
  SyncAll();
  Requests();
  EXPECT_EQ(SyncAll().statistics.not_modified, kTags);
  const std::vector<std::string> requests = Requests();
  EXPECT_THAT(store_.portions, ElementsAre(100, 100, 50, 100, 100, 50, 100, 100, 50));
  EXPECT_THAT(requests.back(), HasSubstr("manifests/w"));
  EXPECT_EQ(std::count(requests.begin(), requests.end(), "GET team/app/manifests/w"), 3);  // tries
  registry_.Heal();
  SyncAll();
  EXPECT_THAT(store_.problems, SizeIs(0));
  EXPECT_EQ(store_.tags["team/app"]["w"].digest, registry_.DigestOf("team/app", "w"));
}

TEST_F(PortionsTest, TagsThatAreGoneAreFoundInEveryPortion) {
  SyncAll();
  for (int i : {0, 1, 99, 100, 101, 199, 248, 249}) registry_.Untag("team/app", Name(i));
  registry_.Tag("team/app", "w", "3");
  EXPECT_EQ(SyncAll().statistics.tags_missing, 8);
  for (int i = 0; i < kTags; ++i)
    EXPECT_EQ(store_.tags["team/app"][Name(i)].missing,
              i <= 1 || (i >= 99 && i <= 101) || i == 199 || i >= 248)
        << i;
  // They come back.
  for (int i : {0, 99, 249}) registry_.Tag("team/app", Name(i), "back");
  SyncAll();
  for (int i : {0, 99, 249}) {
    EXPECT_FALSE(store_.tags["team/app"][Name(i)].missing) << i;
    EXPECT_EQ(store_.tags["team/app"][Name(i)].digest, registry_.DigestOf("team/app", Name(i)));
  }
}

TEST_F(PortionsTest, AListingThatLacksTooManyIsRefused) {
  SyncAll();
  for (int i = 0; i < kTags; ++i)
    if (i % 5 != 0) registry_.Hide(Name(i));
  EXPECT_EQ(SyncAll().statistics.tags_missing, 0);
  EXPECT_EQ((store_.problems[{"team/app", ""}]), "removals refused");
  EXPECT_THAT(store_.refused["team/app"], SizeIs(200));
}

TEST_F(PortionsTest, ProblemsOfTagsThatNobodyAsksForEnd) {
  SyncAll();
  for (int i = 0; i < 250; ++i) store_.problems[{"team/app", "gone" + Name(i)}] = "malformed";
  store_.problems[{"team/app", Name(7)}] = "malformed";
  SyncAll();
  EXPECT_THAT(store_.problems, SizeIs(0));
}

TEST_F(PortionsTest, ManyTagsAreNotHeld) {
  constexpr int kMany = 6000;
  const std::string digest = registry_.DigestOf("team/app", Name(0));
  for (int i = kTags; i < kMany; ++i) {
    const std::string name = "v" + std::to_string(1000000 + i);
    registry_.Alias("team/app", name, digest);
    store_.tags["team/app"][name] = {name, digest, false, 1};
  }
  options_ = {};
  SyncAll();  // reads the others, and settles
  std::size_t before = 0, most = 0;
  int requests = 0;
  transport_.handler([&](const Request& request) {
    transport_.TakeLog();
    transport_.requests.clear();
    if (request.url.find("/tags/list") != std::string::npos) before = HeapInUse();
    if (++requests % 500 == 0) most = std::max(most, HeapInUse());
    return registry_.Handle(request);
  });
  EXPECT_EQ(SyncAll().statistics.not_modified, kMany);
  EXPECT_EQ(store_.loads, 0);
  // The names of the listing; what is known of 6,000 tags would be ten more.
  EXPECT_LT((most - before) / kMiB, 2u);
}

}  // namespace
}  // namespace image_library::sync
