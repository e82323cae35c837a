#include "core/pattern.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/text.h"

namespace image_library {
namespace {

constexpr auto kRepository = PatternSubject::kRepository;
constexpr auto kTag = PatternSubject::kTag;
constexpr auto kPlace = PatternSubject::kPlace;
constexpr auto kText = PatternSubject::kText;

struct MatchCase {
  PatternSubject subject;
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(PatternTest, Matches) {
  const MatchCase cases[] = {
      {kRepository, "postgresql", "postgresql", true},
      {kRepository, "postgresql", "postgresql2", false},
      {kRepository, "a.b", "axb", false},
      {kRepository, "*", "postgresql", true},
      {kRepository, "*", "nim/meta", false},
      {kRepository, "nim/*", "nim/meta", true},
      {kRepository, "nim/*", "nim/meta/llama", false},
      {kRepository, "nim/**", "nim/meta/llama", true},
      {kRepository, "nim/**", "mynim/meta", false},
      {kRepository, "**", "a/b/c", true},
      {kRepository, "a/**/b", "a/b", true},
      {kRepository, "a/**/b", "a/x/y/b", true},
      {kRepository, "a/**/b", "a/xb", false},
      {kRepository, "**/llama", "llama", true},
      {kRepository, "**/llama", "x/llama", true},
      {kRepository, "**/llama", "xllama", false},
      {kRepository, "a?c", "abc", true},
      {kRepository, "a?c", "a/c", false},
      {kRepository, "a[.-9]c", "a5c", true},
      {kRepository, "a[.-9]c", "a/c", false},
      {kRepository, "a[!x]c", "abc", true},
      {kRepository, "a[!x]c", "axc", false},
      {kRepository, "a[!x]c", "a/c", false},
      {kRepository, "{postgresql,edb-*}", "edb-postgres-advanced", true},
      {kRepository, "{postgresql,edb-*}", "pgbouncer", false},
      {kRepository, "a{b,c{d,e}}", "ace", true},
      {kRepository, "regex:^edb-postgres-.*$", "edb-postgres-advanced", true},
      {kRepository, "regex:advanced", "edb-postgres-advanced", true},
      {kTag, "17.*", "17.4-2503191025", true},
      {kTag, "17.*", "117.4", false},
      {kTag, "17.*", "17-4", false},
      {kTag, "V[0-9]", "V1", true},
      {kTag, "v[0-9]", "V1", false},
      {kTag, "[]ab]1", "a1", true},
      {kTag, "1\\.2", "1.2", true},
      {kTag, "1\\.2", "1x2", false},
      {kTag, "regex:latest", "not-latest-yet", true},
      {kTag, "regex:^latest$", "latest", true},
      {kTag, "regex:^latest$", "latest2", false},
      {kTag, "version:>=16 <18", "17.4-2503191025-full", true},
      {kTag, "version:>=16 <18", "18.1", false},
      {kTag, "version:>=16 <18", "latest", false},
      {kPlace, "localhost:5000/cnpg/*", "localhost:5000/cnpg/pgvector", true},
      {kPlace, "localhost:5000/pgvector", "localhost:5000/pgvector", true},
      {kPlace, "localhost:500*/**", "localhost:5000/cnpg/pgvector", true},
      {kPlace, "localhost:5000/*", "localhost/pgvector", false},
      {kText, "Jo@Team.test", "Jo@Team.test", true},
      {kText, "Jo@Team.test", "jo@team.test", false},
      {kText, "https://git.test/*/.ci.yml@refs/heads/**",
       "https://git.test/a/.ci.yml@refs/heads/b/c", true},
      {kText, "https://git.test/*", "https://git.test/a/b", false},
      {kText, "CN=J\u00fcrgen,*", "CN=J\u00fcrgen,O=Team", true},
      {kText, "CN=J\u00fcrgen,?=Team", "CN=J\u00fcrgen,O=Team", true},
      {kText, "**", "a\nb", false},
  };
  for (const MatchCase& c : cases) {
    EXPECT_EQ(Pattern::Parse(c.pattern, c.subject).Matches(c.text), c.matches)
        << c.pattern << " on " << c.text;
  }
}

struct RefusedCase {
  PatternSubject subject;
  std::string pattern;
  ErrorKind kind;
};

TEST(PatternTest, RefusesWithWords) {
  const ErrorKind argument = ErrorKind::kInvalidArgument;
  const ErrorKind pattern = ErrorKind::kInvalidPattern;
  const RefusedCase cases[] = {
      {kRepository, "", argument},
      {kRepository, "Postgres SQL", argument},
      {kRepository, "Postgres*", argument},
      {kRepository, "^edb-.*$", argument},
      {kRepository, "a//b", argument},
      {kRepository, "/a", argument},
      {kRepository, "a[b", argument},
      {kRepository, "a[z-a]", argument},
      {kRepository, "a[/]", argument},
      {kRepository, "a]b", argument},
      {kRepository, "{a,b", argument},
      {kRepository, "a}*", argument},
      {kRepository, "a\\", argument},
      {kRepository, std::string(20, '{') + "a*", argument},
      {kRepository, std::string(1025, 'a'), argument},
      {kRepository, "version:>=16", argument},
      {kRepository, "regex:", argument},
      {kTag, "a/b", argument},
      {kTag, "a b", argument},
      {kTag, "version:", argument},
      {kTag, "version:abc", argument},
      {kTag, "regex:(", pattern},
      {kTag, "regex:[a", pattern},
      {kTag, "regex:(?=a)", pattern},
      {kTag, "regex:(a)\\1", pattern},
      {kTag, "regex:((((a{1000}){1000}){1000}){1000})", pattern},
  };
  for (const RefusedCase& c : cases) {
    try {
      Pattern::Parse(c.pattern, c.subject);
      ADD_FAILURE() << "accepted " << c.pattern;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), c.kind) << c.pattern << ": " << error.what();
      EXPECT_FALSE(error.detail().empty()) << c.pattern;
      EXPECT_FALSE(error.hint().empty()) << c.pattern;
    }
  }
}

// An error that is not UTF-8 cannot be converted to the encoding of its client.
TEST(PatternTest, WhatItSaysIsUtf8) {
  std::string longest = "x";
  while (longest.size() <= 1024) longest += "\u00fc";
  for (const std::string& pattern :
       {std::string("\u00fc*"), std::string("a\\\u20ac?"), longest,
        "version:" + longest.substr(0, 901), std::string("[\u00fc]")}) {
    for (const PatternSubject subject : {kRepository, kTag, kPlace}) {
      try {
        Pattern::Parse(pattern, subject);
        ADD_FAILURE() << pattern;
      } catch (const Error& error) {
        EXPECT_TRUE(IsUtf8(error.what())) << pattern;
        EXPECT_TRUE(IsUtf8(error.detail())) << pattern;
      }
    }
  }
}

TEST(PatternTest, KnowsLiterals) {
  EXPECT_TRUE(Pattern::Parse("pgai-platform/postgresql", kRepository).IsLiteral());
  EXPECT_FALSE(Pattern::Parse("pgai-platform/*", kRepository).IsLiteral());
  EXPECT_FALSE(Pattern::Parse("regex:postgresql", kRepository).IsLiteral());
  EXPECT_EQ(Pattern::Parse("regex:x", kTag).text(), "regex:x");
}

TEST(PatternTest, HostileExpressionStaysLinear) {
  const Pattern pattern = Pattern::Parse("regex:^(a+)+(a|aa)+$", kTag);
  EXPECT_FALSE(pattern.Matches(std::string(100'000, 'a') + "b"));
  EXPECT_TRUE(pattern.Matches(std::string(100'000, 'a')));
}

}  // namespace
}  // namespace image_library
