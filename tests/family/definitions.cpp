#include "family/definitions.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace limen::test {
namespace {

constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
const Limits kNoLimits = {};  // infinities have none
constexpr Real kSelu = 1.0507009873554805L, kSeluBelow = kSelu * 1.6732632423543772L;

Real clamp(Real x, Real low, Real high) { return std::min(std::max(x, low), high); }
Real softplus(Real x) { return std::max(x, Real(0)) + std::log1p(std::exp(-std::abs(x))); }
Real sigmoid_slope(Real x) { return exact_sigmoid(x) * exact_sigmoid(-x); }

// 1 - sech^2 and x - tanh x do not cancel when summed up as series near 0.
Real tanh_shrink(Real x) {
  if (std::abs(x) > 0.25L) return x - std::tanh(x);
  // Coefficients 1/3, -2/15, 17/315 ... from (tanh)' = 1 - tanh^2, by recurrence.
  constexpr int kTerms = 30;
  Real c[kTerms] = {1}, sum = 0, power = x;
  for (int k = 1; k < kTerms; ++k) {
    Real product = 0;
    for (int j = 0; j < k; ++j) product += c[j] * c[k - 1 - j];
    c[k] = -product / (2 * k + 1);
    power *= x * x;
    sum -= c[k] * power;
  }
  return sum;
}

Real mish_gate(Real x) {  // tanh(softplus(x))
  const Real w = std::exp(-std::abs(x));
  const Real n = x < 0 ? w * (w + 2) : 1 + 2 * w;
  return n / (x < 0 ? n + 2 : n + 2 * w * w);
}
Real mish_bend(Real x) {  // x times the slope of the gate
  if (std::abs(x) > 12000) return 0;
  const Real sech = 1 / std::cosh(softplus(x));
  return x * sech * sech * exact_sigmoid(x);
}

// x sigmoid(b x) and its slope.
Real gated(Real x, Real b) { return x * exact_sigmoid(b * x); }
Real gated_slope(Real x, Real b) {
  return exact_sigmoid(b * x) + (std::abs(b * x) > 12000 ? 0 : b * x * sigmoid_slope(b * x));
}
Real gated_scale(Real x, Real b) {
  return exact_sigmoid(b * x) +
         (std::abs(b * x) > 12000 ? 0 : std::abs(b * x) * sigmoid_slope(b * x));
}

// The slope of a function that is linear between kinks.
Real between(Real x, Real low, Real high, Real slope) { return x > low && x < high ? slope : 0; }

std::vector<Definition> rectifiers() {
  return {
      {"identity",
       {},
       [](Real x, const Hyper&) { return x; },
       [](Real, const Hyper&) { return Real(1); },
       {-kInfinity, kInfinity, 1, 1}},
      {"step",
       {},
       [](Real x, const Hyper&) { return Real(x > 0 ? 1 : 0); },
       [](Real, const Hyper&) { return Real(0); },
       {0, 1, 0, 0}},
      {"relu",
       {},
       [](Real x, const Hyper&) { return std::max(x, Real(0)); },
       [](Real x, const Hyper&) { return Real(x > 0 ? 1 : 0); },
       {0, kInfinity, 0, 1}},
      {"leaky_relu",
       {},
       [](Real x, const Hyper& h) { return x > 0 ? x : h[0] * x; },
       [](Real x, const Hyper& h) { return x > 0 ? 1 : h[0]; },
       {-kInfinity, kInfinity, 0.01, 1}},
      {"relu6",
       {},
       [](Real x, const Hyper&) { return clamp(x, 0, 6); },
       [](Real x, const Hyper&) { return between(x, 0, 6, 1); },
       {0, 6, 0, 0}},
      {"thresholded_relu",
       {},
       [](Real x, const Hyper& h) { return x > h[0] ? x : 0; },
       [](Real x, const Hyper& h) { return Real(x > h[0] ? 1 : 0); },
       {0, kInfinity, 0, 1}},
      {"squared_relu",
       {},
       [](Real x, const Hyper&) { return x > 0 ? x * x : 0; },
       [](Real x, const Hyper&) { return x > 0 ? 2 * x : 0; },
       {0, kInfinity, 0, kInfinity}},
  };
}

std::vector<Definition> pieces() {
  return {
      {"hard_sigmoid",
       {},
       [](Real x, const Hyper&) { return clamp((x + 3) / 6, 0, 1); },
       [](Real x, const Hyper&) { return between(x, -3, 3, 1 / Real(6)); },
       {0, 1, 0, 0}},
      {"hard_sigmoid",
       {{"alpha", 0.25}, {"beta", 0.5}},
       [](Real x, const Hyper& h) { return clamp(h[0] * x + h[1], 0, 1); },
       [](Real x, const Hyper&) { return between(x, -2, 2, 0.25L); },
       {0, 1, 0, 0}},
      {"hard_swish",
       {},
       [](Real x, const Hyper&) { return x < -3  ? 0
                                         : x > 3 ? x
                                                 : x * (x + 3) / 6; },
       [](Real x, const Hyper&) { return x < -3  ? 0
                                         : x > 3 ? 1
                                                 : (2 * x + 3) / 6; },
       {0, kInfinity, 0, 1},
       nullptr,
       [](Real x, const Hyper&) { return Real(std::abs(x) < 3 ? 0.5L : 0); }},
      {"hard_tanh",
       {},
       [](Real x, const Hyper& h) { return clamp(x, h[0], h[1]); },
       [](Real x, const Hyper& h) { return between(x, h[0], h[1], 1); },
       {-1, 1, 0, 0}},
      {"hard_tanh",
       {{"min", -0.25}, {"max", 5.5}},
       [](Real x, const Hyper& h) { return clamp(x, h[0], h[1]); },
       [](Real x, const Hyper& h) { return between(x, h[0], h[1], 1); },
       {-0.25, 5.5, 0, 0}},
      {"soft_shrink",
       {},
       [](Real x, const Hyper& h) {
         return x > 0 ? std::max(x - h[0], Real(0)) : std::min(x + h[0], Real(0));
       },
       [](Real x, const Hyper& h) { return Real(std::abs(x) > h[0] ? 1 : 0); },
       {-kInfinity, kInfinity, 1, 1}},
      {"hard_shrink",
       {},
       [](Real x, const Hyper& h) { return std::abs(x) > h[0] ? x : 0; },
       [](Real x, const Hyper& h) { return Real(std::abs(x) > h[0] ? 1 : 0); },
       {-kInfinity, kInfinity, 1, 1}},
  };
}

std::vector<Definition> exponentials() {
  const Function elu = [](Real x, const Hyper& h) { return x > 0 ? x : h[0] * std::expm1(x); };
  const Function elu_slope = [](Real x, const Hyper& h) { return x > 0 ? 1 : h[0] * std::exp(x); };
  const Function celu = [](Real x, const Hyper& h) {
    return x > 0 ? x : h[0] * std::expm1(x / h[0]);
  };
  const Function celu_slope = [](Real x, const Hyper& h) { return x > 0 ? 1 : std::exp(x / h[0]); };
  return {
      {"elu", {}, elu, elu_slope, {-1, kInfinity, 0, 1}},
      {"elu", {{"alpha", 0.375}}, elu, elu_slope, {-0.375, kInfinity, 0, 1}},
      {"selu",
       {},
       [](Real x, const Hyper&) { return x > 0 ? kSelu * x : kSeluBelow * std::expm1(x); },
       [](Real x, const Hyper&) { return x > 0 ? kSelu : kSeluBelow * std::exp(x); },
       {-kSeluBelow, kInfinity, 0, kSelu}},
      {"celu", {}, celu, celu_slope, {-1, kInfinity, 0, 1}},
      {"celu", {{"alpha", 0.25}}, celu, celu_slope, {-0.25, kInfinity, 0, 1}},
      {"gaussian",
       {},
       [](Real x, const Hyper&) { return std::exp(-x * x); },
       [](Real x, const Hyper&) { return std::abs(x) > 200 ? 0 : -2 * x * std::exp(-x * x); },
       {0, 0, 0, 0},
       nullptr,
       nullptr,
       true},
  };
}

std::vector<Definition> sigmoids() {
  return {
      {"sigmoid",
       {},
       [](Real x, const Hyper&) { return exact_sigmoid(x); },
       [](Real x, const Hyper&) { return sigmoid_slope(x); },
       {0, 1, 0, 0}},
      {"tanh",
       {},
       [](Real x, const Hyper&) { return std::tanh(x); },
       [](Real x, const Hyper&) { return 4 * sigmoid_slope(2 * x); },
       {-1, 1, 0, 0}},
      {"softplus",
       {},
       [](Real x, const Hyper&) { return softplus(x); },
       [](Real x, const Hyper&) { return exact_sigmoid(x); },
       {0, kInfinity, 0, 1}},
      {"softplus",
       {{"beta", 4}},
       [](Real x, const Hyper&) { return softplus(4 * x) / 4; },
       [](Real x, const Hyper&) { return exact_sigmoid(4 * x); },
       {0, kInfinity, 0, 1}},
      {"softsign",
       {},
       [](Real x, const Hyper&) { return x / (1 + std::abs(x)); },
       [](Real x, const Hyper&) { return 1 / ((1 + std::abs(x)) * (1 + std::abs(x))); },
       {-1, 1, 0, 0}},
      {"log_sigmoid",
       {},
       [](Real x, const Hyper&) { return -softplus(-x); },
       [](Real x, const Hyper&) { return exact_sigmoid(-x); },
       {-kInfinity, 0, 1, 0}},
      {"tanh_shrink",
       {},
       [](Real x, const Hyper&) { return tanh_shrink(x); },
       [](Real x, const Hyper&) { return std::tanh(x) * std::tanh(x); },
       {-kInfinity, kInfinity, 1, 1}},
  };
}

std::vector<Definition> gates() {
  return {
      {"silu",
       {},
       [](Real x, const Hyper&) { return gated(x, 1); },
       [](Real x, const Hyper&) { return gated_slope(x, 1); },
       {0, kInfinity, 0, 1},
       nullptr,
       [](Real x, const Hyper&) { return gated_scale(x, 1); },
       true},
      {"silu",
       {{"beta", -2}},
       [](Real x, const Hyper&) { return gated(x, -2); },
       [](Real x, const Hyper&) { return gated_slope(x, -2); },
       kNoLimits,
       nullptr,
       [](Real x, const Hyper&) { return gated_scale(x, -2); },
       true},
      {"quick_gelu",
       {},
       [](Real x, const Hyper&) { return gated(x, 1.702L); },
       [](Real x, const Hyper&) { return gated_slope(x, 1.702L); },
       {0, kInfinity, 0, 1},
       nullptr,
       [](Real x, const Hyper&) { return gated_scale(x, 1.702L); },
       true},
      {"mish",
       {},
       [](Real x, const Hyper&) { return x * mish_gate(x); },
       [](Real x, const Hyper&) { return mish_gate(x) + mish_bend(x); },
       {0, kInfinity, 0, 1},
       nullptr,
       [](Real x, const Hyper&) { return mish_gate(x) + std::abs(mish_bend(x)); },
       true},
  };
}

// x P(X <= x), and its approximation by tanh.
Real gelu(Real x) { return x < -200 ? 0 : x * exact_cdf(x); }
Real gelu_bend(Real x) { return std::abs(x) > 200 ? 0 : x * exact_density(x); }
Real gelu_angle(Real x) {  // twice the argument of tanh
  return 2 * std::sqrt(2 / std::acos(Real(-1))) * (x + 0.044715L * x * x * x);
}
Real gelu_tanh(Real x) { return x < -60 ? 0 : x * exact_sigmoid(gelu_angle(x)); }
Real gelu_tanh_bend(Real x) {
  if (std::abs(x) > 60) return 0;
  const Real inner = 2 * std::sqrt(2 / std::acos(Real(-1))) * (1 + 3 * 0.044715L * x * x);
  return x * inner * sigmoid_slope(gelu_angle(x));
}

std::vector<Definition> gaussian_gates() {
  return {
      {"gelu",
       {},
       [](Real x, const Hyper&) { return gelu(x); },
       [](Real x, const Hyper&) { return exact_cdf(x) + gelu_bend(x); },
       {0, kInfinity, 0, 1},
       nullptr,
       [](Real x, const Hyper&) { return exact_cdf(x) + std::abs(gelu_bend(x)); },
       true},
      {"gelu",
       {{"approximate", 1}},
       [](Real x, const Hyper&) { return gelu_tanh(x); },
       [](Real x, const Hyper&) { return exact_sigmoid(gelu_angle(x)) + gelu_tanh_bend(x); },
       {0, kInfinity, 0, 1},
       nullptr,
       [](Real x, const Hyper&) {
         return exact_sigmoid(gelu_angle(x)) + std::abs(gelu_tanh_bend(x));
       },
       true},
  };
}

// Periodic functions are measured at the rounded product of the argument and the frequency.
Real product(Real x, const Hyper& h) {
  return h.single ? static_cast<float>(x) * static_cast<float>(h[0])
                  : static_cast<double>(x) * static_cast<double>(h[0]);
}

std::vector<Definition> waves() {
  const Function one = [](Real, const Hyper&) { return Real(1); };
  const Function snake = [](Real x, const Hyper& h) {
    const Real s = std::sin(product(x, h));
    return x + s * s / h[0];
  };
  const Function snake_slope = [](Real x, const Hyper& h) {
    return 1 + std::sin(2 * product(x, h));
  };
  const Function size = [](Real x, const Hyper&) { return std::abs(x); };
  const Function sine = [](Real x, const Hyper& h) { return std::sin(product(x, h)); };
  const Function sine_slope = [](Real x, const Hyper& h) { return h[0] * std::cos(product(x, h)); };
  return {
      {"sine", {}, sine, sine_slope, kNoLimits},
      {"sine", {{"omega", 1}}, sine, sine_slope, kNoLimits},
      {"snake", {}, snake, snake_slope, kNoLimits, size, one},
      {"snake", {{"alpha", 0.25}}, snake, snake_slope, kNoLimits, size, one},
      {"arctan",
       {},
       [](Real x, const Hyper&) { return std::atan(x); },
       [](Real x, const Hyper&) { return 1 / (1 + x * x); },
       {-std::acos(Real(0)), std::acos(Real(0)), 0, 0}},
      {"prelu",
       {},
       [](Real x, const Hyper& h) { return x > 0 ? x : h[0] * x; },
       [](Real x, const Hyper& h) { return x > 0 ? 1 : h[0]; },
       {-kInfinity, kInfinity, 0.25, 1}},
      {"prelu",
       {{"alpha", -0.5}},
       [](Real x, const Hyper& h) { return x > 0 ? x : h[0] * x; },
       [](Real x, const Hyper& h) { return x > 0 ? 1 : h[0]; },
       {kInfinity, kInfinity, -0.5, 1}},
      {"rrelu",
       {},
       [](Real x, const Hyper& h) { return x > 0 ? x : (h[0] + h[1]) / 2 * x; },
       [](Real x, const Hyper& h) { return x > 0 ? 1 : (h[0] + h[1]) / 2; },
       {-kInfinity, kInfinity, 11 / 48.0L, 1}},
  };
}

}  // namespace

Real exact_sigmoid(Real x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
Real exact_cdf(Real x) { return std::erfc(-x / std::sqrt(Real(2))) / 2; }
Real exact_density(Real x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(Real(-1))); }

const std::vector<Definition>& definitions() {
  static const std::vector<Definition> kAll = [] {
    std::vector<Definition> all;
    for (const auto& part :
         {rectifiers(), pieces(), exponentials(), sigmoids(), gates(), gaussian_gates(), waves()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return kAll;
}

}  // namespace limen::test
