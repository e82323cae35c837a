#include "core/rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace image_library {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Tags(const RuleSet& rules, const char* repository,
                              const std::vector<std::string>& tags) {
  std::vector<std::string> admitted;
  for (const TagDecision& d : rules.Decide(repository, tags)) {
    admitted.push_back(d.tag + "@" + std::to_string(d.rule->id));
  }
  return admitted;
}

// As jsonb_agg(to_jsonb(rule)) writes them, out of order and with the columns of SQL.
constexpr const char* kRules = R"([
  {"rule_id": 3, "registry_id": 1, "repositories": "postgresql", "tags": ["17.*", "18.*"],
   "exclude_tags": ["*-full"], "action": "include", "kind": "auto", "approval": "manual",
   "platforms": ["linux/amd64"], "immutable_tags": true, "newest": null, "priority": 100,
   "enabled": true, "owner": null, "created_at": "2026-08-01T00:00:00+00:00"},
  {"rule_id": 2, "repositories": "*", "tags": ["regex:-full$"], "exclude_tags": [],
   "action": "include", "platforms": null, "immutable_tags": false, "newest": null,
   "priority": 200},
  {"rule_id": 5, "repositories": "post*", "tags": ["version:=17.5"], "exclude_tags": ["*-keep"],
   "action": "exclude", "priority": 100},
  {"rule_id": 9, "repositories": "nim/**", "tags": ["*"], "newest": 2, "action": "include",
   "priority": 10},
  {"rule_id": 10, "repositories": "off", "tags": ["*"], "action": "include", "enabled": false}
])";

TEST(RuleTest, ReadsColumns) {
  const RuleSet rules = RuleSet::FromJson(kRules);
  ASSERT_EQ(rules.rules().size(), 4u);
  EXPECT_EQ(rules.rules()[0].id, 9);
  EXPECT_EQ(rules.rules()[0].newest, 2);
  EXPECT_EQ(rules.rules()[1].id, 3);
  EXPECT_TRUE(rules.rules()[1].immutable_tags);
  EXPECT_EQ(rules.rules()[1].newest, std::nullopt);
  EXPECT_EQ(rules.rules()[2].id, 5);
  EXPECT_FALSE(rules.rules()[2].include);
  EXPECT_EQ(rules.rules()[3].id, 2);
  EXPECT_THAT(rules.LiteralRepositories(), ElementsAre("postgresql"));
  EXPECT_TRUE(rules.WantsCatalog());
  EXPECT_TRUE(rules.WantsRepository("nim/meta/llama"));
  EXPECT_FALSE(rules.WantsRepository("other/meta/llama"));
}

TEST(RuleTest, NoRulesWantNothing) {
  for (const char* json : {"", "null", "[]", " null "}) {
    const RuleSet rules = RuleSet::FromJson(json);
    EXPECT_THAT(rules.Decide("postgresql", {"17.4"}), IsEmpty());
    EXPECT_FALSE(rules.WantsCatalog());
    EXPECT_FALSE(rules.WantsRepository("postgresql"));
  }
}

TEST(RuleTest, DecidesByPriorityThenAge) {
  const RuleSet rules = RuleSet::FromJson(kRules);
  EXPECT_THAT(Tags(rules, "postgresql",
                   {"17.4", "17.4-full", "17.5", "17.5-keep", "16.9", "18.1", "latest"}),
              ElementsAre("17.4@3", "17.4-full@2", "17.5-keep@3", "18.1@3"));
  EXPECT_THAT(Tags(rules, "pgbouncer", {"1.2-full", "1.2"}), ElementsAre("1.2-full@2"));

  const RuleSet same = RuleSet::FromJson(R"([
    {"rule_id": 8, "repositories": "a", "tags": ["*"]},
    {"rule_id": 7, "repositories": "a", "tags": ["1"]},
    {"rule_id": 0, "repositories": "a", "tags": ["*"]}])");
  EXPECT_THAT(Tags(same, "a", {"1", "2"}), ElementsAre("1@7", "2@8"));
}

TEST(RuleTest, KeepsTheNewestByVersion) {
  const RuleSet rules = RuleSet::FromJson(kRules);
  EXPECT_THAT(Tags(rules, "nim/meta/llama", {"latest", "1.9.0", "1.10.0", "1.8.5", "1.10.0-rc.1"}),
              ElementsAre("1.10.0@9", "1.10.0-rc.1@9"));
  // A registry that lists a tag twice has not two newest tags.
  EXPECT_THAT(Tags(rules, "nim/meta/llama", {"1.1", "1.1", "1.0", "0.9"}),
              ElementsAre("1.1@9", "1.1@9", "1.0@9"));
}

