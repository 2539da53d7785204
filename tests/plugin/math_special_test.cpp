// The special functions of limen/math.hpp: accuracy, limits, huge arguments, derivatives.
#include <cmath>

#include "accuracy.hpp"

namespace limen::test {
namespace {

template <class F>
constexpr F kInfinity = std::numeric_limits<F>::infinity();
template <class F>
constexpr F kNan = std::numeric_limits<F>::quiet_NaN();

TEST(SpecialMath, FunctionsAreWithinFourUlpOverTheirWholeRange) {
  constexpr double kAll = std::numeric_limits<double>::infinity();
  EXPECT_ACCURATE(erf, -kAll, kAll);
  EXPECT_ACCURATE(erfc, -kAll, kAll);
  EXPECT_ACCURATE(gauss_cdf, -kAll, kAll);
  EXPECT_ACCURATE(gauss_pdf, -kAll, kAll);
  EXPECT_ACCURATE(exp_neg_square, -kAll, kAll);
  EXPECT_ACCURATE(atan, -kAll, kAll);
  EXPECT_ACCURATE(atan_slope, -kAll, kAll);
  EXPECT_ACCURATE(tanh_softplus, -kAll, kAll);
}

TEST(SpecialMath, FunctionsAreWithinFourUlpInTheirTails) {
  EXPECT_ACCURATE(erf, -1.5, 1.5);
  EXPECT_ACCURATE(erfc, -1, 1);
  EXPECT_ACCURATE(erfc, 1, 30);
  EXPECT_ACCURATE(gauss_cdf, -1, 1);
  EXPECT_ACCURATE(gauss_cdf, -40, -1);
  EXPECT_ACCURATE(gauss_pdf, -40, 40);
  EXPECT_ACCURATE(times_gauss_cdf, -40, 40);
  EXPECT_ACCURATE(times_gauss_cdf, -4, 1);
  EXPECT_ACCURATE(exp_neg_square, -30, 30);
  EXPECT_ACCURATE(atan, -3, 3);
}

TEST(SpecialMath, SineAndCosineAreRightForEveryFloatAndForDoublesTo67Million) {
  const auto sine = [](auto x) { return limen::sin(x); };
  const auto cosine = [](auto x) { return limen::cos(x); };
  for (const double end : {1.0, 10.0, 3e5, 0x1p26}) {
    expect_within<float>(4, -end, end, sine);
    expect_within<double>(4, -end, end, sine);
    expect_within<float>(4, -end, end, cosine);
    expect_within<double>(4, -end, end, cosine);
  }
  const double most = std::numeric_limits<float>::max();
  expect_within<float>(4, -most, most, sine);
  expect_within<float>(4, -most, most, cosine);
  // The multiples of pi/2 that lie nearest to a float and to a double of moderate size.
  EXPECT_LE(ulp_error(limen::cos(0x1.2d97c6p+25f), std::cos(0x1.2d97c6p+25L)), 4);
  EXPECT_LE(ulp_error(limen::sin(0x1.921fb54442d18p+1), std::sin(0x1.921fb54442d18p+1L)), 4);
  for (const double x : {1e9, 1e20, 1e300}) {
    EXPECT_LE(std::abs(limen::sin(x)), 1) << "no digit is promised, but the range is";
    EXPECT_LE(std::abs(limen::cos(-x)), 1);
  }
}

template <class F>
void expect_limits() {
  const F inf = kInfinity<F>, nan = kNan<F>;
  EXPECT_EQ(erf(inf), 1);
  EXPECT_EQ(erf(-inf), -1);
  EXPECT_EQ(erfc(inf), 0);
  EXPECT_EQ(erfc(-inf), 2);
  EXPECT_EQ(gauss_cdf(inf), 1);
  EXPECT_EQ(gauss_cdf(-inf), 0);
  EXPECT_EQ(gauss_cdf(F(0)), F(0.5));
  EXPECT_EQ(exp_neg_square(-inf), 0);
  EXPECT_EQ(exp_neg_square(F(0)), 1);
  EXPECT_EQ(atan(inf), static_cast<F>(std::atan(kInfinity<long double>)));
  EXPECT_EQ(atan_slope(-inf), 0);
  EXPECT_EQ(times_sigmoid(inf, inf), inf);
  EXPECT_EQ(times_sigmoid(-inf, -inf), 0);
  EXPECT_EQ(times_tanh_softplus(inf, inf), inf);
  EXPECT_EQ(times_tanh_softplus(-inf, -inf), 0);
  EXPECT_EQ(times_gauss_cdf(inf, inf), inf);
  EXPECT_EQ(times_gauss_cdf(-inf, -inf), 0);
  for (const F y :
       {erf(nan), erfc(nan), gauss_cdf(nan), gauss_pdf(nan), exp_neg_square(nan), sin(nan),
        cos(nan), sin(inf), cos(-inf), atan(nan), atan_slope(nan), tanh_softplus(nan),
        times_sigmoid(nan, nan), times_tanh_softplus(nan, nan), times_gauss_cdf(nan, nan),
        times_sigmoid(F(1), nan), times_tanh_softplus(F(1), -nan), exp_neg_square(-nan)}) {
    EXPECT_TRUE(isnan(y));
  }
  // Exponents are added to as integers, which must not make a number of a NaN with digits.
  for (const int digits : {1, 0x123, 0x1ff, 0x1000}) {
    using bits = typename detail::fp<F>::bits;
    const F odd = std::bit_cast<F>(static_cast<bits>(std::bit_cast<bits>(nan) + bits(digits)));
    var<F, 1> x = odd;
    x.d[0] = 1;
    for (const F y : {exp(odd), erf(odd), erfc(odd), gauss_cdf(odd), gauss_pdf(odd), sigmoid(odd),
                      exp_neg_square(odd), times_gauss_cdf(odd), times_sigmoid(odd, odd),
                      swish(x, F(1)).d[0], tanh_softplus(odd), times_gauss_cdf(x).d[0]}) {
      EXPECT_TRUE(isnan(y)) << digits;
    }
  }
  const F tiny = 3 * std::numeric_limits<F>::denorm_min();
  for (const auto& [x, y] : {std::pair{sin(tiny), tiny}, {sin(-tiny), -tiny}, {atan(tiny), tiny}}) {
    EXPECT_EQ(x, y);
  }
  for (const F y : {erf(F(-0.0)), sin(F(-0.0)), atan(F(-0.0))}) {
    EXPECT_EQ(y, 0);
    EXPECT_TRUE(std::signbit(y)) << "the sign of zero is kept";
  }
}

TEST(SpecialMath, InfinitiesZerosAndNanGiveTheLimits) {
  expect_limits<float>();
  expect_limits<double>();
}

// The product of `a` and a gate, where the gate alone is subnormal and its product is not.
TEST(SpecialMath, GatesDoNotLoseDigitsWhereTheyAreTiny) {
  for (const float x : {-70.0f, -88.5f, -95.0f, -102.0f}) {
    const long double e = std::exp(static_cast<long double>(x));
    EXPECT_LE(ulp_error(times_sigmoid(x, x), x * (e / (1 + e))), 4) << x;
    EXPECT_LE(ulp_error(times_tanh_softplus(x, x), x * (e * (e + 2) / (e * (e + 2) + 2))), 4) << x;
  }
  EXPECT_EQ(times_sigmoid(-1e38f, -1e38f), 0);
  EXPECT_EQ(times_tanh_softplus(-1e38f, -1e38f), 0);
  EXPECT_EQ(times_sigmoid(1e38f, 1e38f), 1e38f);
  EXPECT_EQ(times_tanh_softplus(1e38f, 1e38f), 1e38f);
}

template <class F>
void expect_pow_of_c() {
  const F inf = kInfinity<F>;
  const F numbers[] = {0,
                       F(-0.0),
                       1,
                       -1,
                       2,
                       -2,
                       3,
                       -3,
                       F(0.5),
                       F(-0.5),
                       F(1e-30),
                       F(-1e30),
                       7,
                       -7,
                       F(8388609),
                       F(-16777215),
                       inf,
                       -inf,
                       kNan<F>,
                       std::numeric_limits<F>::denorm_min(),
                       std::numeric_limits<F>::max()};
  for (const F x : numbers) {
    for (const F y : numbers) {
      const F got = limen::pow(x, y);
      const long double exact = std::pow(static_cast<long double>(x), static_cast<long double>(y));
      EXPECT_LE(ulp_error(got, exact), 4) << x << " to the " << y;
      EXPECT_TRUE(isnan(got) || std::signbit(got) == std::signbit(exact)) << x << " to the " << y;
    }
  }
}

TEST(SpecialMath, PowersAreThoseOfC) {
  expect_pow_of_c<float>();
  expect_pow_of_c<double>();
}

TEST(SpecialMath, PowersAreWithinFourUlpUpToOverflowAndUnderflow) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> unit(-1, 1);
  const auto worst = [&]<class F>(F) {
    double ulp = 0;
    for (int i = 0; i < 50000; ++i) {  // bases of every size and near 1, results of every size
      const F x = static_cast<F>(i % 2 ? std::exp(unit(random) * (sizeof(F) == 4 ? 80 : 700))
                                       : 1 + unit(random) * std::ldexp(1, -i % 20));
      const double most = sizeof(F) == 4 ? 103 : 744;
      const F y = static_cast<F>(unit(random) * most / std::log(static_cast<double>(x)));
      ulp = std::max(ulp, ulp_error(limen::pow(x, y), std::pow(static_cast<long double>(x),
                                                               static_cast<long double>(y))));
    }
    return ulp;
  };
  EXPECT_LE(worst(float{}), 4);
  EXPECT_LE(worst(double{}), 4);
}

// f' and f'' of one formula at one point against differences of f and f' in long double.
template <class Formula>
void expect_derivatives(const char* text, Formula f, double at) {
  using inner = var<double, 1>;
  inner a = at;
  a.d[0] = 1;
  var<inner, 1> x = a;
  x.d[0] = inner(1.0);
  const var<inner, 1> y = f(x);
  const auto value = [&](long double t) { return f(var<long double, 0>(t)).v; };
  const auto slope = [&](long double t) {
    var<long double, 1> b = t;
    b.d[0] = 1;
    return f(b).d[0];
  };
  const long double h = 1e-5L;
  const long double first = (value(at + h) - value(at - h)) / (2 * h);
  const long double second = (slope(at + h) - slope(at - h)) / (2 * h);
  EXPECT_NEAR(y.v.v, value(at), 2e-15 * (1 + std::abs(value(at)))) << text << " at " << at;
  EXPECT_NEAR(y.d[0].v, first, 1e-9 * (1 + std::abs(first))) << text << " at " << at;
  EXPECT_NEAR(y.d[0].d[0], second, 1e-9 * (1 + std::abs(second))) << text << " at " << at;
}

#define EXPECT_DERIVATIVES(formula) \
  expect_derivatives(               \
      #formula, [](auto x) { return formula; }, at)

TEST(SpecialMath, DerivativesOfBothOrdersAreThoseOfCalculus) {
  for (const double at : {-2.3, -0.6, 0.3, 1.7, 3.1}) {
    EXPECT_DERIVATIVES(erf(x));
    EXPECT_DERIVATIVES(erfc(x));
    EXPECT_DERIVATIVES(gauss_cdf(x));
    EXPECT_DERIVATIVES(exp_neg_square(x));
    EXPECT_DERIVATIVES(sin(x));
    EXPECT_DERIVATIVES(cos(x));
    EXPECT_DERIVATIVES(atan(x));
    EXPECT_DERIVATIVES(tanh_softplus(x));
    EXPECT_DERIVATIVES(times_sigmoid(x, 1.5 * x));
    EXPECT_DERIVATIVES(times_sigmoid(2 * x, x));
    EXPECT_DERIVATIVES(times_tanh_softplus(x, x));
    EXPECT_DERIVATIVES(times_gauss_cdf(x, x));
    EXPECT_DERIVATIVES(pow(x, 3));
    EXPECT_DERIVATIVES(pow(x + 4, 0.25));
    EXPECT_DERIVATIVES(pow(x + 4, x));
    EXPECT_DERIVATIVES(pow(2.5, x));
  }
}

// Which the kernels of silu hand over as a number without derivatives.
TEST(SpecialMath, SwishOfAConstantTakesTheShortWay) {
  for (float at = -3; at < 3; at += 0.1f) {
    var<float, 1> x = at;
    x.d[0] = 1;
    EXPECT_EQ(swish(x, var<float, 0>(1.5f)).d[0], times_sigmoid_slope(1.5f * at)) << at;
  }
}

TEST(SpecialMath, SlopesKeepTheirDigitsInTheTails) {
  for (const float at : {-13.9f, -9.0f, 9.0f, 13.9f}) {
    var<float, 1> x = at;
    x.d[0] = 1;
    EXPECT_LE(ulp_error(gauss_cdf(x).d[0], gauss_pdf(static_cast<long double>(at))), 4);
    x.v = at / 1.5f;
    EXPECT_LE(ulp_error(erf(x).d[0],
                        1.12837916709551257390L * exp_neg_square(static_cast<long double>(x.v))),
              4);
  }
}

TEST(SpecialMath, SlopesAreFiniteAtTheEdges) {
  const auto slope = [](auto f, float at) {
    var<float, 1> x = at;
    x.d[0] = 1;
    return f(x).d[0];
  };
  for (const float at : {1000.0f, 1e30f, std::numeric_limits<float>::max(), kInfinity<float>}) {
    for (const auto& [gate, limit] : {std::pair{at, 1.0f}, {-at, 0.0f}}) {
      EXPECT_EQ(slope([](auto x) { return times_sigmoid(x, x); }, gate), limit) << gate;
      EXPECT_EQ(slope([](auto x) { return times_tanh_softplus(x, x); }, gate), limit) << gate;
      EXPECT_EQ(slope([](auto x) { return times_gauss_cdf(x, x); }, gate), limit) << gate;
    }
  }
  EXPECT_EQ(slope([](auto x) { return pow(x, 2); }, 0), 0);
  EXPECT_EQ(slope([](auto x) { return pow(x, 1); }, 0), 1);
  EXPECT_EQ(slope([](auto x) { return pow(x, 0); }, 0), 0);
  EXPECT_EQ(slope([](auto x) { return pow(0, x); }, 2), 0);
}

}  // namespace
}  // namespace limen::test
