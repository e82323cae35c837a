#include "registry/ceiling.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

namespace image_library::registry {
namespace {

using std::chrono::milliseconds;

// A registry with as many requests in flight as the ceiling lets in, or as are given.
class CeilingTest : public testing::Test {
 protected:
  void Answer(Ceiling& ceiling, int count, std::optional<milliseconds> waited = milliseconds(20),
              bool full = true) {
    for (int i = 0; i < count; ++i) {
      ++newest_;
      ceiling.Answered(newest_, newest_, full, waited);
    }
  }
  void Refuse(Ceiling& ceiling) {
    ++newest_;
    ceiling.Refused(newest_, newest_);
  }

  std::uint64_t newest_ = 0;
};

TEST_F(CeilingTest, BeginsWithWhatIsSetUpToSixteen) {
  EXPECT_EQ(Ceiling(1).now(), 1);
  EXPECT_EQ(Ceiling(4).now(), 4);
  EXPECT_EQ(Ceiling(16).now(), 16);
  EXPECT_EQ(Ceiling(64).now(), 16);
  EXPECT_EQ(Ceiling(0).now(), 1);
}

TEST_F(CeilingTest, GrowsWithEachAnswerUpToTheMost) {
  Ceiling ceiling(64);
  Answer(ceiling, 10);
  EXPECT_EQ(ceiling.now(), 26);
  Answer(ceiling, 1000);
  EXPECT_EQ(ceiling.now(), 64);
  EXPECT_EQ(ceiling.lowest(), 16);
}

TEST_F(CeilingTest, StaysWhereItIsNotUsedUp) {
  Ceiling ceiling(64);
  Answer(ceiling, 1000, milliseconds(20), false);
  EXPECT_EQ(ceiling.now(), 16);
}

TEST_F(CeilingTest, IsHalvedByARefusalDownToOne) {
  Ceiling ceiling(16);
  for (const int expected : {8, 4, 2, 1, 1}) {
    Refuse(ceiling);
    EXPECT_EQ(ceiling.now(), expected);
  }
  EXPECT_EQ(ceiling.lowest(), 1);
}

TEST_F(CeilingTest, RefusalsOfOneMomentCountOnce) {
  Ceiling ceiling(16);
  for (std::uint64_t number = 1; number <= 16; ++number) ceiling.Refused(number, 16);
  EXPECT_EQ(ceiling.now(), 8);
  // An answer to a request that was sent before says nothing of what is borne now.
  for (std::uint64_t number = 1; number <= 16; ++number)
    ceiling.Answered(number, 16, true, milliseconds(20));
  EXPECT_EQ(ceiling.now(), 8);
  ceiling.Refused(17, 17);
  EXPECT_EQ(ceiling.now(), 4);
}

TEST_F(CeilingTest, GrowsByOneARoundAfterADecrease) {
  Ceiling ceiling(16);
  Refuse(ceiling);
  Answer(ceiling, 7);
  EXPECT_EQ(ceiling.now(), 8);
  Answer(ceiling, 1);
  EXPECT_EQ(ceiling.now(), 9);
  Answer(ceiling, 9);
  EXPECT_EQ(ceiling.now(), 10);
  Answer(ceiling, 1000);
  EXPECT_EQ(ceiling.now(), 16);
}

TEST_F(CeilingTest, AnswersThatTakeFarLongerThanAtBestLowerIt) {
  Ceiling ceiling(64);
  Answer(ceiling, 100);
  EXPECT_EQ(ceiling.now(), 64);
  Answer(ceiling, 100, milliseconds(5000));
  EXPECT_EQ(ceiling.now(), 4) << "but never to where a registry would be left waiting";
  Answer(ceiling, 3000);
  EXPECT_EQ(ceiling.now(), 64);
}

TEST_F(CeilingTest, AFastRegistryMayTakeManyTimesItsBest) {
  Ceiling ceiling(64);
  Answer(ceiling, 100, milliseconds(1));
  Answer(ceiling, 1000, milliseconds(200));
  EXPECT_EQ(ceiling.now(), 64);
}

TEST_F(CeilingTest, ARegistryThatHasBecomeSlowForGoodIsNotHeldDown) {
  Ceiling ceiling(64);
  Answer(ceiling, 100);
  Answer(ceiling, 4000, milliseconds(5000));
  EXPECT_EQ(ceiling.now(), 64);
}

TEST_F(CeilingTest, AnswersOfUnknownTimeOnlyRaiseIt) {
  Ceiling ceiling(64);
  Answer(ceiling, 1000, std::nullopt);
  EXPECT_EQ(ceiling.now(), 64);
  EXPECT_EQ(ceiling.lowest(), 16);
}

}  // namespace
}  // namespace image_library::registry
