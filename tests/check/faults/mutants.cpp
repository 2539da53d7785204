// Many small mistakes in one plugin: every op here has a wrong backward (core/check/README.md lists
// them). The check must fail each of them.
#include <cmath>

#include "../mutants/element.hpp"
#include "../mutants/functions.hpp"

namespace {

using namespace limen_test;

#define WRONG(tag, which, F, B)                                                    \
  struct tag {                                                                     \
    static constexpr auto name = #tag;                                             \
    static constexpr std::uint32_t reads = which;                                  \
    template <class T>                                                             \
    static T f(T x) {                                                              \
      return F;                                                                    \
    }                                                                              \
    template <class T>                                                             \
    static T b([[maybe_unused]] T x, [[maybe_unused]] T y, [[maybe_unused]] T g) { \
      return B;                                                                    \
    }                                                                              \
  };

WRONG(no_upstream, LIMEN_X, relu(x), (x > 0 ? T(1) : T(0)))
WRONG(upstream_twice, LIMEN_X, sigmoid(x), g* g* sigmoid(x) * sigmoid(-x))
WRONG(constant_factor, LIMEN_Y, sigmoid(x), T(0.5) * g * y * (1 - y))
WRONG(relu_two_at_zero, LIMEN_X, relu(x), (x > 0 ? g : x == 0 ? 2 * g : T(0)))
WRONG(sigmoid_overflow, LIMEN_X, sigmoid(x),
      g* std::exp(-x) / ((1 + std::exp(-x)) * (1 + std::exp(-x))))
WRONG(sigmoid_plus, LIMEN_Y, sigmoid(x), g* y*(1 + y))
WRONG(sigmoid_of_x, LIMEN_X, sigmoid(x), g* x*(1 - x))
WRONG(sigmoid_of_y, LIMEN_Y, sigmoid(x), g* sigmoid(y) * (1 - sigmoid(y)))
WRONG(tanh_not_squared, LIMEN_Y, std::tanh(x), g*(1 - y))
WRONG(tanh_of_x, LIMEN_X, std::tanh(x), g*(1 - x * x))
WRONG(leaky_forgotten, LIMEN_X, (x > 0 ? x : T(0.01) * x), (x > 0 ? g : T(0)))
WRONG(elu_y, LIMEN_X, (x > 0 ? x : T(1.5) * std::expm1(x)),
      (x > 0 ? g : g * T(1.5) * std::expm1(x)))
WRONG(softplus_mirrored, LIMEN_X, softplus(x), g* sigmoid(-x))
WRONG(swish_lost_x, LIMEN_X, swish(x), g*(sigmoid(x) + sigmoid(x) * sigmoid(-x)))
WRONG(swish_only_sigmoid, LIMEN_X, swish(x), g* sigmoid(x))
WRONG(swish_overflow, LIMEN_X, swish(x),
      g*(1 + std::exp(-x) + x * std::exp(-x)) / ((1 + std::exp(-x)) * (1 + std::exp(-x))))
WRONG(gelu_no_pdf, LIMEN_X, gelu(x), g* gelu_slope(x, 0))
WRONG(gelu_rough_constant, LIMEN_X, gelu(x), g* gelu_slope(x, 0.3989))
WRONG(hard_sigmoid_slope, LIMEN_X, clamp(x / 6 + T(0.5), 0, 1),
      (x > -3 && x < 3 ? g * T(0.2) : T(0)))
WRONG(hard_sigmoid_outside, LIMEN_X, clamp(x / 6 + T(0.5), 0, 1), g / 6)
WRONG(hard_tanh_inverted, LIMEN_X, clamp(x, -1, 1), (x > -1 && x < 1 ? T(0) : g))
WRONG(relu6_no_top, LIMEN_X, clamp(x, 0, 6), (x > 0 ? g : T(0)))
WRONG(softsign_not_squared, LIMEN_X, x / (1 + std::abs(x)), g / (1 + std::abs(x)))
WRONG(abs_always_one, LIMEN_X, std::abs(x), g)
WRONG(square_no_two, LIMEN_X, x* x, g* x)
WRONG(sigmoid_cut, LIMEN_X, sigmoid(x), (std::abs(x) > 6 ? T(0) : g * sigmoid(x) * sigmoid(-x)))
WRONG(additive, LIMEN_X, sigmoid(x), g* sigmoid(x) * sigmoid(-x) + T(1e-4))
WRONG(float_literal, LIMEN_X, T(0.70710678118654752440) * x, g* T(0.70710678f))
WRONG(abs_nan_at_zero, LIMEN_X, std::abs(x), g* x / std::abs(x))
WRONG(clipped, LIMEN_X, 3 * x, clamp(3 * g, -1, 1))
WRONG(relative_1e7, LIMEN_X, std::tanh(x), g*(1 - std::tanh(x) * std::tanh(x)) * T(1.0000001))
WRONG(soft_shrink_dead, LIMEN_X, (x > T(0.5) ? x - T(0.5) : x < T(-0.5) ? x + T(0.5) : T(0)), g)
WRONG(x_abs_x_signed, LIMEN_X, x* std::abs(x), g * 2 * x)
WRONG(wrong_at_one, LIMEN_X, x* x, (x == 1 ? g : 2 * g * x))
WRONG(log_sigmoid_zero, LIMEN_X, -softplus(-x), (x == 0 ? T(0) : g * sigmoid(-x)))
WRONG(swish_steep_lost, LIMEN_X, swish(100 * x), g*(sigmoid(100 * x)))
WRONG(reads_y_undeclared_zero, 0, sigmoid(x), g* y*(1 - y))
WRONG(float_only_coarse, LIMEN_X, std::tanh(x),
      g*(1 - std::tanh(x) * std::tanh(x)) * (sizeof(T) == 4 ? T(1.001) : T(1)))
WRONG(float_only_overflow, LIMEN_X, sigmoid(x),
      (sizeof(T) == 4 ? g * std::exp(-x) / ((1 + std::exp(-x)) * (1 + std::exp(-x)))
                      : g * sigmoid(x) * sigmoid(-x)))

}  // namespace

