// erf, erfc and the normal distribution on plain numbers, as branch-free and as accurate as
// limen/math_scalar.hpp: tails have full relative accuracy until they underflow.
//
// With t = |x|, P(X > t) = e^(-t^2 / 2) m(t), where m(t) (t + K) is a polynomial in
// t / (t + K); erfc likewise. The rounding error of t^2 goes into the exponential (after fdlibm's
// s_erf.c).
#pragma once

#include <limen/math_scalar.hpp>

namespace limen {
namespace detail {

template <class F>
struct gauss;
template <>
struct gauss<float> {
  static constexpr float kShift = 3, kCentre = 0.40625f;  // K, and what z is less
  static constexpr float kErfcShift = 3, kErfcCentre = 0.3125f;
  static constexpr float kNormalEnd = 14.4f, kSquareEnd = 10.2f;  // from here all is 0
  static constexpr std::uint32_t kUpperHalf = 0xfffff000u;
  // e^r with r from -0.45 to 0.35; less its first two terms, over r^2
  static constexpr float kExp[] = {0x1.ffffdcp-2f, 0x1.5554aep-3f, 0x1.556d0ep-5f, 0x1.1239e8p-7f,
                                   0x1.58854cp-10f};
  static constexpr float kTail[] = {0x1.aa7aaap-1f,  -0x1.3354c8p+0f, 0x1.040d7ep+0f,
                                    -0x1.303f56p-2f, -0x1.09b16p-2f,  0x1.5133a2p-3f,
                                    0x1.05717ap-3f,  -0x1.07d35ap-4f, -0x1.1499a8p-4f};
  static constexpr float kErfc[] = {
      0x1.81d872p+0f,  -0x1.7c1b68p+1f, 0x1.0dbb5cp+2f, -0x1.0c438ep+2f, 0x1.4a2bccp+1f,
      -0x1.d6cc12p-2f, -0x1.403df6p-1f, 0x1.79d658p-2f, 0x1.41e0c6p-3f,  -0x1.547e3ap-3f};
  static constexpr float kErf[] = {0x1.20dd74p+0f,  -0x1.81273ep-2f, 0x1.ce2cf6p-4f,
                                   -0x1.b7f902p-6f, 0x1.54056ep-8f,  -0x1.a3f558p-11f,
                                   0x1.49662ap-14f};
};
template <>
struct gauss<double> {
  static constexpr double kShift = 4, kCentre = 0.5, kErfcShift = 3, kErfcCentre = .65625;
  static constexpr double kNormalEnd = 38.6, kSquareEnd = 27.3;
  static constexpr std::uint64_t kUpperHalf = 0xfffffffff8000000u;
  static constexpr auto& kExp = fp<double>::kExp;
  static constexpr double kTail[] = {
      0.75528513041575152,   -1.2157932839437842,   1.5485496029688592,     -1.4921748636772685,
      0.96634519825472587,   -0.24128604693393113,  -0.22270031149030786,   0.20874476249733923,
      0.034136142934114377,  -0.11832060463812018,  -0.0019540287757988353, 0.071976281683928611,
      0.0029349964553317819, -0.048497755306652325, -0.010311857543637129,  0.033473462565767886,
      0.01777725346268804,   -0.020319946006751011, -0.022232769603010662,  0.007050522672301324,
      0.020183278875659811,  0.0037006587277543025, -0.010158554224725537,  -0.0056511622976336195};
  static constexpr double kErfc[] = {
      0.84717057088759695,     -1.1843014736221702,   1.4440552069532033,    -1.4967389735603838,
      1.258049055491655,       -0.76987201093555213,  0.22121733999232682,   0.14517285087761836,
      -0.2029294666038996,     0.04727173579180851,   0.09142383778715743,   -0.071329578580735103,
      -0.033793069138930119,   0.062187468251995032,  0.0096225902759615959, -0.052497213729043896,
      -0.00044745334677204738, 0.050745155014411986,  0.0047346313323992995, -0.057289919792244778,
      -0.05029155226869101,    -0.010079593405114199, 0.0063061706079005197, 0.002744598075570532};
  static constexpr double kErf[] = {
      1.1283791670955126,      -0.37612638903183748,    0.11283791670954856,
      -0.026866170645072667,   0.0052239776247790777,   -0.00085483269786546011,
      0.00012055331034093873,  -1.4925593446437161e-05, 1.6460971934198322e-06,
      -1.6350016603904242e-07, 1.4657825977916947e-08,  -1.1365471120077734e-09,
      5.944951508466696e-11};
};

// 1 + r + c[0] r^2 + c[1] r^3 + ... in terms of scale r
template <class F, std::size_t N>
struct exp_series {
  F terms[N + 2];
  constexpr exp_series(const F (&c)[N], F scale) : terms{1, 1 / scale} {
    F power = scale;
    for (std::size_t k = 0; k < N; ++k) terms[k + 2] = c[k] / (power *= scale);
  }
};

// 2^kLift e^(-x^2 / Scale) for Scale 1 or 2 and x in [0, kSquareEnd] or [0, kNormalEnd]: always a
// normal number, so that the power of two can be added to the exponent. x = h + l, and h^2 is
// exact; the nearest power is found from it alone, which the range of the series allows for.
template <int Scale, narrow F>
LIMEN_INLINE F lifted_exp_square(F x) {
  using T = fp<F>;
  using bits = typename T::bits;
  constexpr F kSteps = static_cast<F>(1.44269504088896340736L / Scale);
  constexpr F kMagic = T::kMagic + static_cast<F>(T::kLift);
  static constexpr exp_series kSeries(gauss<F>::kExp, F(Scale));
  const F h = std::bit_cast<F>(std::bit_cast<bits>(x) & gauss<F>::kUpperHalf), hh = h * h;
  const F shifted = kMagic - hh * kSteps, n = shifted - kMagic;
  const F r = ((-hh - n * (Scale * T::kLn2High)) - n * (Scale * T::kLn2Low)) - (x - h) * (x + h);
  return add_to_exponent(polynomial(kSeries.terms, r), shifted);
}

// w (c[0] + c[1] z + ...): e m(t) for w = e / (t + K) and z = t / (t + K) less the centre.
// `Exactly`: with what the last sum of the polynomial loses.
template <bool Exactly, narrow F, std::size_t N>
LIMEN_INLINE F times_mills(F w, const F (&c)[N], F z) {
  const F q = polynomial<1>(c, z), p = q * z + c[0];
  if constexpr (Exactly)
    return w * (q * z + (c[0] - p)) + w * p;
  else
    return w * p;
}

// e^(-c x^2) with what rounding takes from x^2: the reference for the other types
LIMEN_INLINE long double exp_square(long double c, long double x) {
  const long double square = x * x, lost = __builtin_fmal(x, x, -square);
  return __builtin_expl(-c * square) * (square < 1e5L ? 1 - c * lost : 1);
}

}  // namespace detail

// e^(-x^2)
template <real F>
LIMEN_INLINE F exp_neg_square(F x) {
  if constexpr (std::same_as<F, long double>)
    return detail::exp_square(1, x);
  else {
    const F a = detail::at_most<detail::bits_of(detail::gauss<F>::kSquareEnd)>(abs(x));
    return detail::lifted_exp_square<1>(a) * detail::kUnlift<F>;
  }
}

// The density of the normal distribution: e^(-x^2 / 2) / sqrt(2 pi)
template <real F>
LIMEN_INLINE F gauss_pdf(F x) {
  constexpr F kDensity = static_cast<F>(0.398942280401432677939946L);
  if constexpr (std::same_as<F, long double>)
    return kDensity * detail::exp_square(0.5L, x);
  else {
    const F a = detail::at_most<detail::bits_of(detail::gauss<F>::kNormalEnd)>(abs(x));
    return detail::lifted_exp_square<2>(a) * (kDensity * detail::kUnlift<F>);
  }
}

namespace detail {

template <bool Exactly, narrow F>
LIMEN_INLINE F gauss_cdf(F x) {
  using T = gauss<F>;
  const F a = at_most<bits_of(T::kNormalEnd)>(abs(x));
  const F v = 1 / (a + T::kShift), w = lifted_exp_square<2>(a) * v;
  const F tail = times_mills<Exactly>(w, T::kTail, a * v - T::kCentre) * kUnlift<F>;
  return x > 0 ? 1 - tail : tail;
}

}  // namespace detail

// The normal distribution: P(X <= x) = erfc(-x / sqrt(2)) / 2
template <real F>
LIMEN_INLINE F gauss_cdf(F x) {
  if constexpr (std::same_as<F, long double>) {
    constexpr long double kRoot = 0.707106781186547524400844362104849039L,
                          kRest = 1.8950325588932572e-20L;  // sqrt(1/2) less kRoot
    const long double t = -x * kRoot, lost = -__builtin_fmal(x, kRoot, t) - x * kRest;
    const long double tail = __builtin_erfcl(t) / 2;
    return t > 1 && t < 1e5L ? tail * __builtin_expl(-2 * t * lost) : tail;
  } else {
    return detail::gauss_cdf<true>(x);
  }
}

namespace detail {

// erf(x) for |x| <= 1
template <narrow F>
LIMEN_INLINE F erf_near(F x) {
  return polynomial(gauss<F>::kErf, x * x) * x;
}

// erfc(x) for 0 <= x
template <narrow F>
LIMEN_INLINE F erfc_far(F x) {
  using T = gauss<F>;
  const F a = at_most<bits_of(T::kSquareEnd)>(x);
  const F v = 1 / (a + T::kErfcShift), w = lifted_exp_square<1>(a) * v;
  return times_mills<!std::same_as<F, float>>(w, T::kErfc, a * v - T::kErfcCentre) * kUnlift<F>;
}

}  // namespace detail

template <real F>
LIMEN_INLINE F erfc(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_erfcl(x);
  else {
    const F a = abs(x), far = detail::erfc_far(a);
    const F near = 1 - detail::erf_near(detail::at_most<detail::bits_of(F(1))>(a));
    const F right = a < F(.5625) ? near : far;
    return x < 0 ? 2 - right : right;
  }
}

template <real F>
LIMEN_INLINE F erf(F x) {
  if constexpr (std::same_as<F, long double>)
    return __builtin_erfl(x);
  else {
    const F a = abs(x), far = 1 - detail::erfc_far(a);
    const F near = detail::erf_near(detail::at_most<detail::bits_of(F(1))>(a));
    return copysign(a > 1 ? far : near, x);
  }
}

}  // namespace limen
