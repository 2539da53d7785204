// What the functions of limen/math_scalar.hpp and its kin are made of: the constants of a type,
// limits, polynomials, powers of two, and the reduction of an exponential's argument.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#define LIMEN_INLINE inline __attribute__((always_inline))

namespace limen {

template <class F>
concept real = std::same_as<F, float> || std::same_as<F, double> || std::same_as<F, long double>;
template <class F>
concept narrow = std::same_as<F, float> || std::same_as<F, double>;

namespace detail {

template <class F>
struct fp;
template <>
struct fp<float> {
  using bits = std::uint32_t;
  static constexpr int kMantissa = 23, kBias = 127, kLift = 32;
  static constexpr float kMagic = 0x1.8p23f;  // added, it leaves a rounded integer in the low bits
  static constexpr float kTiny = 0x1p-25f;    // below, x and expm1(x), log1p(x) agree
  static constexpr float kExpLow = -104.0f, kExpHigh = 89.0f, kOnesLow = -20.0f;
  static constexpr float kTanhHigh = 10.0f;
  static constexpr float kLn2High = 0x1.62e3p-1f, kLn2Low = 0x1.2fefa2p-17f;
  static constexpr float kSubnormalScale = 0x1p25f;
  static constexpr int kSubnormalExponent = 25;
  // (e^r - 1 - r) / r^2 for |r| <= ln2 / 2, relative to e^r and to e^r - 1
  static constexpr float kExp[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f,
                                   0x1.6a2408p-10f};
  static constexpr float kExpm1[] = {0x1p-1f,        0x1.555556p-3f,  0x1.55549ep-5f,
                                     0x1.11101ep-7f, 0x1.6d83a2p-10f, 0x1.a2a486p-13f};
  // (log(1 + e) / e - 1) / e for 0 <= e <= 1
  static constexpr float kLog1p[] = {-0x1.ffffd2p-2f, 0x1.554dfp-2f,   -0x1.ff26e2p-3f,
                                     0x1.935cap-3f,   -0x1.3a7a82p-3f, 0x1.b579c4p-4f,
                                     -0x1.d86324p-5f, 0x1.4b0834p-6f,  -0x1.b2f58p-9f};
  static constexpr float kLog[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f,
                                   0xf89e26.0p-26f};
};
template <>
struct fp<double> {
  using bits = std::uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023, kLift = 64;
  static constexpr double kMagic = 0x1.8p52;
  static constexpr double kTiny = 0x1p-54;
  static constexpr double kExpLow = -746.0, kExpHigh = 710.0, kOnesLow = -40.0;
  static constexpr double kTanhHigh = 20.0;
  static constexpr double kLn2High = 6.93147180369123816490e-01,
                          kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kSubnormalScale = 0x1p54;
  static constexpr int kSubnormalExponent = 54;
  static constexpr double kExp[] = {0.50000000000000111,    0.1666666666666641,
                                    0.041666666666529725,   0.0083333333334949748,
                                    0.001388888894376006,   0.00019841269505775131,
                                    2.4801492949542461e-05, 2.7557586805701035e-06,
                                    2.7630306279495355e-07, 2.5000017526759984e-08};
  static constexpr double kExpm1[] = {
      0.50000000000000011,    0.16666666666666671,    0.041666666666652245,
      0.0083333333333261306,  0.0013888888895613293,  0.00019841269874846219,
      2.4801574517620708e-05, 2.7557255358965519e-06, 2.7567935655283938e-07,
      2.5105237001341695e-08, 1.768775919291971e-09};
  static constexpr double kLog1p[] = {
      -0.49999999999999906,   0.33333333333313953,   -0.24999999998631869,   0.19999999950435873,
      -0.16666665578742318,   0.1428569837682212,    -0.12499835232260402,   0.11109850166742891,
      -0.099926470698477668,  0.090574746873623019,  -0.082126433885606726,  0.073414213243035126,
      -0.063109517283990127,  0.050390836761660902,  -0.035877535256847948,  0.021808563186357575,
      -0.010808149192274696,  0.0041399413377724553, -0.0011396789411623291, 0.00019945371242944198,
      -1.6599473377152748e-05};
  static constexpr double kLog[] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                                    2.857142874366239149e-01, 2.222219843214978396e-01,
                                    1.818357216161805012e-01, 1.531383769920937332e-01,
                                    1.479819860511658591e-01};
};

// A limit in memory. Of a choice between a number and a literal GCC makes a comparison and a blend,
// and of two in a row a tree of masks; of a choice between two numbers it makes one minimum. As
// bits: no store of a kernel's outputs can be thought to change it, which would split the loop.
template <class Bits, Bits Value>
struct limit {
  static Bits value;  // never written
};
template <class Bits, Bits Value>
Bits limit<Bits, Value>::value = Value;

template <narrow F>
constexpr typename fp<F>::bits bits_of(F x) {
  return std::bit_cast<typename fp<F>::bits>(x);
}
// The lesser (greater) of x and the number that `Bits` stand for; a NaN stays.
template <auto Bits, narrow F>
LIMEN_INLINE F at_most(F x) {
  const F end = std::bit_cast<F>(limit<decltype(Bits), Bits>::value);
  return x > end ? end : x;
}
template <auto Bits, narrow F>
LIMEN_INLINE F at_least(F x) {
  const F end = std::bit_cast<F>(limit<decltype(Bits), Bits>::value);
  return x < end ? end : x;
}

// c[First] + c[First + 1] x + c[First + 2] x^2 + ...
template <std::size_t First = 0, class F, std::size_t N>
LIMEN_INLINE F polynomial(const F (&c)[N], F x) {
  F y = c[N - 1];
  [&]<std::size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    ((y = y * x + c[N - 2 - K]), ...);
  }
  (std::make_index_sequence<N - 1 - First>{});
  return y;
}

