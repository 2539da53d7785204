// The functions of formulas, on numbers that carry their derivatives (limen/math_var.hpp). Each has
// its derivative in a form that does not cancel; the headers of the plain functions tell how they
// are computed and where they end.
//
// Largest error found, in units of the last place, with fused multiply-add (bench_math_ulp and
// uniform samples of some 10^7 points where the function bends):
//
//                  f32   f64                     f32   f64                    f32   f64
//   exp            0.9   1.0     sigmoid         2.2   2.4    gauss_cdf       3.8   3.9
//   expm1          1.4   2.0     sigmoid_slope   2.6   2.6    gauss_pdf       1.7   2.2
//   log            0.8   0.8     tanh            2.5   2.6    exp_neg_square  1.3   1.3
//   log1p          1.5   1.5     tanh_slope      2.6   2.6    atan            2.1   2.2
//   pow            0.6   1.2     softplus        2.3   2.3    atan_slope      1.5   1.5
//   sin            0.6   1.0     tanh_softplus   2.9   3.0    erf             2.5   1.7
//   cos            0.6   1.0     a times it      3.2   3.6    erfc            3.7   3.6
#pragma once

#include <limen/math_gates.hpp>
#include <limen/math_gauss.hpp>
#include <limen/math_pow.hpp>
#include <limen/math_trig.hpp>
#include <limen/math_var.hpp>

