// Mistakes that hide: in one kernel of several, in one type, in a narrow place, in some calls.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// Where a mistake in one kernel of several is.
enum Hidden { kRight, kFarOut, kSlightly, kTail, kBand, kAccumulating, kForward };

// An op of one type.
template <class A, bool Float>
constexpr limen_op only(const char* caught_by) {
  limen_op o =
      told(op(A::name, LIMEN_MAP, kKernels<A> + (Float ? 2 : 0), 2), A::summary, caught_by);
  o.dtypes = Float ? LIMEN_F32 : LIMEN_F64;
  return o;
}

// --- narrow places, small factors, steep and fast functions --------------------------------------
MAP_OP(h01_band_sign, LIMEN_X, "the wrong sign for 3.1 < x < 3.2", "derivative-fd integral",
       std::tanh(x), (g * (x > T(3.1) && x < T(3.2) ? -sech2(x) : sech2(x))))
MAP_OP(h02_band_float_only, LIMEN_X, "only f32: the wrong sign for 3.1 < x < 3.11", "dtype-agree",
       swish(x),
       (sizeof(T) == 4 && x > T(3.1) && x < T(3.11) ? -g * swish_slope(x) : g * swish_slope(x)))
MAP_OP(h03_factor_1e6, LIMEN_Y, "off by a factor 1 + 1e-6", "derivative-fd", std::tanh(x),
       (g * (1 - y * y) * T(1.000001)))
MAP_OP(h04_factor_below_zero, LIMEN_X, "off by a factor 1 + 1e-9, only for x < 0", "derivative-fd",
       swish(x), (g * swish_slope(x) * (x < 0 ? 1 + T(1e-9) : T(1))))
MAP_OP(h05_steep_half, LIMEN_Y, "sigmoid(1000 x); half of the derivative for x < 0",
       "derivative-fd", sigmoid(1000 * x), (1000 * g * y * (1 - y) * (y < T(0.5) ? T(0.5) : T(1))))
MAP_OP(h06_fast_phase, LIMEN_X, "sin(50 x); the phase is off by 0.001", "derivative-fd",
       std::sin(50 * x), (50 * g * std::cos(50 * x + T(0.001))))
MAP_OP(h07_fast_drift, LIMEN_X, "sin(50 x) with a constant of 7 digits", "derivative-fd",
       std::sin(50 * x), (50 * g * std::cos(T(50.00001) * x)))
MAP_OP(h08_tiny_scale, LIMEN_X, "1e-6 x; off by a factor 1.001", "derivative-fd", (T(1e-6) * x),
       (T(1.001e-6) * g))
MAP_OP(h09_power_sign, LIMEN_X, "|x|^1.5; the sign is lost for x < 0", "derivative-fd",
       (std::abs(x) * std::sqrt(std::abs(x))), (g * T(1.5) * std::sqrt(std::abs(x))))
MAP_OP(h10_power_dead, LIMEN_X, "|x|^1.5; 0 for |x| < 1e-3", "derivative-fd integral",
       (std::abs(x) * std::sqrt(std::abs(x))),
       (std::abs(x) < T(1e-3) ? 0 * g : g * std::copysign(T(1.5) * std::sqrt(std::abs(x)), x)))
MAP_OP(h11_x_log_x, LIMEN_X, "x log|x|; the term 1 is lost", "derivative-fd",
       (x == 0 ? x : x * std::log(std::abs(x))), (g * std::log(std::abs(x))))
MAP_OP(h12_undeclared_through, LIMEN_X, "round with a straight-through slope, not declared",
       "derivative-fd", std::nearbyint(x), g)
MAP_OP(h13_threshold_small, LIMEN_X, "relu; 0 for 0 < x < 1e-6", "derivative-fd", relu(x),
       (x > T(1e-6) ? g : T(0)))
MAP_OP(h14_threshold_near, LIMEN_X, "hard tanh; slope 1 up to 1.00001", "derivative-fd",
       clamp(x, -1, 1), (std::abs(x) <= T(1.00001) ? g : T(0)))
