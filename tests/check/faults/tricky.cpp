// Right but hard to check: every op here must pass.
#include <cmath>

#include "../mutants/element.hpp"
#include "../mutants/functions.hpp"

namespace {

using limen_test::relu, limen_test::sech2, limen_test::sigmoid;

#define RIGHT(tag, which, F, B)                                                    \
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

RIGHT(relu_zero, LIMEN_X, relu(x), (x > 0 ? g : T(0)))
RIGHT(relu_one, LIMEN_X, relu(x), (x >= 0 ? g : T(0)))
RIGHT(relu_half, LIMEN_X, relu(x), (x > 0 ? g : x == 0 ? g / 2 : T(0)))
RIGHT(relu_of_y, LIMEN_Y, relu(x), (y > 0 ? g : T(0)))
RIGHT(hard_swish, LIMEN_X,
      (x <= -3  ? x * 0
       : x >= 3 ? x
                : x * (x + 3) / 6),
      (x < -3  ? T(0)
       : x > 3 ? g
               : g * (x / 3 + T(0.5))))
RIGHT(hard_sigmoid, LIMEN_X,
      (x <= -3  ? x * 0
       : x >= 3 ? T(1)
                : x / 6 + T(0.5)),
      (x > -3 && x < 3 ? g / 6 : T(0)))
RIGHT(steep_sigmoid, LIMEN_Y, sigmoid(10000 * x), 10000 * g * y * (1 - y))
RIGHT(fast_sine, LIMEN_X, std::sin(1000 * x), 1000 * g * std::cos(1000 * x))
RIGHT(absolute, LIMEN_X, std::abs(x), (x > 0 ? g : x < 0 ? -g : T(0)))
RIGHT(tiny_tanh, LIMEN_X, T(1e-6) * std::tanh(x), T(1e-6) * g * sech2(x))
RIGHT(huge_tanh, LIMEN_X, T(1e6) * std::tanh(x), T(1e6) * g * sech2(x))
RIGHT(offset_tanh, LIMEN_X, 100 + std::tanh(x), g* sech2(x))
RIGHT(constant, LIMEN_X, (x == x ? T(3.25) : x), (g == g ? T(0) : g))
RIGHT(tanh_of_y, LIMEN_Y, std::tanh(x), g*(1 - y * y))
RIGHT(sigmoid_of_y, LIMEN_Y, sigmoid(x), g* y*(1 - y))
RIGHT(scaled_up, LIMEN_X, T(1e30) * x, T(1e30) * g)
RIGHT(scaled_down, LIMEN_X, T(1e-30) * std::tanh(x), T(1e-30) * g * sech2(x))
RIGHT(rounded, LIMEN_X, std::nearbyint(x), (g == g ? T(0) : g))
RIGHT(stepped, LIMEN_X, (x >= 0 ? T(1) : x < 0 ? T(0) : x), T(0) * g)
RIGHT(hard_shrink, LIMEN_X, (x > T(0.5) || x < T(-0.5) || x != x ? x : T(0)),
      (x > T(0.5) || x < T(-0.5) ? g : T(0)))
RIGHT(x_abs_x, LIMEN_X, x* std::abs(x), 2 * g * std::abs(x))
RIGHT(elu_bent, LIMEN_X, (x > 0 ? x : T(1.5) * std::expm1(x)),
      (x > 0 ? g : g * T(1.5) * std::exp(x)))
RIGHT(gelu, LIMEN_X, T(0.5) * x * std::erfc(-x * T(0.70710678118654752440)),
      g*(T(0.5) * std::erfc(-x * T(0.70710678118654752440)) +
         x * T(0.39894228040143267794) * std::exp(-x * x / 2)))
RIGHT(softplus, LIMEN_X, relu(x) + std::log1p(std::exp(-std::abs(x))), g* sigmoid(x))
RIGHT(subnormal_tanh, LIMEN_X, T(1e-38) * std::tanh(x), T(1e-38) * g * sech2(x))
RIGHT(shifted_narrow, LIMEN_X, std::tanh(50 * (x - 3)), 50 * g * sech2(50 * (x - 3)))

}  // namespace

using limen_test::kOp;
LIMEN_DECLARE_OP(tricky, "tricky");
LIMEN_TEST_PLUGIN("org.limen.test.tricky", &kOp<relu_zero>, &kOp<relu_one>, &kOp<relu_half>,
                  &kOp<relu_of_y>, &kOp<hard_swish>, &kOp<hard_sigmoid>, &kOp<steep_sigmoid>,
                  &kOp<fast_sine>, &kOp<absolute>, &kOp<tiny_tanh>, &kOp<huge_tanh>,
                  &kOp<offset_tanh>, &kOp<constant>, &kOp<tanh_of_y>, &kOp<sigmoid_of_y>,
                  &kOp<scaled_up>, &kOp<scaled_down>, &kOp<rounded>, &kOp<stepped>,
                  &kOp<hard_shrink>, &kOp<x_abs_x>, &kOp<elu_bent>, &kOp<gelu>, &kOp<softplus>,
                  &kOp<shifted_narrow>, &kOp<subnormal_tanh>)
