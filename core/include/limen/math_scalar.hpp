// Elementary functions on plain numbers for kernels: branch-free, so that a loop around them
// vectorises; at most 4 ulp in float and double; +-0, subnormals, infinities and NaN as the exact
// function has them. long double goes to libm and is the reference for the other two.
//
// Here: exp, log and what is made of them. limen/math_gauss.hpp has erf and its kin,
// limen/math_trig.hpp the trigonometric functions, limen/math_pow.hpp powers.
//
// x = n ln2 + r and a minimax polynomial for exp; log after FreeBSD's e_log.c (W. J. Cody, W.
// Waite: Software Manual for the Elementary Functions; K. C. Ng, fdlibm). Results that may be
// subnormal are computed 2^kLift too large and rounded once, by the last multiplication.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#define LIMEN_INLINE inline __attribute__((always_inline))

namespace limen {

template <class F>
concept real = std::same_as<F, float> || std::same_as<F, double> || std::same_as<F, long double>;
template <class F>
concept narrow = std::same_as<F, float> || std::same_as<F, double>;

namespace detail {

template <class F>
struct fp;
template <>
struct fp<float> {
  using bits = std::uint32_t;
  static constexpr int kMantissa = 23, kBias = 127, kLift = 32;
  static constexpr float kMagic = 0x1.8p23f;  // added, it leaves a rounded integer in the low bits
  static constexpr float kTiny = 0x1p-25f;    // below, x and expm1(x), log1p(x) agree
  static constexpr float kExpLow = -104.0f, kExpHigh = 89.0f, kOnesLow = -20.0f;
  static constexpr float kTanhHigh = 10.0f;
  static constexpr float kLn2High = 0x1.62e3p-1f, kLn2Low = 0x1.2fefa2p-17f;
  static constexpr float kSubnormalScale = 0x1p25f;
  static constexpr int kSubnormalExponent = 25;
  // (e^r - 1 - r) / r^2 for |r| <= ln2 / 2, relative to e^r and to e^r - 1
  static constexpr float kExp[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f,
                                   0x1.6a2408p-10f};
  static constexpr float kExpm1[] = {0x1p-1f,        0x1.555556p-3f,  0x1.55549ep-5f,
                                     0x1.11101ep-7f, 0x1.6d83a2p-10f, 0x1.a2a486p-13f};
  // (log(1 + e) / e - 1) / e for 0 <= e <= 1
  static constexpr float kLog1p[] = {-0x1.ffffd2p-2f, 0x1.554dfp-2f,   -0x1.ff26e2p-3f,
                                     0x1.935cap-3f,   -0x1.3a7a82p-3f, 0x1.b579c4p-4f,
                                     -0x1.d86324p-5f, 0x1.4b0834p-6f,  -0x1.b2f58p-9f};
  static constexpr float kLog[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f,
                                   0xf89e26.0p-26f};
};
template <>
struct fp<double> {
  using bits = std::uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023, kLift = 64;
  static constexpr double kMagic = 0x1.8p52;
  static constexpr double kTiny = 0x1p-54;
  static constexpr double kExpLow = -746.0, kExpHigh = 710.0, kOnesLow = -40.0;
  static constexpr double kTanhHigh = 20.0;
  static constexpr double kLn2High = 6.93147180369123816490e-01,
                          kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kSubnormalScale = 0x1p54;
  static constexpr int kSubnormalExponent = 54;
  static constexpr double kExp[] = {0.50000000000000111,    0.1666666666666641,
                                    0.041666666666529725,   0.0083333333334949748,
                                    0.001388888894376006,   0.00019841269505775131,
                                    2.4801492949542461e-05, 2.7557586805701035e-06,
                                    2.7630306279495355e-07, 2.5000017526759984e-08};
  static constexpr double kExpm1[] = {
      0.50000000000000011,    0.16666666666666671,    0.041666666666652245,
      0.0083333333333261306,  0.0013888888895613293,  0.00019841269874846219,
      2.4801574517620708e-05, 2.7557255358965519e-06, 2.7567935655283938e-07,
      2.5105237001341695e-08, 1.768775919291971e-09};
  static constexpr double kLog1p[] = {
      -0.49999999999999906,   0.33333333333313953,   -0.24999999998631869,   0.19999999950435873,
      -0.16666665578742318,   0.1428569837682212,    -0.12499835232260402,   0.11109850166742891,
      -0.099926470698477668,  0.090574746873623019,  -0.082126433885606726,  0.073414213243035126,
      -0.063109517283990127,  0.050390836761660902,  -0.035877535256847948,  0.021808563186357575,
      -0.010808149192274696,  0.0041399413377724553, -0.0011396789411623291, 0.00019945371242944198,
      -1.6599473377152748e-05};
  static constexpr double kLog[] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                                    2.857142874366239149e-01, 2.222219843214978396e-01,
                                    1.818357216161805012e-01, 1.531383769920937332e-01,
                                    1.479819860511658591e-01};
};

// c[First] + c[First + 1] x + c[First + 2] x^2 + ...
template <std::size_t First = 0, class F, std::size_t N>
LIMEN_INLINE F polynomial(const F (&c)[N], F x) {
  F y = c[N - 1];
  [&]<std::size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    ((y = y * x + c[N - 2 - K]), ...);
  }
  (std::make_index_sequence<N - 1 - First>{});
  return y;
}

