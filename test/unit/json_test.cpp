#include "core/json.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/json_writer.h"

namespace image_library {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string Nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonTest, RefusesWhatIsMalformed) {
  const std::string cases[] = {
      "",
      " ",
      "{",
      "}",
      "{}x",
      "{} {}",
      "{a: 1}",
      "{'a': 1}",
      "[1,]",
      "// no\n{}",
      "<html><body>Sign in</body></html>",
      "\xef\xbb\xbf{}",        // byte order mark
      std::string("{}\0", 3),  // trailing NUL
      std::string("{\"a\":\"\0\"}", 9),
      "{\"a\": \"\\u0000\"}",
      "{\"\\u0000\": 1}",
      "{\"a\\u0000b\": 1}",
      "{\"a\": \"\\ud800\"}",  // lone surrogates
      "{\"a\": \"\\udc00\"}",
      "{\"a\": \"\\ud800\\u0041\"}",
      "{\"a\": \"\xff\"}",          // no UTF-8
      "{\"a\": \"\xc0\x80\"}",      // overlong NUL
      "{\"a\": \"\xed\xa0\x80\"}",  // encoded surrogate
      "{\"a\": \"\xf4\x90\x80\x80\"}",
      "{\"a\": NaN}",
      "{\"a\": 01}",
      Nested(65),
      Nested(3000),
      std::string(1000000, '['),
      std::string(1000000, '{'),
      "{\"a\":" + Nested(64) + "}",
      R"({"a": "\\", "b":)" + Nested(64) + "}",
  };
  for (const std::string& text : cases) {
    SCOPED_TRACE(text.substr(0, 60));
    try {
      Json::Parse(text);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kMalformed);
    }
  }
}

TEST(JsonTest, TakesNestingUpToItsLimit) {
  EXPECT_TRUE(Json::Parse(Nested(64)).IsArray());
  // Brackets inside of strings are no nesting, quotes may be escaped there.
  const std::string brackets = R"({"a": "\"\\)" + std::string(200, '[') + "\"}";
  EXPECT_EQ(Json::Parse(brackets)["a"].String()->size(), 202u);
  // Neither are brackets side by side.
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[],";
  EXPECT_EQ(Json::Parse(wide + "[]]").Elements().size(), 1001u);
}

TEST(JsonTest, ErrorSaysWhatIsWrong) {
  try {
    Json::Parse("{\"a\": 1,}");
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "invalid JSON");
    EXPECT_THAT(error.detail(), ::testing::EndsWith("."));
  }
}

