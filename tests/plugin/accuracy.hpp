// The worst error of a function of limen/math.hpp against itself in long double.
#pragma once

#include <limen/math.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "ulp.hpp"

namespace limen::test {

struct Worst {
  double ulp = 0, at = 0;
};

// The worst error over random bit patterns (every exponent) and uniform points of [low, high].
template <class F, class Function>
Worst worst_error(double low, double high, Function function) {
  using bits = std::conditional_t<sizeof(F) == 4, std::uint32_t, std::uint64_t>;
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> uniform(low, high);
  Worst worst;
  for (int i = 0; i < 100000; ++i) {
    F x = static_cast<F>(uniform(random));
    if (i % 2 == 0) x = std::bit_cast<F>(static_cast<bits>(random()));
    if (!(x >= low && x <= high)) continue;
    const double error = ulp_error(function(x), function(static_cast<long double>(x)));
    if (error > worst.ulp) worst = {error, static_cast<double>(x)};
  }
  return worst;
}

template <class F, class Function>
void expect_within(double ulp, double low, double high, Function function) {
  const Worst worst = worst_error<F>(low, high, function);
  EXPECT_LE(worst.ulp, ulp) << (sizeof(F) == 4 ? "f32" : "f64") << " at x = " << worst.at;
}

#define EXPECT_ACCURATE(name, low, high)                                        \
  do {                                                                          \
    SCOPED_TRACE(#name);                                                        \
    expect_within<float>(4, low, high, [](auto x) { return limen::name(x); });  \
    expect_within<double>(4, low, high, [](auto x) { return limen::name(x); }); \
  } while (false)

}  // namespace limen::test
