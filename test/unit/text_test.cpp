#include "core/base64.h"
#include "core/text.h"

#include <string>

#include <gtest/gtest.h>

namespace image_library {
namespace {

#define R "\xef\xbf\xbd"  // U+FFFD

TEST(TextTest, Scrubs) {
  const struct {
    std::string text, clean;
  } cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x98", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x98"},
      {"tab\tline\n", "tab\tline\n"},
      {std::string("a\0b", 3), "a" R "b"},
      {"\x1b[31mred\r", R "[31mred" R},
      {"\x7f", R},
      {"\xc2\x85", R},           // C1
      {"\xc2\xa0", "\xc2\xa0"},  // the first after C1
      {"\xff", R},
      {"\xc0\x80", R R},  // overlong
      {"\xe0\x80\xaf", R R R},
      {"\xed\xa0\x80", R R R},        // surrogate
      {"\xf4\x90\x80\x80", R R R R},  // beyond U+10FFFF
      {"\xf0\x9f\x90", R R R},        // cut short
      {"\xc3(", R "("},
      {"\x80", R},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Scrub(c.text), c.clean);
    EXPECT_EQ(Scrub(Scrub(c.text)), c.clean);
    EXPECT_TRUE(IsUtf8(Scrub(c.text)));
  }
}

TEST(TextTest, CutsAtACharacter) {
  EXPECT_EQ(ScrubLine("signed by x\nby\trelease\xe2\x80\xae \xe2\x80\x8b.", 99),
            "signed by x\xef\xbf\xbd"
            "by\xef\xbf\xbdrelease\xef\xbf\xbd \xef\xbf\xbd.");
  EXPECT_EQ(ScrubLine("J\u00fcrgen \u05d0\u05d1 \u4e2d", 99), "J\u00fcrgen \u05d0\u05d1 \u4e2d");
  EXPECT_EQ(ScrubLine("ab\ncd", 5), "ab\xef\xbf\xbd");
  EXPECT_EQ(Scrub("abcdef", 3), "abc");
  EXPECT_EQ(Scrub("ab\xe2\x82\xac", 4), "ab");
  EXPECT_EQ(Scrub("ab\xe2\x82\xac", 5), "ab\xe2\x82\xac");
  EXPECT_EQ(Scrub("\xff", 2), "");
  EXPECT_EQ(Scrub("a", 0), "");
  EXPECT_EQ(Scrub(std::string(100000, 'x')).size(), 65536u);
}

TEST(TextTest, IsUtf8) {
  for (const char* text : {"", "a", "\xc3\xa4", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", "\x1b"})
    EXPECT_TRUE(IsUtf8(text)) << text;
  for (const char* text : {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
                           "\xf5\x80\x80\x80", "a\xe2\x82", "\xfe"})
    EXPECT_FALSE(IsUtf8(text)) << text;
}

TEST(TextTest, DecodesBase64) {
  const struct {
    const char* text;
    std::string bytes;
  } cases[] = {
      {"", ""},
      {"Zg==", "f"},
      {"Zg", "f"},
      {"Zm8=", "fo"},
      {"Zm8", "fo"},
      {"Zm9v", "foo"},
      {"Zm9vYg==", "foob"},
      {"Zm9v\nYmFy\n", "foobar"},
      {"Zm9v\r\nYg==\r\n", "foob"},
      {"AAD/", std::string("\0\0\xff", 3)},
      {"+/+/", "\xfb\xff\xbf"},
      {"e30=", "{}"},
  };
  for (const auto& c : cases) {
    std::string bytes = "before";
    EXPECT_TRUE(DecodeBase64(c.text, &bytes)) << c.text;
    EXPECT_EQ(bytes, c.bytes) << c.text;
  }
}

TEST(TextTest, RefusesWhatIsNoBase64) {
  for (const char* text : {"Z", "Zm9vY", "Zm9v!", "Zm=v", "Zg=", "Zm8==", "Zm9v=", "Zg===", "=",
                           "====", "-_-_", "Zm 9v", "\xc3\xa4"}) {
    std::string bytes = "before";
    EXPECT_FALSE(DecodeBase64(text, &bytes)) << text;
    EXPECT_EQ(bytes, "before") << text;
  }
}

TEST(TextTest, PlainTextIsPrintableAscii) {
  EXPECT_TRUE(IsPlain(""));
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = byte >= 0x20 && byte <= 0x7E;
    for (std::size_t length = 1; length <= 17; ++length) {
      for (std::size_t at = 0; at < length; ++at) {
        std::string text(length, '~');
        text[at] = static_cast<char>(byte);
        EXPECT_EQ(IsPlain(text), printable) << byte << " at " << at << " of " << length;
      }
    }
  }
}

}  // namespace
}  // namespace image_library
