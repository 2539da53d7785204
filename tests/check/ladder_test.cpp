#include "check/ladder.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "check/random.hpp"
#include "functions.hpp"

namespace limen::check {
namespace {

double draw(Random& random, int kind) {
  switch (kind % 4) {
    case 0:
      return random.uniform(-6, 6);
    case 1:
      return random.normal();
    case 2:
      return random.normal() * std::pow(10.0, random.uniform(-1.5, 1.5));
    default:
      return random.sign() * std::pow(10.0, random.uniform(-20, 0));
  }
}

int points() {
  const char* more = std::getenv("LIMEN_CALIBRATION_POINTS");
  return more != nullptr ? std::atoi(more) : 400;
}

// The statement that everything else rests on: the true derivative lies inside the bound; and that
// it says something: the middle bound is small.
TEST(Ladder, BoundsTheErrorOfEveryDerivativeInItsTable) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const Precision precision = precision_of(dtype);
    const double rounding = (dtype == DType::f32 ? 8 : 4) * precision.unit;
    std::vector<double> resolutions;  // of derivatives that are not 0, relative
    for (const Known& known : known_functions()) {
      Random random(1, "calibration", known.name);
      for (int i = 0; i < points(); ++i) {
        double x = draw(random, i);
        if (dtype == DType::f32) x = static_cast<double>(static_cast<float>(x));
        const Derivative d = derivative_at(
            [&](double offset) {
              return dtype == DType::f32
                         ? static_cast<double>(known.f32(static_cast<float>(x + offset)))
                         : known.f64(x + offset);
            },
            x, precision);
        if (d.kind != PointKind::smooth) continue;
        const auto truth = static_cast<double>(known.slope(x));
        EXPECT_LE(std::abs(d.value - truth), d.bound + rounding * std::abs(truth))
            << known.name << " at " << x << " in " << name_of(dtype);
        if (truth != 0) resolutions.push_back(d.bound / std::abs(truth));
      }
    }
    const auto middle = resolutions.begin() + static_cast<std::ptrdiff_t>(resolutions.size() / 2);
    std::nth_element(resolutions.begin(), middle, resolutions.end());
    EXPECT_LE(*middle, dtype == DType::f64 ? 1e-10 : 4e-4) << name_of(dtype);
    RecordProperty(std::string(name_of(dtype)) + " median resolution",
                   fmt::format("{:.2g}", *middle));
  }
}

TEST(Ladder, ResolvesSmoothFunctionsToTenDigits) {
  const Precision precision = precision_of(DType::f64);
  for (const double x : {-2.0, 0.3, 1.0, 4.5}) {
    const Derivative d = derivative_at([&](double h) { return std::tanh(x + h); }, x, precision);
    EXPECT_LT(d.bound, 1e-10) << x;
    EXPECT_EQ(d.kind, PointKind::smooth);
  }
}

Derivative at(double (*f)(double), double x) {
  return derivative_at([&](double h) { return f(x + h); }, x, precision_of(DType::f64));
}

Derivative at_offset(double added, double x) {
  return derivative_at([&](double h) { return std::sin((x + h) + added); }, x,
                       precision_of(DType::f64));
}

TEST(Ladder, FindsBothSlopesOfAKink) {
  const Derivative d = at([](double x) { return x > 0 ? 3 * x : -0.5 * x; }, 0);
  ASSERT_EQ(d.kind, PointKind::kink);
  EXPECT_NEAR(d.right.value, 3, d.right.bound);
  EXPECT_NEAR(d.left.value, -0.5, d.left.bound);
  EXPECT_LT(d.right.bound + d.left.bound, 1e-6);
}

// The central difference of |x| at 0 is 0 at every step: only the unevenness gives the kink away.
TEST(Ladder, IsNotFooledByASymmetricKink) {
  const Derivative d = at([](double x) { return std::abs(x); }, 0);
  EXPECT_EQ(d.kind, PointKind::kink);
}