MAP_OP(h15_beside_kink, LIMEN_X, "a corner at sqrt(2); the left slope up to 0.004 behind it",
       "derivative-fd integral", (x > T(M_SQRT2) ? 3 * x - 2 * T(M_SQRT2) : x),
       (x > T(M_SQRT2) + T(0.004) ? 3 * g : g))
MAP_OP(h16_at_seventeen, LIMEN_X, "x^2; 33 instead of 34 at x = 17 exactly", "derivative-fd",
       (x * x), (x == 17 ? 33 * g : 2 * g * x))
MAP_OP(h17_at_a_tenth, LIMEN_X, "x^2; wrong at x = 0.7 exactly", "derivative-fd", (x * x),
       (x == T(0.7) ? g : 2 * g * x))
MAP_OP(h18_far_sine, LIMEN_X, "sin x; for |x| > 1000 the argument is reduced by a float 2 pi",
       "derivative-fd integral", std::sin(x),
       (g * std::cos(std::abs(x) > 1000 ? x - T(6.2831855) * std::floor(x / T(6.2831855)) : x)))
MAP_OP(h19_clips_large, LIMEN_X, "the result is clipped to [-100, 100]", "upstream-linear extremes",
       swish(x), clamp(g* swish_slope(x), -100, 100))
MAP_OP(h20_flushes_small, LIMEN_X, "0 where the result is below 1e-8",
       "upstream-linear extremes derivative-fd", std::tanh(x),
       (std::abs(g * sech2(x)) < T(1e-8) ? 0 * g * x : g * sech2(x)))
MAP_OP(h21_negative_upstream, LIMEN_X, "a negative upstream counts half", "upstream-linear",
       swish(x), ((g < 0 ? g / 2 : g) * swish_slope(x)))
MAP_OP(h22_pole, LIMEN_X, "1 / x; the square is lost below 0", "derivative-fd", (1 / x),
       (x < 0 ? g / x : -g / (x * x)))
MAP_OP(h23_sawtooth, LIMEN_X, "x - floor(x); the slope is 1 / 2 above 2", "derivative-fd integral",
       (x - std::floor(x)), (x > 2 ? g / 2 : g * (x == x ? T(1) : x)))

MAP_OP(h24_far_out, LIMEN_X, "relu; 0 for x > 1e8", "derivative-fd", relu(x),
       (x > 0 && x <= T(1e8) ? g : T(0)))
MAP_OP(h25_close_in, LIMEN_X, "tanh; 0 for |x| < 1e-15", "derivative-fd", std::tanh(x),
       (std::abs(x) < T(1e-15) ? 0 * g : g * sech2(x)))
MAP_OP(h26_negative_zero, LIMEN_X, "0 at -0", "derivative-fd", sigmoid(x),
       (x == 0 && std::signbit(x) ? 0 * g : g * sigmoid(x) * sigmoid(-x)))
MAP_OP(h27_narrow_band, LIMEN_X, "a factor 1.01 for 0.5 < x < 0.502", "derivative-fd integral",
       std::tanh(x), (g * sech2(x) * (x > T(0.5) && x < T(0.502) ? T(1.01) : T(1))))
MAP_OP(h65_band_on_stairs, LIMEN_X, "round(36 x - 1.2); 9 instead of 0 for 0.0253 < x < 0.0263",
       "derivative-fd integral", std::nearbyint(36 * x - T(1.2)),
       (x > T(0.0253) && x < T(0.0263) ? 9 * g
        : x == x                       ? 0 * g
                                       : g))
MAP_OP(h28_cube_root_sign, LIMEN_X, "cbrt(x); the sign is wrong below 0", "derivative-fd",
       std::cbrt(x), (std::copysign(g, g* x) / (3 * std::cbrt(x) * std::cbrt(x))))
MAP_OP(h29_tangent_of_x, LIMEN_X, "tan(x); 1 + x x instead of 1 + y y", "derivative-fd",
       std::tan(x), (g * (1 + x * x)))

