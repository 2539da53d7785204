// The functions that ops are made up from: value, slope, and the slope in another algebraic form.
// `q` says which slope is given at a kink: 0 the left one, 1 the right one.
#pragma once

#include <algorithm>
#include <limits>

#include "mutant.hpp"

namespace limen_test {

template <class T>
T mix(T left, T right, T q) {
  return q == 0 ? left : q == 1 ? right : left + q * (right - left);
}
template <class T>
T bend(T t, double at, double left, double right, T q) {
  return t < T(at) ? T(left) : t > T(at) ? T(right) : mix(T(left), T(right), q);
}
// 0 outside of [low, high], `inside` within.
template <class T>
T window(T t, double low, double high, T inside, T q) {
  return t < T(low) || t > T(high) ? T(0)
         : t == T(low)             ? mix(T(0), inside, q)
         : t == T(high)            ? mix(inside, T(0), q)
                                   : inside;
}

constexpr double kSqrtHalf = 0.70710678118654752440, kTwoByPi = 0.79788456080286535588;

template <class T>
T gelu_tanh_inner(T t) {
  return T(kTwoByPi) * (t + T(0.044715) * t * t * t);
}
template <class T>
T gelu_tanh_slope(T t) {
  if (!(std::abs(t) < 30)) return t > 0 ? T(1) : t < 0 ? T(0) : t;
  const T u = gelu_tanh_inner(t);
  return T(0.5) * (1 + std::tanh(u)) +
         T(0.5) * t * sech2(u) * T(kTwoByPi) * (1 + 3 * T(0.044715) * t * t);
}
template <class T>
T quick_gelu_slope(T t) {
  const T u = clamp(T(1.702) * t, -1e4, 1e4);  // no infinity times 0
  return sigmoid(u) + u * (sigmoid(u) * sigmoid(-u));
}
template <class T>
T table_knot(int k) {
  return sigmoid(T(k) / 4 - 8);
}
template <class T>
T table_value(T t) {
  if (!(t >= -8)) return t != t ? t : table_knot<T>(0);
  if (t >= 8) return table_knot<T>(64);
  const int k = static_cast<int>(std::floor((t + 8) * 4));
  return table_knot<T>(k) + (table_knot<T>(k + 1) - table_knot<T>(k)) * ((t + 8) * 4 - T(k));
}
template <class T>
T table_slope(T t) {
  if (!(t >= -8 && t < 8)) return 0;
  const int k = static_cast<int>(std::floor((t + 8) * 4));
  return (table_knot<T>(k + 1) - table_knot<T>(k)) * 4;
}
template <class T>
T lorentz_slope(T t) {
  const T f = 1 / (1 + t * t);
  return std::abs(t) > T(1e15) ? T(0) : -2 * (t * f) * f;  // no infinity times 0
}
template <class T>
T rational_slope(T t) {
  const T d = 27 + 9 * t * t;
  return t < -3 || t > 3 ? T(0) : (27 + 3 * t * t) / d - 18 * t * t * (27 + t * t) / (d * d);
}

// X(name, value, slope, slope in another form)
#define LIMEN_GENERATED_FUNCTIONS(X)                                                               \
  X(sigmoid, (sigmoid(t)), (sigmoid(t) * sigmoid(-t)), (sech2(t / 2) / 4))                         \
  X(tanh, (std::tanh(t)), (1 - std::tanh(t) * std::tanh(t)), (sech2(t)))                           \
  X(relu, (relu(t)), (bend(t, 0, 0, 1, q)), (bend(t, 0, 0, 1, q)))                                 \
  X(leaky_relu, (t > 0 ? t : T(0.01) * t), (bend(t, 0, 0.01, 1, q)), (bend(t, 0, 0.01, 1, q)))     \
  X(elu, (t > 0 ? t : T(1.5) * std::expm1(t)),                                                     \
    (t == 0  ? mix(T(1.5), T(1), q)                                                                \
     : t > 0 ? T(1)                                                                                \
             : T(1.5) * std::exp(t)),                                                              \
    (t == 0  ? mix(T(1.5), T(1), q)                                                                \
     : t > 0 ? T(1)                                                                                \
             : T(1.5) * std::expm1(t) + T(1.5)))                                                   \
  X(celu, (t > 0 ? t : 2 * std::expm1(t / 2)), (t > 0 ? T(1) : std::exp(t / 2)),                   \
    (t > 0 ? T(1) : std::exp(t / 4) * std::exp(t / 4)))                                            \
  X(softplus, (softplus(t)), (sigmoid(t)), (1 / (1 + std::exp(-t))))                               \
  X(softplus_naive, (t > 30 ? t : std::log(1 + std::exp(t))), (sigmoid(t)),                        \
    (T(0.5) * (1 + std::tanh(t / 2))))                                                             \
  X(softplus_steep, (softplus(3 * t) / 3), (sigmoid(3 * t)), (1 / (1 + std::exp(-3 * t))))         \
  X(silu, (swish(t)), (swish_slope(t)), (sigmoid(t) * (1 + t * (1 - sigmoid(t)))))                 \
  X(quick_gelu, (t * sigmoid(T(1.702) * t)), (quick_gelu_slope(t)), (quick_gelu_slope(t)))         \
  X(gelu, (gelu(t)), (gelu_slope(t)), (gelu_slope(t)))                                             \
  X(gelu_erf, (T(0.5) * t * (1 + std::erf(t * T(kSqrtHalf)))), (gelu_slope(t)),                    \
    (T(0.5) * (1 + std::erf(t * T(kSqrtHalf))) + t * T(kTwoByPi / 2) * std::exp(-t * t / 2)))      \
  X(gelu_tanh, (T(0.5) * t * (1 + std::tanh(gelu_tanh_inner(t)))), (gelu_tanh_slope(t)),           \
    (gelu_tanh_slope(t)))                                                                          \
  X(mish, (t * std::tanh(softplus(t))), (mish_slope(t)), (mish_slope(t)))                          \
  X(hard_sigmoid, (clamp(t / 6 + T(0.5), 0, 1)), (window(t, -3, 3, T(1) / 6, q)),                  \
    (window(t, -3, 3, T(1) / 6, q)))                                                               \
  X(hard_tanh, (clamp(t, -1, 1)), (window(t, -1, 1, T(1), q)), (window(t, -1, 1, T(1), q)))        \
  X(hard_swish,                                                                                    \
    (t <= -3  ? t * 0                                                                              \
     : t >= 3 ? t                                                                                  \
              : t * (t + 3) / 6),                                                                  \
    (t < -3  ? T(0)                                                                                \
     : t > 3 ? T(1)                                                                                \
             : (t == -3  ? mix(T(0), T(-0.5), q)                                                   \
                : t == 3 ? mix(T(1.5), T(1), q)                                                    \
                         : t / 3 + T(0.5))),                                                       \
    (t < -3  ? T(0)                                                                                \
     : t > 3 ? T(1)                                                                                \
             : (2 * t + 3) / 6))                                                                   \
  X(relu6, (clamp(t, 0, 6)), (window(t, 0, 6, T(1), q)), (window(t, 0, 6, T(1), q)))               \
  X(softsign, (t / (1 + std::abs(t))), (1 / ((1 + std::abs(t)) * (1 + std::abs(t)))),              \
    (1 / (1 + std::abs(t)) / (1 + std::abs(t))))                                                   \
  X(abs, (std::abs(t)), (bend(t, 0, -1, 1, q)), (bend(t, 0, -1, 1, q)))                            \
  X(square, (t * t), (2 * t), (t + t))                                                             \
  X(soft_shrink,                                                                                   \
    (t > T(0.5)    ? t - T(0.5)                                                                    \
     : t < T(-0.5) ? t + T(0.5)                                                                    \
                   : t * 0),                                                                       \
    (t < 0 ? bend(t, -0.5, 1, 0, q) : bend(t, 0.5, 0, 1, q)),                                      \
    (t < 0 ? bend(t, -0.5, 1, 0, q) : bend(t, 0.5, 0, 1, q)))                                      \
  X(hard_shrink, (t > T(0.5) || t < T(-0.5) || t != t ? t : T(0)),                                 \
    (t > T(0.5) || t < T(-0.5) ? T(1) : T(0)), (t > T(0.5) || t < T(-0.5) ? T(1) : T(0)))          \
  X(log_sigmoid, (-softplus(-t)), (sigmoid(-t)), (1 / (1 + std::exp(t))))                          \
  X(tanh_shrink, (t - std::tanh(t)), (std::tanh(t) * std::tanh(t)), (std::tanh(t) * std::tanh(t))) \
  X(sin, (std::sin(t)), (std::cos(t)), (std::cos(t)))                                              \
  X(exp_then_line, (t > 20 ? T(4.85165195409790278e8) * (t - 19) : std::exp(t)),                   \
    (std::exp(t > 20 ? T(20) : t)),                                                                \
    (t > 20 ? T(4.85165195409790278e8) : std::exp(t / 2) * std::exp(t / 2)))                       \
  X(gauss, (std::exp(-t * t)), (std::abs(t) > 100 ? T(0) : -2 * t * std::exp(-t * t)),             \
    (std::abs(t) > 100 ? T(0) : -2 * (t * std::exp(-t * t))))                                      \
  X(atan, (std::atan(t)), (1 / (1 + t * t)), (1 / (1 + t * t)))                                    \
  X(erf, (std::erf(t)), (T(1.1283791670955126) * std::exp(-t * t)),                                \
    (T(1.1283791670955126) * std::exp(-t * t)))                                                    \
  X(cube, (t * t * t), (3 * t * t), (t * t + 2 * (t * t)))                                         \
  X(x_abs_x, (t * std::abs(t)), (2 * std::abs(t)), (std::abs(t) + std::abs(t)))                    \
  X(log_cosh, (std::abs(t) + std::log1p(std::exp(-2 * std::abs(t))) - T(0.69314718055994531)),     \
    (std::tanh(t)), (std::tanh(t)))                                                                \
  X(squared_relu, (relu(t) * relu(t)), (2 * relu(t)), (relu(t) + relu(t)))                         \
  X(bent, ((std::sqrt(t * t + 1) - 1) / 2 + t), (t / (2 * std::sqrt(t * t + 1)) + 1),              \
    (1 + t / std::sqrt(t * t + 1) / 2))                                                            \
  X(table, (table_value(t)), (table_slope(t)), (table_slope(t)))                                   \
  X(rational,                                                                                      \
    (t > 3    ? T(1)                                                                               \
     : t < -3 ? T(-1)                                                                              \
              : t * (27 + t * t) / (27 + 9 * t * t)),                                              \
    (rational_slope(t)), (rational_slope(t)))                                                      \
  X(sawtooth, (t - std::floor(t)), (t == t ? T(1) : t), (t == t ? T(1) : t))                       \
  X(folded_sine, (std::abs(std::sin(t))), (std::copysign(std::cos(t), std::cos(t) * std::sin(t))), \
    (std::sin(t) > 0 ? std::cos(t) : -std::cos(t)))                                                \
  X(soft_abs, (std::sqrt(t * t + T(1e-4))), (t / std::sqrt(t * t + T(1e-4))),                      \
    (t / std::sqrt(t * t + T(1e-4))))                                                              \
  X(steep, (sigmoid(50 * t)), (50 * (sigmoid(50 * t) * sigmoid(-50 * t))),                         \
    (T(12.5) * sech2(25 * t)))                                                                     \
  X(lorentz, (1 / (1 + t * t)), (lorentz_slope(t)), (lorentz_slope(t)))                            \
  X(log_square, (std::log(1 + t * t)), (2 * (t / (1 + t * t))), (2 * t / (1 + t * t)))             \
  X(naive_sigmoid, (1 / (1 + std::exp(-t))), (sigmoid(t) * sigmoid(-t)), (sech2(t / 2) / 4))       \
  X(sinh_inverse, (std::asinh(t)), (1 / std::sqrt(1 + t * t)), (1 / std::hypot(T(1), t)))          \
  X(round, (std::nearbyint(t)), (T(0)), (T(0)))                                                    \
  X(step, (t > 0 ? T(1) : t <= 0 ? T(0) : t), (T(0)), (T(0)))                                      \
  X(line, (t), (T(1)), (T(1)))

enum class Fn {
#define LIMEN_NAME(name, f, d, other) name,
  LIMEN_GENERATED_FUNCTIONS(LIMEN_NAME)
#undef LIMEN_NAME
      count
};

template <class T>
T value_of(Fn which, T t) {
  switch (which) {
#define LIMEN_CASE(name, f, d, other) \
  case Fn::name:                      \
    return f;
    LIMEN_GENERATED_FUNCTIONS(LIMEN_CASE)
#undef LIMEN_CASE
    case Fn::count:
      break;
  }
  return t;
}
template <class T>
T slope_of(Fn which, T t, T q, bool other_form) {
  switch (which) {
#define LIMEN_CASE(name, f, d, other) \
  case Fn::name:                      \
    return other_form ? other : d;
    LIMEN_GENERATED_FUNCTIONS(LIMEN_CASE)
#undef LIMEN_CASE
    case Fn::count:
      break;
  }
  return t;
}

}  // namespace limen_test
