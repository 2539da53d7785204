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

#include <limen/math_bits.hpp>

namespace limen {

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

namespace detail {

// The sign bit: a choice by it needs no comparison, where both sides agree at 0.
template <narrow F>
LIMEN_INLINE bool has_sign(F x) {
  using number = std::conditional_t<sizeof(F) == 8, std::int64_t, std::int32_t>;
  return std::bit_cast<number>(x) < 0;
}

}  // namespace detail

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
    using detail::bits_of;
    const F b = detail::at_least<bits_of(T::kExpLow)>(x);
    const F a = detail::at_most<bits_of(T::kExpHigh)>(b);
    const auto [shifted, r] = detail::reduce_exp(a, T::kMagic);
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
    const F a = detail::at_least<detail::bits_of(T::kExpLow)>(copysign(x, F(-1)));
    return detail::lifted_exp(a) * detail::kUnlift<F>;
  }
}

template <real F>
LIMEN_INLINE F expm1(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_expm1l(x);
  else {
    using T = detail::fp<F>;
    using detail::bits_of;
    const F b = detail::at_least<bits_of(T::kOnesLow)>(x);
    const F a = detail::at_most<bits_of(T::kExpHigh)>(b);
    const auto [shifted, r] = detail::reduce_exp(a, detail::power_magic<F>(-1));
    const F p = detail::polynomial(T::kExpm1, r) * (r * r) + r;
    const F half = detail::power_of_two(shifted);  // 2^n may overflow, 2^(n-1) not
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
    const F b = detail::at_most<detail::bits_of(T::kTanhHigh)>(abs(x));
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
    using detail::bits_of;
    const F b = detail::at_least<bits_of(T::kExpLow)>(x);
    const F a = detail::at_most<bits_of(F(60))>(b);
    const auto [shifted, r] = detail::reduce_exp(-a, detail::power_magic<F>(-T::kLift));
    const F e = detail::exp_reduced(r) * detail::power_of_two(shifted);
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
