// x^y on plain numbers, as branch-free as limen/math_scalar.hpp, with the values of C's pow for
// every pair of signs, integers, zeros, infinities and NaN.
//
// Floats go through log and exp in double. For doubles log|x| = k ln2 + 2 s (1 + s^2 / 3 + ...),
// with s = f / (2 + f), is a sum of two numbers, because y multiplies its error by up to 745.
#pragma once

#include <limen/math_scalar.hpp>

namespace limen {
namespace detail {

// A sum of two numbers of which low is the far smaller.
struct pair {
  double high, low;
};

// a + b for |a| >= |b| or a = 0
LIMEN_INLINE pair sum(double a, double b) {
  const double s = a + b;
  return {s, b - (s - a)};
}

// a b, by halves of 26 and 27 bits: there may be no fused multiply-add
LIMEN_INLINE pair product(double a, double b) {
  const auto upper = [](double x) __attribute__((always_inline)) {
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & 0xfffffffff8000000u);
  };
  const double p = a * b, ah = upper(a), al = a - ah, bh = upper(b), bl = b - bh;
  return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

LIMEN_INLINE pair product(pair a, pair b) {
  const pair p = product(a.high, b.high);
  return {p.high, p.low + (a.high * b.low + a.low * b.high)};
}

// log x for normal and subnormal x > 0
LIMEN_INLINE pair log_pair(double x) {
  using T = fp<double>;
  // 1 / 5 + z / 7 + ... for z <= 0.0295
  constexpr double kSeries[] = {1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13,
                                1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
  const auto [k, m] = split_log(x);
  const double f = m - 1, u = 2 + f, lost = f - (u - 2), inverse = 1 / u;
  const double s = f * inverse;
  const pair su = product(s, u);
  const pair root = {s, (((f - su.high) - su.low) - s * lost) * inverse};
  const pair z = product(root, root);
  const pair third = sum(0x1.5555555555555p-2, z.high * polynomial(kSeries, z.high));
  const pair w = product(z, pair{third.high, third.low + 0x1.5555555555555p-56});
  const pair q = product(root, w);
  const pair a = sum(k * T::kLn2High, 2 * s), b = sum(a.high, 2 * q.high);
  return {b.high, a.low + (b.low + (k * T::kLn2Low + 2 * (root.low + q.low)))};
}

// |x|^y but for the cases that pow() replaces
LIMEN_INLINE double pow_size(double x, double y) {
  using T = fp<double>;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const pair l = log_pair(x);
  const double high = x == 0 ? -kInfinity : x < kInfinity ? l.high : x;  // a NaN stays
  const pair p = product(y, high);
  const double a = at_most<bits_of(T::kExpHigh)>(at_least<bits_of(T::kExpLow)>(p.high));
  const double rest = p.high == a ? p.low + y * l.low : 0;
  const auto [shifted, r] = reduce_exp(a, T::kMagic);
  return exp_scaled(r + rest, shifted, a < 0);
}
LIMEN_INLINE float pow_size(float x, float y) {
  return static_cast<float>(exp(y * log(static_cast<double>(x))));
}

template <narrow F>
LIMEN_INLINE bool is_whole(F size) {  // of a number >= 0
  constexpr F kWhole = F(std::uint64_t{1} << fp<F>::kMantissa);
  const F rounded = (size + kWhole) - kWhole;
  return (size < kWhole ? rounded : size) == size;
}

}  // namespace detail

template <real F>
LIMEN_INLINE F pow(F x, F y) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_powl(x, y);
  else {
    constexpr F kInfinity = std::numeric_limits<F>::infinity();
    const F a = abs(x), b = abs(y);
    const F undefined = x < 0 && a < kInfinity ? std::numeric_limits<F>::quiet_NaN() : F(1);
    const F sign =
        detail::is_whole(b) ? detail::is_whole(b * F(0.5)) ? F(1) : copysign(F(1), x) : undefined;
    const F r = detail::pow_size(a, y) * sign;
    const F one = x == -1 && b == kInfinity ? F(1) : r;
    return y == 0 ? F(1) : x == 1 ? F(1) : one;
  }
}

}  // namespace limen
