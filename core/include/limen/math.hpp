// Numbers that carry their derivatives, for formulas of activations: var<F, D> is a value of type F
// with D partial derivatives. var<F, 0> is a plain number that never promotes (0.5 * x stays
// float); var<var<F, 1>, 1> gives second derivatives. Comparisons compare values, so `x > 0 ? x : a
// * x` works. Every function carries its derivative in a form that does not cancel.
//
// Constants in formulas (int, double, var<F, 0>) have no derivative and cost nothing.
#pragma once

#include <limen/math_scalar.hpp>

#include <type_traits>

namespace limen {

template <class T, int D>
struct var;

namespace detail {

template <class T>
struct traits {
  static constexpr bool is_var = false;
  using base = T;
};
template <class T, int D>
struct traits<var<T, D>> {
  static constexpr bool is_var = true;
  using base = typename traits<T>::base;
};
template <class T>
using base_t = typename traits<T>::base;

template <class T>
constexpr bool is_constant = std::is_arithmetic_v<T>;
template <class F>
constexpr bool is_constant<var<F, 0>> = true;

struct no_partials {};
template <class T, int D>
struct partials_of {
  using type = T[D];
};
template <class T>
struct partials_of<T, 0> {
  using type = no_partials;
};
template <class T, int D>
using partials = typename partials_of<T, D>::type;

template <int D, class Body>
LIMEN_INLINE void each(Body body) {
  [&]<int... K>(std::integer_sequence<int, K...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, K>{}), ...);
  }
  (std::make_integer_sequence<int, D>{});
}

}  // namespace detail

template <class T, int D>
struct var {
  using base = detail::base_t<T>;
  T v;
  [[no_unique_address]] detail::partials<T, D> d;

  LIMEN_INLINE var() = default;
  LIMEN_INLINE constexpr var(T a) : v(a), d{} {}  // NOLINT: formulas write constants plainly
  template <class A>
  requires(std::is_arithmetic_v<A> && !std::same_as<A, T>) LIMEN_INLINE constexpr var(A a)
      : v(static_cast<base>(a)), d{} {}  // NOLINT
  template <class A>
  requires(std::same_as<A, var<base, 0>> && !std::same_as<A, T> &&
           !std::same_as<A, var>) LIMEN_INLINE constexpr var(const A& a)
      : v(a.v), d{} {}  // NOLINT
};

// The number itself, all derivatives dropped.
template <class A>
LIMEN_INLINE auto value(const A& a) {
  if constexpr (detail::traits<A>::is_var)
    return value(a.v);
  else
    return a;
}

// The same value as a constant: nothing is differentiated through it.
template <class T, int D>
LIMEN_INLINE var<T, D> detach(const var<T, D>& a) {
  return var<detail::base_t<T>, 0>(value(a));
}

namespace detail {

// A constant of any type as the plain number that belongs to V.
template <class V, class C>
LIMEN_INLINE base_t<V> number(const C& c) {
  return static_cast<base_t<V>>(value(c));
}

// y = f(a) with slope f'(a)
template <class T, int D>
LIMEN_INLINE var<T, D> chain(const var<T, D>& a, const T& y, const T& slope) {
  var<T, D> r;
  r.v = y;
  each<D>([&](auto k) __attribute__((always_inline)) { r.d[k] = slope * a.d[k]; });
  return r;
}

// A variable and a constant, in either order.
template <class A, class B>
concept var_and_constant = traits<A>::is_var && is_constant<B> && !std::same_as<A, B>;
template <class A, class B>
concept var_and_other = traits<A>::is_var &&(std::same_as<A, B> || is_constant<B>);
template <class A, class B>
concept mixed = var_and_other<A, B> || var_and_other<B, A>;

}  // namespace detail

template <class T, int D>
LIMEN_INLINE var<T, D> operator-(const var<T, D>& a) {
  var<T, D> r;
  r.v = -a.v;
  detail::each<D>([&](auto k) __attribute__((always_inline)) { r.d[k] = -a.d[k]; });
  return r;
}

template <class T, int D>
LIMEN_INLINE var<T, D> operator+(const var<T, D>& a, const var<T, D>& b) {
  var<T, D> r;
  r.v = a.v + b.v;
  detail::each<D>([&](auto k) __attribute__((always_inline)) { r.d[k] = a.d[k] + b.d[k]; });
  return r;
}
template <class V, class C>
requires detail::var_and_constant<V, C> LIMEN_INLINE V operator+(V a, const C& c) {
  a.v = a.v + detail::number<V>(c);
  return a;
}
template <class C, class V>
requires(detail::var_and_constant<V, C> && !detail::var_and_constant<C, V>) LIMEN_INLINE V
operator+(const C& c, const V& a) {
  return a + c;
}

template <class T, int D>
LIMEN_INLINE var<T, D> operator-(const var<T, D>& a, const var<T, D>& b) {
  return a + -b;
}
template <class V, class C>
requires detail::var_and_constant<V, C> LIMEN_INLINE V operator-(V a, const C& c) {
  a.v = a.v - detail::number<V>(c);
  return a;
}
template <class C, class V>
requires(detail::var_and_constant<V, C> && !detail::var_and_constant<C, V>) LIMEN_INLINE V
operator-(const C& c, const V& a) {
  V r = -a;
  r.v = detail::number<V>(c) - a.v;
  return r;
}

