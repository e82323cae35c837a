// Lists that are large or do not end: what a run holds of them, and what becomes of the others.
#include "engine_fixture.h"
#include "heap.h"

namespace image_library::sync {
namespace {

using registry::Task;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Repositories e/0 to e/7 with pages of 1 MiB, so many of each, beside honest/app.
class LargeListingTest : public EngineTest {
 protected:
  LargeListingTest() {
    for (int i = 0; i < 10; ++i) registry_.Tag("honest/app", std::to_string(i), "content");
    Rules(R"([{"rule_id":1,"repositories":"e/*","tags":["[!x]*"]},
              {"rule_id":2,"repositories":"honest/*","tags":["*"]}])");
    transport_.handler([this](const Request& request) {
      most_ = std::max(most_, HeapInUse());
      if (request.url.find("/_catalog") != std::string::npos) return Catalog();
      const std::size_t at = request.url.find("/v2/e/");
      return at == std::string::npos ? registry_.Handle(request) : Page(request.url[at + 6]);
    });
  }
  static Response Catalog() {
    std::string names = "\"honest/app\"";
    for (char name = '0'; name < '8'; ++name) names += std::string(",\"e/") + name + '"';
    return Answer(200, R"({"repositories":[)" + names + "]}");
  }
  Response Page(char repository) {
    const std::size_t number = pages_[repository]++;
    std::string tags;
    for (std::size_t i = 0; i < 10000; ++i) {
      std::string tag = std::to_string(number * 10000 + i);
      tag.insert(0, 100 - tag.size(), 'x');
      tags += (i == 0 ? "\"" : ",\"") + tag + '"';
    }
    const bool last = number % last_page_ == last_page_ - 1;
    return Answer(200, R"({"tags":[)" + tags + "]}",
                  last ? std::vector<std::pair<std::string, std::string>>()
                       : std::vector<std::pair<std::string, std::string>>{
                             {"link", "<?page=" + std::to_string(number) + ">; rel=\"next\""}});
  }
  // Answers come one by one; returns what the run held at most, in MiB.
  template <typename Each>
  std::size_t SyncSideBySide(Each each) {
    transport_.holding = true;
    LimitedTransport limits(transport_, {}, config_.url.Origin());
    DeadlineTransport deadline(limits, DeadlineTransport::Seconds(0));
    registry::Client client(ClientOptionsOf(config_), deadline);
    RegistryRun registry_run(config_, store_, client, limits, deadline);
    Task<void> run = registry_run.Execute();
    const std::size_t before = most_ = HeapInUse();
    run.Start();
    while (!transport_.held.Empty() && each()) transport_.held.ResumeOne();
    done_ = run.Done();
    if (done_) run.Result();
    return (most_ - before) / kMiB;
  }

  std::map<char, std::size_t> pages_;
  std::size_t last_page_ = 1000000;
  std::size_t most_ = 0;
  bool done_ = false;
};

TEST_F(LargeListingTest, ListsWithoutEndAreTooLargeAndHoldFew) {
  EXPECT_LT(SyncSideBySide([] { return true; }), 40u);
  ASSERT_TRUE(done_);
  EXPECT_THAT(store_.tags["honest/app"], SizeIs(10));
  std::vector<std::string> problems;
  for (const auto& [key, problem] : store_.problems)
    problems.push_back(key.first.substr(0, 2) + problem + store_.details[key]);
  EXPECT_THAT(problems, AllOf(SizeIs(8), Each(AllOf(HasSubstr("e/too large"),
                                                    HasSubstr("more than 16777216 bytes")))));
}

TEST_F(LargeListingTest, LargeListsAreReadOneAfterTheOther) {
  last_page_ = 4;
  EXPECT_LT(SyncSideBySide([] { return true; }), 40u);
  ASSERT_TRUE(done_);
  EXPECT_THAT(store_.problems, SizeIs(0));
  EXPECT_THAT(store_.fingerprints, SizeIs(9));
}

// A run that is given up resumes nobody who waits for a turn.
TEST_F(LargeListingTest, ARunMayEndWhileTurnsAreWaitedFor) {
  int requests = 0;
  SyncSideBySide([&] { return ++requests < 40; });
  EXPECT_FALSE(done_);
  EXPECT_TRUE(transport_.held.Empty());
}

// What the database throws ends it for those who wait, too.
TEST_F(LargeListingTest, NobodyIsLeftWaitingForATurn) {
  last_page_ = 4;
  store_.broken = true;
  EXPECT_THROW(SyncSideBySide([] { return true; }), std::runtime_error);
  EXPECT_TRUE(done_);
}

}  // namespace
}  // namespace image_library::sync