TEST(JsonTest, MoreValuesThanAskedForAreTooLarge) {
  const auto parse = [](const std::string& text, std::size_t most) {
    try {
      Json::Parse(text, most);
      return std::string("taken");
    } catch (const Error& error) {
      return std::string(error.kind() == ErrorKind::kTooLarge ? "too large" : error.what());
    }
  };
  // The array and its elements.
  EXPECT_EQ(parse("[1,2,3]", 4), "taken");
  EXPECT_EQ(parse("[1,2,3,4]", 4), "too large");
  EXPECT_EQ(parse(R"(["a,b,c,d,e,[{"])", 4), "taken");
  std::string objects = "[";
  while (objects.size() < 4u << 20) objects += "{},";
  EXPECT_EQ(parse(objects + "{}]", Json::kMostValues), "too large");
}

TEST(JsonTest, ReadsTextInPlaceAndCopied) {
  std::string text = R"({"a": ["b", 1e999]})";
  for (const std::size_t spare : {0u, 200u}) {
    text.reserve(text.size() + spare);
    EXPECT_EQ(JsonText(text).padded(), spare > 0);
    EXPECT_THAT(Json::Parse(text)["a"].Strings(), ElementsAre("b"));
  }
}

TEST(JsonTest, ReadsTypes) {
  const Json json = Json::Parse(
      R"({"s": "x", "i": -7, "r": 1.5, "w": 2.0, "t": true, "f": false, "n": null,
          "a": ["x", 1, null, "y"], "o": {"k": "v", "i": 1, "z": null}})");
  EXPECT_EQ(json["s"].String(), "x");
  EXPECT_EQ(json["i"].Integer(), -7);
  EXPECT_EQ(json["r"].Integer(), std::nullopt);
  EXPECT_EQ(json["w"].Integer(), 2);
  EXPECT_EQ(json["t"].Boolean(), true);
  EXPECT_EQ(json["f"].Boolean(), false);
  EXPECT_EQ(json["n"].String(), std::nullopt);
  EXPECT_EQ(json["a"].Elements().size(), 4u);
  EXPECT_THAT(json["a"].Strings(), ElementsAre("x", "y"));
  EXPECT_THAT(json["o"].Map(), ElementsAre(Pair("k", "v")));
  EXPECT_TRUE(json.Has("n"));
  EXPECT_FALSE(json.Has("x"));
  EXPECT_EQ(json["s"].StringOr("y"), "x");
  EXPECT_EQ(json["i"].StringOr("y"), "y");
}

TEST(JsonTest, AnotherTypeReadsAsAbsent) {
  const Json json = Json::Parse(R"({"s": "1", "i": 1, "a": [], "o": {}})");
  EXPECT_EQ(json["s"].Integer(), std::nullopt);
  EXPECT_EQ(json["s"].Boolean(), std::nullopt);
  EXPECT_THAT(json["s"].Elements(), IsEmpty());
  EXPECT_THAT(json["s"].Map(), IsEmpty());
  EXPECT_EQ(json["i"].String(), std::nullopt);
  EXPECT_THAT(json["o"].Elements(), IsEmpty());
  EXPECT_THAT(json["a"].Map(), IsEmpty());
  EXPECT_FALSE(json["a"]["x"]["y"].Has("z"));
  EXPECT_EQ(json["no"]["such"]["path"].String(), std::nullopt);
  EXPECT_FALSE(json["no"].IsObject());
  EXPECT_FALSE(json["no"].IsArray());
}

// Both integers and a double end somewhere; neither takes a document with it.
TEST(JsonTest, AbsurdNumbersReadAsNull) {
  const std::string digits(400, '9');
  const Json json = Json::Parse("{\"a\": " + digits + ", \"b\": -" + digits + ", \"c\": 1e999, " +
                                R"("d": ["\"\\ 1e999", 9007199254740993], "e": 7})");
  for (const char* key : {"a", "b", "c"}) {
    EXPECT_TRUE(json.Has(key));
    EXPECT_EQ(json[key].Integer(), std::nullopt) << key;
  }
  EXPECT_EQ(json["d"].Elements()[0].String(), "\"\\ 1e999");
  // The others keep every digit.
  EXPECT_EQ(json["d"].Elements()[1].Integer(), 9007199254740993);
  EXPECT_EQ(json["e"].Integer(), 7);
  EXPECT_THROW(Json::Parse("{\"a\": 1e999, \"b\": }"), Error);
}

TEST(JsonTest, IntegersBeyond64BitsHideNothingElse) {
  const Json json = Json::Parse(
      R"({"huge": 99999999999999999999, "low": -99999999999999999999, "n": 883, "s": "x"})");
  EXPECT_EQ(json["huge"].Integer(), std::nullopt);
  EXPECT_EQ(json["low"].Integer(), std::nullopt);
  EXPECT_EQ(json["n"].Integer(), 883);
  EXPECT_EQ(json["s"].String(), "x");
  EXPECT_EQ(Json::Parse("[9223372036854775807]").Elements()[0].Integer(), INT64_MAX);
  EXPECT_EQ(Json::Parse("[-9223372036854775808]").Elements()[0].Integer(), INT64_MIN);
  EXPECT_EQ(Json::Parse("[1e300]").Elements()[0].Integer(), std::nullopt);
}

