// The coefficients and limits of limen/math_gauss.hpp, and the reduction of a square: minimax fits
// of the relative error, in f32 chosen among neighbouring numbers for the least error once they are
// rounded.
#pragma once

#include <limen/math_bits.hpp>

namespace limen::detail {

template <class F>
struct gauss;
template <>
struct gauss<float> {
  static constexpr float kErfcShift = 3, kErfcCentre = 0.3125f;   // K, and what z is less
  static constexpr float kNormalEnd = 14.7f, kSquareEnd = 10.2f;  // from here all is 0
  static constexpr std::int32_t kUpperHalf = -0x1000;             // a mask of bits
  static constexpr float kLn2High = 0x1.62e4p-1f;                 // times 156 exact
  // e^s for s in [-0.43, 0.35]; less its first two terms, over s^2
  static constexpr float kExp[] = {0x1.ffffe8p-2f, 0x1.555480p-3f, 0x1.556b1ep-5f, 0x1.124260p-7f,
                                   0x1.5c0a7ep-10f};
  static constexpr float kMills[] = {0x1.9c81acp+6f, 0x1.7a05c2p+6f, 0x1.46aeeap+5f, 0x1.2cf698p+3f,
                                     1};  // p
  static constexpr float kMillsRest[] = {0x1.4921c6p+6f, 0x1.2f70e6p+5f, 0x1.2f66f8p+3f,
                                         0x1.fe4c44p-1f};  // n
  // 2 c e^(s / 2) - 1 for s in [-0.81, 0.69], over r = s kLn2High / ln2. The fit of p / (t p + n)
  // is best with a c that is not quite the density at 0; kRatio is what it lacks.
  static constexpr float kRatio = 0x1.000022p+0f;
  static constexpr float kDensityOver[] = {-0x1.9def8cp-3f, 0x1.988456p-2f, 0x1.98847cp-4f,
                                           0x1.105764p-6f,  0x1.1065acp-9f, 0x1.b5eb10p-13f,
                                           0x1.195d78p-16f};
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
  static constexpr double kNormalEnd = 38.75, kSquareEnd = 27.3;
  static constexpr double kRound = 0x1.8p32;  // added, it rounds to 2^-20: squares are exact
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

// x >= 0 without its lower half, whose square is exact. In f32 as a signed number: a limit of x,
// which is kept as `bits`, would be masked by itself, and the minimum of both become a comparison
// and two blends. In f64 no mask alone: loops of backward kernels would not be vectorised.
LIMEN_INLINE float upper_half(float x) {
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(x) & gauss<float>::kUpperHalf);
}
LIMEN_INLINE double upper_half(double x) {
  const double h = (x + gauss<double>::kRound) - gauss<double>::kRound;
  return std::bit_cast<double>(bits_of(h) & gauss<double>::kUpperHalf);
}

// For -x^2 = Scale (n ln2) + r with Scale 1 or 2 and x in [0, kSquareEnd] or [0, kNormalEnd]:
// x = h + l where h is the upper half; n is found from it alone, so that r may be below -Scale ln2
// / 2 by 2 l h; shifted = n + kMagic + kLift. Of a NaN `shifted` has no lower half either, which
// add_to_exponent() would take for a number.
template <class F>
struct split_square {
  F h, hh, shifted, n;
};
template <int Scale, narrow F>
LIMEN_INLINE split_square<F> split(F x) {
  constexpr F kSteps = static_cast<F>(1.44269504088896340736L / Scale);
  constexpr F kMagic = fp<F>::kMagic + static_cast<F>(fp<F>::kLift);
  const F h = upper_half(x), hh = h * h, shifted = kMagic - hh * kSteps;
  return {h, hh, shifted, shifted - kMagic};
}

// r of -x^2; a NaN stays.
template <int Scale, narrow F>
LIMEN_INLINE reduced<F> reduce_square(F x) {
  using T = fp<F>;
  const auto [h, hh, shifted, n] = split<Scale>(x);
  const F high = (-hh - n * (Scale * T::kLn2High)) - n * (Scale * T::kLn2Low);
  return {shifted, high - (x - h) * (x + h)};
}

// (1 - e) r of -x^2 = 2 n ln2 + r for e = 1 - kLn2High / ln2: what is low of ln2 goes with x^2, not
// with n, for which nothing has to wait. x^2 e is taken for x (x + h) e / 2: too little by
// x l e / 2, half a unit of the last place of e^(r / 2) at the very end.
LIMEN_INLINE reduced<float> reduce_half_square(float x) {
  constexpr float kHigh = gauss<float>::kLn2High;
  constexpr float kHalfLost = static_cast<float>((1 - kHigh / 0.693147180559945309417L) / 2);
  const auto [h, hh, shifted, n] = split<2>(x);
  return {shifted, (-hh - n * (2 * kHigh)) - ((x - h) - x * kHalfLost) * (x + h)};
}

}  // namespace limen::detail