TEST(RuleTest, SignatureTagsAreNeverAdmitted) {
  const std::string hex(64, 'a');
  const RuleSet rules =
      RuleSet::FromJson(R"([{"rule_id": 1, "repositories": "a", "tags": ["*"]}])");
  EXPECT_THAT(Tags(rules, "a", {"sha256-" + hex, "sha256-" + hex + ".sig", "sha256-abc", "1"}),
              ElementsAre("sha256-abc@1", "1@1"));
}

TEST(RuleTest, ExplainsEveryRule) {
  const RuleSet rules = RuleSet::FromJson(kRules);
  const auto lines = rules.Explain("postgresql", "17.5-full", {"17.5-full"});
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].rule_id, 9);
  EXPECT_FALSE(lines[0].matched);
  EXPECT_EQ(lines[0].reason, "repository does not match \"nim/**\" (glob, anchored)");
  EXPECT_FALSE(lines[1].matched);
  EXPECT_THAT(lines[1].reason, HasSubstr("tag matches \"17.*\" (glob, anchored), but exclude_tags "
                                         "has \"*-full\" (glob, anchored)"));
  EXPECT_TRUE(lines[2].matched && lines[2].decides && !lines[2].include);
  EXPECT_THAT(lines[2].reason, HasSubstr("\"version:=17.5\" (version range)"));
  EXPECT_TRUE(lines[3].matched && !lines[3].decides);
  EXPECT_THAT(lines[3].reason, HasSubstr("(regex, unanchored)"));
  EXPECT_THAT(lines[3].reason, HasSubstr("rule 5 excludes"));

  const auto missing = rules.Explain("postgresql", "latest", {});
  EXPECT_THAT(missing[1].reason,
              HasSubstr("tag matches none of \"17.*\" (glob, anchored), \"18.*\""));

  const auto cut = rules.Explain("nim/a/b", "1.0", {"1.0", "1.1", "1.2"});
  EXPECT_TRUE(cut[0].matched && !cut[0].decides);
  EXPECT_THAT(cut[0].reason, HasSubstr("only the newest 2 are kept, and it is number 3"));
}

TEST(RuleTest, ExplainAgreesWithDecide) {
  const RuleSet rules = RuleSet::FromJson(kRules);
  const std::vector<std::string> tags = {"17.4",
                                         "17.4-full",
                                         "17.5",
                                         "17.5-keep",
                                         "18.1",
                                         "18.1-full",
                                         "latest",
                                         "1.0",
                                         "2.0",
                                         "3.0",
                                         "sha256-" + std::string(64, '0') + ".sig"};
  for (const char* repository : {"postgresql", "postgres", "nim/a/b", "off", "x"}) {
    const auto decisions = rules.Decide(repository, tags);
    for (const std::string& tag : tags) {
      const auto found = std::find_if(decisions.begin(), decisions.end(),
                                      [&](const TagDecision& d) { return d.tag == tag; });
      std::int64_t decided = -1;
      for (const RuleExplanation& line : rules.Explain(repository, tag, tags)) {
        if (line.include && line.decides) decided = line.rule_id;
        EXPECT_FALSE(line.reason.empty());
      }
      EXPECT_EQ(decided, found == decisions.end() ? -1 : found->rule->id)
          << repository << " " << tag;
    }
  }
}

TEST(RuleTest, RefusesBadRules) {
  for (const char* json : {
           "{}",
           "[1]",
           R"([{"rule_id": 1}])",
           R"([{"repositories": "a", "action": "maybe"}])",
           R"([{"repositories": "a", "tags": "17.*"}])",
           R"([{"repositories": "a", "tags": ["17.*", 4]}])",
           R"([{"repositories": "a", "newest": 0}])",
           R"([{"repositories": "Postgres SQL"}])",
       }) {
    try {
      RuleSet::FromJson(json);
      ADD_FAILURE() << "accepted " << json;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument) << json;
    }
  }
  try {
    RuleSet::FromJson(R"([{"repositories": "a", "tags": ["regex:("]}])");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidPattern);
  }
}

TEST(RuleTest, ReadsReferrerTags) {
  const std::string hex = std::string(60, 'a') + "0189";
  std::string subject, suffix;
  EXPECT_TRUE(IsReferrerTag("sha256-" + hex, &subject, &suffix));
  EXPECT_EQ(subject, "sha256:" + hex);
  EXPECT_EQ(suffix, "");
  for (const char* end : {"sig", "att", "sbom"}) {
    EXPECT_TRUE(IsReferrerTag("sha256-" + hex + "." + end, &subject, &suffix));
    EXPECT_EQ(suffix, end);
  }
  EXPECT_FALSE(IsReferrerTag("sha256-" + hex + ".txt"));
  EXPECT_FALSE(IsReferrerTag("sha256-" + hex + "0"));
  EXPECT_FALSE(IsReferrerTag("sha256-" + hex.substr(1)));
  EXPECT_FALSE(IsReferrerTag("sha256-" + std::string(64, 'A')));
  EXPECT_FALSE(IsReferrerTag("17.4"));
}

}  // namespace
}  // namespace image_library
