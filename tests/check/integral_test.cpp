#include "check/integral.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include <limen/gradient_check.hpp>

#include "check/faults/element.hpp"
#include "check/random.hpp"

namespace limen::check {
namespace {

using Scalar = std::function<double(double)>;

BatchFunction each(const Scalar& f) {
  return [f](std::span<const double> x, std::span<double> to) {
    std::transform(x.begin(), x.end(), to.begin(), f);
  };
}

// With the allowance of a right implementation in double.
std::vector<PanelFinding> integrate(const Scalar& f, const Scalar& b, const Panel& active = {-6, 6},
                                    double low = -INFINITY) {
  const Precision precision = precision_of(DType::f64);
  const Scalar allowance = [=](double x) {
    const double step = 0x1p-20;
    const double moves = std::abs(b(x * (1 + step)) - b(x * (1 - step))) / (2 * step);
    return 16 * precision.unit * (std::abs(b(x)) + moves);
  };
  const Scalar same = [](double x) { return x; };
  const Scalar scale = [=](double x) { return std::max({std::abs(b(x)), std::abs(b(0.5)), 1e-9}); };
  return check_integral({each(f), each(b), each(allowance), scale, same, precision},
                        integral_panels(active, low, INFINITY, 1536, same));
}

std::ptrdiff_t count(const std::vector<PanelFinding>& findings, Outcome outcome) {
  return std::count_if(findings.begin(), findings.end(), [=](const PanelFinding& finding) {
    return finding.judgement.outcome == outcome;
  });
}

const PanelFinding* first_failure(const std::vector<PanelFinding>& findings) {
  const auto at = std::find_if(findings.begin(), findings.end(), [](const PanelFinding& finding) {
    return finding.judgement.outcome == Outcome::fail;
  });
  return at == findings.end() ? nullptr : &*at;
}

double sech2(double x) { return 1 / (std::cosh(x) * std::cosh(x)); }

// A stretch that no sampled point would hit, wherever it lies.
TEST(Integral, SeesEveryWrongBandOfAThousandth) {
  Random random(3, "bands");
  for (int i = 0; i < 60; ++i) {
    const double low = random.uniform(-4, 4);
    const auto findings = integrate([](double x) { return std::tanh(x); },
                                    [=](double x) {
                                      const bool wrong = x > low && x < low + 1e-3;
                                      return sech2(x) * (wrong ? 1.01 : 1);
                                    });
    const PanelFinding* found = first_failure(findings);
    ASSERT_NE(found, nullptr) << "band at " << low;
    EXPECT_GT(found->panel.high, low);
    EXPECT_LT(found->panel.low, low + 1e-3);
    EXPECT_NEAR(found->gradient, 1.01 * found->slope, 2e-3 * found->slope);
  }
}

TEST(Integral, SeesABandOfNaN) {
  const auto findings =
      integrate([](double x) { return std::tanh(x); },
                [](double x) { return x > 1.2345 && x < 1.2355 ? NAN : sech2(x); });
  EXPECT_NE(first_failure(findings), nullptr);
}

TEST(Integral, SeesASmallConstantFactor) {
  const auto findings = integrate([](double x) { return std::tanh(x); },
                                  [](double x) { return sech2(x) * (1 + 1e-9); });
  EXPECT_NE(first_failure(findings), nullptr);
}

struct Right {
  const char* name;
  double (*f)(double);
  double (*b)(double);
  double low = -INFINITY;  // of the domain
};

double knots(double x) { return std::floor(std::clamp(8 * (x + 4), 0.0, 63.0)); }
double at_knot(double k) { return 1 / (1 + std::exp(4 - k / 8)); }

const Right kRight[] = {
    {"tanh", [](double x) { return std::tanh(x); }, sech2},
    {"tanh of its value", [](double x) { return std::tanh(x); },
     [](double x) { return 1 - std::tanh(x) * std::tanh(x); }},
    {"relu", [](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0.0; }},
    {"abs of a shift", [](double x) { return std::abs(x - 0.12345); },
     [](double x) { return x > 0.12345 ? 1.0 : -1.0; }},
    {"rounded", [](double x) { return std::nearbyint(x); }, [](double) { return 0.0; }},
    {"rounded finely", [](double x) { return std::nearbyint(100 * x); },
     [](double) { return 0.0; }},
    {"sawtooth", [](double x) { return x - std::floor(x); }, [](double) { return 1.0; }},
    {"hard shrink", [](double x) { return std::abs(x) > 0.51234 ? x : 0; },
     [](double x) { return std::abs(x) > 0.51234 ? 1.0 : 0.0; }},
    {"sin(1000 x)", [](double x) { return std::sin(1000 * x); },
     [](double x) { return 1000 * std::cos(1000 * x); }},
    {"steep", [](double x) { return 1 / (1 + std::exp(-1e4 * x)); },
     [](double x) {
       const double y = 1 / (1 + std::exp(-1e4 * x));
       return 1e4 * y * (1 - y);
     }},
    {"sqrt|x|", [](double x) { return std::sqrt(std::abs(x)); },
     [](double x) { return std::copysign(0.5, x) / std::sqrt(std::abs(x)); }},
    {"log", [](double x) { return std::log(x); }, [](double x) { return 1 / x; }, 0},
    {"1000 + tanh", [](double x) { return 1000 + std::tanh(x); }, sech2},
    {"a table of 64 pieces",
     [](double x) {
       const double k = knots(x), t = 8 * (x + 4) - k;
       return at_knot(k) + t * (at_knot(k + 1) - at_knot(k));
     },
     [](double x) { return 8 * (at_knot(knots(x) + 1) - at_knot(knots(x))); }},
};

TEST(Integral, AcceptsKinksJumpsAndOscillations) {
  for (const Right& right : kRight) {
    const auto findings = integrate(right.f, right.b, {-6, 6}, right.low);
    const PanelFinding* found = first_failure(findings);
    EXPECT_EQ(found, nullptr) << right.name << ": " << found->judgement.note;
    EXPECT_LE(50 * count(findings, Outcome::undecided),
              static_cast<std::ptrdiff_t>(findings.size()))
        << right.name;
    EXPECT_GT(count(findings, Outcome::pass), 100) << right.name;
  }
}

// A jump of f is no mistake of the gradient, and hides none elsewhere.
TEST(Integral, SeesAWrongSlopeBesideJumps) {
  const auto findings = integrate([](double x) { return std::nearbyint(x) + std::tanh(x); },
                                  [](double x) { return sech2(x) * (x > 0.3 ? 1.001 : 1); });
  ASSERT_NE(first_failure(findings), nullptr);
  EXPECT_GT(first_failure(findings)->panel.high, 0.3);
}

struct Band {  // between all points that are sampled
  static constexpr auto name = "band";
  template <class T>
  static T f(T x) {
    return std::tanh(x);
  }
  template <class T>
  static T b(T x, T, T g) {
    const T slope = 1 / (std::cosh(x) * std::cosh(x));
    return x > T(2.2135) && x < T(2.2145) ? T(0.75) * g * slope : g * slope;
  }
};

TEST(Integral, IsTheOnlyTestToCatchABandBetweenAllPoints) {
  const CheckReport report = check_activation(limen_test::kOp<Band>);
  EXPECT_EQ(report.verdict, Verdict::fail);
  for (const CheckResult& result : report.checks) {
    EXPECT_EQ(result.verdict, result.test == "integral" ? Verdict::fail : Verdict::pass)
        << to_text(report);
    if (result.verdict != Verdict::fail) continue;
    EXPECT_NEAR(result.failures.at(0).x, 2.214, 6e-4);
    EXPECT_NEAR(result.failures[0].got, 0.75 * result.failures[0].expected, 1e-3);
  }
}

}  // namespace
}  // namespace limen::check
