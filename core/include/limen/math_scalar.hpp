// Elementary functions on plain numbers for kernels: branch-free, so that a loop around them
// vectorises; at most 4 ulp in float and double; +-0, subnormals, infinities and NaN as the exact
// function has them. long double goes to libm and is the reference for the other two.
//
// Reduction and coefficients: x = n ln2 + r and a Taylor tail for exp; log after FreeBSD's e_log.c
// (W. J. Cody, W. Waite: Software Manual for the Elementary Functions; K. C. Ng, fdlibm).
#pragma once

#include <bit>
#include <concepts>
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
  static constexpr int kMantissa = 23, kBias = 127, kExpTerms = 7;
  static constexpr float kMagic = 0x1.8p23f;  // added, it leaves a rounded integer in the low bits
  static constexpr float kTiny = 0x1p-25f;    // below, x and expm1(x), log1p(x), tanh(x) agree
  static constexpr float kExpLow = -104.0f, kExpHigh = 89.0f, kOnesLow = -20.0f;
  static constexpr float kLn2High = 0x1.62e3p-1f, kLn2Low = 0x1.2fefa2p-17f;
  static constexpr float kSubnormalScale = 0x1p25f;
  static constexpr int kSubnormalExponent = 25;
  static constexpr float kLog[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f,
                                   0xf89e26.0p-26f};
};
template <>
struct fp<double> {
  using bits = std::uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023, kExpTerms = 13;
  static constexpr double kMagic = 0x1.8p52;
  static constexpr double kTiny = 0x1p-54;
  static constexpr double kExpLow = -746.0, kExpHigh = 710.0, kOnesLow = -40.0;
  static constexpr double kLn2High = 6.93147180369123816490e-01,
                          kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kSubnormalScale = 0x1p54;
  static constexpr int kSubnormalExponent = 54;
  static constexpr double kLog[] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                                    2.857142874366239149e-01, 2.222219843214978396e-01,
                                    1.818357216161805012e-01, 1.531383769920937332e-01,
                                    1.479819860511658591e-01};
};

template <class F>
constexpr F reciprocal_factorial(int n) {
  double product = 1;
  for (int k = 2; k <= n; ++k) product *= k;
  return static_cast<F>(1 / product);
}

// 2^n for the integer n whose rounding left `shifted` = n + kMagic; n within the normal exponents.
template <narrow F>
LIMEN_INLINE F power_of_two(F shifted) {
  using bits = typename fp<F>::bits;
  return std::bit_cast<F>((std::bit_cast<bits>(shifted) << fp<F>::kMantissa) +
                          (bits{fp<F>::kBias} << fp<F>::kMantissa));
}

// e^x = 2^n (1 + p), |p| < 0.42.
template <class F>
struct reduced {
  F n, p;
};

template <narrow F>
LIMEN_INLINE reduced<F> reduce_exp(F x) {
  using T = fp<F>;
  constexpr F kLog2E = static_cast<F>(1.44269504088896340736L);
  const F n = (x * kLog2E + T::kMagic) - T::kMagic;
  const F r = (x - n * T::kLn2High) - n * T::kLn2Low;
  F q = reciprocal_factorial<F>(T::kExpTerms);
  [&]<int... K>(std::integer_sequence<int, K...>) __attribute__((always_inline)) {
    ((q = q * r + reciprocal_factorial<F>(T::kExpTerms - 1 - K)), ...);
  }
  (std::make_integer_sequence<int, T::kExpTerms - 2>{});
  return {n, r + r * r * q};
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
    const auto [n, p] = detail::reduce_exp(a);
    // Two factors, so that the result may overflow or be subnormal while they are not.
    const F shifted = n * F(0.5) + T::kMagic, rest = (n - (shifted - T::kMagic)) + T::kMagic;
    return (1 + p) * detail::power_of_two(shifted) * detail::power_of_two(rest);
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
    const auto [n, p] = detail::reduce_exp(a);
    const F half = detail::power_of_two((n - 1) + T::kMagic);  // 2^n may overflow, 2^(n-1) not
    const F y = 2 * (p * half + (half - F(0.5)));
    return abs(x) < T::kTiny ? x : y;
  }
}

template <real F>
LIMEN_INLINE F log(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_logl(x);
  else {
    using T = detail::fp<F>;
    using bits = typename T::bits;
    constexpr bits kOne = std::bit_cast<bits>(F(1));
    constexpr bits kRootHalf = std::bit_cast<bits>(static_cast<F>(0.70710678118654752440L));
    constexpr bits kInteger = std::bit_cast<bits>(T::kMagic);
    const bool subnormal = x < std::numeric_limits<F>::min();
    const bits u = std::bit_cast<bits>(subnormal ? x * T::kSubnormalScale : x) + (kOne - kRootHalf);
    const bits biased = u >> T::kMantissa;  // of 2^k m, m in [sqrt(1/2), sqrt(2))
    const F m = std::bit_cast<F>((u & ((bits{1} << T::kMantissa) - 1)) + kRootHalf);
    const F k = (std::bit_cast<F>(kInteger + biased) - T::kMagic) -
                static_cast<F>(subnormal ? T::kBias + T::kSubnormalExponent : T::kBias);
    const F f = m - 1, s = f / (2 + f), z = s * s, half = f * f * F(0.5);
    constexpr int kTerms = sizeof(T::kLog) / sizeof(F);
    F tail = T::kLog[kTerms - 1];
    [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
      ((tail = tail * z + T::kLog[kTerms - 2 - I]), ...);
    }
    (std::make_integer_sequence<int, kTerms - 1>{});
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

template <real F>
LIMEN_INLINE F tanh(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_tanhl(x);
  else {
    const F e = expm1(-2 * abs(x));
    return copysign(-e / (2 + e), x);
  }
}

// tanh'(x) = 1 - tanh(x)^2, without that form's cancellation.
template <real F>
LIMEN_INLINE F tanh_slope(F x) {
  const F e = exp(-2 * abs(x)), u = 1 + e;
  return 4 * e / (u * u);
}

// 1 / (1 + e^-x)
template <real F>
LIMEN_INLINE F sigmoid(F x) {
  const F e = exp(-abs(x)), r = 1 / (1 + e);
  return x < 0 ? e * r : r;
}

// sigmoid'(x) = s (1 - s), without that form's cancellation.
template <real F>
LIMEN_INLINE F sigmoid_slope(F x) {
  const F e = exp(-abs(x)), u = 1 + e;
  return e / (u * u);
}

// log(1 + e^x)
template <real F>
LIMEN_INLINE F softplus(F x) {
  return (x > 0 ? x : F(0)) + log1p(exp(-abs(x)));
}

}  // namespace limen
