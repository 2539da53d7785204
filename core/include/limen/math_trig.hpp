// Trigonometric functions on plain numbers, as branch-free as limen/math_scalar.hpp.
//
// atan, and sin and cos of every finite float: at most 4 ulp. sin and cos of doubles: at most 4 ulp
// for |x| <= 2^26; beyond that, no digit of the result is promised, only that it lies in [-1, 1].
//
// Floats are reduced in double: x 2/pi is a sum of exact products of x and parts of 2/pi, from
// which the bits that only add whole turns are left out (M. Payne, R. Hanek: Radian reduction for
// trigonometric functions, 1983), for one of four ranges of x. Doubles are reduced by pi/2 in five
// parts (Cody and Waite).
#pragma once

#include <limen/math_scalar.hpp>

namespace limen {
namespace detail {

// x = q pi/2 + high + low, |high| <= pi/4 with a little to spare; the last bits of q's rounding.
struct quadrant {
  std::uint64_t q;
  double high, low;
};

LIMEN_INLINE quadrant reduce_angle(float angle) {
  const double a = angle, size = __builtin_fabs(a);
  const bool second = size >= 0x1p32, third = size >= 0x1p64, fourth = size >= 0x1p96;
  const auto pick = [&](double p0, double p1, double p2, double p3) __attribute__((always_inline)) {
    const double low = second ? p1 : p0, high = fourth ? p3 : p2;
    return third ? high : low;
  };
  const double x = a * pick(1, 0x1p-32, 0x1p-64, 0x1p-96);
  const double p0 = x * pick(0x1.4p-1, 0x1.f306dc8p+23, 0x1.1054a7cp+22, 0x1.3abe8f8p+21);
  const double p1 = x * pick(0x1.7cc1b7p-7, 0x1.c882a53p-5, 0x1.84eafa3p-5, 0x1.4d3770200p-6);
  const double p2 = x * pick(0x1.391054ap-34, 0x1.f09d5f4p-34, 0x1.d4d377p-34, 0x1.6d8a566p-34);
  const double p3 = x * pick(0x1.fc2757d1f534ep-64, 0x1.f534ddc0db629p-64, 0x1.b6c52b3278872p-65,
                             0x1.3c439041fe516p-64);
  constexpr double kWhole = 0x1.8p60, kMagic = 0x1.8p52;
  const double part = p0 - ((p0 + kWhole) - kWhole);  // without multiples of 256
  const double shifted = ((part + p1) + p2) + kMagic, n = shifted - kMagic;
  const double fraction = (((part - n) + p1) + p2) + p3;
  return {std::bit_cast<std::uint64_t>(shifted), fraction * 1.57079632679489661923, 0};
}

LIMEN_INLINE quadrant reduce_angle(double x) {
  constexpr double kMagic = 0x1.8p52;
  const double shifted = x * 0.636619772367581343076 + kMagic, n = shifted - kMagic;
  const double a = (x - n * 0x1.921fb54p+0) - n * 0x1.10b46p-30;  // exact to here
  const double p = n * 0x1.1a62630p-54, b = a - p, lost = (a - b) - p;
  const double tail = lost - n * 0x1.8a2e034p-81 - n * 0x1.839a252049c11p-108;
  const double high = b + tail, low = (b - high) + tail;
  const bool far = __builtin_fabs(high) > 1;  // nothing is left beyond 2^26 or so
  return {std::bit_cast<std::uint64_t>(shifted), far ? 0 : high, far ? 0 : low};
}

// sin and cos for |x| <= pi/4: coefficients for results rounded to F
template <class F>
struct circle;
template <>
struct circle<float> {
  static constexpr double kSin[] = {-0.16666666640695149, 0.0083333292929355842,
                                    -0.00019839308406419991, 2.7180845205011691e-06};
  static constexpr double kCos[] = {0.041666620217816107, -0.0013886677228788528,
                                    2.4383149922241143e-05};
  static constexpr double kHalf = -0.49999999693245784;
  static constexpr float kSame = 0x1p-14f;
};
template <>
struct circle<double> {  // FreeBSD's k_sin.c and k_cos.c
  static constexpr double kSin[] = {-1.66666666666666324348e-01, 8.33333333332248946124e-03,
                                    -1.98412698298579493134e-04, 2.75573137070700676789e-06,
                                    -2.50507602534068634195e-08, 1.58969099521155010221e-10};
  static constexpr double kCos[] = {4.16666666666666019037e-02, -1.38888888888741095749e-03,
                                    2.48015872894767294178e-05, -2.75573143513906633035e-07,
                                    2.08757232129817482790e-09, -1.13596475577881948265e-11};
  static constexpr double kHalf = -0.5;
  static constexpr double kSame = 0x1p-28;
};

// sin(x + turn pi/2)
template <narrow F>
LIMEN_INLINE F sin_turned(F x, std::uint64_t turn) {
  using T = circle<F>;
  const quadrant a = reduce_angle(x);
  const double z = a.high * a.high;
  const double s = a.high + (a.high * (z * polynomial(T::kSin, z)) + a.low);
  const double c = 1 + (z * T::kHalf + (z * (z * polynomial(T::kCos, z)) - a.high * a.low));
  const std::uint64_t q = a.q + turn;
  const double y = q & 1 ? c : s;
  return static_cast<F>(std::bit_cast<double>(std::bit_cast<std::uint64_t>(y) ^ ((q & 2) << 62)));
}

template <class F>
struct arc;
template <>
struct arc<float> {
  static constexpr float kAtan[] = {-0.33333315183136913f, 0.19998471119882702f,
                                    -0.1424352489710024f, 0.10593744713912873f,
                                    -0.060780312587975067f};
  static constexpr float kLow = -0x1.777a5cp-25f;  // pi/2 less its float
};
template <>
struct arc<double> {
  static constexpr double kAtan[] = {
      -0.3333333333333332,   0.1999999999999604,   -0.14285714285215098,  0.1111111107871298,
      -0.09090907837608575,  0.07692276421033506,  -0.066661402809053638, 0.058762322275275933,
      -0.052136310408248787, 0.044852133906880268, -0.033069199551621055, 0.014802788901330511};
  static constexpr double kLow = 6.12323399573676603587e-17;
};

}  // namespace detail

template <real F>
LIMEN_INLINE F sin(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_sinl(x);
  else  // below kSame the two agree, and -0 stays
    return abs(x) < detail::circle<F>::kSame ? x : detail::sin_turned(x, 0);
}

template <real F>
LIMEN_INLINE F cos(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_cosl(x);
  else
    return detail::sin_turned(x, 1);
}

// |x| is turned into a number below tan(pi/8), at the cost of one division.
template <real F>
LIMEN_INLINE F atan(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_atanl(x);
  else {
    using T = detail::arc<F>;
    constexpr F kQuarter = static_cast<F>(1.57079632679489661923132L);
    const F a = abs(x);
    const bool steep = a > F(2.41421356237309504880L), middle = a > F(0.414213562373095048802L);
    const F above = steep ? F(-1) : middle ? a - 1 : a, below = steep ? a : middle ? a + 1 : F(1);
    const F base = steep ? F(1) : middle ? F(0.5) : F(0);
    const F r = above / below, z = r * r;
    const F y = (r + r * (z * detail::polynomial(T::kAtan, z))) + base * T::kLow;
    return copysign(base * kQuarter + y, x);
  }
}

// atan'(x) = 1 / (1 + x^2), where x^2 may overflow
template <real F>
LIMEN_INLINE F atan_slope(F x) {
  constexpr F kBig = std::same_as<F, float> ? F(0x1p40) : F(0x1p300);
  const F scale = abs(x) > kBig ? 1 / kBig : F(1), b = x * scale;
  return scale / (scale * scale + b * b) * scale;
}

}  // namespace limen
