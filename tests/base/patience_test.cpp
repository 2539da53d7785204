#include "base/patience.hpp"

#include <gtest/gtest.h>

namespace limen {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class PatienceTest : public testing::Test {
 protected:
  // A loop ends after `wait`; then the time passes until loops are parallel again.
  Patience::Duration alone_after(Patience::Duration wait) {
    now_ += wait;
    patience_.judge(microseconds(20), wait, now_);
    const Patience::Time begin = now_;
    while (patience_.alone(now_)) now_ += milliseconds(1);
    return now_ - begin;
  }
  Patience patience_;
  Patience::Time now_{std::chrono::hours(1)};
};

TEST_F(PatienceTest, KeepsLoopsParallelWhileHelpersAreInTime) {
  EXPECT_EQ(alone_after(microseconds(0)), Patience::Duration(0));
  EXPECT_EQ(alone_after(microseconds(80)), Patience::Duration(0));
  now_ += milliseconds(30);
  patience_.judge(milliseconds(10), milliseconds(19), now_);  // uneven shares of a long loop
  EXPECT_FALSE(patience_.alone(now_));
}

TEST_F(PatienceTest, RunsAloneLongerEachTimeHelpersAreLateInARow) {
  EXPECT_EQ(alone_after(milliseconds(5)), milliseconds(20));
  EXPECT_EQ(alone_after(milliseconds(5)), milliseconds(40));
  EXPECT_EQ(alone_after(milliseconds(5)), milliseconds(80));
  for (int i = 0; i < 20; ++i) alone_after(milliseconds(5));
  EXPECT_EQ(alone_after(milliseconds(5)), milliseconds(1280));  // bounded
}

TEST_F(PatienceTest, ForgetsAHiccup) {
  alone_after(milliseconds(5));
  alone_after(milliseconds(5));
  now_ += milliseconds(500);
  EXPECT_EQ(alone_after(milliseconds(5)), milliseconds(20));
}

}  // namespace
}  // namespace limen
