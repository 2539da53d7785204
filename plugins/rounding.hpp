// What rounding takes from a product. Where an exponential follows, e^(a b) would multiply that
// loss by a b; a factor 1 + loss repairs it.
#pragma once

#include <limen/math.hpp>

namespace limen {

// a b - fl(a b), for products that do not overflow. The halves of Dekker's product are made by
// masking; their products are exact, so that it makes no difference whether the compiler fuses.
template <narrow F>
LIMEN_INLINE F product_error(F a, F b) {
  using bits = typename detail::fp<F>::bits;
  constexpr bits kHigh = ~((bits{1} << (detail::fp<F>::kMantissa / 2 + 1)) - 1);
  const F a_high = std::bit_cast<F>(std::bit_cast<bits>(a) & kHigh), a_low = a - a_high;
  const F b_high = std::bit_cast<F>(std::bit_cast<bits>(b) & kHigh), b_low = b - b_high;
  return ((a_high * b_high - a * b) + (a_high * b_low + a_low * b_high)) + a_low * b_low;
}
inline long double product_error(long double, long double) { return 0; }

}  // namespace limen
