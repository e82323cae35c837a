#include "core/host_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace image_library {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HostListTest, NamesGlobsAndPorts) {
  const std::vector<std::string> hosts = {"registry.example.org", "*.Corp.example", "lab:5000",
                                          "[::1]", "[fd00::1]:443"};
  for (const auto& [host, port] :
       std::vector<std::pair<const char*, const char*>>{{"registry.example.org", "443"},
                                                        {"REGISTRY.example.org", "5000"},
                                                        {"a.corp.example", "443"},
                                                        {"a.b.corp.example", "443"},
                                                        {"lab", "5000"},
                                                        {"[::1]", "5000"},
                                                        {"[fd00::1]", "443"}})
    EXPECT_TRUE(MatchesHost(hosts, host, port)) << host << ":" << port;
  for (const auto& [host, port] :
       std::vector<std::pair<const char*, const char*>>{{"example.org", "443"},
                                                        {"xregistry.example.org", "443"},
                                                        {"registry.example.org.evil.test", "443"},
                                                        {"corp.example", "443"},
                                                        {"evilcorp.example", "443"},
                                                        {"lab", "443"},
                                                        {"[::2]", "443"},
                                                        {"[fd00::1]", "8443"},
                                                        {"", "443"}})
    EXPECT_FALSE(MatchesHost(hosts, host, port)) << host << ":" << port;
  EXPECT_FALSE(MatchesHost({}, "registry.example.org", "443"));
  EXPECT_TRUE(MatchesHost({"*"}, "anything", "1"));
}

TEST(HostListTest, AGlobOfManyStarsEnds) {
  const std::string stars = "*a*a*a*a*a*a*a*a*a*a*a*a*b";
  EXPECT_FALSE(MatchesHost({stars}, std::string(5000, 'a'), "443"));
}

TEST(HostListTest, WhatIsAPattern) {
  for (const char* text : {"a", "*.a.b", "a_b-c.d:5000", "[::1]", "[fe80::1]:443", "*", "10.0.0.*"})
    EXPECT_TRUE(IsHostPattern(text)) << text;
  for (const char* text :
       {"", ":443", "a:", "a:x", "https://a", "a/b", "u@a", "[::1", "[]", "[a%b]", "a b", "a:1:2"})
    EXPECT_FALSE(IsHostPattern(text)) << text;
}

TEST(HostListTest, ASettingIsTakenApart) {
  EXPECT_THAT(SplitHostPatterns(" a.b, *.c,,\n d:1 "), ElementsAre("a.b", "*.c", "d:1"));
  EXPECT_THAT(SplitHostPatterns("  , "), IsEmpty());
}

}  // namespace
}  // namespace image_library
