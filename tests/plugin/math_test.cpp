// limen/math.hpp against long double, and its derivatives against calculus.
#include <limen/math.hpp>

#include <gtest/gtest.h>

#include <cmath>

#include "accuracy.hpp"

namespace limen::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Math, FunctionsAreWithinFourUlpOverTheirWholeRange) {
  EXPECT_ACCURATE(exp, -800, 800);
  EXPECT_ACCURATE(expm1, -800, 800);
  EXPECT_ACCURATE(log, 0, kInfinity);
  EXPECT_ACCURATE(log1p, -1, kInfinity);
  EXPECT_ACCURATE(tanh, -800, 800);
  EXPECT_ACCURATE(sigmoid, -800, 800);
  EXPECT_ACCURATE(softplus, -800, 800);
  EXPECT_ACCURATE(tanh_slope, -800, 800);
  EXPECT_ACCURATE(sigmoid_slope, -800, 800);
}

TEST(Math, FunctionsAreWithinFourUlpWhereTheyCouldCancel) {
  EXPECT_ACCURATE(exp, -1, 1);
  EXPECT_ACCURATE(expm1, -1, 1);
  EXPECT_ACCURATE(log, 0.5, 2);
  EXPECT_ACCURATE(log1p, -0.75, 1);
  EXPECT_ACCURATE(tanh, -1, 1);
  EXPECT_ACCURATE(sigmoid, -4, 4);
  EXPECT_ACCURATE(softplus, -4, 4);
}

template <class F>
void expect_limits() {
  const F inf = std::numeric_limits<F>::infinity(), nan = std::numeric_limits<F>::quiet_NaN();
  EXPECT_EQ(exp(inf), inf);
  EXPECT_EQ(exp(-inf), 0);
  EXPECT_EQ(expm1(inf), inf);
  EXPECT_EQ(expm1(-inf), -1);
  EXPECT_EQ(log(inf), inf);
  EXPECT_EQ(log(F(0)), -inf);
  EXPECT_TRUE(isnan(log(F(-1))));
  EXPECT_EQ(log1p(inf), inf);
  EXPECT_EQ(log1p(F(-1)), -inf);
  EXPECT_TRUE(isnan(log1p(F(-2))));
  EXPECT_EQ(tanh(inf), 1);
  EXPECT_EQ(tanh(-inf), -1);
  EXPECT_EQ(sigmoid(inf), 1);
  EXPECT_EQ(sigmoid(-inf), 0);
  EXPECT_EQ(softplus(inf), inf);
  EXPECT_EQ(softplus(-inf), 0);
  EXPECT_EQ(tanh_slope(inf), 0);
  EXPECT_EQ(sigmoid_slope(-inf), 0);
  for (const F y : {exp(nan), expm1(nan), log(nan), log1p(nan), tanh(nan), sigmoid(nan),
                    softplus(nan), tanh_slope(nan), sigmoid_slope(nan)}) {
    EXPECT_TRUE(isnan(y));
  }
  for (const F y : {expm1(F(-0.0)), log1p(F(-0.0)), tanh(F(-0.0))}) {
    EXPECT_EQ(y, 0);
    EXPECT_TRUE(std::signbit(y)) << "the sign of zero is kept";
  }
}

TEST(Math, InfinitiesZerosAndNanGiveTheLimits) {
  expect_limits<float>();
  expect_limits<double>();
}

TEST(Math, SubnormalNumbersAreNotLost) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(tanh(3 * tiny), 3 * tiny);
  EXPECT_EQ(expm1(3 * tiny), 3 * tiny);
  EXPECT_EQ(log1p(3 * tiny), 3 * tiny);
  EXPECT_NEAR(exp(-103.0f) / tiny, std::exp(-103.0L) / tiny, 0.5);
  EXPECT_NEAR(log(tiny), std::log(static_cast<double>(tiny)), 1e-5);
}

TEST(Math, NumbersOfAFormulaNeverPromote) {
  const var<float, 0> x = 0.1f;
  static_assert(std::is_same_v<decltype(0.5 * x), var<float, 0>>);
  static_assert(std::is_same_v<decltype(1 / (x + 2) - 0.25), var<float, 0>>);
  EXPECT_EQ((0.1 * x).v, 0.1f * 0.1f);
  EXPECT_TRUE(x == 0.1) << "a constant is compared as a float";
}

