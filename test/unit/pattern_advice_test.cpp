// Patterns that can never match are refused with what was meant.
#include "core/pattern_advice.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/version_range.h"

namespace image_library {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Said(const Error& error) {
  return std::string(error.what()) + " | " + error.detail() + " | " + error.hint();
}

/// What is said of a pattern; empty when it is taken.
std::string OfRepository(const std::string& pattern, const std::string& host = "registry.example",
                         const std::string& prefix = "") {
  try {
    RequireRepositoryPattern(pattern, host, prefix);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return Said(error);
  }
  return {};
}

std::string OfTag(const std::string& pattern) {
  try {
    RequireTagPattern(pattern);
  } catch (const Error& error) {
    return Said(error);
  }
  return {};
}

struct MeantCase {
  const char* pattern;
  const char* meant;
};

TEST(PatternAdviceTest, WhatWasMeantByARepository) {
  const MeantCase cases[] = {
      {"registry.example/team/app", "Write \"team/app\"."},
      {"registry.example:443/team/app", "Write \"team/app\"."},
      {"Registry.Example/team/**", "Write \"team/**\"."},
      {"registry.example/{a,b}/*", "Write \"{a,b}/*\"."},
      {"https://registry.example/team/app", "Write \"team/app\"."},
      {"https://registry.example/team/app/", "Write \"team/app\"."},
      {"registry.example/team/app:17",
       "Write \"team/app\" for the repository and \"17\" for the tag."},
      {"team/app:17.*", "Write \"team/app\" for the repository and \"17.*\" for the tag."},
      {"app:17", "Write \"app\" for the repository and \"17\" for the tag."},
      {"Team/App", "Write \"team/app\"."},
      {"Team/*", "Write \"team/*\"."},
      {"/team/app", "Write \"team/app\"."},
      {"team/*/", "Write \"team/*\"."},
      {"/team/**", "Write \"team/**\"."},
      {"team//*", "Write \"team/*\"."},
      {"other.example:5000/team/app", "add the rule to the registry at other.example:5000"},
      {"https://other.example/team/app", "add the rule to the registry at other.example"},
      {"regex:^registry\\.example/team", "Leave \"registry.example/\" out."},
      {"regex:^https://registry.example/", "leave scheme and host out"},
  };
  for (const MeantCase& c : cases) EXPECT_THAT(OfRepository(c.pattern), HasSubstr(c.meant));
  EXPECT_THAT(OfRepository("team/app@sha256:" + std::string(64, 'a')),
              testing::AllOf(HasSubstr("not digests"), HasSubstr("Write \"team/app\".")));
}

TEST(PatternAdviceTest, HostsAsTheyAreWritten) {
  EXPECT_THAT(OfRepository("localhost:5000/app", "localhost:5000"), HasSubstr("\"app\""));
  EXPECT_THAT(OfRepository("localhost/app", "localhost:5000"), HasSubstr("\"app\""));
  EXPECT_THAT(OfRepository("index.docker.io/postgres", "docker.io"),
              HasSubstr("\"library/postgres\""));
  EXPECT_THAT(OfRepository("registry.example/team/app", "registry.example", "team"),
              HasSubstr("\"app\""));
  EXPECT_THAT(OfRepository("registry.example/app", "registry.example", "team"),
              HasSubstr("\"app\""));
}

TEST(PatternAdviceTest, TakesWhatCanMatch) {
  for (const char* pattern :
       {"team/app", "**", "*", "nim/**", "a/**/b", "**/b", "{a,b}/c", "a[A-Za-z]c", "regex:^edb-",
        "regex:registry.example", "regex:https", "a.b/c",
        // A mirror may keep what it mirrors under the name of its host.
        "docker.io/library/postgres", "localhost/app", "a\\.b", "[!A]/x", "[@a]b", "[:a]/b",
        "{app,x@sha256:00}", "{app,x:17}", "{a:1/b,c}", "{a//b,c}", "{A,b}", ""})
    EXPECT_EQ(OfRepository(pattern), "") << pattern;
  EXPECT_EQ(OfRepository(std::string(255, 'a')), "");
  EXPECT_THAT(OfRepository(std::string(255, 'a') + "?"), HasSubstr("255 characters"));
}

TEST(PatternAdviceTest, NothingBeforeAnAtIsTold) {
  for (const char* pattern :
       {"https://user:sesame@registry.example/team/app", "user:sesame@registry.example/team/app",
        "user:ses@sesame@registry.example/app:17",
        "https://user:sesame@registry.example?token=sesame", "user:sesame@x/app@sha256:00"})
    EXPECT_THAT(OfRepository(pattern),
                testing::AllOf(Not(HasSubstr("sesame")), Not(HasSubstr("user"))))
        << pattern;
  EXPECT_THAT(OfRepository("https://user:sesame@registry.example/team/app"),
              HasSubstr("Write \"team/app\"."));
  EXPECT_THAT(OfTag("user:sesame@app@sha256:00"), Not(HasSubstr("sesame")));
}

TEST(PatternAdviceTest, WhatWasMeantByATag) {
  const MeantCase cases[] = {
      {"app:17", "Write \"17\"."},
      {"registry.example:5000/team/app:17.*", "Write \"17.*\"."},
      {".4", "\"*.4\""},
      {"-full", "\"*-full\""},
      {"version:>=18 <16", "No version is in the range"},
  };
  for (const MeantCase& c : cases) EXPECT_THAT(OfTag(c.pattern), HasSubstr(c.meant));
  const std::string hex(64, 'a');
  EXPECT_THAT(OfTag("sha256:" + hex), HasSubstr("not digests"));
  EXPECT_THAT(OfTag("sha256-" + hex + ".sig"), HasSubstr("signatures"));
  EXPECT_THAT(OfTag(std::string(128, 'a') + "?"), HasSubstr("128 characters"));
  for (const char* pattern : {"*", "17.*", "*-full", "[.]4*", "{.4,4}", "regex:^-", "_x", "17", "",
                              "v[:a]", "{17,app:17}", "{17,x@sha256:00}"})
    EXPECT_EQ(OfTag(pattern), "") << pattern;
  EXPECT_EQ(OfTag(std::string(128, 'a') + "*"), "");
}

TEST(PatternAdviceTest, RangesThatContradictThemselves) {
  for (const char* range : {">=18 <16", ">18 <18", ">=18 <18", ">18 <=18", "=17 =18", "17.* >=18",
                            "~17.4 <17", ">=18 <16 || =3 =4", "=17.4 <17.4", "<3 >4 !=2"})
    EXPECT_TRUE(VersionRange::Parse(range).IsEmpty()) << range;
  for (const char* range :
       {">=16 <18", ">=18 <=18", "=17 <17.4", "=17 >17.4", "~17.4 <18", "*", ">=18 <16 || 17",
        // 18beta1 is less than 18, and named.
        ">=18beta1 <18", "=18beta1 <18", "!=17", "=999999999 >=1"})
    EXPECT_FALSE(VersionRange::Parse(range).IsEmpty()) << range;
}

}  // namespace
}  // namespace image_library