template <class T, int D>
LIMEN_INLINE var<T, D> operator*(const var<T, D>& a, const var<T, D>& b) {
  var<T, D> r;
  r.v = a.v * b.v;
  detail::each<D>([&](auto k)
                      __attribute__((always_inline)) { r.d[k] = a.d[k] * b.v + a.v * b.d[k]; });
  return r;
}
template <class V, class C>
requires detail::var_and_constant<V, C> LIMEN_INLINE V operator*(const V& a, const C& c) {
  V r;
  r.v = a.v * detail::number<V>(c);
  [&]<class T, int D>(const var<T, D>&) __attribute__((always_inline)) {
    detail::each<D>([&](auto k)
                        __attribute__((always_inline)) { r.d[k] = a.d[k] * detail::number<V>(c); });
  }
  (a);
  return r;
}
template <class C, class V>
requires(detail::var_and_constant<V, C> && !detail::var_and_constant<C, V>) LIMEN_INLINE V
operator*(const C& c, const V& a) {
  return a * c;
}

template <class T, int D>
LIMEN_INLINE var<T, D> operator/(const var<T, D>& a, const var<T, D>& b) {
  var<T, D> r;
  r.v = a.v / b.v;
  detail::each<D>([&](auto k)
                      __attribute__((always_inline)) { r.d[k] = (a.d[k] - r.v * b.d[k]) / b.v; });
  return r;
}
template <class V, class C>
requires detail::var_and_constant<V, C> LIMEN_INLINE V operator/(const V& a, const C& c) {
  V r;
  r.v = a.v / detail::number<V>(c);
  [&]<class T, int D>(const var<T, D>&) __attribute__((always_inline)) {
    detail::each<D>([&](auto k)
                        __attribute__((always_inline)) { r.d[k] = a.d[k] / detail::number<V>(c); });
  }
  (a);
  return r;
}
template <class C, class T, int D>
requires(detail::var_and_constant<var<T, D>, C> &&
         !detail::var_and_constant<C, var<T, D>>) LIMEN_INLINE var<T, D>
operator/(const C& c, const var<T, D>& a) {
  const T y = detail::number<var<T, D>>(c) / a.v;
  return detail::chain(a, y, T(-y / a.v));
}

template <class A, class B>
requires detail::mixed<A, B> LIMEN_INLINE bool operator<(const A& a, const B& b) {
  using V = std::conditional_t<detail::traits<A>::is_var, A, B>;
  return detail::number<V>(a) < detail::number<V>(b);
}
template <class A, class B>
requires detail::mixed<A, B> LIMEN_INLINE bool operator>(const A& a, const B& b) {
  using V = std::conditional_t<detail::traits<A>::is_var, A, B>;
  return detail::number<V>(a) > detail::number<V>(b);
}
template <class A, class B>
requires detail::mixed<A, B> LIMEN_INLINE bool operator<=(const A& a, const B& b) {
  using V = std::conditional_t<detail::traits<A>::is_var, A, B>;
  return detail::number<V>(a) <= detail::number<V>(b);
}
template <class A, class B>
requires detail::mixed<A, B> LIMEN_INLINE bool operator>=(const A& a, const B& b) {
  using V = std::conditional_t<detail::traits<A>::is_var, A, B>;
  return detail::number<V>(a) >= detail::number<V>(b);
}
template <class A, class B>
requires detail::mixed<A, B> LIMEN_INLINE bool operator==(const A& a, const B& b) {
  using V = std::conditional_t<detail::traits<A>::is_var, A, B>;
  return detail::number<V>(a) == detail::number<V>(b);
}
template <class A, class B>
requires detail::mixed<A, B> LIMEN_INLINE bool operator!=(const A& a, const B& b) {
  using V = std::conditional_t<detail::traits<A>::is_var, A, B>;
  return detail::number<V>(a) != detail::number<V>(b);
}

namespace detail {

// `first ? a : b` part by part: a choice between whole structs keeps some compilers from
// vectorising.
template <class F>
LIMEN_INLINE F select(bool first, F a, F b) {
  return first ? a : b;
}
template <class T, int D>
LIMEN_INLINE var<T, D> select(bool first, const var<T, D>& a, const var<T, D>& b) {
  var<T, D> r;
  r.v = select(first, a.v, b.v);
  each<D>([&](auto k) __attribute__((always_inline)) { r.d[k] = select(first, a.d[k], b.d[k]); });
  return r;
}

}  // namespace detail

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
template <class T, int D>
LIMEN_INLINE var<T, D> sigmoid(const var<T, D>& a) {
  return detail::chain(a, T(sigmoid(a.v)), T(sigmoid_slope(a.v)));
}
template <class T, int D>
LIMEN_INLINE var<T, D> softplus(const var<T, D>& a) {
  return detail::chain(a, T(softplus(a.v)), T(sigmoid(a.v)));
}

}  // namespace limen
