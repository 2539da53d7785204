#include "plugin/formula_functions.hpp"

#include <array>
#include <cmath>
#include <numbers>

namespace limen {
namespace {

using Real = long double;

Dual chain(Dual a, Real value, Real slope) { return {value, a.slope == 0 ? 0 : slope * a.slope}; }

Real sigmoid_of(Real x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const Real e = std::exp(x);
  return e / (1 + e);
}

Real sigmoid_slope(Real x) {
  const Real e = std::exp(-std::fabs(x));
  return e / ((1 + e) * (1 + e));
}

Real tanh_slope(Real x) {
  const Real e = std::exp(-2 * std::fabs(x));
  return 4 * e / ((1 + e) * (1 + e));
}

Real softplus_of(Real x) { return std::fmax(x, Real{0}) + std::log1p(std::exp(-std::fabs(x))); }

// As in limen/math.hpp: NaN if either is; where both are equal the derivative is b's.
Dual larger(Dual a, Dual b) { return a.value > b.value || std::isnan(a.value) ? a : b; }
Dual smaller(Dual a, Dual b) { return a.value < b.value || std::isnan(a.value) ? a : b; }

constexpr Real kTwoOverRootPi = 2 * std::numbers::inv_sqrtpi_v<Real>;

constexpr auto kFunctions = std::to_array<FormulaFunction>({
    {"exp", 1, 1, false,
     [](Dual a, Dual) { return chain(a, std::exp(a.value), std::exp(a.value)); }},
    {"expm1", 1, 1, false,
     [](Dual a, Dual) { return chain(a, std::expm1(a.value), std::exp(a.value)); }},
    {"log", 1, 1, false, [](Dual a, Dual) { return chain(a, std::log(a.value), 1 / a.value); }},
    {"log1p", 1, 1, false,
     [](Dual a, Dual) { return chain(a, std::log1p(a.value), 1 / (1 + a.value)); }},
    {"tanh", 1, 1, false,
     [](Dual a, Dual) { return chain(a, std::tanh(a.value), tanh_slope(a.value)); }},
    {"sigmoid", 1, 1, false,
     [](Dual a, Dual) { return chain(a, sigmoid_of(a.value), sigmoid_slope(a.value)); }},
    {"softplus", 1, 1, false,
     [](Dual a, Dual) { return chain(a, softplus_of(a.value), sigmoid_of(a.value)); }},
    {"sqrt", 1, 1, false,
     [](Dual a, Dual) { return chain(a, std::sqrt(a.value), 1 / (2 * std::sqrt(a.value))); }},
    {"square", 1, 1, false, [](Dual a, Dual) { return chain(a, a.value * a.value, 2 * a.value); }},
    {"abs", 1, 1, false,
     [](Dual a, Dual) {
       return chain(a, std::fabs(a.value), Real(a.value > 0 ? 1 : a.value < 0 ? -1 : 0));
     }},
    {"max", 2, 8, false, larger},
    {"min", 2, 8, false, smaller},
    {"erf", 1, 1, false,
     [](Dual a, Dual) {
       return chain(a, std::erf(a.value), kTwoOverRootPi * std::exp(-a.value * a.value));
     }},
    {"erfc", 1, 1, false,
     [](Dual a, Dual) {
       return chain(a, std::erfc(a.value), -kTwoOverRootPi * std::exp(-a.value * a.value));
     }},
    {"sin", 1, 1, false,
     [](Dual a, Dual) { return chain(a, std::sin(a.value), std::cos(a.value)); }},
    {"cos", 1, 1, false,
     [](Dual a, Dual) { return chain(a, std::cos(a.value), -std::sin(a.value)); }},
    {"atan", 1, 1, false,
     [](Dual a, Dual) { return chain(a, std::atan(a.value), 1 / (1 + a.value * a.value)); }},
    {"pow", 2, 2, false, dual_power},
    {"relu", 1, 1, false, [](Dual a, Dual) { return larger(a, Dual{}); }},
    {"clamp", 3, 3, false, nullptr},  // read as min(max(x, low), high)
    {"isnan", 1, 1, true, [](Dual a, Dual) { return Dual{Real(std::isnan(a.value) ? 1 : 0), 0}; }},
});

}  // namespace

std::span<const FormulaFunction> formula_functions() { return kFunctions; }

Dual dual_power(Dual base, Dual exponent) {
  Dual r{std::pow(base.value, exponent.value), 0};
  if (base.slope != 0) {
    r.slope += exponent.value * std::pow(base.value, exponent.value - 1) * base.slope;
  }
  if (exponent.slope != 0) r.slope += r.value * std::log(base.value) * exponent.slope;
  return r;
}

}  // namespace limen