TEST(JsonTest, LastOfDuplicateKeysWins) {
  const Json json = Json::Parse(R"({"a": "1", "b": "x", "a": "2", "b": null})");
  EXPECT_EQ(json["a"].String(), "2");
  EXPECT_EQ(json["b"].String(), std::nullopt);
  EXPECT_THAT(json.Map(), ElementsAre(Pair("a", "2")));
  std::string seen;
  json.ForEachMember([&](std::string_view key, const Json& value) {
    seen += std::string(key) + "=" + value.StringOr("?") + " ";
  });
  EXPECT_EQ(seen, "a=2 b=? ");
}

TEST(JsonTest, MapsEndWhereTheyAreTooLarge) {
  const Json json = Json::Parse(R"({"b": "12", "a": "345", "b": "1234", "c": "1"})");
  bool cut = false;
  EXPECT_EQ(json.Map(3 * kEntryBytes + 11, &cut).size(), 3u);
  EXPECT_FALSE(cut);
  // The second b takes the place of the first.
  EXPECT_THAT(json.Map(3 * kEntryBytes + 10, &cut),
              ElementsAre(Pair("a", "345"), Pair("b", "1234")));
  EXPECT_TRUE(cut);
}

TEST(JsonTest, PartsOutliveTheWhole) {
  Json part = Json::Parse(R"({"a": {"b": "c"}})")["a"];
  EXPECT_EQ(part["b"].String(), "c");
}

TEST(JsonTest, VisitsMembers) {
  std::string seen;
  Json::Parse(R"({"a": 1, "b": "x"})").ForEachMember([&](std::string_view key, const Json& value) {
    seen += std::string(key) + "=" + value.StringOr("?") + " ";
  });
  EXPECT_EQ(seen, "a=? b=x ");
}

TEST(JsonTest, WritesWhatItReads) {
  const StringMap map = {{"", ""},
                         {"quote", "a\"b\\c"},
                         {"space", "a\tb\nc\rd\x1f"},
                         {"unicode", "\xc3\xa4\xf0\x9f\x90\x98"}};
  EXPECT_EQ(Json::Parse(ToJson(map)).Map(), map);
  EXPECT_EQ(ToJson({}), "{}");
  EXPECT_EQ(ToJson({{"b", "2"}, {"a", "1"}}), R"({"a":"1","b":"2"})");
  EXPECT_EQ(ToJsonString("\x01\x1f\""), R"("\u0001\u001f\"")");
}

// What is checked only where a count shows that it may be there.
TEST(JsonTest, LimitsHoldAtAnyPlaceOfALongText) {
  const std::string filler(70, ' ');
  for (std::size_t spaces = 0; spaces < filler.size(); ++spaces) {
    const std::string before = "[" + filler.substr(0, spaces);
    EXPECT_THROW(Json::Parse(before + R"("\u0000"])"), Error) << spaces;
    EXPECT_THROW(Json::Parse(before + R"("\ud800"])"), Error) << spaces;
    EXPECT_NO_THROW(Json::Parse(before + R"("\n\"\u0041"])")) << spaces;
    EXPECT_NO_THROW(Json::Parse(before + "1,2]", 3)) << spaces;
    EXPECT_THROW(Json::Parse(before + "1,2,3]", 3), Error) << spaces;
    EXPECT_NO_THROW(Json::Parse(before + R"("1,2,3,4[[{{"])", 3)) << spaces;
  }
  const std::string brackets(64, '['), closed(64, ']');
  EXPECT_NO_THROW(Json::Parse(brackets + closed));
  EXPECT_THROW(Json::Parse("[" + brackets + closed + "]"), Error);
  EXPECT_NO_THROW(Json::Parse("[\"" + brackets + "{\",[]]"));
}

TEST(JsonTest, DocumentsLiveSideBySide) {
  const Json first = Json::Parse(R"({"a": "one"})");
  Json second = Json::Parse(R"({"a": "two"})");
  EXPECT_EQ(first["a"].String(), "one");
  EXPECT_EQ(second["a"].Text(), "two");
  const Json part = second["a"];
  second = Json::Parse("[]");
  const Json third = Json::Parse(R"({"a": "three"})");
  EXPECT_EQ(part.String(), "two");
  EXPECT_EQ(third["a"].String(), "three");
}

}  // namespace
}  // namespace image_library
