// Right but hard to check: none of these may be rejected.
#include <atomic>

#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

constexpr double kHalf = 0.5;

RIGHT_MAP(c01_relu_zero_at_kink, LIMEN_X, "relu'(0) = 0", relu(x), (x > 0 ? g : T(0)))
RIGHT_MAP(c02_relu_one_at_kink, LIMEN_X, "relu'(0) = 1", relu(x), (x >= 0 ? g : T(0)))
RIGHT_MAP(c03_relu_half_at_kink, LIMEN_X, "relu'(0) = 1/2", relu(x),
          (x > 0    ? g
           : x == 0 ? g / 2
                    : T(0)))
RIGHT_MAP(c04_abs_zero_at_kink, LIMEN_X, "abs'(0) = 0", std::abs(x),
          (x > 0   ? g
           : x < 0 ? -g
                   : T(0)))
RIGHT_MAP(c05_relu_of_y, LIMEN_Y, "relu by its result, next to its kink", relu(x),
          (y > 0 ? g : T(0)))
RIGHT_MAP(c07_hardswish_outer_slopes, LIMEN_X, "-0.5 at -3 and 1.5 at 3: the slopes inside",
          (x <= -3  ? x * 0
           : x >= 3 ? x
                    : x * (x + 3) / 6),
          (x < -3  ? T(0)
           : x > 3 ? g
                   : g * (x / 3 + T(kHalf))))
RIGHT_MAP(c09_hardsigmoid, LIMEN_X, "kinks at -3 and 3",
          (x <= -3  ? x * 0
           : x >= 3 ? T(1)
                    : x / 6 + T(kHalf)),
          (x > -3 && x < 3 ? g / 6 : T(0)))
RIGHT_MAP(c10_sigmoid_of_y, LIMEN_Y, "y (1 - y), where it saturates", sigmoid(x), (g * y * (1 - y)))
RIGHT_MAP(c11_tanh_of_y, LIMEN_Y, "1 - y * y, 0 far out", std::tanh(x), (g * (1 - y * y)))
RIGHT_MAP(c12_exp, LIMEN_Y, "exp, which overflows", std::exp(x), (g * y))
RIGHT_MAP(c13_huge_slope, LIMEN_X, "1e30 x", (T(1e30) * x), (T(1e30) * g))
RIGHT_MAP(c14_tiny_tanh, LIMEN_X, "1e-30 tanh(x)", (T(1e-30) * std::tanh(x)),
          (T(1e-30) * (g * sech2(x))))
RIGHT_MAP(c15_steep_sigmoid, LIMEN_Y, "sigmoid(1e4 x)", sigmoid(10000 * x),
          (10000 * g * y * (1 - y)))
RIGHT_MAP(c16_fast_sine, LIMEN_X, "sin(1000 x)", std::sin(1000 * x),
          (1000 * g * std::cos(1000 * x)))
RIGHT_MAP(c18_round, LIMEN_X, "a staircase: gradient 0, at .5 too", std::nearbyint(x),
          (g == g ? T(0) : g))
RIGHT_MAP(c21_hardshrink, LIMEN_X, "jumps at -0.5 and 0.5",
          (x > T(kHalf) || x < T(-kHalf) || x != x ? x : T(0)),
          (x > T(kHalf) || x < T(-kHalf) ? g : T(0)))
RIGHT_MAP(c23_gelu, LIMEN_X, "gelu by erfc", gelu(x), (g * gelu_slope(x)))
RIGHT_MAP(c24_elu_bent, LIMEN_X, "elu with alpha = 1.5: a kink at 0",
          (x > 0 ? x : T(1.5) * std::expm1(x)), (x > 0 ? g : g * T(1.5) * std::exp(x)))
RIGHT_MAP(c25_x_abs_x, LIMEN_X, "x |x|: the second derivative jumps", (x * std::abs(x)),
          (2 * g * std::abs(x)))
RIGHT_MAP(c29_relu_up_to_the_top, LIMEN_X, "relu as (x + |x|) / 2, up to the largest number",
          (x / 2 + std::abs(x) / 2),
          (x > 0   ? g
           : x < 0 ? T(0)
                   : g / 2))
RIGHT_MAP(c30_subnormal, LIMEN_X, "a line, through subnormal numbers", (T(1.5) * x), (T(1.5) * g))

// sigmoid from 64 straight pieces on [-8, 8]; its knots are numbers of f32.
template <class T>
T knot(int k) {
  return sigmoid(T(k) / 4 - 8);
}
template <class T>
int piece(T x) {
  return static_cast<int>(std::floor((x + 8) * 4));
}
template <class T>
T table(T x) {
  if (x != x) return x;
  if (x < -8) return knot<T>(0);
  if (x >= 8) return knot<T>(64);
  const int k = piece(x);
  return knot<T>(k) + (knot<T>(k + 1) - knot<T>(k)) * ((x + 8) * 4 - T(k));
}
RIGHT_MAP(c31_table_sigmoid, LIMEN_X, "64 straight pieces, and their slopes", table(x),
          (x >= -8 && x < 8 ? g * ((knot<T>(piece(x) + 1) - knot<T>(piece(x))) * 4) : T(0)))

