// What a run makes of a registry that limits requests. Time is the transport's, and nobody waits.
#include "sync/limits.h"

#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "fake_transport.h"
#include "registry/client.h"

namespace image_library::sync {
namespace {

using registry::Answer;
using registry::Await;
using registry::FakeTransport;
using registry::Group;
using registry::Request;
using registry::Response;
using registry::Task;

class LimitsTest : public testing::Test {
 protected:
  LimitsTest() : transport_([this](const Request& request) { return handler_(request); }) {}

  /// Refuses so many requests, then takes them.
  void Refuse(int times, const std::string& retry_after = "", int status = 429) {
    left_ = times;
    handler_ = [this, retry_after, status](const Request&) {
      if (left_-- <= 0) return Answer(200);
      if (retry_after.empty()) return Answer(status);
      return Answer(status, "", {{"retry-after", retry_after}});
    };
  }
  int Send() {
    Request request;
    request.url = "https://r.example/v2/";
    return Await(limits_.Send(std::move(request))).status;
  }
  ErrorKind ErrorOfSend() {
    Request request;
    request.url = "https://r.example/v2/";
    return registry::ErrorOf(limits_.Send(std::move(request))).kind();
  }
  /// Milliseconds slept since the last call.
  int Slept() {
    const int slept = std::accumulate(transport_.sleeps.begin(), transport_.sleeps.end(), 0);
    transport_.sleeps.clear();
    return slept;
  }

  int left_ = 0;
  FakeTransport::Handler handler_;
  FakeTransport transport_;
  LimitedTransport limits_{transport_, std::nullopt, "https://r.example"};
};

TEST_F(LimitsTest, ARefusedRequestIsSentAgainAfterTheTimeThatItNames) {
  for (const int status : {429, 503}) {
    Refuse(1, "3", status);
    EXPECT_EQ(Send(), 200);
    EXPECT_GE(Slept(), 3000);
    EXPECT_FALSE(limits_.limited());
  }
  EXPECT_EQ(limits_.retries(), 2);
  EXPECT_EQ(limits_.sent(), 4);
}

TEST_F(LimitsTest, WithoutATimeThePausesGrow) {
  Refuse(7);
  EXPECT_EQ(Send(), 200);
  EXPECT_EQ(Slept(), 250 * 127);  // 250 + 500 + ... + 16,000
  EXPECT_FALSE(limits_.limited());
  // A success ends their growth.
  Refuse(1);
  EXPECT_EQ(Send(), 200);
  EXPECT_LE(Slept(), 250 + 2000 + 2000);
}

TEST_F(LimitsTest, AfterwardsRequestsGoSlowlyAndFasterWithEachSuccess) {
  Refuse(3);
  EXPECT_EQ(Send(), 200);
  Slept();
  std::vector<int> gaps;
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(Send(), 200);
    gaps.push_back(Slept());
  }
  EXPECT_THAT(gaps.front(), testing::AllOf(testing::Ge(150), testing::Le(200)));
  for (std::size_t i = 1; i < gaps.size(); ++i) EXPECT_LE(gaps[i], gaps[i - 1]);
  EXPECT_EQ(gaps.back(), 0);
}

TEST_F(LimitsTest, ALongTimeEndsTheRun) {
  Refuse(1000, "31");
  EXPECT_EQ(Send(), 429);
  EXPECT_TRUE(limits_.limited());
  EXPECT_EQ(limits_.retry_after(), 31);
  EXPECT_EQ(ErrorOfSend(), ErrorKind::kBudget);
  EXPECT_EQ(transport_.log.size(), 1u);
  EXPECT_EQ(Slept(), 0);
}

TEST_F(LimitsTest, ARegistryThatKeepsRefusingEndsTheRun) {
  Refuse(1000);
  EXPECT_EQ(Send(), 429);
  EXPECT_EQ(transport_.log.size(), 8u);
  EXPECT_TRUE(limits_.limited());
  EXPECT_EQ(limits_.retry_after(), 0);
  EXPECT_EQ(ErrorOfSend(), ErrorKind::kBudget);
  EXPECT_EQ(transport_.log.size(), 8u);
}

TEST_F(LimitsTest, SevenRefusalsBetweenSuccessesDoNotEndIt) {
  for (int i = 0; i < 5; ++i) {
    Refuse(7);
    EXPECT_EQ(Send(), 200);
  }
  EXPECT_FALSE(limits_.limited());
}

Task<void> SendInto(LimitedTransport& limits, std::string url, std::vector<int>* statuses) {
  Request request;
  request.url = url;
  statuses->push_back((co_await limits.Send(std::move(request))).status);
}

// Twenty requests that were under way together are one refusal, not twenty.
TEST_F(LimitsTest, WhatWasUnderWayTogetherIsRefusedOnce) {
  std::set<std::string> refused;
  handler_ = [&refused](const Request& request) {
    return Answer(refused.insert(request.url).second ? 429 : 200);
  };
  transport_.holding = true;
  std::vector<int> statuses;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(SendInto(limits_, "https://r.example/" + std::to_string(i), &statuses));
    tasks.back().Start();
  }
  transport_.holding = false;
  transport_.held.ResumeAll();
  EXPECT_EQ(statuses, std::vector<int>(20, 200));
  EXPECT_FALSE(limits_.limited());
  EXPECT_EQ(limits_.sent(), 40);
  // They waited for the first pause, and then for each other.
  EXPECT_THAT(Slept(), testing::AllOf(testing::Ge(250), testing::Le(250 + 20 * 50)));
}

