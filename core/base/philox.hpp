// Counter-based random numbers: value i of a stream is a function of (key, i) alone, so that order,
// threads and resuming do not matter. Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace limen {

using PhiloxBlock = std::array<std::uint32_t, 4>;

// Ten rounds on one counter. Inline, because dropout and the synthetic data sets call it in loops.
inline PhiloxBlock philox4x32(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xd2511f53u, kMultiplier1 = 0xcd9e8d57u;
  constexpr std::uint32_t kWeyl0 = 0x9e3779b9u, kWeyl1 = 0xbb67ae85u;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = kMultiplier0 * counter[0], b = kMultiplier1 * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

// Which stream. Two uses that must not see the same numbers need two keys.
struct RandomKey {
  std::uint64_t value = 0;
  bool operator==(const RandomKey&) const = default;
};

// The key of a use: the seed of the run, what for ("init", "shuffle"), and whose ("dense1.weight").
// Stable between versions and machines: FNV-1a of the texts, mixed with the seed by splitmix64.
RandomKey random_key(std::uint64_t seed, std::string_view purpose, std::string_view name = {});

// The key of a member of a family: epoch 3 of the shuffle, example 71 of a set.
RandomKey random_key(RandomKey family, std::uint64_t member);

// 128 random bits: block i. `lane` tells streams of one key apart.
inline PhiloxBlock random_block(RandomKey key, std::uint64_t i, std::uint32_t lane = 0) {
  return philox4x32(
      {static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), lane, 0},
      {static_cast<std::uint32_t>(key.value), static_cast<std::uint32_t>(key.value >> 32)});
}

// 64 random bits: value i. One block serves two neighbours.
inline std::uint64_t random_bits(RandomKey key, std::uint64_t i) {
  const PhiloxBlock block = random_block(key, i >> 1);
  const std::size_t half = (i & 1u) * 2;
  return std::uint64_t{block[half]} | std::uint64_t{block[half + 1]} << 32;
}

// Uniform in [0, 1): 53 and 24 random bits. Never 1.
inline double random_uniform(RandomKey key, std::uint64_t i) {
  return static_cast<double>(random_bits(key, i) >> 11) * 0x1p-53;
}
inline float random_uniform_float(RandomKey key, std::uint64_t i) {
  return static_cast<float>(random_bits(key, i) >> 40) * 0x1p-24f;
}

// Mean 0, standard deviation 1, by Box and Muller: neighbours 2k and 2k + 1 share one block.
// Finite, at most 8.6 in size.
double random_normal(RandomKey key, std::uint64_t i);

// A whole number in [0, n), each equally likely (Lemire's multiplication with rejection); n >= 1.
std::uint64_t random_below(RandomKey key, std::uint64_t i, std::uint64_t n);

// The numbers 0 to n - 1 in random order, each order equally likely as far as 64 bits of key go.
std::vector<std::int64_t> random_permutation(RandomKey key, std::int64_t n);

}  // namespace limen