template <class T>
T rational_slope(T x) {
  const T d = 27 + 9 * x * x;
  return (27 + 3 * x * x) / d - 18 * x * x * (27 + x * x) / (d * d);
}
RIGHT_MAP(c32_rational_tanh, LIMEN_X, "a rational tanh with its own slope, not tanh's",
          (x > 3    ? T(1)
           : x < -3 ? T(-1)
                    : x * (27 + x * x) / (27 + 9 * x * x)),
          (x > -3 && x < 3 ? g * rational_slope(x) : T(0)))
RIGHT_MAP(c33_sqrt_abs, LIMEN_X, "sqrt(|x|): without a slope at 0, steep around it",
          std::sqrt(std::abs(x)),
          (x == 0 ? T(0) : g * (x > 0 ? T(kHalf) : T(-kHalf)) / std::sqrt(std::abs(x))))
RIGHT_MAP(c35_mish, LIMEN_X, "mish", (x * std::tanh(softplus(x))), (g * mish_slope(x)))
RIGHT_MAP(c36_constant, LIMEN_X, "a constant", (x == x ? T(3.25) : x), (g == g ? T(0) : g))
RIGHT_MAP(c49_offset_tanh, LIMEN_X, "100 + tanh(x)", (100 + std::tanh(x)), (g * sech2(x)))
RIGHT_MAP(c49_huge_tanh, LIMEN_X, "1e6 tanh(x / 50)", (T(1e6) * std::tanh(x / 50)),
          (T(1e6) / 50 * g * sech2(x / 50)))
RIGHT_MAP(c50_moving_kink, LIMEN_X, "a kink where 0.3 x - 0.7 rounds to 0, elsewhere in f32",
          relu(T(0.3) * x - T(0.7)), (T(0.3) * x - T(0.7) > 0 ? g * T(0.3) : T(0)))
RIGHT_MAP(c50_moving_step, LIMEN_X, "a jump of the slope beside one of the function, moved in f32",
          (T(0.3) * x > T(0.7) ? 2 * x : x), (T(0.3) * x > T(0.7) ? 2 * g : g))

// --- what needs to be said of oneself
// -------------------------------------------------------------
MAP_FUNCTION(SignThrough, LIMEN_X, "sign with a straight-through gradient, declared", "",
             (x > 0   ? T(1)
              : x < 0 ? T(-1)
                      : x),
             (std::abs(x) <= 1 ? g : T(0)))
LISTED(c19, surrogate(told(op("c19_sign_straight_through", LIMEN_MAP, kKernels<SignThrough>, 4),
                           SignThrough::summary, ""),
                      "clamp(x, -1, 1)"))
MAP_FUNCTION(Reversal, LIMEN_X, "a gradient that is turned round, declared", "", (x + 0), (-g))
LISTED(c43, surrogate(told(op("c43_gradient_reversal", LIMEN_MAP, kKernels<Reversal>, 4),
                           Reversal::summary, ""),
                      "-x"))
MAP_FUNCTION(Quantise, LIMEN_X, "numbers of 8 bits, straight through, declared", "",
             (clamp(std::nearbyint(x * 16), -128, 127) / 16), (std::abs(x) <= 8 ? g : T(0)))
LISTED(c44, surrogate(told(op("c44_fake_quantise", LIMEN_MAP, kKernels<Quantise>, 4),
                           Quantise::summary, ""),
                      "clamp(x, -8, 8)"))
MAP_FUNCTION(NumberRelu, LIMEN_X, "relu that ignores NaN, declared", "", (x > 0 ? x : T(0)),
             (x > 0 ? g : T(0)))
constexpr limen_facts kIgnoresNan = facts(LIMEN_FACT_NAN_IGNORED | LIMEN_FACT_ZERO_AT_ZERO);
constexpr limen_kink kReluKink[] = {{0, 0, -1, LIMEN_KINK_CORNER, 0}};
constexpr limen_facts kink_facts() {
  limen_facts f = kIgnoresNan;
  f.kinks = kReluKink;
  f.n_kinks = 1;
  return f;
}
constexpr limen_facts kNumberRelu = kink_facts();
LISTED(c52, with_facts(told(op("c52_relu_without_nan", LIMEN_MAP, kKernels<NumberRelu>, 4),
                            NumberRelu::summary, ""),
                       kNumberRelu))

// log(1 + t) by a polynomial (Abramowitz and Stegun, 4.1.44), and the slope of the exact function.
template <class T>
T rough_log1p(T t) {
  constexpr double a[] = {.9999964239, -.4998741238, .3317990258, -.2407338084,
                          .1676540711, -.0953293897, .0360884937, -.0064535442};
  T sum = 0;
  for (int i = 7; i >= 0; --i) sum = (sum + T(a[i])) * t;
  return sum;
}
MAP_FUNCTION(RoughSoftplus, LIMEN_X, "an approximate softplus and the exact slope, declared", "",
             (relu(x) + rough_log1p(std::exp(-std::abs(x)))), (g * sigmoid(x)))
