// Numbers that carry their derivatives, for formulas of activations: var<F, D> is a value of type F
// with D partial derivatives. var<F, 0> is a plain number that never promotes (0.5 * x stays
// float); var<var<F, 1>, 1> gives second derivatives. Comparisons compare values, so `x > 0 ? x : a
// * x` works.
//
// This header has the number and its operators, limen/math.hpp its functions.
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

}  // namespace limen