// 2^(n + raised) for the integer n whose rounding left `shifted` = n + kMagic; the result must be
// normal, 0 or infinite: n + raised from -kBias to kBias + 1. `bits` says (kBias + raised) <<
// kMantissa.
template <narrow F>
LIMEN_INLINE F power_of_two_bits(F shifted, typename fp<F>::bits bits) {
  return std::bit_cast<F>((std::bit_cast<typename fp<F>::bits>(shifted) << fp<F>::kMantissa) +
                          bits);
}
template <narrow F>
constexpr typename fp<F>::bits biased(int raised) {
  return static_cast<typename fp<F>::bits>(fp<F>::kBias + raised) << fp<F>::kMantissa;
}
template <narrow F>
LIMEN_INLINE F power_of_two(F shifted, int raised = 0) {
  return power_of_two_bits(shifted, biased<F>(raised));
}

// x = n ln2 + r with |r| <= ln2 / 2, and shifted = n + kMagic.
template <class F>
struct reduced {
  F shifted, r;
};
template <narrow F>
LIMEN_INLINE reduced<F> reduce_exp(F x) {
  using T = fp<F>;
  constexpr F kLog2E = static_cast<F>(1.44269504088896340736L);
  const F shifted = x * kLog2E + T::kMagic, n = shifted - T::kMagic;
  return {shifted, (x - n * T::kLn2High) - n * T::kLn2Low};
}

// e^r of a reduced argument
template <narrow F>
LIMEN_INLINE F exp_reduced(F r) {
  return (polynomial(fp<F>::kExp, r) * r + 1) * r + 1;
}

template <narrow F>
inline constexpr F kUnlift = 1 / static_cast<F>(std::uint64_t{1} << (fp<F>::kLift - 1)) / 2;

// 2^n e^r, rounded once where it is subnormal; it may overflow. `small` says that it is below 1.
template <narrow F>
LIMEN_INLINE F exp_scaled(F r, F shifted, bool small) {
  constexpr int kUp = fp<F>::kLift;
  const F high = power_of_two_bits(shifted, small ? biased<F>(kUp) : biased<F>(-kUp));
  return exp_reduced(r) * high * (small ? kUnlift<F> : 1 / kUnlift<F>);
}

// 2^kLift e^x for x in [kExpLow, 0]: normal even where e^x is not.
template <narrow F>
LIMEN_INLINE F lifted_exp(F x) {
  const auto [shifted, r] = reduce_exp(x);
  return exp_reduced(r) * power_of_two(shifted, fp<F>::kLift);
}

}  // namespace detail

