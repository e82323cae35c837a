// What a person may ask of a registry before there is a rule.
#include "sync/browse.h"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_transport.h"
#include "sync/limits.h"

namespace image_library::sync {
namespace {

using registry::Answer;
using registry::FakeTransport;
using registry::Request;
using registry::Response;
using testing::ElementsAre;
using testing::HasSubstr;

class BrowseTest : public testing::Test {
 protected:
  BrowseTest() : transport_([this](const Request& request) { return Handle(request); }) {
    config_.name = "hub";
    config_.url = ParseRegistryUrl("https://r.example/team");
  }
  Response Handle(const Request& request) {
    const auto found = answers_.find(request.url.substr(request.url.find("/v2/") + 4));
    return found == answers_.end() ? Answer(404) : found->second;
  }
  static Pattern Of(const char* text) { return Pattern::Parse(text, PatternSubject::kRepository); }

  RegistryConfig config_;
  std::map<std::string, Response> answers_;
  FakeTransport transport_;
};

TEST_F(BrowseTest, RepositoriesUnderThePrefixThatThePatternTakes) {
  answers_["_catalog?n=1000"] =
      Answer(200, R"({"repositories":["other/x","team/b","team/a","team/a/deep","teams/c"]})");
  EXPECT_THAT(Await(FindRepositories(config_, transport_, Of("**"))),
              ElementsAre("a", "a/deep", "b"));
  EXPECT_THAT(Await(FindRepositories(config_, transport_, Of("a*"))), ElementsAre("a"));
}

TEST_F(BrowseTest, ARefusedCatalogueSaysWhatToDo) {
  for (const int status : {401, 403, 404, 405}) {
    answers_["_catalog?n=1000"] = Answer(status);
    const Error error = ErrorOf(FindRepositories(config_, transport_, Of("**")));
    EXPECT_THAT(error.hint(), HasSubstr("list_tags")) << status;
    EXPECT_THAT(error.detail(), HasSubstr(std::to_string(status)));
  }
  answers_["_catalog?n=1000"] = Answer(401);
  EXPECT_THAT(ErrorOf(FindRepositories(config_, transport_, Of("**"))).hint(),
              HasSubstr("Set a credential"));
  config_.credentials = {{"", "robot", "sesame"}};
  EXPECT_THAT(ErrorOf(FindRepositories(config_, transport_, Of("**"))).hint(),
              HasSubstr("check_registry"));
  answers_["_catalog?n=1000"] = Answer(500);
  EXPECT_THAT(ErrorOf(FindRepositories(config_, transport_, Of("**"))).hint(),
              testing::Not(HasSubstr("list_tags")));
}

TEST_F(BrowseTest, OneRepositorysFailureIsItsOwn) {
  answers_["team/a/tags/list?n=100"] = Answer(200, R"({"tags":["2","1"]})");
  answers_["team/b/tags/list?n=100"] = Answer(403);
  answers_["team/d/tags/list?n=100"] = Answer(200, R"({"tags":["3"]})");
  const std::vector<ListedRepository> listed =
      Await(ListTagsOf(config_, transport_, {"a", "b", "c", "d", "Bad"}));
  ASSERT_EQ(listed.size(), 5u);
  EXPECT_THAT(listed[0].tags, ElementsAre("1", "2"));
  EXPECT_FALSE(listed[0].failure);
  EXPECT_THAT(listed[1].failure->what(), HasSubstr("denied or absent"));
  EXPECT_THAT(listed[2].failure->what(), HasSubstr("\"c\" was not found in registry \"hub\""));
  EXPECT_THAT(listed[3].tags, ElementsAre("3"));
  EXPECT_THAT(listed[4].failure->what(), HasSubstr("not a repository name"));
}

TEST_F(BrowseTest, ListingsTogetherTakeALimitedMemory) {
  std::string tags;
  for (int i = 0; i < 100'000; ++i)
    tags += (i == 0 ? "\"" : ",\"") + std::to_string(1'000'000 + i) + std::string(57, 'x') + '"';
  for (const char* name : {"a", "b", "c"})
    answers_["team/" + std::string(name) + "/tags/list?n=100"] =
        Answer(200, "{\"tags\":[" + tags + "]}");
  answers_["team/d/tags/list?n=100"] = Answer(200, R"({"tags":["1"]})");
  const std::vector<ListedRepository> listed =
      Await(ListTagsOf(config_, transport_, {"a", "b", "c", "d"}));
  EXPECT_EQ(listed[0].tags.size(), 100'000u);
  EXPECT_EQ(listed[1].failure->kind(), ErrorKind::kTooLarge);
  EXPECT_EQ(listed[2].failure->kind(), ErrorKind::kTooLarge);
  EXPECT_THAT(listed[3].tags, ElementsAre("1"));
}

TEST_F(BrowseTest, TheBudgetOfARunHoldsForPeopleToo) {
  answers_["team/a/tags/list?n=100"] = Answer(200, R"({"tags":["1"]})");
  LimitedTransport limits(transport_, 1, config_.url.Origin());
  const Error error = ErrorOf(ListTagsOf(config_, limits, {"a", "b"}));
  EXPECT_EQ(error.kind(), ErrorKind::kBudget);
  EXPECT_THAT(error.hint(), testing::Not(HasSubstr("next run")));
}

}  // namespace
}  // namespace image_library::sync
