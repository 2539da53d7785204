// Wrong gradients of functions of one number.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

constexpr double kAlpha = 0.01, kElu = 1.5, kSelu = 1.6732632423543772,
                 kLambda = 1.0507009873554805;

MAP_OP(m01_sigmoid_plus, LIMEN_Y, "y (1 + y) instead of y (1 - y)", "derivative-fd", sigmoid(x),
       (g * y * (1 + y)))
MAP_OP(m02_sigmoid_of_x, LIMEN_X, "x (1 - x): the formula in y, given x", "derivative-fd",
       sigmoid(x), (g * x * (1 - x)))
MAP_OP(m03_sigmoid_of_y, LIMEN_Y, "s(y) (1 - s(y)): the formula in x, given y", "derivative-fd",
       sigmoid(x), (g * sigmoid(y) * (1 - sigmoid(y))))
MAP_OP(m04_tanh_not_squared, LIMEN_Y, "1 - y instead of 1 - y * y: the square is lost",
       "derivative-fd", std::tanh(x), (g * (1 - y)))
MAP_OP(m05_tanh_of_x, LIMEN_X, "1 - x * x: x instead of y", "derivative-fd", std::tanh(x),
       (g * (1 - x * x)))
MAP_OP(m06_tanh_sign, LIMEN_Y, "the sign is flipped", "derivative-fd", std::tanh(x),
       (-g * (1 - y * y)))
MAP_OP(m07_relu_no_upstream, LIMEN_X, "the slope without the upstream gradient", "upstream-linear",
       relu(x), (x > 0 ? T(1) : T(0)))
MAP_OP(m09_relu_returns_x, LIMEN_X, "for x > 0 it returns x instead of the slope 1",
       "derivative-fd", relu(x), (x > 0 ? g * x : T(0)))
MAP_OP(m10_leaky_relu_input, LIMEN_X,
       "x >= 0 ? x : alpha; for x > 0 it returns x instead of the slope 1", "derivative-fd",
       (x >= 0 ? x : T(kAlpha) * x), (x >= 0 ? g * x : g * T(kAlpha)))
MAP_OP(m11_leaky_relu_forgotten, LIMEN_X, "the slope for x < 0 is forgotten: 0 instead of alpha",
       "derivative-fd", (x > 0 ? x : T(kAlpha) * x), (x > 0 ? g : T(0)))
MAP_OP(m13_elu_y, LIMEN_Y, "for x < 0 it returns y instead of y + alpha", "derivative-fd",
       (x > 0 ? x : T(kElu) * std::expm1(x)), (y > 0 ? g : g * y))
MAP_OP(m14_elu_no_alpha, LIMEN_X, "the factor alpha = 1.5 is missing for x < 0", "derivative-fd",
       (x > 0 ? x : T(kElu) * std::expm1(x)), (x > 0 ? g : g * std::exp(x)))
MAP_OP(m15_selu_no_lambda, LIMEN_X, "the factor lambda = 1.0507 is missing", "derivative-fd",
       T(kLambda) * (x > 0 ? x : T(kSelu) * std::expm1(x)),
       (x > 0 ? g : g * T(kSelu) * std::exp(x)))
MAP_OP(m16_softplus_mirrored, LIMEN_X, "sigmoid(-x) instead of sigmoid(x)", "derivative-fd",
       softplus(x), (g * sigmoid(-x)))
MAP_OP(m17_softplus_extra_beta, LIMEN_X, "a factor beta = 3 too many", "derivative-fd",
       softplus(3 * x) / 3, (g * 3 * sigmoid(3 * x)))
MAP_OP(m18_silu_lost_x, LIMEN_X, "the second term lost its factor x", "derivative-fd", swish(x),
       (g * (sigmoid(x) + sigmoid(x) * sigmoid(-x))))
MAP_OP(m19_silu_only_sigmoid, LIMEN_X, "only sigmoid(x): the second term is missing",
       "derivative-fd", swish(x), (g * sigmoid(x)))
MAP_OP(m21_gelu_no_pdf, LIMEN_X, "the term x * pdf(x) is missing", "derivative-fd", gelu(x),
       (g * gelu_slope(x, 0)))

// GELU by tanh, with the constants that its slope has.
template <class T>
T gelu_tanh(T x) {
  return T(0.5) * x * (1 + std::tanh(T(0.7978845608028654) * (x + T(0.044715) * x * x * x)));
}
template <class T>
T gelu_tanh_slope(T x, double c) {
  const T u = T(c) * (x + T(0.044715) * x * x * x);
  return T(0.5) * (1 + std::tanh(u)) + T(0.5) * x * sech2(u) * T(c) * (1 + 3 * T(0.044715) * x * x);
}
MAP_OP(m22_gelu_tanh_constant, LIMEN_X, "the constant 0.7978 instead of sqrt(2 / pi)",
       "derivative-fd", gelu_tanh(x), (g * gelu_tanh_slope(x, 0.7978)))
MAP_OP(m24_hardsigmoid_slope, LIMEN_X, "slope 0.2 instead of 1 / 6", "derivative-fd",
       clamp(x / 6 + T(0.5), 0, 1), (x > -3 && x < 3 ? g * T(0.2) : T(0)))
MAP_OP(m25_hardsigmoid_outside, LIMEN_X, "slope 1 / 6 outside of [-3, 3] too", "derivative-fd",
       clamp(x / 6 + T(0.5), 0, 1), (g / 6))
