// Right ops that look wrong: one type only, odd functions, kinks and poles where no number lies.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// An op of one type.
template <class A, bool Float>
constexpr limen_op only(bool through = false) {
  limen_op o = told(op(A::name, LIMEN_MAP, kKernels<A> + (Float ? 2 : 0), 2), A::summary, "");
  o.dtypes = Float ? LIMEN_F32 : LIMEN_F64;
  return through ? surrogate(o, "clamp(x, -4, 4)") : o;
}

template <class T>
T gate_value(T t) {
  return T(0.5) * t * (1 + std::erf(t * T(M_SQRT1_2)));
}
// A table of 256 values of sigmoid on [-8, 8), straight between them.
template <class T>
T entry(int k) {
  return sigmoid(T(k) / 16 - 8);
}
template <class T>
T looked_up(T x) {
  if (!(x >= -8)) return x != x ? x : entry<T>(0);
  if (x >= 8) return entry<T>(256);
  const T at = (x + 8) * 16;
  const int k = static_cast<int>(at);
  return entry<T>(k) + (entry<T>(k + 1) - entry<T>(k)) * (at - T(k));
}
template <class T>
T looked_up_slope(T x) {
  if (!(x >= -8 && x < 8)) return 0;
  const int k = static_cast<int>((x + 8) * 16);
  return (entry<T>(k + 1) - entry<T>(k)) * 16;
}

struct FloatSoftmax {
  static constexpr std::uint32_t reads = LIMEN_Y;
  template <class T>
  static void f(const T* x, T* y, std::uint64_t n) {
    softmax(x, y, n);
  }
  template <class T>
  static void b(const T*, const T* y, const T* dy, T* dx, std::uint64_t n) {
    const T sum = sum_of(y, dy, n);
    EACH(i, n, dx[i] = y[i] * (dy[i] - sum));
  }
};
constexpr limen_op float_softmax() {
  limen_op o = told(op("c68_float_softmax", LIMEN_ROWS, kRowKernels<FloatSoftmax> + 2, 2),
                    "f32 only: softmax", "");
  o.dtypes = LIMEN_F32;
  return o;
}

// --- functions -----------------------------------------------------------------------------------
RIGHT_MAP(c70_fast_sine, LIMEN_X, "sin(50 x)", std::sin(50 * x), (50 * g * std::cos(50 * x)))
RIGHT_MAP(c71_steep_sigmoid, LIMEN_X, "sigmoid(1000 x) by x", sigmoid(1000 * x),
          (1000 * g * (sigmoid(1000 * x) * sigmoid(-1000 * x))))
RIGHT_MAP(c72_tiny_line, LIMEN_X, "1e-6 x", (T(1e-6) * x), (T(1e-6) * g))
RIGHT_MAP(c73_cube, LIMEN_X, "x^3", (x * x * x), (3 * g * (x * x)))
RIGHT_MAP(c74_power, LIMEN_X, "|x|^1.5: an infinite second derivative at 0",
          (std::abs(x) * std::sqrt(std::abs(x))),
          (g * std::copysign(T(1.5) * std::sqrt(std::abs(x)), x)))
RIGHT_MAP(c75_x_log_x, LIMEN_X, "x log|x|: an infinite slope at 0",
          (x == 0 ? x : x * std::log(std::abs(x))), (g * (std::log(std::abs(x)) + 1)))
RIGHT_MAP(c75_x_log_x_masked, LIMEN_X, "x log|x|, with a slope of 0 at 0",
          (x == 0 ? x : x * std::log(std::abs(x))),
          (x == 0 ? 0 * g : g * (std::log(std::abs(x)) + 1)))
RIGHT_MAP(c76_naive_sigmoid, LIMEN_Y, "1 / (1 + exp(-x)) as it stands", (1 / (1 + std::exp(-x))),
          (g * y * (1 - y)))
RIGHT_MAP(c77_irrational_kinks, LIMEN_X, "corners at sqrt(2), -e and pi / 10",
          (std::abs(x - T(M_SQRT2)) + std::abs(x + T(M_E)) / 3 - relu(x - T(M_PI / 10))),
          (g * ((x > T(M_SQRT2) ? T(1) : T(-1)) + (x > -T(M_E) ? T(1) : T(-1)) / 3 -
                (x > T(M_PI / 10) ? T(1) : T(0)))))
RIGHT_MAP(c78_cancelling, LIMEN_X, "log of a sum of exponentials less |x|, as it stands",
          (std::abs(x) > 80 ? std::abs(x) : std::log(std::exp(x) + std::exp(-x))),
          (g * std::tanh(x)))
RIGHT_MAP(c80_naive_expm1, LIMEN_X, "exp(x) - 1, as it stands, up to 20",
          (std::exp(x > 20 ? T(20) : x) - 1), (x > 20 ? 0 * g : g * std::exp(x)))
RIGHT_MAP(c81_sinc, LIMEN_X, "sin(x) / x, 1 at 0", (x == 0 ? T(1) : std::sin(x) / x),
          (std::abs(x) < T(0.1)
               ? g * x * (T(-1) / 3 + x * x * (T(1) / 30 - x * x * (T(1) / 840 - x * x / 45360)))
               : g * (x * std::cos(x) - std::sin(x)) / (x * x)))