namespace limen {

template <class T, int D>
LIMEN_INLINE bool isnan(const var<T, D>& a) {
  return a != a;
}

// The larger; NaN if either is. Where both are equal the derivative is b's: max(x, 0) is flat at 0.
template <class T, int D>
LIMEN_INLINE var<T, D> max(const var<T, D>& a, const std::type_identity_t<var<T, D>>& b) {
  return detail::select(a > b || isnan(a), a, b);
}
template <class T, int D>
LIMEN_INLINE var<T, D> min(const var<T, D>& a, const std::type_identity_t<var<T, D>>& b) {
  return detail::select(a < b || isnan(a), a, b);
}

// |a|; slope 0 at 0
template <class T, int D>
LIMEN_INLINE var<T, D> abs(const var<T, D>& a) {
  return detail::chain(a, T(abs(a.v)), T(a > 0 ? 1 : a < 0 ? -1 : 0));
}
template <class T, int D>
LIMEN_INLINE var<T, D> square(const var<T, D>& a) {
  return detail::chain(a, T(a.v * a.v), T(2 * a.v));
}
template <class T, int D>
LIMEN_INLINE var<T, D> sqrt(const var<T, D>& a) {
  const T y = sqrt(a.v);
  return detail::chain(a, y, T(1 / (2 * y)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> exp(const var<T, D>& a) {
  const T y = exp(a.v);
  return detail::chain(a, y, y);
}
template <class T, int D>
LIMEN_INLINE var<T, D> expm1(const var<T, D>& a) {
  return detail::chain(a, T(expm1(a.v)), T(exp(a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> log(const var<T, D>& a) {
  return detail::chain(a, T(log(a.v)), T(1 / a.v));
}
template <class T, int D>
LIMEN_INLINE var<T, D> log1p(const var<T, D>& a) {
  return detail::chain(a, T(log1p(a.v)), T(1 / (1 + a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> exp_neg_square(const var<T, D>& a) {
  const T y = exp_neg_square(a.v);
  return detail::chain(a, y, T(-2 * a.v * y));
}
template <class T, int D>
LIMEN_INLINE var<T, D> erf(const var<T, D>& a) {
  constexpr double kSlope = 1.12837916709551257390;  // 2 / sqrt(pi)
  return detail::chain(a, T(erf(a.v)), T(detail::number<T>(kSlope) * exp_neg_square(a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> erfc(const var<T, D>& a) {
  constexpr double kSlope = 1.12837916709551257390;
  return detail::chain(a, T(erfc(a.v)), T(detail::number<T>(-kSlope) * exp_neg_square(a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> gauss_pdf(const var<T, D>& a) {
  const T y = gauss_pdf(a.v);
  return detail::chain(a, y, T(-a.v * y));
}
template <class T, int D>
LIMEN_INLINE var<T, D> gauss_cdf(const var<T, D>& a) {
  return detail::chain(a, T(gauss_cdf(a.v)), T(gauss_pdf(a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> sin(const var<T, D>& a) {
  return detail::chain(a, T(sin(a.v)), T(cos(a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> cos(const var<T, D>& a) {
  return detail::chain(a, T(cos(a.v)), T(-sin(a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> atan_slope(const var<T, D>& a) {
  const T y = atan_slope(a.v);
  return detail::chain(a, y, T(-2 * a.v * y * y));
}
template <class T, int D>
LIMEN_INLINE var<T, D> atan(const var<T, D>& a) {
  return detail::chain(a, T(atan(a.v)), T(atan_slope(a.v)));
}

template <class T, int D>
LIMEN_INLINE var<T, D> tanh_slope(const var<T, D>& a) {
  const T slope = tanh_slope(a.v);
  return detail::chain(a, slope, T(-2 * tanh(a.v) * slope));
}
template <class T, int D>
LIMEN_INLINE var<T, D> tanh(const var<T, D>& a) {
  return detail::chain(a, T(tanh(a.v)), T(tanh_slope(a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> sigmoid_slope(const var<T, D>& a) {
  const T slope = sigmoid_slope(a.v);
  return detail::chain(a, slope, T(-tanh(a.v / 2) * slope));
}

// Those that share an exponential with their derivative.
template <class T, int D>
LIMEN_INLINE var<T, D> sigmoid(const var<T, D>& a) {
  if constexpr (D == 0)
    return sigmoid(a.v);
  else {
    const auto both = sigmoid_both(a.v);
    return detail::chain(a, both.value, both.slope);
  }
}
template <class T, int D>
LIMEN_INLINE value_slope<var<T, D>> sigmoid_both(const var<T, D>& a) {
  return {sigmoid(a), sigmoid_slope(a)};
}
template <class T, int D>
LIMEN_INLINE var<T, D> softplus(const var<T, D>& a) {
  if constexpr (D == 0)
    return softplus(a.v);
  else {
    const auto both = softplus_both(a.v);
    return detail::chain(a, both.value, both.slope);
  }
}
template <class T, int D>
LIMEN_INLINE value_slope<var<T, D>> softplus_both(const var<T, D>& a) {
  return {softplus(a), sigmoid(a)};
}
template <class T, int D>
LIMEN_INLINE gate<var<T, D>> sigmoid_gate(const var<T, D>& a) {
  const auto [value, slope, open] = sigmoid_gate(a.v);
  const T second = -tanh(a.v / 2) * slope;
  return {detail::chain(a, value, slope), detail::chain(a, slope, second), open};
}
template <class T, int D>
LIMEN_INLINE gate<var<T, D>> tanh_softplus_gate(const var<T, D>& a) {
  const auto [value, slope, open] = tanh_softplus_gate(a.v);
  const T second = slope * (sigmoid(-a.v) - 2 * value * sigmoid(a.v));
  return {detail::chain(a, value, slope), detail::chain(a, slope, second), open};
}
template <class T, int D>
LIMEN_INLINE gate<var<T, D>> gauss_gate(const var<T, D>& a) {
  const auto [value, slope, open] = gauss_gate(a.v);
  return {detail::chain(a, value, slope), detail::chain(a, slope, T(-a.v * slope)), open};
}
template <class T, int D>
LIMEN_INLINE var<T, D> tanh_softplus(const var<T, D>& a) {
  return detail::chain(a, T(tanh_softplus(a.v)), T(tanh_softplus_gate(a.v).slope));
}

namespace detail {

// y = a g(x); an infinite a does not spoil a slope of 0.
template <class T, int D>
LIMEN_INLINE var<T, D> gated(const var<T, D>& a, const var<T, D>& x, const T& y, const gate<T>& g) {
  const T slope = select(g.open, T(a.v * g.slope), T(0));
  var<T, D> r;
  r.v = y;
  each<D>([&](auto k)
              __attribute__((always_inline)) { r.d[k] = g.value * a.d[k] + slope * x.d[k]; });
  return r;
}

}  // namespace detail

// a sigmoid(x): sigmoid linear units and their gates
template <class T, int D>
LIMEN_INLINE var<T, D> times_sigmoid(const var<T, D>& a, const std::type_identity_t<var<T, D>>& x) {
  return detail::gated(a, x, T(times_sigmoid(a.v, x.v)), sigmoid_gate(x.v));
}
// x sigmoid(beta x), with fewer steps where beta is no variable
template <class T, int D, class B>
LIMEN_INLINE auto swish(const var<T, D>& x, const B& beta) {
  const auto t = beta * x;
  if constexpr (narrow<T> && detail::is_constant<B>)
    return detail::chain(x, times_sigmoid(x.v, t.v), times_sigmoid_slope(t.v));
  else
    return times_sigmoid(decltype(t)(x), t);
}
// a tanh(softplus(x)): mish
template <class T, int D>
LIMEN_INLINE var<T, D> times_tanh_softplus(const var<T, D>& a,
                                           const std::type_identity_t<var<T, D>>& x) {
  return detail::gated(a, x, T(times_tanh_softplus(a.v, x.v)), tanh_softplus_gate(x.v));
}
template <class T, int D>
LIMEN_INLINE var<T, D> times_gauss_cdf(const var<T, D>& x) {
  if constexpr (std::same_as<T, float>)
    return detail::chain(x, times_gauss_cdf(x.v), times_gauss_cdf_slope(x.v));
  else
    return detail::gated(x, x, T(times_gauss_cdf(x.v)), gauss_gate(x.v));
}
// a P(X <= x): gaussian error linear units
template <class T, int D>
LIMEN_INLINE var<T, D> times_gauss_cdf(const var<T, D>& a,
                                       const std::type_identity_t<var<T, D>>& x) {
  return detail::gated(a, x, T(times_gauss_cdf(a.v, x.v)), gauss_gate(x.v));
}

namespace detail {

// d(a^b)/da = b a^(b - 1). Where b - 1 is rounded, a^b / a instead.
template <class T, class E>
LIMEN_INLINE T pow_slope(const T& a, const E& b) {
  const bool exact = b >= 0.5 || a == 0;
  const T y = pow(a, select(exact, E(b - 1), b));
  const T slope = b * select(exact, y, T(y / a));
  return select(b == 0, T(0), slope);
}

}  // namespace detail

// a^b with the values of C's pow
template <class T, int D>
LIMEN_INLINE var<T, D> pow(const var<T, D>& a, const var<T, D>& b) {
  const T y = pow(a.v, b.v), da = detail::pow_slope(a.v, b.v);
  const T db = detail::select(y == 0, T(0), T(y * log(a.v)));
  var<T, D> r;
  r.v = y;
  detail::each<D>([&](auto k)
                      __attribute__((always_inline)) { r.d[k] = da * a.d[k] + db * b.d[k]; });
  return r;
}
template <class V, class C>
requires detail::var_and_constant<V, C> LIMEN_INLINE V pow(const V& a, const C& c) {
  const auto b = detail::number<V>(c);
  using T = decltype(V::v);
  return detail::chain(a, T(pow(a.v, b)), T(detail::pow_slope(a.v, b)));
}
template <class C, class V>
requires(detail::var_and_constant<V, C> && !detail::var_and_constant<C, V>) LIMEN_INLINE V
    pow(const C& c, const V& b) {
  using T = decltype(V::v);
  const T base = detail::number<V>(c), y = pow(base, b.v);
  return detail::chain(b, y, detail::select(y == 0, T(0), T(y * log(base))));
}

}  // namespace limen
