// What answers say of a registry's limits.
#include "registry/rate_limit.h"

#include <gtest/gtest.h>

#include "fake_transport.h"

namespace image_library::registry {
namespace {

TEST(RateLimitOfAnswersTest, WhatAnAnswerDoesNotSayStays) {
  RateLimit rate;
  EXPECT_FALSE(rate.limit);
  rate.Learn(
      Answer(200, "", {{"ratelimit-limit", "100;w=21600"}, {"ratelimit-remaining", "76;w=21600"}}));
  rate.Learn(Answer(200, R"({"tags":[]})"));
  EXPECT_EQ(rate.limit, 100);
  EXPECT_EQ(rate.remaining, 76);
  EXPECT_EQ(rate.window, 21600);
  rate.Learn(Answer(200, "", {{"ratelimit-remaining", "75"}}));
  EXPECT_EQ(rate.limit, 100);
  EXPECT_EQ(rate.remaining, 75);
  EXPECT_EQ(rate.window, 21600);
}

TEST(LimitRefusalTest, ByStatusAndRetryAfter) {
  EXPECT_TRUE(IsLimitRefusal(Answer(429)));
  EXPECT_TRUE(IsLimitRefusal(Answer(503, "", {{"retry-after", "3"}})));
  EXPECT_FALSE(IsLimitRefusal(Answer(503)));
  EXPECT_FALSE(IsLimitRefusal(Answer(503, "", {{"retry-after", "later"}})));
  EXPECT_FALSE(IsLimitRefusal(Answer(200, "", {{"retry-after", "3"}})));
  EXPECT_EQ(RetryAfter(Answer(429, "", {{"retry-after", "3"}})), 3);
  EXPECT_FALSE(RetryAfter(Answer(429)));
}

}  // namespace
}  // namespace image_library::registry