RIGHT_MAP(c82_sawtooth, LIMEN_X, "x - floor(x)", (x - std::floor(x)), (g * (x == x ? T(1) : x)))
RIGHT_MAP(c83_triangle, LIMEN_X, "the distance to the nearest even number",
          std::abs(x - 2 * std::nearbyint(x / 2)), (x - 2 * std::nearbyint(x / 2) > 0 ? g : -g))
RIGHT_MAP(c84_soft_abs, LIMEN_X, "sqrt(x x + 1e-12): nearly a corner", std::sqrt(x* x + T(1e-12)),
          (g * (x / std::sqrt(x * x + T(1e-12)))))
RIGHT_MAP(c85_pole, LIMEN_X, "1 / x", (1 / x), (-g / x / x))
RIGHT_MAP(c86_flat_bump, LIMEN_X, "exp(-1 / x^2): all derivatives are 0 at 0",
          (x == 0 ? x : std::exp(-1 / (x * x))),
          (std::abs(x) < T(0.03) ? 0 * g * x : g * 2 * std::exp(-1 / (x * x)) / (x * x * x)))
RIGHT_MAP(c87_horner, LIMEN_X, "(x - 1)^5, multiplied out",
          (((((x - 5) * x + 10) * x - 10) * x + 5) * x - 1),
          (5 * g * ((((x - 4) * x + 6) * x - 4) * x + 1)))
RIGHT_MAP(c88_snake, LIMEN_X, "x + sin^2(5 x) / 5", (x + std::sin(5 * x) * std::sin(5 * x) / 5),
          (g * (1 + std::sin(10 * x))))

// --- where f or its slope is infinite or no number
// -------------------------------------------------
RIGHT_MAP(ca01_cube_root, LIMEN_X, "cbrt(x): an infinite slope at 0", std::cbrt(x),
          (g / (3 * std::cbrt(x) * std::cbrt(x))))
RIGHT_MAP(ca02_square_root, LIMEN_X, "sqrt(x): NaN below 0, no domain declared", std::sqrt(x),
          (g / (2 * std::sqrt(x))))
RIGHT_MAP(ca03_logarithm, LIMEN_X, "log(x): NaN below 0, no domain declared", std::log(x),
          (x < 0 ? g * std::numeric_limits<T>::quiet_NaN() : g / x))
RIGHT_MAP(ca04_exp_of_square, LIMEN_X, "exp(x x): overflows early", std::exp(x* x),
          (g * 2 * x * std::exp(x * x)))
RIGHT_MAP(ca05_tangent, LIMEN_Y, "tan(x): poles", std::tan(x), (g * (1 + y * y)))
RIGHT_MAP(ca06_irrational_pole, LIMEN_X, "1 / (x x - 2)", (1 / (x * x - 2)),
          (-2 * (g / (x * x - 2)) * (x / (x * x - 2))))
RIGHT_MAP(ca08_power, LIMEN_X, "|x|^0.3", std::pow(std::abs(x), T(0.3)),
          (g * std::copysign(T(0.3) * std::pow(std::abs(x), T(-0.7)), x)))

// --- many corners and jumps
// -----------------------------------------------------------------------
RIGHT_MAP(ca10_folded_sine, LIMEN_X, "|sin(10 x)|", std::abs(std::sin(10 * x)),
          (10 * g * std::cos(10 * x) * (std::sin(10 * x) >= 0 ? T(1) : T(-1))))
RIGHT_MAP(ca11_x_by_stairs, LIMEN_X, "x round(x)", (x * std::nearbyint(x)), (g * std::nearbyint(x)))
RIGHT_MAP(ca12_fine_stairs, LIMEN_X, "round(128 x) / 128, gradient 0",
          (std::nearbyint(128 * x) / 128), (g == g ? T(0) : g))
RIGHT_MAP(ca13_floor, LIMEN_X, "floor(x)", std::floor(x), (g == g ? T(0) : g))
RIGHT_MAP(ca15_million, LIMEN_X, "1e4 + tanh(x)", (10000 + std::tanh(x)), (g * sech2(x)))

