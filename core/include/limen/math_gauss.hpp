// erf, erfc and the normal distribution on plain numbers, as branch-free and as accurate as
// limen/math_scalar.hpp: tails have full relative accuracy until they underflow.
//
// With t = |x|, P(X > t) = e^(-t^2 / 2) m(t), where m(t) (t + K) is a polynomial in
// t / (t + K); erfc likewise. The rounding error of t^2 goes into the exponential (after fdlibm's
// s_erf.c). In f32, P(X > t) is the density times Mills's ratio p(t) / (t p(t) + n(t)), a shape
// that forgives the rounding errors of p where t is large and those of t p + n where it is small.
#pragma once

#include <limen/math_gauss_terms.hpp>
#include <limen/math_scalar.hpp>

namespace limen {
namespace detail {

// 1 + r + c[0] r^2 + c[1] r^3 + ... in terms of scale r
template <class F, std::size_t N>
struct exp_series {
  F terms[N + 2];
  constexpr exp_series(const F (&c)[N], F scale) : terms{1, 1 / scale} {
    F power = scale;
    for (std::size_t k = 0; k < N; ++k) terms[k + 2] = c[k] / (power *= scale);
  }
};

// 2^kLift e^(-x^2 / Scale): always a normal number, so that the power of two can be added to the
// exponent.
template <int Scale, narrow F>
LIMEN_INLINE F lifted_exp_square(F x) {
  static constexpr exp_series kSeries(gauss<F>::kExp, F(Scale));
  const auto [shifted, r] = reduce_square<Scale>(x);
  return add_to_exponent(polynomial(kSeries.terms, r), shifted);
}

// w (c[0] + c[1] z + ...): e m(t) for w = e / (t + K) and z = t / (t + K) less the centre.
// `Exactly`: with what the last sum of the polynomial loses.
template <bool Exactly, narrow F, std::size_t N>
LIMEN_INLINE F times_mills(F w, const F (&c)[N], F z) {
  const F q = polynomial<1>(c, z), p = q * z + c[0];
  if constexpr (Exactly)
    return w * (q * z + (c[0] - p)) + w * p;
  else
    return w * p;
}

// e^(-c x^2) with what rounding takes from x^2: the reference for the other types
LIMEN_INLINE long double exp_square(long double c, long double x) {
  const long double square = x * x, lost = __builtin_fmal(x, x, -square);
  return __builtin_expl(-c * square) * (square < 1e5L ? 1 - c * lost : 1);
}

}  // namespace detail

// e^(-x^2)
template <real F>
LIMEN_INLINE F exp_neg_square(F x) {
  if constexpr (std::same_as<F, long double>)
    return detail::exp_square(1, x);
  else {
    const F a = detail::at_most<detail::bits_of(detail::gauss<F>::kSquareEnd)>(abs(x));
    return detail::lifted_exp_square<1>(a) * detail::kUnlift<F>;
  }
}

namespace detail {

// 2^(kLift + 1) density / kRatio from the reduced square
inline constexpr float kDensityUnlift = kUnlift<float> / 2;
LIMEN_INLINE float lifted_density(const reduced<float>& square) {
  return add_to_exponent(1 + polynomial(gauss<float>::kDensityOver, square.r), square.shifted);
}

// a P(X > t) for t in [0, kNormalEnd]. In f32 the last sum rounds once for all of the exponential.
template <narrow F>
LIMEN_INLINE F times_gauss_tail(F a, F t) {
  using T = gauss<F>;
  if constexpr (std::same_as<F, float>) {
    const auto [shifted, r] = reduce_half_square(t);
    const float p = polynomial(T::kMills, t), d = p * t + polynomial(T::kMillsRest, t);
    const float v = a * add_to_exponent(p, shifted) / d;
    return (v * polynomial(T::kDensityOver, r) + v) * kDensityUnlift;
  } else {
    const F v = 1 / (t + T::kShift), w = a * v * lifted_exp_square<2>(t);
    return times_mills<true>(w, T::kTail, t * v - T::kCentre) * kUnlift<F>;
  }
}

}  // namespace detail

// The density of the normal distribution: e^(-x^2 / 2) / sqrt(2 pi)
template <real F>
LIMEN_INLINE F gauss_pdf(F x) {
  constexpr F kDensity = static_cast<F>(0.398942280401432677939946L);
  if constexpr (std::same_as<F, long double>)
    return kDensity * detail::exp_square(0.5L, x);
  else {
    using T = detail::gauss<F>;
    const F t = detail::at_most<detail::bits_of(T::kNormalEnd)>(abs(x));
    if constexpr (std::same_as<F, float>) {
      return detail::lifted_density(detail::reduce_half_square(t)) *
             (T::kRatio * detail::kDensityUnlift);
    } else {
      return detail::lifted_exp_square<2>(t) * (kDensity * detail::kUnlift<F>);
    }
  }
}

// The normal distribution: P(X <= x) = erfc(-x / sqrt(2)) / 2
template <real F>
LIMEN_INLINE F gauss_cdf(F x) {
  if constexpr (std::same_as<F, long double>) {
    constexpr long double kRoot = 0.707106781186547524400844362104849039L,
                          kRest = 1.8950325588932572e-20L;  // sqrt(1/2) less kRoot
    const long double t = -x * kRoot, lost = -__builtin_fmal(x, kRoot, t) - x * kRest;
    const long double tail = __builtin_erfcl(t) / 2;
    return t > 1 && t < 1e5L ? tail * __builtin_expl(-2 * t * lost) : tail;
  } else {
    const F t = detail::at_most<detail::bits_of(detail::gauss<F>::kNormalEnd)>(abs(x));
    const F tail = detail::times_gauss_tail(F(1), t);
    return x > 0 ? 1 - tail : tail;
  }
}

namespace detail {

// erf(x) for |x| <= 1
template <narrow F>
LIMEN_INLINE F erf_near(F x) {
  return polynomial(gauss<F>::kErf, x * x) * x;
}

// erfc(x) for 0 <= x
template <narrow F>
LIMEN_INLINE F erfc_far(F x) {
  using T = gauss<F>;
  const F a = at_most<bits_of(T::kSquareEnd)>(x);
  const F v = 1 / (a + T::kErfcShift), w = lifted_exp_square<1>(a) * v;
  return times_mills<!std::same_as<F, float>>(w, T::kErfc, a * v - T::kErfcCentre) * kUnlift<F>;
}

}  // namespace detail

template <real F>
LIMEN_INLINE F erfc(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_erfcl(x);
  else {
    const F a = abs(x), far = detail::erfc_far(a);
    const F near = 1 - detail::erf_near(detail::at_most<detail::bits_of(F(1))>(a));
    const F right = a < F(.5625) ? near : far;
    return x < 0 ? 2 - right : right;
  }
}

template <real F>
LIMEN_INLINE F erf(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_erfl(x);
  else {
    const F a = abs(x), far = 1 - detail::erfc_far(a);
    const F near = detail::erf_near(detail::at_most<detail::bits_of(F(1))>(a));
    return copysign(a > 1 ? far : near, x);
  }
}

}  // namespace limen