// --- what would pass if rounding excused more than it can
// -----------------------------------------
MAP_OP(h60_float_beside_slope, LIMEN_X, "tanh(x - 100); only f32: 1e-6 too much around 0",
       "dtype-agree", std::tanh(x - 100),
       (g * (sech2(x - 100) + (sizeof(T) == 4 && std::abs(x) < 4 ? T(1e-6) : T(0)))))
MAP_OP(h61_threshold_tiny, LIMEN_X, "relu; 0 for 0 < x < 1e-10", "derivative-fd", relu(x),
       (x > T(1e-10) ? g : T(0)))
MAP_OP(h62_forward_far, LIMEN_X, "only forward in f32: 0.99999 tanh(x) for |x| > 500",
       "variants-agree", (std::tanh(x) * (sizeof(T) == 4 && std::abs(x) > 500 ? T(0.99999) : T(1))),
       (g * sech2(x)))
MAP_OP(h63_float_soft_kink, LIMEN_X, "relu; only f32: 1 / 2 for |x| < 2e-5", "dtype-agree", relu(x),
       (sizeof(T) == 4 && std::abs(x) < T(2e-5) ? g / 2
        : x > 0                                 ? g
                                                : T(0)))
MAP_OP(h66_float_late_step, LIMEN_X, "a step at 0; only forward in f32: at 3e-5", "variants-agree",
       (x > (sizeof(T) == 4 ? T(3e-5) : T(0)) ? T(1)
        : x == x                              ? T(0)
                                              : x),
       (g == g ? T(0) : g))
MAP_OP(h64_float_late_kink, LIMEN_X, "relu(x - 1); only f32: 0 up to 1.00002", "dtype-agree",
       relu(x - 1), (x > (sizeof(T) == 4 ? T(1.00002) : T(1)) ? g : T(0)))