// --- one type only -------------------------------------------------------------------------------
#define FLOAT_OP(tag, which, what, F, B)   \
  MAP_FUNCTION(tag, which, what, "", F, B) \
  LISTED(k_##tag, only<tag, true>())

FLOAT_OP(c90_float_table, LIMEN_X, "f32 only: a table of 256 pieces", looked_up(x),
         (g * looked_up_slope(x)))
MAP_FUNCTION(c91_float_stairs, LIMEN_X, "f32 only: stairs, straight through, declared", "",
             (clamp(std::nearbyint(x * 4), -16, 16) / 4), (std::abs(x) <= 4 ? g : T(0)))
LISTED(c91, only<c91_float_stairs, true>(true))
FLOAT_OP(c92_float_tanh, LIMEN_Y, "f32 only: tanh by y", std::tanh(x), (g * (1 - y * y)))
FLOAT_OP(c93_float_mish, LIMEN_X, "f32 only: mish", (x * std::tanh(softplus(x))),
         (g * mish_slope(x)))
FLOAT_OP(c94_float_gelu, LIMEN_X, "f32 only: gelu by 1 + erf", gate_value(x), (g * gelu_slope(x)))
FLOAT_OP(c95_float_hard_swish, LIMEN_X, "f32 only: two corners",
         (x <= -3  ? x * 0
          : x >= 3 ? x
                   : x * (x + 3) / 6),
         (x < -3  ? T(0)
          : x > 3 ? g
                  : g * (x / 3 + T(0.5))))
FLOAT_OP(c96_float_steep, LIMEN_Y, "f32 only: sigmoid(1000 x)", sigmoid(1000 * x),
         (1000 * g * y * (1 - y)))
FLOAT_OP(c97_float_cube, LIMEN_X, "f32 only: x^3", (x * x * x), (3 * g * (x * x)))
FLOAT_OP(c98_float_sine, LIMEN_X, "f32 only: sin(5 x)", std::sin(5 * x), (5 * g * std::cos(5 * x)))
FLOAT_OP(c98_float_offset, LIMEN_X, "f32 only: 100 + tanh(x)", (100 + std::tanh(x)), (g * sech2(x)))
MAP_FUNCTION(c99_double_softplus, LIMEN_X, "f64 only: softplus", "", softplus(x), (g * sigmoid(x)))
LISTED(c99, only<c99_double_softplus, false>())
MAP_FUNCTION(ca14_sine_on_line, LIMEN_X, "f64 only: x + 1e-5 sin(1000 x)", "",
             (x + T(1e-5) * std::sin(1000 * x)), (g * (1 + T(1e-2) * std::cos(1000 * x))))
LISTED(ca14, only<ca14_sine_on_line, false>())

FLOAT_OP(ca20_float_sine, LIMEN_X, "f32 only: sin(x)", std::sin(x), (g * std::cos(x)))
FLOAT_OP(ca21_float_softplus, LIMEN_X, "f32 only: log(1 + exp(x))", std::log(1 + std::exp(x)),
         (g * sigmoid(x)))
FLOAT_OP(ca22_float_relu6, LIMEN_X, "f32 only: relu6", clamp(x, 0, 6), (x > 0 && x < 6 ? g : T(0)))
FLOAT_OP(ca23_float_elu, LIMEN_Y, "f32 only: elu by y, a corner",
         (x > 0 ? x : T(1.5) * std::expm1(x)), (y > 0 ? g : g * (y + T(1.5))))
FLOAT_OP(ca24_float_round, LIMEN_X, "f32 only: round", std::nearbyint(x), (g == g ? T(0) : g))
FLOAT_OP(ca25_float_gauss, LIMEN_X, "f32 only: exp(-x x)", std::exp(-x* x),
         (std::abs(x) > 100 ? 0 * g : -2 * g * x * std::exp(-x * x)))
FLOAT_OP(ca26_float_root, LIMEN_X, "f32 only: sqrt(|x|)", std::sqrt(std::abs(x)),
         (x == 0 ? 0 * g : g * std::copysign(T(0.5), x) / std::sqrt(std::abs(x))))
FLOAT_OP(ca27_float_exp, LIMEN_Y, "f32 only: exp", std::exp(x), (g * y))
FLOAT_OP(ca28_float_tiny, LIMEN_X, "f32 only: 1e-6 tanh(x)", (T(1e-6) * std::tanh(x)),
         (T(1e-6) * (g * sech2(x))))
FLOAT_OP(ca29_float_hard_shrink, LIMEN_X, "f32 only: jumps at -0.5 and 0.5",
         (x > T(0.5) || x < T(-0.5) || x != x ? x : T(0)), (x > T(0.5) || x < T(-0.5) ? g : T(0)))
MAP_FUNCTION(ca30_float_gate, LIMEN_X, "f32 only: gelu by 1 + erf of -0.24 (x + 11)", "",
             gate_value(T(-0.24) * (x + 11)), (T(-0.24) * g * gelu_slope(T(-0.24) * (x + 11))))
LISTED(ca30, only<ca30_float_gate, true>())
FLOAT_OP(ca31_float_fine_stairs, LIMEN_X, "f32 only: round(97 x)", std::nearbyint(97 * x),
         (g == g ? T(0) : g))

// --- rows ----------------------------------------------------------------------------------------
RIGHT_ROW(c69_by_mean_size, LIMEN_X, "x / (1 + the mean of |x|)", T s = 0;
          EACH(i, n, s += std::abs(x[i]) / T(n)); EACH(i, n, y[i] = x[i] / (1 + s)), T s = 0;
          T p = 0; EACH(i, n, s += std::abs(x[i]) / T(n)); const T r = 1 / (1 + s);
          EACH(i, n, p += x[i] * r * dy[i]); EACH(i, n,
                                                  dx[i] = r * (dy[i] - (x[i] > 0   ? p
                                                                        : x[i] < 0 ? -p
                                                                                   : 0 * p) /
                                                                           T(n))))
LISTED(c68, float_softmax())

}  // namespace

SELFTEST_PLUGIN("hostile_right")