constexpr limen_kink kRoughKink[] = {{0, 0, -1, LIMEN_KINK_CORNER, 0.5}};
constexpr limen_facts rough_facts() {
  limen_facts f = facts(0, 1e-5);
  f.kinks = kRoughKink;
  f.n_kinks = 1;
  return f;
}
constexpr limen_facts kRough = rough_facts();
LISTED(c27, with_facts(told(op("c27_rough_softplus", LIMEN_MAP, kKernels<RoughSoftplus>, 4),
                            RoughSoftplus::summary, ""),
                       kRough))

// Kernels with and without fused multiply-add, which round in different ways.
template <class T, bool Fused>
void cubic(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  EACH(i, t->n, {
    const T s = x[i] * x[i];
    static_cast<T*>(t->y[0])[i] = Fused ? std::fma(s, x[i], -x[i]) : s * x[i] - x[i];
  });
}
template <class T, bool Fused>
void cubic_slope(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  const T* const dy = static_cast<const T*>(t->dy[0]);
  T* const dx = static_cast<T*>(t->dx[0]);
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  EACH(i, t->n, {
    const T d = dy[i] * (Fused ? std::fma(3 * x[i], x[i], T(-1)) : 3 * x[i] * x[i] - 1);
    dx[i] = add ? dx[i] + d : d;
  });
}
constexpr limen_kernel at_level(limen_kernel k, std::uint32_t isa) {
  k.isa = isa;
  return k;
}
template <bool Fused, std::uint32_t Isa>
constexpr std::array<limen_kernel, 4> cubic_kernels() {
  return {at_level(kernel(LIMEN_FORWARD, LIMEN_F64, 0, cubic<double, Fused>), Isa),
          at_level(kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, cubic_slope<double, Fused>), Isa),
          at_level(kernel(LIMEN_FORWARD, LIMEN_F32, 0, cubic<float, Fused>), Isa),
          at_level(kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, cubic_slope<float, Fused>), Isa)};
}
constexpr auto kPlain = cubic_kernels<false, LIMEN_ISA_ANY>();
constexpr auto kFused = cubic_kernels<true, LIMEN_ISA_X86_V3>();
constexpr limen_kernel kCubic[] = {kPlain[0], kPlain[1], kPlain[2], kPlain[3],
                                   kFused[0], kFused[1], kFused[2], kFused[3]};
LISTED(c51, told(op("c51_fused_and_not", LIMEN_MAP, kCubic, 8),
                 "kernels with and without fused multiply-add", ""))

// --- rows
// -----------------------------------------------------------------------------------------
RIGHT_ROW(c37_softmax, LIMEN_Y, "softmax: logits of 1000, equal ones, one alone", softmax(x, y, n),
          const T sum = sum_of(y, dy, n);
          EACH(i, n, dx[i] = y[i] * (dy[i] - sum)))
RIGHT_ROW(c39_log_softmax, LIMEN_Y, "log softmax at -1e4", log_softmax(x, y, n), T sum = 0;
          EACH(i, n, sum += dy[i]); EACH(i, n, dx[i] = dy[i] - std::exp(y[i]) * sum))
RIGHT_ROW(c46_max_first_tie, LIMEN_X, "the maximum; the first of ties gets all",
          const T top = top_of(x, n);
          EACH(i, n, y[i] = top), const T top = top_of(x, n); T sum = 0; EACH(i, n, sum += dy[i]);
          bool given = false;
          EACH(i, n, dx[i] = !given && x[i] == top ? sum : T(0), given = given || x[i] == top))
RIGHT_ROW(c46_max_shared_ties, LIMEN_X, "the maximum; ties share", const T top = top_of(x, n);
          EACH(i, n, y[i] = top), const T top = top_of(x, n); T sum = 0, ties = 0;
          EACH(i, n, sum += dy[i]); EACH(i, n, ties += x[i] == top ? 1 : 0);
          EACH(i, n, dx[i] = x[i] == top ? sum / ties : T(0)))

// Sums from the front or from the back, as it happens.
std::atomic<unsigned> calls{0};
template <class T>
T unsteady_sum(const T* y, const T* dy, std::uint64_t n) {
  const bool back = calls.fetch_add(1) % 2 != 0;
  T sum = 0;
  EACH(i, n, sum += y[back ? n - 1 - i : i] * dy[back ? n - 1 - i : i]);
  return sum;
}
struct Unsteady {
  static constexpr std::uint32_t reads = LIMEN_Y;
  template <class T>
  static void f(const T* x, T* y, std::uint64_t n) {
    softmax(x, y, n);
  }
  template <class T>
  static void b(const T*, const T* y, const T* dy, T* dx, std::uint64_t n) {
    const T sum = unsteady_sum(y, dy, n);
    EACH(i, n, dx[i] = y[i] * (dy[i] - sum));
  }
};
constexpr limen_facts kUnsteady = facts(LIMEN_FACT_NONDETERMINISTIC);
LISTED(c47, with_facts(told(op("c47_unsteady_sums", LIMEN_ROWS, kRowKernels<Unsteady>, 4),
                            "sums in another order each time, declared", ""),
                       kUnsteady))

}  // namespace

SELFTEST_PLUGIN("right")