template <real F>
LIMEN_INLINE bool isnan(F x) {
  return x != x;
}

template <real F>
LIMEN_INLINE F abs(F x) {
  if constexpr (std::same_as<F, float>)
    return __builtin_fabsf(x);
  else if constexpr (std::same_as<F, double>)
    return __builtin_fabs(x);
  else
    return __builtin_fabsl(x);
}

template <real F>
LIMEN_INLINE F copysign(F magnitude, F sign) {
  if constexpr (std::same_as<F, float>)
    return __builtin_copysignf(magnitude, sign);
  else if constexpr (std::same_as<F, double>)
    return __builtin_copysign(magnitude, sign);
  else
    return __builtin_copysignl(magnitude, sign);
}

template <real F>
LIMEN_INLINE F sqrt(F x) {
  if constexpr (std::same_as<F, float>)
    return __builtin_sqrtf(x);
  else if constexpr (std::same_as<F, double>)
    return __builtin_sqrt(x);
  else
    return __builtin_sqrtl(x);
}

template <real F>
LIMEN_INLINE F exp(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_expl(x);
  else {
    using T = detail::fp<F>;
    F a = x < T::kExpLow ? T::kExpLow : x;  // a NaN stays
    a = a > T::kExpHigh ? T::kExpHigh : a;
    const auto [shifted, r] = detail::reduce_exp(a);
    return detail::exp_scaled(r, shifted, a < 0);
  }
}

// e^-|x|
template <real F>
LIMEN_INLINE F exp_minus_abs(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_expl(-abs(x));
  else {
    using T = detail::fp<F>;
    const F a = -abs(x);
    return detail::lifted_exp(a < T::kExpLow ? T::kExpLow : a) * detail::kUnlift<F>;
  }
}

template <real F>
LIMEN_INLINE F expm1(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_expm1l(x);
  else {
    using T = detail::fp<F>;
    F a = x < T::kOnesLow ? T::kOnesLow : x;
    a = a > T::kExpHigh ? T::kExpHigh : a;
    const auto [shifted, r] = detail::reduce_exp(a);
    const F p = detail::polynomial(T::kExpm1, r) * (r * r) + r;
    const F half = detail::power_of_two(shifted, -1);  // 2^n may overflow, 2^(n-1) not
    const F y = 2 * (p * half + (half - F(0.5)));
    return abs(x) < T::kTiny ? x : y;
  }
}

namespace detail {

// x = 2^k m with m in [sqrt(1/2), sqrt(2)), for x > 0.
template <class F>
struct power_and_rest {
  F k, m;
};
template <narrow F>
LIMEN_INLINE power_and_rest<F> split_log(F x) {
  using T = fp<F>;
  using bits = typename T::bits;
  constexpr bits kOne = std::bit_cast<bits>(F(1));
  constexpr bits kRootHalf = std::bit_cast<bits>(static_cast<F>(0.70710678118654752440L));
  constexpr bits kInteger = std::bit_cast<bits>(T::kMagic);
  const bool subnormal = x < std::numeric_limits<F>::min();
  const bits u = std::bit_cast<bits>(subnormal ? x * T::kSubnormalScale : x) + (kOne - kRootHalf);
  const F m = std::bit_cast<F>((u & ((bits{1} << T::kMantissa) - 1)) + kRootHalf);
  const F k = (std::bit_cast<F>(kInteger + (u >> T::kMantissa)) - T::kMagic) -
              static_cast<F>(subnormal ? T::kBias + T::kSubnormalExponent : T::kBias);
  return {k, m};
}

}  // namespace detail