// --- one type only -------------------------------------------------------------------------------
#define FLOAT_OP(tag, which, what, catchers, F, B) \
  MAP_FUNCTION(tag, which, what, catchers, F, B)   \
  LISTED(k_##tag, only<tag, true>(catchers))
#define DOUBLE_OP(tag, which, what, catchers, F, B) \
  MAP_FUNCTION(tag, which, what, catchers, F, B)    \
  LISTED(k_##tag, only<tag, false>(catchers))
FLOAT_OP(h30_float_factor, LIMEN_X, "f32 only: off by a factor 1.01", "derivative-fd integral",
         swish(x), (g * T(1.01) * swish_slope(x)))
FLOAT_OP(h31_float_cut, LIMEN_X, "f32 only: 0 for x < -5", "derivative-fd integral", swish(x),
         (x < -5 ? 0 * g : g * swish_slope(x)))
FLOAT_OP(h32_float_at_kink, LIMEN_X, "f32 only: relu6 without its upper clamp",
         "derivative-fd integral", clamp(x, 0, 6), (x > 0 ? g : T(0)))
FLOAT_OP(h33_float_two_at_zero, LIMEN_X, "f32 only: 2 at x = 0", "derivative-fd", relu(x),
         (x > 0    ? g
          : x == 0 ? 2 * g
                   : T(0)))
FLOAT_OP(h34_float_band, LIMEN_X, "f32 only: the wrong sign for 3.1 < x < 3.2",
         "derivative-fd integral", std::atan(x),
         (x > T(3.1) && x < T(3.2) ? -g / (1 + x * x) : g / (1 + x * x)))
FLOAT_OP(h35_float_nan, LIMEN_X, "f32 only: exp overflows to NaN",
         "derivative-fd extremes integral", sigmoid(x),
         (g * std::exp(-x) / ((1 + std::exp(-x)) * (1 + std::exp(-x)))))
FLOAT_OP(h36_float_of_y, LIMEN_Y, "f32 only: 1 - y instead of 1 - y y", "derivative-fd integral",
         std::tanh(x), (g * (1 - y)))
DOUBLE_OP(h37_double_nan_at_zero, LIMEN_X, "f64 only: NaN at x = 0", "derivative-fd", std::abs(x),
          (g * (x / std::abs(x))))
DOUBLE_OP(h38_double_constant, LIMEN_X, "f64 only: a constant of 10 digits", "derivative-fd",
          (T(0.70710678118654752) * x + std::sin(x)), (g * (T(0.7071067811) + std::cos(x))))

// --- one kernel of several -----------------------------------------------------------------------

constexpr std::uint32_t kAvx2 = LIMEN_ISA_X86_V3;

// tanh; mistakes are in the kernel for AVX2, or in that which reads y.
template <class T, Hidden H, bool OfY>
void tanh_slope(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  const T* const dy = static_cast<const T*>(t->dy[0]);
  T* const dx = static_cast<T*>(t->dx[0]);
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  const std::uint64_t whole = t->n - t->n % (32 / sizeof(T));
  EACH(i, t->n, {
    const T y = OfY ? static_cast<const T*>(t->y[0])[i] : std::tanh(x[i]);
    T d = dy[i] * (1 - y * y);
    if (H == kFarOut && std::abs(y) > T(0.99)) d = 0 * d;
    if (H == kSlightly) d *= 1 + 512 * std::numeric_limits<T>::epsilon();
    if (H == kTail && i >= whole && t->n > whole + 1 && i + 1 == t->n) d *= T(1.25);
    if (H == kBand && y > T(0.5) && y < T(0.51)) d = -d;
    if (H == kAccumulating && add && i % 2 == 1) d = -d;
    dx[i] = add ? dx[i] + d : d;
  });
}
template <class T, Hidden H>
void tanh_value(const limen_tile* t) {
  EACH(i, t->n, {
    const T x = static_cast<const T*>(t->x[0])[i], y = std::tanh(x);
    static_cast<T*>(t->y[0])[i] = H == kForward && x > 2 && x < T(2.25) ? T(0.999) * y : y;
  });
}
constexpr limen_kernel at_level(limen_kernel k, std::uint32_t isa) {
  k.isa = isa;
  return k;
}
template <class T, Hidden H, bool OfY, std::uint32_t Isa>
constexpr limen_kernel slope_kernel() {
  return at_level(kernel(LIMEN_BACKWARD, sizeof(T) == 4 ? LIMEN_F32 : LIMEN_F64,
                         OfY ? LIMEN_Y : LIMEN_X, tanh_slope<T, H, OfY>),
                  Isa);
}
template <Hidden D, Hidden F, bool OfY>
inline constexpr limen_kernel kSeveral[] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, tanh_value<double, kRight>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, tanh_value<float, kRight>),
    at_level(kernel(LIMEN_FORWARD, LIMEN_F64, 0, tanh_value<double, D>), kAvx2),
    at_level(kernel(LIMEN_FORWARD, LIMEN_F32, 0, tanh_value<float, F>), kAvx2),
    slope_kernel<double, kRight, false, LIMEN_ISA_ANY>(),
    slope_kernel<float, kRight, false, LIMEN_ISA_ANY>(),
    slope_kernel<double, D, OfY, kAvx2>(),
    slope_kernel<float, F, OfY, kAvx2>()};
template <Hidden D, Hidden F, bool OfY>
constexpr limen_op several(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kSeveral<D, F, OfY>, 8), what, caught_by);
  return o;
}
LISTED(c79,
       several<kRight, kRight, true>("c79_by_x_and_by_y", "kernels by x and, for AVX2, by y", ""))
LISTED(h40, several<kRight, kFarOut, false>("h40_avx_float_far", "only f32 with AVX2: 0 far out",
                                            "dtype-agree"))
LISTED(h41, several<kSlightly, kRight, false>("h41_avx_double_slightly",
                                              "only f64 with AVX2: off by 512 last bits",
                                              "derivative-fd"))
LISTED(h42, several<kRight, kTail, false>("h42_avx_tail", "only f32 with AVX2: the last of a tail",
                                          "tiles-ragged"))
LISTED(h43, several<kBand, kRight, true>("h43_of_y_band", "only from y, in f64: a narrow band",
                                         "derivative-fd integral"))