TEST(Ladder, SeesAKinkNextToThePointAtTheRightScale) {
  for (const double x : {1e-4, 1e-12, 1e-20, 1e-200}) {
    const Derivative d = at([](double t) { return t > 0 ? t : 0; }, x);
    EXPECT_NEAR(d.value, 1, d.bound) << x;
    EXPECT_LT(d.bound, 1e-9) << x;
  }
}

TEST(Ladder, TellsAJumpFromAKink) {
  const Derivative step = at([](double x) { return x >= 0 ? 1.0 : 0.0; }, 0);
  ASSERT_EQ(step.kind, PointKind::jump);
  EXPECT_NEAR(step.left.value, 0, 1e-12);
  EXPECT_NEAR(step.right.value, 0, 1e-12);
  EXPECT_EQ(at([](double x) { return std::nearbyint(x); }, 1.5).kind, PointKind::jump);
}

TEST(Ladder, GivesAFlatRegionTheSlopeThatRoundingCouldHide) {
  // 1 + x is 1 for all tiny x: a slope of 1 must stay inside the bound.
  const Derivative d = at([](double x) { return (1 + x) - 1; }, 1e-18);
  EXPECT_GE(d.value + d.bound, 1);
}

TEST(Ladder, SaysNothingWhereTheFunctionIsNotFinite) {
  const Derivative d = at([](double x) { return std::log(x); }, -1);
  EXPECT_EQ(d.kind, PointKind::not_finite);
  EXPECT_EQ(d.bound, std::numeric_limits<double>::infinity());
}

TEST(Ladder, UsesTheStepsThatStayInTheDomain) {
  const Derivative d = at([](double x) { return std::sqrt(x); }, 0.01);
  EXPECT_NEAR(d.value, 5, d.bound);
  EXPECT_LT(d.bound, 1e-6);
}

TEST(Ladder, SaysWhereSlopesGrowWithoutEnd) {
  const auto log_like = [](double x) { return x == 0 ? x : x * std::log(std::abs(x)); };
  EXPECT_TRUE(at(log_like, 0).unbounded);
  EXPECT_EQ(at(log_like, 0).bound, std::numeric_limits<double>::infinity());
  EXPECT_FALSE(at(log_like, 1e-3).unbounded);
  EXPECT_TRUE(at([](double x) { return std::cbrt(x); }, 0).unbounded);
  EXPECT_TRUE(at([](double x) { return std::sqrt(std::abs(x)); }, 0).unbounded);
  EXPECT_FALSE(at([](double x) { return std::abs(x) * std::sqrt(std::abs(x)); }, 0).unbounded);
  EXPECT_FALSE(at([](double x) { return std::abs(x); }, 0).unbounded);
}

// Its differences go down by 2^(p - 1) an octave: the slope at 0 is the sum of all that is to come.
TEST(Ladder, TakesInWhatASlowSequenceHasStillToCome) {
  for (double p = 1.1; p < 2; p += 0.05) {
    const Derivative d =
        derivative_at([&](double x) { return std::copysign(std::pow(std::abs(x), p), x); }, 0,
                      precision_of(DType::f64));
    EXPECT_LE(std::abs(d.value), d.bound) << p;
    EXPECT_LT(d.bound, 0.2) << p;
    EXPECT_FALSE(d.unbounded) << p;
  }
}

// Stairs of rounding, not of f: the slope is that of many of them.
TEST(Ladder, SeesThroughStairsOfAnArgumentThatWasRounded) {
  for (const double added : {1e3, 1e4, 1e5, 1e6}) {
    for (const double x : {0.0, 0.3, 1.0, 1.5, -4.25, 8.0, 20.0}) {
      const Derivative d = at_offset(added, x);
      EXPECT_NEAR(d.value, std::cos(x + added), d.bound) << added << " " << x;
      EXPECT_LT(d.bound, 1e-6) << added << " " << x;
    }
  }
}

TEST(Ladder, EndsAtTheLargestNumbers) {
  const double top = std::numeric_limits<double>::max();
  const Derivative d = at([](double x) { return x > 0 ? x : 0.0; }, top);
  EXPECT_FALSE(std::abs(d.value - 1) > d.bound);
}

}  // namespace
}  // namespace limen::check