template <real F>
LIMEN_INLINE F log(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_logl(x);
  else {
    using T = detail::fp<F>;
    const auto [k, m] = detail::split_log(x);
    const F f = m - 1, s = f / (2 + f), z = s * s, half = f * f * F(0.5);
    const F tail = detail::polynomial(T::kLog, z);
    const F y = k * T::kLn2High - ((half - (s * (half + tail * z) + k * T::kLn2Low)) - f);
    constexpr F kInfinity = std::numeric_limits<F>::infinity();
    const F edge = x == 0 ? -kInfinity : x == kInfinity ? x : std::numeric_limits<F>::quiet_NaN();
    return x > 0 && x < kInfinity ? y : edge;
  }
}

template <real F>
LIMEN_INLINE F log1p(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_log1pl(x);
  else {
    constexpr F kInfinity = std::numeric_limits<F>::infinity();
    const F u = 1 + x;
    const F lost = x >= 1 ? 1 - (u - x) : x - (u - 1);  // what rounding took from 1 + x
    const F y = log(u) + (u > 0 && u < kInfinity ? lost / u : F(0));
    return abs(x) < detail::fp<F>::kTiny ? x : y;
  }
}

namespace detail {

// log(1 + e) for 0 <= e <= 1
template <real F>
LIMEN_INLINE F log1p_of_unit(F e) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_log1pl(e);
  else
    return (polynomial(fp<F>::kLog1p, e) * e + 1) * e;
}

}  // namespace detail

// A function and its derivative, from one exponential and one division.
template <class F>
struct value_slope {
  F value, slope;
};

template <real F>
LIMEN_INLINE F tanh(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_tanhl(x);
  else {  // -e / (2 + e) with e = e^(-2|x|) - 1, whose sum is also that of sigmoid(2|x|)
    using T = detail::fp<F>;
    const F a = abs(x), b = a > T::kTanhHigh ? T::kTanhHigh : a;
    const auto [shifted, r] = detail::reduce_exp(-2 * b);
    const F p = detail::polynomial(T::kExpm1, r) * (r * r) + r;
    const F power = detail::power_of_two(shifted), e = p * power + (power - 1);
    return copysign(e / (2 + e), x);
  }
}

// 1 / (1 + e^-x)
template <real F>
LIMEN_INLINE F sigmoid(F x) {
  if constexpr (std::same_as<F, long double>)
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
  else {  // 2^-k / (2^-k + 2^-k e^-x): neither overflows nor loses a subnormal result
    using T = detail::fp<F>;
    F a = x < T::kExpLow ? T::kExpLow : x;
    a = a > 60 ? F(60) : a;
    const auto [shifted, r] = detail::reduce_exp(-a);
    const F e = detail::exp_reduced(r) * detail::power_of_two(shifted, -T::kLift);
    return detail::kUnlift<F> / (detail::kUnlift<F> + e);
  }
}

// sigmoid and its derivative s (1 - s), without that form's cancellation
template <real F>
LIMEN_INLINE value_slope<F> sigmoid_both(F x) {
  const F e = exp_minus_abs(x), u = 1 + e, w = 1 / (e * (e + 2) + 1);  // 1 / u^2
  return {(x < 0 ? e * u : u) * w, e * w};
}

template <real F>
LIMEN_INLINE F sigmoid_slope(F x) {
  return sigmoid_both(x).slope;
}

// tanh'(x) = 1 - tanh(x)^2, without that form's cancellation.
template <real F>
LIMEN_INLINE F tanh_slope(F x) {
  return 4 * sigmoid_both(2 * x).slope;
}

// log(1 + e^x), whose derivative is sigmoid(x)
template <real F>
LIMEN_INLINE value_slope<F> softplus_both(F x) {
  const F e = exp_minus_abs(x), r = 1 / (1 + e);
  return {(x > 0 ? x : F(0)) + detail::log1p_of_unit(e), x < 0 ? e * r : r};
}

template <real F>
LIMEN_INLINE F softplus(F x) {
  return (x > 0 ? x : F(0)) + detail::log1p_of_unit(exp_minus_abs(x));
}

}  // namespace limen