// Added to a number, it leaves its rounded integer n, plus kBias + raised, in the low bits: what a
// power of two has above its mantissa.
template <narrow F>
constexpr F power_magic(int raised = 0) {
  return fp<F>::kMagic + static_cast<F>(fp<F>::kBias + raised);
}
// 2^(n + raised) from what power_magic(raised) left; the result must be normal, 0 or infinite:
// n + raised from -kBias to kBias + 1. From kMagic alone, with `bits` that say
// (kBias + raised) << kMantissa, comes the same.
template <narrow F>
LIMEN_INLINE F power_of_two(F shifted, typename fp<F>::bits bits = 0) {
  return std::bit_cast<F>((std::bit_cast<typename fp<F>::bits>(shifted) << fp<F>::kMantissa) +
                          bits);
}
template <narrow F>
constexpr typename fp<F>::bits biased(int raised) {
  return static_cast<typename fp<F>::bits>(fp<F>::kBias + raised) << fp<F>::kMantissa;
}

// 2^n x from what kMagic + k left of n + k; x and the result must be normal
template <narrow F>
LIMEN_INLINE F add_to_exponent(F x, F shifted) {
  using bits = typename fp<F>::bits;
  return std::bit_cast<F>(std::bit_cast<bits>(x) +
                          (std::bit_cast<bits>(shifted) << fp<F>::kMantissa));
}

// x = n ln2 + r with |r| <= ln2 / 2, and shifted = n + magic.
template <class F>
struct reduced {
  F shifted, r;
};
template <narrow F>
LIMEN_INLINE reduced<F> reduce_exp(F x, F magic = power_magic<F>()) {
  using T = fp<F>;
  constexpr F kLog2E = static_cast<F>(1.44269504088896340736L);
  const F shifted = x * kLog2E + magic, n = shifted - magic;
  return {shifted, (x - n * T::kLn2High) - n * T::kLn2Low};
}

// e^r of a reduced argument
template <narrow F>
LIMEN_INLINE F exp_reduced(F r) {
  return (polynomial(fp<F>::kExp, r) * r + 1) * r + 1;
}

template <narrow F>
inline constexpr F kUnlift = 1 / static_cast<F>(std::uint64_t{1} << (fp<F>::kLift - 1)) / 2;

// 2^n e^r from kMagic, rounded once where it is subnormal; it may overflow. `small` says that it is
// below 1.
template <narrow F>
LIMEN_INLINE F exp_scaled(F r, F shifted, bool small) {
  constexpr int kUp = fp<F>::kLift;
  const F high = power_of_two(shifted, small ? biased<F>(kUp) : biased<F>(-kUp));
  return exp_reduced(r) * high * (small ? kUnlift<F> : 1 / kUnlift<F>);
}

// 2^kLift e^x for x in [kExpLow, 0]: normal even where e^x is not.
template <narrow F>
LIMEN_INLINE F lifted_exp(F x) {
  const auto [shifted, r] = reduce_exp(x, power_magic<F>(fp<F>::kLift));
  return exp_reduced(r) * power_of_two(shifted);
}

}  // namespace detail

}  // namespace limen