using limen_test::kOp;
LIMEN_DECLARE_OP(mutants, "mutants");
LIMEN_TEST_PLUGIN("org.limen.test.mutants", &kOp<no_upstream>, &kOp<upstream_twice>,
                  &kOp<constant_factor>, &kOp<relu_two_at_zero>, &kOp<sigmoid_overflow>,
                  &kOp<sigmoid_plus>, &kOp<sigmoid_of_x>, &kOp<sigmoid_of_y>,
                  &kOp<tanh_not_squared>, &kOp<tanh_of_x>, &kOp<leaky_forgotten>, &kOp<elu_y>,
                  &kOp<softplus_mirrored>, &kOp<swish_lost_x>, &kOp<swish_only_sigmoid>,
                  &kOp<swish_overflow>, &kOp<gelu_no_pdf>, &kOp<gelu_rough_constant>,
                  &kOp<hard_sigmoid_slope>, &kOp<hard_sigmoid_outside>, &kOp<hard_tanh_inverted>,
                  &kOp<relu6_no_top>, &kOp<softsign_not_squared>, &kOp<abs_always_one>,
                  &kOp<square_no_two>, &kOp<sigmoid_cut>, &kOp<additive>, &kOp<float_literal>,
                  &kOp<abs_nan_at_zero>, &kOp<clipped>, &kOp<relative_1e7>, &kOp<soft_shrink_dead>,
                  &kOp<x_abs_x_signed>, &kOp<wrong_at_one>, &kOp<log_sigmoid_zero>,
                  &kOp<swish_steep_lost>, &kOp<reads_y_undeclared_zero>, &kOp<float_only_coarse>,
                  &kOp<float_only_overflow>)
