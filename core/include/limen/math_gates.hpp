// Gates: a number times a function of another that falls from 1 to 0, as in silu and mish. One
// rounding less than the product of both, and right where the gate alone would be subnormal.
#pragma once

#include <limen/math_scalar.hpp>

namespace limen {
namespace detail {

// Gates below 2^-kGateBits are 0.
template <narrow F>
inline constexpr int kGateBits = fp<F>::kBias + fp<F>::kLift;
constexpr long double kLn2 = 0.693147180559945309417L;

// -infinity becomes finite, so that a gate that is 0 closes it too.
template <narrow F>
LIMEN_INLINE F closable(F a) {
  return a < std::numeric_limits<F>::lowest() ? std::numeric_limits<F>::lowest() : a;
}

}  // namespace detail

// a sigmoid(x)
template <real F>
LIMEN_INLINE F times_sigmoid(F a, F x) {
  if constexpr (std::same_as<F, long double>)
    return a * sigmoid(x);
  else {  // 2^-k a / (2^-k + 2^-k e^-x), with k = 0 where e^-x is far from overflow
    using T = detail::fp<F>;
    const bool low = x < -64;
    F b = x > 60 ? F(60) : x;
    constexpr F kEnd = static_cast<F>(-detail::kLn2 * (detail::kGateBits<F> + 1));
    b = b < kEnd ? kEnd : b;
    const auto [shifted, r] = detail::reduce_exp(-b);
    const F power = detail::power_of_two_bits(
        shifted, low ? detail::biased<F>(-T::kLift) : detail::biased<F>(0));
    const F one = low ? detail::kUnlift<F> : F(1);
    const F above = low ? detail::closable(a) * detail::kUnlift<F> : a;
    return above / (detail::exp_reduced(r) * power + one);
  }
}

// tanh(log(1 + e^x)) and its derivative, with e = e^-|x|
template <real F>
LIMEN_INLINE value_slope<F> tanh_softplus_both(F x) {
  // x < 0: n / (n + 2) with n = e (e + 2); x > 0: (1 + 2 e) / (1 + 2 e + 2 e^2)
  const F e = exp_minus_abs(x), g = e * e + 2 * e, h = 2 * e;
  const bool left = x < 0;
  const F above = left ? g : h + 1, below = left ? g + 2 : h * e + (h + 1);
  const F w = 1 / below, c = left ? F(1) : e;
  return {above * w, 4 * (e * c) * (left ? e + 1 : 1 + e) * (w * w)};
}

template <real F>
LIMEN_INLINE F tanh_softplus(F x) {
  const F e = exp_minus_abs(x), g = e * e + 2 * e, h = 2 * e;
  return x < 0 ? g / (g + 2) : (h + 1) / (h * e + (h + 1));
}

// a tanh(log(1 + e^x))
template <real F>
LIMEN_INLINE F times_tanh_softplus(F a, F x) {
  if constexpr (std::same_as<F, long double>)
    return a * tanh_softplus(x);
  else {
    using T = detail::fp<F>;
    constexpr F kHigh = std::same_as<F, float> ? F(20) : F(40);  // 1 to rounding
    const bool low = x < -64;
    F b = x > kHigh ? kHigh : x;
    constexpr F kEnd = static_cast<F>(-detail::kLn2 * detail::kGateBits<F>);
    b = b < kEnd ? kEnd : b;
    const auto [shifted, r] = detail::reduce_exp(b);
    const F power = detail::power_of_two_bits(
        shifted, low ? detail::biased<F>(T::kLift) : detail::biased<F>(0));
    const F e = detail::exp_reduced(r) * power;
    const F c = low ? detail::closable(a) * detail::kUnlift<F> : a;
    const F n = e * (low ? F(0) : e) + 2 * e;  // a lifted e is e^x, which is lost beside 2
    return c * (n / ((low ? F(0) : n) + 2));
  }
}

}  // namespace limen