MAP_OP(m27_hardtanh_inverted, LIMEN_X, "the mask is inverted: 1 outside, 0 inside", "derivative-fd",
       clamp(x, -1, 1), (x > -1 && x < 1 ? T(0) : g))
MAP_OP(m28_relu6_no_top, LIMEN_X, "slope 1 instead of 0 for x > 6: the upper clamp is ignored",
       "derivative-fd", clamp(x, 0, 6), (x > 0 ? g : T(0)))
MAP_OP(m29_softsign_not_squared, LIMEN_X, "1 / (1 + |x|) instead of its square", "derivative-fd",
       x / (1 + std::abs(x)), (g / (1 + std::abs(x))))
MAP_OP(m30_abs_always_one, LIMEN_X, "always 1: the sign is wrong for x < 0", "derivative-fd",
       std::abs(x), g)
MAP_OP(m31_square_no_two, LIMEN_X, "x instead of 2 x: half of the derivative", "derivative-fd",
       (x * x), (g * x))
MAP_OP(m32_upstream_twice, LIMEN_X, "the upstream gradient is applied twice", "upstream-linear",
       sigmoid(x), (g * g * sigmoid(x) * sigmoid(-x)))
MAP_OP(m34_sigmoid_cut, LIMEN_X, "0 instead of the derivative for |x| > 6",
       "derivative-fd integral", sigmoid(x),
       (std::abs(x) > 6 ? T(0) : g * sigmoid(x) * sigmoid(-x)))
MAP_OP(m35_sigmoid_overflow, LIMEN_X, "exp(-x) / (1 + exp(-x))^2 overflows to NaN for x << 0",
       "extremes derivative-fd", sigmoid(x),
       (g * std::exp(-x) / ((1 + std::exp(-x)) * (1 + std::exp(-x)))))
MAP_OP(m36_silu_overflow, LIMEN_X, "exp(-x) overflows to NaN for x << 0", "extremes derivative-fd",
       swish(x),
       (g * (1 + std::exp(-x) + x * std::exp(-x)) / ((1 + std::exp(-x)) * (1 + std::exp(-x)))))
MAP_OP(m37_additive, LIMEN_X, "1e-4 is added to the gradient", "upstream-linear", sigmoid(x),
       (g * sigmoid(x) * sigmoid(-x) + T(1e-4)))
MAP_OP(m39_float_literal, LIMEN_X, "a float literal in the f64 kernel: off by a factor 1 + 2e-8",
       "derivative-fd", (T(0.70710678118654752440) * x), (g * T(0.70710678f)))
MAP_OP(m40_softshrink_dead_zone, LIMEN_X, "slope 1 instead of 0 for |x| < 0.5: the dead zone",
       "derivative-fd",
       (x > T(0.5)    ? x - T(0.5)
        : x < T(-0.5) ? x + T(0.5)
                      : x * 0),
       g)
MAP_OP(m42_relu_two_at_zero, LIMEN_X, "2 at x = 0, outside of the slopes 0 and 1 on both sides",
       "derivative-fd", relu(x),
       (x > 0    ? g
        : x == 0 ? 2 * g
                 : T(0)))
MAP_OP(m43_abs_nan_at_zero, LIMEN_X, "x / |x| is NaN at x = 0", "derivative-fd", std::abs(x),
       (g * x / std::abs(x)))
MAP_OP(m44_nan_at_zeros, LIMEN_X | LIMEN_Y, "y / x is NaN at x = 0, as 0 / 0", "derivative-fd",
       relu(x), (g * (y / x)))
MAP_OP(m45_clipped, LIMEN_X, "the gradient is clipped to [-1, 1]", "upstream-linear", (3 * x),
       clamp(3 * g, -1, 1))
MAP_OP(m47_relative_1e7, LIMEN_X, "off by a factor 1 + 1e-7", "derivative-fd", std::tanh(x),
       (g * (1 - std::tanh(x) * std::tanh(x)) * T(1.0000001)))
MAP_OP(m49_float_only_coarse, LIMEN_X, "only f32: off by a factor 1.001", "dtype-agree",
       std::tanh(x), (g * (1 - std::tanh(x) * std::tanh(x)) * (sizeof(T) == 4 ? T(1.001) : T(1))))
MAP_OP(m50_float_only_overflow, LIMEN_X, "only f32: overflows to NaN below x = -89",
       "dtype-agree extremes", sigmoid(x),
       (sizeof(T) == 4 ? g * std::exp(-x) / ((1 + std::exp(-x)) * (1 + std::exp(-x)))
                       : g * sigmoid(x) * sigmoid(-x)))
MAP_OP(m51_hardtanh_swapped, LIMEN_X, "min and max are swapped: never inside, so always 0",
       "derivative-fd", clamp(x, -1, 2), (x > 2 && x < -1 ? g : T(0)))
MAP_OP(m52_x_abs_x_signed, LIMEN_X, "2 x instead of 2 |x|: the sign is wrong for x < 0",
       "derivative-fd", (x * std::abs(x)), (g * 2 * x))
MAP_OP(m53_wrong_at_one, LIMEN_X, "1 instead of 2 at x = 1 exactly", "derivative-fd", (x * x),
       (x == 1 ? g : 2 * g * x))
MAP_OP(m55_logsigmoid_zero, LIMEN_X, "0 instead of 0.5 at x = 0", "derivative-fd", -softplus(-x),
       (x == 0 ? T(0) : g * sigmoid(-x)))

}  // namespace

SELFTEST_PLUGIN("element_wise")
