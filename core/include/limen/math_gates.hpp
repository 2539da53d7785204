// Gates: a number times a function of another that falls from 1 to 0, as in silu, mish and gelu.
// They cost less than the product of both, and are right where the gate alone would be subnormal.
// An `a` of -infinity counts as the lowest finite number, so that a gate of 0 closes it too.
#pragma once

#include <limen/math_gauss.hpp>

namespace limen {

// A gate, its slope, and whether the slope is more than nothing: a condition of its own, since
// compilers turn one that it shares with a clamp into several.
template <class T>
struct gate {
  T value, slope;
  bool open;
};

namespace detail {

template <narrow F>
LIMEN_INLINE F closable(F a) {
  return at_least<bits_of(std::numeric_limits<F>::lowest())>(a);
}

template <narrow F>
inline constexpr F kLn2 = static_cast<F>(0.693147180559945309417L);

// e^x for x <= kExpHigh, but 0 where 2^n is: below 2^-kBias.
template <narrow F>
LIMEN_INLINE F flushed_exp(F x) {
  constexpr F kEnd = -kLn2<F> * fp<F>::kBias;  // n is -kBias
  const auto [shifted, r] = reduce_exp(at_least<bits_of(kEnd)>(x));
  return exp_reduced(r) * power_of_two(shifted);
}

}  // namespace detail

// a sigmoid(x)
template <real F>
LIMEN_INLINE F times_sigmoid(F a, F x) {
  if constexpr (std::same_as<F, long double>)
    return a * sigmoid(x);
  else {  // s a / (s + s e^-x) with s = 1, or less where e^-x could overflow
    using T = detail::fp<F>;
    constexpr F kEnd = -detail::kLn2<F> * (T::kBias + 1 + T::kLift);  // s e^-x is infinite
    const F s = x < -64 ? detail::kUnlift<F> : F(1);
    using detail::bits_of;
    const F b = detail::at_least<bits_of(kEnd)>(detail::at_most<bits_of(F(60))>(x));
    const auto [shifted, r] = detail::reduce_exp(-b, T::kMagic);
    const F power = detail::power_of_two(shifted, std::bit_cast<typename T::bits>(s));
    return detail::closable(a) * s / (detail::exp_reduced(r) * power + s);
  }
}

template <real F>
LIMEN_INLINE gate<F> sigmoid_gate(F x) {
  if constexpr (std::same_as<F, long double>)
    return {sigmoid(x), sigmoid_slope(x), true};
  else {
    const F b = copysign(x, F(-1)), e = detail::flushed_exp(b), r = 1 / (1 + e), er = e * r;
    const bool open = b > -detail::kLn2<F> * (detail::fp<F>::kBias - 2);
    return {detail::has_sign(x) ? er : r, er * r, open};
  }
}

// The derivative of x sigmoid(x): s + x s (1 - s). x is bounded where the second term is nothing.
template <narrow F>
LIMEN_INLINE F times_sigmoid_slope(F x) {
  constexpr F kEnd = detail::kLn2<F> * (detail::fp<F>::kBias - 2);
  using detail::bits_of;
  const F t = detail::at_least<bits_of(-kEnd)>(detail::at_most<bits_of(kEnd)>(x));
  const auto [shifted, r] = detail::reduce_exp(copysign(t, F(-1)), detail::fp<F>::kMagic);
  const F e = detail::add_to_exponent(detail::exp_reduced(r), shifted);  // e^-|t| is normal
  const F s = 1 / (1 + e), es = e * s;
  return t * (es * s) + (detail::has_sign(x) ? es : s);
}

// tanh(log(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2)
template <real F>
LIMEN_INLINE gate<F> tanh_softplus_gate(F x) {
  // Above kHigh the gate is 1 and the slope 0, and nothing overflows up to there.
  constexpr F kHigh = std::same_as<F, float> ? F(40) : F(300);
  F e;
  if constexpr (std::same_as<F, long double>)
    e = exp(x > kHigh ? kHigh : x);
  else
    e = detail::flushed_exp(detail::at_most<detail::bits_of(kHigh)>(x));
  const F n = e * e + 2 * e, r = 1 / (n + 2);
  return {n * r, (e * e + e) * r * (4 * r), x < kHigh - 1 && x > -2 * kHigh};
}

template <real F>
LIMEN_INLINE F tanh_softplus(F x) {
  constexpr F kHigh = std::same_as<F, float> ? F(20) : F(40);  // 1 to rounding
  const F e = exp(x > kHigh ? kHigh : x), n = e * e + 2 * e;
  return n / (n + 2);
}

// a tanh(log(1 + e^x))
template <real F>
LIMEN_INLINE F times_tanh_softplus(F a, F x) {
  if constexpr (std::same_as<F, long double>)
    return a * tanh_softplus(x);
  else {  // e is e^x, or more where that could be subnormal: then e^x = s e
    using T = detail::fp<F>;
    constexpr F kHigh = std::same_as<F, float> ? F(20) : F(40);
    constexpr F kEnd = -detail::kLn2<F> * (T::kBias + T::kLift);
    const bool low = x < -64;
    const F s = low ? detail::kUnlift<F> : F(1);
    using detail::bits_of;
    const F b = detail::at_least<bits_of(kEnd)>(detail::at_most<bits_of(kHigh)>(x));
    const auto [shifted, r] = detail::reduce_exp(b, T::kMagic);
    const F power =
        detail::power_of_two(shifted, low ? detail::biased<F>(T::kLift) : detail::biased<F>(0));
    const F e = detail::exp_reduced(r) * power, n = (e * s) * e + 2 * e;
    return detail::closable(a) * s * (n / (n * s + 2));
  }
}

// a P(X <= x) of the normal distribution
template <real F>
LIMEN_INLINE F times_gauss_cdf(F a, F x) {
  if constexpr (std::same_as<F, long double>)
    return a * gauss_cdf(x);
  else
    return detail::closable(a) * gauss_cdf(x);
}

// x P(X <= x) = max(x, 0) - t P(X > t) with t = |x|
template <real F>
LIMEN_INLINE F times_gauss_cdf(F x) {
  if constexpr (std::same_as<F, long double>)
    return x * gauss_cdf(x);
  else {
    const F t = detail::at_most<detail::bits_of(detail::gauss<F>::kNormalEnd)>(abs(x));
    // The sign of zero stays, and numbers far below give -0.
    const F least = detail::at_least<detail::bits_of(F(-0.0))>(x);
    return least - detail::times_gauss_tail(t, t);
  }
}

// The derivative of x P(X <= x): z = P(X > t) - t density(t), or 1 - z above 0
LIMEN_INLINE float times_gauss_cdf_slope(float x) {
  using T = detail::gauss<float>;
  const float t = detail::at_most<detail::bits_of(T::kNormalEnd)>(abs(x));
  const float p = detail::polynomial(T::kMills, t);
  const float d = p * t + detail::polynomial(T::kMillsRest, t);
  // What the density is lifted by is taken away in the exponent of the divisor, free of charge.
  constexpr float kLift = detail::fp<float>::kMagic + detail::fp<float>::kLift + 1;
  const float mills = p / detail::add_to_exponent(d, kLift),
              part = t * (T::kRatio * detail::kDensityUnlift);
  const float z = (mills - part) * detail::lifted_density(detail::reduce_half_square(t));
  return x > 0 ? 1 - z : z;
}

template <real F>
LIMEN_INLINE gate<F> gauss_gate(F x) {
  const bool open = abs(x) <= std::numeric_limits<F>::max();
  return {gauss_cdf(x), gauss_pdf(x), open};
}

}  // namespace limen