// f, f', f'' of one formula at one point.
struct Jet {
  double value, first, second;
};

template <class Formula>
Jet differentiate_twice(Formula f, double at) {
  using inner = var<double, 1>;
  inner a = at;
  a.d[0] = 1;
  var<inner, 1> x = a;
  x.d[0] = inner(1.0);
  const var<inner, 1> y = f(x);
  return {y.v.v, y.d[0].v, y.d[0].d[0]};
}

#define EXPECT_JET(formula, point, value_, first_, second_)                        \
  do {                                                                             \
    const double a = point;                                                        \
    const Jet jet = differentiate_twice([](auto x) { return formula; }, a);        \
    EXPECT_NEAR(jet.value, value_, 1e-14 * (1 + std::abs(value_))) << #formula;    \
    EXPECT_NEAR(jet.first, first_, 1e-14 * (1 + std::abs(first_))) << #formula;    \
    EXPECT_NEAR(jet.second, second_, 4e-14 * (1 + std::abs(second_))) << #formula; \
  } while (false)

TEST(Math, DerivativesOfBothOrdersAreThoseOfCalculus) {
  for (const double at : {0.3, 1.7, 6.0}) {
    const double e = std::exp(at), t = std::tanh(at), s = 1 / (1 + std::exp(-at)),
                 r = std::sqrt(at);
    EXPECT_JET(exp(x), at, e, e, e);
    EXPECT_JET(expm1(x), at, std::expm1(a), e, e);
    EXPECT_JET(log(x), at, std::log(a), 1 / a, -1 / (a * a));
    EXPECT_JET(log1p(x), at, std::log1p(a), 1 / (1 + a), -1 / ((1 + a) * (1 + a)));
    EXPECT_JET(sqrt(x), at, r, 0.5 / r, -0.25 / (r * a));
    EXPECT_JET(square(x), at, a * a, 2 * a, 2);
    EXPECT_JET(tanh(x), at, t, 1 - t * t, -2 * t * (1 - t * t));
    EXPECT_JET(sigmoid(x), at, s, s * (1 - s), s * (1 - s) * (1 - 2 * s));
    EXPECT_JET(softplus(x), at, std::log1p(e), s, s * (1 - s));
    EXPECT_JET(abs(-x), at, a, 1, 0);
    EXPECT_JET(1 / x, at, 1 / a, -1 / (a * a), 2 / (a * a * a));
    EXPECT_JET(x * x * x / 2 - 3 * x + 1, at, a * a * a / 2 - 3 * a + 1, 1.5 * a * a - 3, 3 * a);
    EXPECT_JET(exp(x) / x, at, e / a, e * (a - 1) / (a * a), e * (a * a - 2 * a + 2) / (a * a * a));
    EXPECT_JET(2 - x * detach(x), at, 2 - a * a, -a, 0);
  }
}

TEST(Math, SeveralDirectionsAreCarriedAtOnce) {
  var<double, 2> a = 3.0, b = 5.0;
  a.d[0] = 1, b.d[1] = 1;
  const auto y = a * b + a / b;
  EXPECT_DOUBLE_EQ(y.d[0], 5 + 0.2);
  EXPECT_DOUBLE_EQ(y.d[1], 3 - 3.0 / 25);
}

TEST(Math, MaxAndMinKeepNanAndTakeTheSecondSlopeAtATie) {
  var<float, 1> zero = 0.0f;
  zero.d[0] = 1;
  EXPECT_EQ(max(zero, 0).d[0], 0);
  EXPECT_EQ(min(zero, 0).d[0], 0);
  const var<float, 1> nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(isnan(max(nan, 0)));
  EXPECT_TRUE(isnan(min(nan, 0)));
  EXPECT_TRUE(isnan(max(zero, nan)));
}

TEST(Math, StableFormsHaveAFiniteSlopeFarOut) {
  for (const float at : {-1000.0f, -100.0f, 100.0f, 1000.0f}) {
    var<float, 1> x = at;
    x.d[0] = 1;
    EXPECT_NEAR((x * sigmoid(x)).d[0], at > 0 ? 1 : 0, 1e-40);
    EXPECT_NEAR((x * tanh(softplus(x))).d[0], at > 0 ? 1 : 0, 1e-40);
  }
}

}  // namespace
}  // namespace limen::test
