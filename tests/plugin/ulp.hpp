// Distance from an exact value in units of the last place.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace limen::test {

// |got - exact| in units of the last place of `exact` as an F; 0 where both are the same infinity
// or NaN, infinite where only one is.
template <class F>
double ulp_error(F got, long double exact) {
  const F rounded = static_cast<F>(exact);
  if (std::isnan(rounded) || std::isnan(got)) {
    return std::isnan(rounded) && std::isnan(got) ? 0 : std::numeric_limits<double>::infinity();
  }
  if (std::isinf(rounded) || std::isinf(got)) {
    return got == rounded ? 0 : std::numeric_limits<double>::infinity();
  }
  using limits = std::numeric_limits<F>;
  int exponent = 0;
  std::frexp(exact, &exponent);
  exponent = std::max(exponent, limits::min_exponent) - limits::digits;
  return static_cast<double>(std::abs(got - exact) / std::ldexp(1.0L, exponent));
}

}  // namespace limen::test