// What waits for a connection is called back, and what is refused is counted against the budget.
TEST_F(LimitsTest, TheQueueIsCalledBackAndTheBudgetHolds) {
  LimitedTransport limits(transport_, 3, "https://r.example");
  Refuse(1000);
  Request request;
  request.url = "https://r.example/v2/";
  EXPECT_EQ(registry::ErrorOf(limits.Send(std::move(request))).kind(), ErrorKind::kBudget);
  EXPECT_EQ(limits.sent(), 3);
  EXPECT_EQ(transport_.drops, 3);
}

TEST(LimitedTransportTest, RateHeadersOfOthersAreNotTheRegistrys) {
  FakeTransport transport([](const Request&) {
    return Answer(200, {}, {{"ratelimit-limit", "100"}, {"ratelimit-remaining", "0"}});
  });
  LimitedTransport limits(transport, std::nullopt, "https://r.example");
  registry::Request request;
  for (const char* url : {"https://cdn.example/blob", "https://r.example.org/blob"}) {
    request.url = url;
    registry::Await(limits.Send(request));
    EXPECT_FALSE(limits.limited()) << url;
  }
  request.url = "https://r.example/v2/";
  registry::Await(limits.Send(request));
  EXPECT_TRUE(limits.limited());
  EXPECT_EQ(registry::ErrorOf(limits.Send(request)).kind(), ErrorKind::kBudget);
  EXPECT_EQ(limits.sent(), 3);
}

TEST(LimitedTransportTest, RetryAfterOfTheTokenServerCounts) {
  FakeTransport transport([](const Request& request) {
    return request.url.find("/token") != std::string::npos
               ? Answer(429, "", {{"retry-after", "120"}})
               : Answer(401, "",
                        {{"www-authenticate", R"(Bearer realm="https://r.example/token")"}});
  });
  LimitedTransport limits(transport, std::nullopt, "https://r.example");
  registry::Client client({ParseRegistryUrl("https://r.example"), {}}, limits);
  EXPECT_EQ(registry::ErrorOf(client.ListTags("app")).kind(), ErrorKind::kRateLimited);
  EXPECT_TRUE(limits.limited());
  EXPECT_EQ(limits.retry_after(), 120);
}

}  // namespace
}  // namespace image_library::sync
