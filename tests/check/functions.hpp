// Functions of one variable with their exact derivatives, to measure the numeric core against.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace limen::check {

struct Known {
  const char* name;
  double (*f64)(double);
  float (*f32)(float);
  long double (*slope)(long double);
};

namespace known {

template <class T>
T square(T x) {
  return x * x;
}
inline long double pdf(long double x) {
  return std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979323846264338L);
}
inline long double logistic(long double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace known

#define LIMEN_KNOWN(name, F, D)                        \
  Known {                                              \
    name,                                              \
        [](double x) -> double {                       \
          using T [[maybe_unused]] = double;           \
          return F;                                    \
        },                                             \
        [](float x) -> float {                         \
          using T [[maybe_unused]] = float;            \
          return F;                                    \
        },                                             \
        [](long double x) -> long double { return D; } \
  }

// The last five cancel on purpose: their rounding noise is far above an ulp of the result.
inline std::span<const Known> known_functions() {
  static const std::array<Known, 28> table{
      LIMEN_KNOWN("identity", x, (void(x), 1)),
      LIMEN_KNOWN("constant", (void(x), T(3.7)), (void(x), 0)),
      LIMEN_KNOWN("square", x * x, 2 * x),
      LIMEN_KNOWN("cube", x * x * x, 3 * x * x),
      LIMEN_KNOWN("x|x|", x * std::abs(x), 2 * std::abs(x)),
      LIMEN_KNOWN("relu", x > 0 ? x : T(0), x > 0 ? 1 : 0),
      LIMEN_KNOWN("abs", std::abs(x), x > 0 ? 1 : -1),
      LIMEN_KNOWN("leaky_relu", x > 0 ? x : T(0.01) * x, x > 0 ? 1 : 0.01L),
      LIMEN_KNOWN("elu", x > 0 ? x : T(1.5) * std::expm1(x), x > 0 ? 1 : 1.5L * std::exp(x)),
      LIMEN_KNOWN("hard_swish", x * std::clamp(x + T(3), T(0), T(6)) / 6,
                  x <= -3  ? 0
                  : x >= 3 ? 1
                           : (2 * x + 3) / 6),
      LIMEN_KNOWN("sigmoid", 1 / (1 + std::exp(-x)), known::logistic(x) * known::logistic(-x)),
      LIMEN_KNOWN("tanh", std::tanh(x), 1 / known::square(std::cosh(x))),
      LIMEN_KNOWN("softplus", x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)),
                  known::logistic(x)),
      LIMEN_KNOWN("swish", x / (1 + std::exp(-x)),
                  known::logistic(x) * (1 + x * known::logistic(-x))),
      LIMEN_KNOWN("gelu", T(0.5) * x * std::erfc(-x * T(0.70710678118654752440)),
                  0.5L * std::erfc(-x * 0.707106781186547524400844362105L) + x * known::pdf(x)),
      LIMEN_KNOWN("gaussian", std::exp(-x * x), -2 * x * std::exp(-x * x)),
      LIMEN_KNOWN("softsign", x / (1 + std::abs(x)), 1 / known::square(1 + std::abs(x))),
      LIMEN_KNOWN("atan", std::atan(x), 1 / (1 + x * x)),
      LIMEN_KNOWN("sin", std::sin(x), std::cos(x)),
      LIMEN_KNOWN("sin(30x)", std::sin(30 * x), 30 * std::cos(30 * x)),
      LIMEN_KNOWN("asinh", std::asinh(x), 1 / std::sqrt(1 + x * x)),
      LIMEN_KNOWN("rational", (1 + x) / (1 + x * x),
                  (1 - 2 * x - x * x) / known::square(1 + x * x)),
      LIMEN_KNOWN("exp(x/8)", std::exp(x / 8), std::exp(x / 8) / 8),
      LIMEN_KNOWN("(1+x)-1", (T(1) + x) - T(1), (void(x), 1)),
      LIMEN_KNOWN("1000+tanh", T(1000) + std::tanh(x), 1 / known::square(std::cosh(x))),
      LIMEN_KNOWN("sigmoid-1/2", 1 / (1 + std::exp(-x)) - T(0.5),
                  known::logistic(x) * known::logistic(-x)),
      LIMEN_KNOWN("(x+64)^2-4096", (x + 64) * (x + 64) - 4096, 2 * (x + 64)),
      LIMEN_KNOWN("exp(x)-exp(-x)", std::exp(x) - std::exp(-x), 2 * std::cosh(x)),
  };
  return table;
}
#undef LIMEN_KNOWN

}  // namespace limen::check
