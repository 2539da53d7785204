// Random numbers for stochastic ops: each is a function of (seed, index of the element) alone, so
// that it does not depend on tiles, threads, element type or instruction set, and backward can make
// it again. Integer arithmetic on 32-bit lanes, which every vector unit has.
#pragma once

#include <limen/activation_kernels.hpp>

namespace limen::detail {

// After S. Vigna, splitmix64.c.
constexpr std::uint64_t scramble(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The multipliers and shifts are C. Wellons' "triple32", a key before and a key between.
LIMEN_INLINE constexpr std::uint32_t random_bits(std::uint32_t i, std::uint32_t a,
                                                 std::uint32_t b) {
  i += a;
  i ^= i >> 17;
  i *= 0xed5ad4bbu;
  i ^= i >> 11;
  i *= 0xac4c1b51u;
  i ^= b ^ (i >> 15);
  i *= 0x31848babu;
  return i ^ (i >> 14);
}

// out[j] = a number in (0, 1) for element first + j: an odd multiple of 2^-24, exact in float.
template <class F>
LIMEN_INLINE void fill_uniform(F* out, const std::uint64_t (&seed)[2], std::uint64_t first,
                               std::uint64_t n) {
  for (std::uint64_t done = 0; done < n;) {
    const std::uint64_t at = first + done,
                        key = scramble(seed[0] ^ scramble(seed[1] ^ scramble(at >> 32)));
    const auto low = static_cast<std::uint32_t>(at), a = static_cast<std::uint32_t>(key),
               b = static_cast<std::uint32_t>(key >> 32);
    const std::uint64_t until_carry = (std::uint64_t{1} << 32) - low;
    const auto count = static_cast<std::uint32_t>(until_carry < n - done ? until_carry : n - done);
    F* to = out + done;
    LIMEN_LOOP
    for (std::uint32_t j = 0; j < count; ++j) {
      const auto k = static_cast<std::int32_t>(random_bits(low + j, a, b) >> 9);
      to[j] = static_cast<F>(2 * k + 1) * F(0x1p-24);
    }
    done += count;
  }
}

// What f gets as its last argument when its op is stochastic.
template <class F>
struct element_noise {
  F value;
  bool active;
  // In (0, 1); in evaluation its mean, 1/2. The same number however often it is asked for.
  LIMEN_INLINE var<F, 0> uniform() const { return value; }
  LIMEN_INLINE bool training() const { return active; }
};

}  // namespace limen::detail