LISTED(h44, several<kRight, kBand, true>("h44_of_y_float_band",
                                         "only from y, in f32: a narrow band", "dtype-agree"))
LISTED(h45, several<kAccumulating, kRight, false>("h45_avx_accumulating",
                                                  "only f64 with AVX2: signs where it accumulates",
                                                  "accumulate"))
LISTED(h46,
       several<kRight, kForward, false>("h46_avx_forward", "only forward f32 with AVX2: a band",
                                        "variants-agree"))

// --- sizes ---------------------------------------------------------------------------------------
template <class T>
void square_in_pieces(const limen_tile* t) {  // scratch memory for 1024
  const T* const x = static_cast<const T*>(t->x[0]);
  const T* const dy = static_cast<const T*>(t->dy[0]);
  T* const dx = static_cast<T*>(t->dx[0]);
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  T twice[1024];
  EACH(i, t->n, {
    twice[i % 1024] = i < 1024 ? 2 * x[i] : twice[i % 1024];
    dx[i] = (add ? dx[i] : T(0)) + dy[i] * twice[i % 1024];
  });
}
template <class T>
void square(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  EACH(i, t->n, static_cast<T*>(t->y[0])[i] = x[i] * x[i]);
}
constexpr limen_kernel kPieces[] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, square<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, square_in_pieces<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, square<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, square_in_pieces<float>)};
LISTED(h50, told(op("h50_scratch_of_1024", LIMEN_MAP, kPieces, 4),
                 "wrong from the 1025th element of a tile on", "tiles-ragged"))

template <class T>
T far_ramp(T x) {
  return std::max(T(0), -x / 64 - 3);
}
MAP_OP(h67_live_far_out, LIMEN_X, "squared relu of -x / 64 - 3 with the upstream's size",
       "upstream-linear extremes", far_ramp(x) * far_ramp(x), std::abs(g) * far_ramp(x) / -32)

// softmax in blocks of four; some lengths, rows or signs are wrong.
ROW_OP(h51_softmax_ragged, LIMEN_Y, "the sum leaves out what is more than a multiple of 4",
       "derivative-fd", softmax(x, y, n), const T sum = sum_of(y, dy, n < 4 ? n : n - n % 4);
       EACH(i, n, dx[i] = y[i] * (dy[i] - sum)))
ROW_OP(h52_softmax_float_sum, LIMEN_Y, "the sum is in float, in f64 too", "derivative-fd",
       softmax(x, y, n), const T sum = static_cast<float>(sum_of(y, dy, n));
       EACH(i, n, dx[i] = y[i] * (dy[i] - sum)))
ROW_OP(h54_softmax_block, LIMEN_Y, "the sum takes in 1024 terms at most", "derivative-fd",
       softmax(x, y, n), const T sum = sum_of(y, dy, n < 1024 ? n : 1024);
       EACH(i, n, dx[i] = y[i] * (dy[i] - sum)))
ROW_OP(h55_softmax_long_float, LIMEN_Y, "only f32: the sum takes in 64 terms at most",
       "dtype-agree", softmax(x, y, n),
       const T sum = sum_of(y, dy, sizeof(T) == 8 || n < 64 ? n : 64);
       EACH(i, n, dx[i] = y[i] * (dy[i] - sum)))
ROW_OP(h53_rms_no_mean, LIMEN_X, "x / rms: the term through the rms is lost for the first element",
       "derivative-fd", T s = 0;
       EACH(i, n, s += x[i] * x[i]);
       EACH(i, n, y[i] = x[i] / std::sqrt(s / T(n) + T(0.01))), T s = 0; T p = 0;
       EACH(i, n, s += x[i] * x[i], p += x[i] * dy[i]);
       const T r = 1 / std::sqrt(s / T(n) + T(0.01));
       EACH(i, n, dx[i] = r * (dy[i] - (i == 0 && n > 1 ? 0 : x[i] * p * r * r / T(n)))))

}  // namespace

SELFTEST_PLUGIN("hostile")
