#include "core/http_header.h"

#include <string>

#include <gtest/gtest.h>

namespace image_library {
namespace {

std::string Shown(const std::vector<Challenge>& challenges) {
  std::string text;
  for (const Challenge& challenge : challenges) {
    text += challenge.scheme + "{";
    for (const auto& [name, value] : challenge.params) text += name + "=" + value + ";";
    text += "}";
  }
  return text;
}

TEST(ChallengeTest, Parses) {
  const struct {
    const char* header;
    const char* challenges;
  } cases[] = {
      {"", ""},
      {"Basic", "basic{}"},
      {"Basic realm=\"Registry\"", "basic{realm=Registry;}"},
      {"bEaReR ReAlM=\"https://a/t\",SERVICE=\"s\"", "bearer{realm=https://a/t;service=s;}"},
      // The comma inside of the scope is Docker's own.
      {"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"",
       "bearer{realm=https://a/t;scope=repository:x:pull,push;service=s;}"},
      {"Bearer realm = \"r\" , service\t=\ts", "bearer{realm=r;service=s;}"},
      {"Bearer realm=https://a/t,service=s", "bearer{realm=https://a/t;service=s;}"},
      {"Bearer realm=\"a\\\"b\\\\c\"", "bearer{realm=a\"b\\c;}"},
      {"Bearer realm=\"\",scope=\"\"", "bearer{realm=;scope=;}"},
      {"Bearer realm=\"r\",error=\"insufficient_scope\",x-unknown=1",
       "bearer{error=insufficient_scope;realm=r;x-unknown=1;}"},
      // Several challenges in one header, with and without parameters.
      {"Negotiate, Basic realm=\"x\"", "negotiate{}basic{realm=x;}"},
      {"Basic realm=\"x\", Bearer realm=\"r\",service=\"s\"",
       "basic{realm=x;}bearer{realm=r;service=s;}"},
      {"Bearer realm=\"r\",scope=\"a,b\", Basic realm=\"x\", Negotiate",
       "bearer{realm=r;scope=a,b;}basic{realm=x;}negotiate{}"},
      {"Negotiate a/b+c==, Basic realm=\"x\"", "negotiate{}basic{realm=x;}"},
      {" , ,Basic realm=\"x\",,", "basic{realm=x;}"},
      // The first of a name counts, as a second one may come from elsewhere.
      {"Bearer realm=\"first\",realm=\"second\"", "bearer{realm=first;}"},
      // Broken ends.
      {"Bearer realm=\"open", "bearer{realm=open;}"},
      {"Bearer realm=\"open\\", "bearer{realm=open;}"},
      {"Bearer realm=", "bearer{realm=;}"},
      {"Bearer ,", "bearer{}"},
  };
  for (const auto& c : cases) EXPECT_EQ(Shown(ParseChallenges(c.header)), c.challenges) << c.header;
}

TEST(ChallengeTest, GarbageEnds) {
  for (const std::string& text :
       {std::string("\"\"\""), std::string("=,=;="), std::string("\0\0\xff", 3),
        std::string(100000, '"'), std::string(100000, ','),
        std::string("Bearer ") + std::string(100000, '\\')})
    for (const Challenge& challenge : ParseChallenges(text)) EXPECT_NE(challenge.scheme, "basic");
}

TEST(NextLinkTest, Finds) {
  const struct {
    const char* header;
    const char* target;
  } cases[] = {
      {"</v2/x/tags/list?last=a%2Fb&n=2>; rel=\"next\"", "/v2/x/tags/list?last=a%2Fb&n=2"},
      {"<https://a/v2/x/tags/list?n=2>; rel=\"next\"", "https://a/v2/x/tags/list?n=2"},
      {"</a>;rel=next", "/a"},
      {"</a> ; REL = \"Next\"", "/a"},
      {"</a>; title=\"x, y; z\"; rel=\"next\"", "/a"},
      {"</a>; title=\"\\\"<b>; rel=prev\"; rel=next", "/a"},
      {"</a>; rel=\"prev next\"", "/a"},
      {"</first>; rel=\"first\", </a>; rel=\"next\"", "/a"},
      {"</first>; rel=first,</a>; rel=next, </b>; rel=next", "/a"},
      {"</a?x=1,2;3>; rel=\"next\"", "/a?x=1,2;3"},
      {"<?n=2&next_page=gAAA%3D%3D>; rel=\"next\"", "?n=2&next_page=gAAA%3D%3D"},
      {"</a>; anchor; rel=\"next\"", "/a"},
      {"garbage, </a>; rel=next", "/a"},
      {" , </a>; rel=next", "/a"},
  };
  for (const auto& c : cases) EXPECT_EQ(NextLink(c.header), c.target) << c.header;
}

TEST(NextLinkTest, FindsNone) {
  for (const char* header :
       {"", ",", "<", "<>", "</a", "</a>", "</a>; rel=\"prev\"", "</a>; rel=\"nextpage\"",
        "</a>; rel=\"\"", "</a>; rev=\"next\"", "<>; rel=\"next\"", "/a; rel=\"next\"",
        "</a>, rel=\"next\"", "</a>; title=\"; rel=next\"", "</a>; rel=prev; rel=next"})
    EXPECT_EQ(NextLink(header), std::nullopt) << header;
}

TEST(RetryAfterTest, Parses) {
  constexpr std::int64_t kNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
  const struct {
    const char* header;
    std::optional<std::int64_t> seconds;
  } cases[] = {
      {"120", 120},
      {" 7 ", 7},
      {"0", 1},
      {"3600", 3600},
      {"3601", 3600},
      {"1000000000", 3600},
      {"99999999999999999999", 3600},
      {"Sun, 06 Nov 1994 08:50:37 GMT", 60},
      {"Sunday, 06-Nov-94 08:50:37 GMT", 60},
      {"Sun Nov  6 08:50:37 1994", 60},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 1},
      {"Sat, 05 Nov 1994 08:49:37 GMT", 1},
      {"Mon, 07 Nov 1994 08:49:37 GMT", 3600},
      {"", std::nullopt},
      {"-1", std::nullopt},
      {"1.5", std::nullopt},
      {"soon", std::nullopt},
      {"60s", std::nullopt},
      {"Sun, 06 Nov 1994", std::nullopt},
      {"Sun, 06 Nov 1994 08:50:37 GMT later", std::nullopt},
      {"1994-11-06T08:50:37Z", std::nullopt},
  };
  for (const auto& c : cases) EXPECT_EQ(ParseRetryAfter(c.header, kNow), c.seconds) << c.header;
}

TEST(RateLimitTest, DockerHubsForms) {
  const auto full = ParseRateLimit(" 100;w=21600");
  EXPECT_EQ(full->requests, 100);
  EXPECT_EQ(full->window, 21600);
  EXPECT_EQ(ParseRateLimit("76 ; x=1; w=60")->window, 60);
  EXPECT_EQ(ParseRateLimit("0")->requests, 0);
  EXPECT_EQ(ParseRateLimit("0")->window, 0);
  EXPECT_EQ(ParseRateLimit("10, 100;w=3600")->requests, 10);
  EXPECT_EQ(ParseRateLimit("7;w=")->window, 0);
  EXPECT_EQ(ParseRateLimit("7;w=-1")->window, 0);
  EXPECT_EQ(ParseRateLimit("7;;w=9")->window, 9);
  for (const char* text : {"", "-1", "1.5", "x", "1 2", "1234567890123", ";w=1", "\"5\""})
    EXPECT_FALSE(ParseRateLimit(text)) << text;
}

TEST(WarningTest, OnlyTheOneOfTheSpecification) {
  EXPECT_EQ(ParseWarning("299 - \"say \\\"hi\\\"\""), "say \"hi\"");
  EXPECT_EQ(ParseWarning("299 - \"a\x01z\""), "a\xEF\xBF\xBDz");
  EXPECT_EQ(ParseWarning("299 - \"" + std::string(9000, 'a') + "\"")->size(), 4096u);
  EXPECT_EQ(ParseWarning("299 - \"not closed"), "not closed");
  for (const char* text : {"", "299", "299 -", "299 - ", "299 - x", "110 - \"stale\"",
                           "299 proxy \"x\"", "299 - \"\""})
    EXPECT_FALSE(ParseWarning(text)) << text;
}

TEST(MediaTypeTest, StripsParameters) {
  EXPECT_EQ(MediaType("application/json"), "application/json");
  EXPECT_EQ(MediaType(" Application/JSON ; charset=utf-8"), "application/json");
  EXPECT_EQ(MediaType("text/html;charset=\"a;b\""), "text/html");
  EXPECT_EQ(MediaType(""), "");
  EXPECT_EQ(MediaType(";"), "");
}

}  // namespace
}  // namespace image_library
