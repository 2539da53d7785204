#include "train/schedule.hpp"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace limen {
namespace {

using Unit = Duration::Unit;

NumericCall call(std::string name, std::map<std::string, double> args = {},
                 std::map<std::string, Duration> durations = {}) {
  return {.name = std::move(name),
          .args = std::move(args),
          .durations = std::move(durations),
          .at = {},
          .where = {}};
}

TEST(Schedule, IsConstantWithoutACall) {
  const Schedule schedule(std::nullopt, 0.3, 10, 100);
  EXPECT_EQ(schedule.rate(0), 0.3);
  EXPECT_EQ(schedule.rate(1'000'000), 0.3);
}

TEST(Schedule, WarmsUpLinearlyToTheBaseRate) {
  const Schedule schedule(call("constant", {}, {{"warmup", {4, Unit::steps}}}), 0.8, 10, 100);
  EXPECT_DOUBLE_EQ(schedule.rate(0), 0.2);
  EXPECT_DOUBLE_EQ(schedule.rate(1), 0.4);
  EXPECT_DOUBLE_EQ(schedule.rate(3), 0.8);
  EXPECT_DOUBLE_EQ(schedule.rate(4), 0.8);
}

TEST(Schedule, MeasuresDurationsInEpochsOrSteps) {
  const Schedule schedule(call("constant", {}, {{"warmup", {0.5, Unit::epochs}}}), 1.0, 20, 100);
  EXPECT_DOUBLE_EQ(schedule.rate(0), 0.1);
  EXPECT_DOUBLE_EQ(schedule.rate(9), 1.0);
}

TEST(Schedule, StepsDownAsStepLRDoes) {
  const Schedule schedule(call("step", {{"gamma", 0.5}}, {{"every", {2, Unit::epochs}}}), 1.0, 10,
                          100);
  EXPECT_DOUBLE_EQ(schedule.rate(19), 1.0);
  EXPECT_DOUBLE_EQ(schedule.rate(20), 0.5);
  EXPECT_DOUBLE_EQ(schedule.rate(59), 0.25);
}

TEST(Schedule, DecaysByEpochAsExponentialLRDoes) {
  const Schedule schedule(call("exponential", {{"gamma", 0.9}}), 2.0, 10, 100);
  EXPECT_DOUBLE_EQ(schedule.rate(9), 2.0);
  EXPECT_DOUBLE_EQ(schedule.rate(10), 1.8);
  EXPECT_DOUBLE_EQ(schedule.rate(35), 2.0 * 0.9 * 0.9 * 0.9);
}

TEST(Schedule, FollowsTheCosineFromBaseToFinalAfterTheWarmUp) {
  const Schedule schedule(call("cosine", {{"final", 0.1}}, {{"warmup", {20, Unit::steps}}}), 1.1,
                          10, 120);
  EXPECT_DOUBLE_EQ(schedule.rate(20), 1.1);
  EXPECT_DOUBLE_EQ(schedule.rate(70), 0.6);
  EXPECT_DOUBLE_EQ(schedule.rate(45), 0.1 + (1 + std::cos(std::numbers::pi / 4)) / 2);
  EXPECT_DOUBLE_EQ(schedule.rate(120), 0.1);
  EXPECT_DOUBLE_EQ(schedule.rate(500), 0.1);
}

TEST(Schedule, KeepsAFiniteRateWhenTheWarmUpIsLongerThanTheTraining) {
  const Schedule schedule(call("cosine", {}, {{"warmup", {500, Unit::steps}}}), 1.0, 10, 100);
  EXPECT_DOUBLE_EQ(schedule.rate(99), 0.2);
  EXPECT_TRUE(std::isfinite(schedule.rate(501)));
}

TEST(Schedule, RefusesTimeUnknownNamesAndNegativeFactors) {
  EXPECT_THROW(Schedule(call("step", {}, {{"every", {10, Unit::seconds}}}), 1, 10, 100), Error);
  EXPECT_THROW(Schedule(call("zigzag"), 1, 10, 100), Error);
  EXPECT_THROW(Schedule(call("step", {{"gamma", -1}}), 1, 10, 100), Error);
  EXPECT_THROW(Schedule(call("step", {}, {{"every", {-1, Unit::steps}}}), 1, 10, 100), Error);
}

TEST(StepsOf, RoundsAndBoundsDurations) {
  EXPECT_EQ(steps_of({2.5, Unit::epochs}, 10), 25);
  EXPECT_EQ(steps_of({0.01, Unit::epochs}, 10), 1);
  EXPECT_EQ(steps_of({0.01, Unit::epochs}, 10, 0), 0);
  EXPECT_EQ(steps_of({7, Unit::steps}, 10), 7);
  EXPECT_EQ(steps_of({1e300, Unit::epochs}, 10), 1'000'000'000'000'000);
  EXPECT_EQ(steps_of({10, Unit::seconds}, 10), 0);
}

}  // namespace
}  // namespace limen
