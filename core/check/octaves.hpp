// The steps of a ladder: at which distances from a point a function is asked for its values.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "check/ladder.hpp"

namespace limen::check {

constexpr double kFirstStep = 0.80901699437494745;  // no power of two, so that steps round

// Octaves of steps: 4 top, 2 top, top, ... , smallest.
struct Octaves {
  double top = 0;
  std::size_t n = 0;

  Octaves(double from, double bottom)
      : top(from),
        n(static_cast<std::size_t>(std::max(0.0, std::floor(std::log2(from / bottom)))) + 3) {}
  // 2^(2 - i) from its bits: this is asked for hundreds of times at each place.
  double step(std::size_t i) const {
    return top * std::bit_cast<double>(std::uint64_t{1025 - i} << 52);
  }
  double smallest() const { return step(n - 1); }
};

inline std::vector<Octaves> octaves_of(double x, const Precision& precision,
                                       const LadderOptions& options) {
  const int depth = options.depth > 0 ? options.depth : precision.depth;
  const double top = std::ldexp(kFirstStep, std::ilogb(std::max(std::abs(x), 1.0)) - 1);
  const double grain = 8 * ulp(x, precision);
  std::vector<Octaves> result{{top, std::max(grain, std::ldexp(top, -depth))}};
  if (x == 0 || !(std::abs(x) < top / 16)) return result;
  // Activations have their corners at 0: a second, short ladder on the scale of |x| itself.
  const double near = std::ldexp(kFirstStep, std::ilogb(x) - 1);
  const double floor = std::max(grain, std::ldexp(std::abs(x), -10));
  if (near >= 4 * floor && floor < result[0].smallest()) result.emplace_back(near, floor);
  return result;
}

}  // namespace limen::check
