// What softmax and its kin share.
#pragma once

#include <limen/activation.hpp>

namespace limen {

// e^(x - max): 1 at the maximum, even where it is infinite. What rounding takes from the difference
// is given back, for the exponential would multiply it by the difference.
LIMEN_INLINE auto weight(auto x, auto max) {
  const auto d = x - max, z = d - x, lost = (x - (d - z)) - (max + z);
  const auto e = exp(d);
  return x == max ? 1 : d < -800 ? 0 : e + e * lost;
}

// A single +infinity takes all; several, or -infinity alone, have no limit.
LIMEN_INLINE auto total(auto sum, auto max) {
  return abs(max) == kInfinity && sum > 1 ? sum * kNaN : sum;
}

}  // namespace limen
