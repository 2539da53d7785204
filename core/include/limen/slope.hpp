// A function whose derivative is better written down than derived, because what the rules of
// calculus give cancels or overflows. Authors of activations use it inside f:
//
//   static auto f(auto x) {  // x / (1 + |x|)
//     return limen::with_slope(
//         x, [](auto a) { return a / (1 + abs(a)); },
//         [](auto a) { return square(1 / (1 + abs(a))); });
//   }
#pragma once

#include <limen/math.hpp>

namespace limen {

// value(x) with the derivative slope(x), which is differentiated itself for higher orders.
template <class T, int D, class Value, class Slope>
LIMEN_INLINE var<T, D> with_slope(const var<T, D>& x, const Value& value, const Slope& slope) {
  if constexpr (D == 0) {
    return var<T, D>(value(x));
  } else if constexpr (detail::traits<T>::is_var) {
    return detail::chain(x, T(with_slope(x.v, value, slope)), T(slope(x.v)));
  } else {
    const var<T, 0> plain(x.v);
    return detail::chain(x, var<T, 0>(value(plain)).v, var<T, 0>(slope(plain)).v);
  }
}

}  // namespace limen
