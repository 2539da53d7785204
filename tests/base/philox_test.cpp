#include "base/philox.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

namespace limen {
namespace {

// The known answers of the authors' library Random123 (kat_vectors, "philox4x32 10").
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Weights of old checkpoints and logs can be reproduced only while this holds.
TEST(RandomKey, StaysTheSameBetweenVersions) {
  EXPECT_EQ(random_key(0, "").value, 0xf003a266b3132fa7u);
  EXPECT_EQ(random_key(7, "shuffle", "epoch").value, 0xe9671d3f410845d8u);
}

TEST(RandomKey, TellsSeedPurposeAndNameApart) {
  std::set<std::uint64_t> keys;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const auto* purpose : {"init", "shuffle", "ab", "a"}) {
      for (const auto* name : {"", "c", "bc", "dense1.weight"}) {
        keys.insert(random_key(seed, purpose, name).value);
      }
    }
  }
  EXPECT_EQ(keys.size(), 160u);
  EXPECT_FALSE(random_key(random_key(1, "a"), 0) == random_key(random_key(1, "a"), 1));
}

TEST(RandomUniform, LiesInTheUnitIntervalWithTheRightMoments) {
  const RandomKey key = random_key(3, "test");
  double sum = 0, squares = 0;
  constexpr int kCount = 100000;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double u = random_uniform(key, i);
    const float f = random_uniform_float(key, i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    ASSERT_GE(f, 0.0f);
    ASSERT_LT(f, 1.0f);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kCount, 0.5, 0.005);
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 0.005);
}

TEST(RandomNormal, HasMeanZeroVarianceOneAndTheRightTails) {
  const RandomKey key = random_key(4, "test");
  double sum = 0, squares = 0, beyond = 0, neighbours = 0;
  constexpr int kCount = 100000;
  double previous = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double z = random_normal(key, i);
    sum += z;
    squares += z * z;
    beyond += std::abs(z) > 1.96 ? 1 : 0;
    neighbours += z * previous;
    previous = z;
  }
  EXPECT_NEAR(sum / kCount, 0.0, 0.015);
  EXPECT_NEAR(squares / kCount, 1.0, 0.025);
  EXPECT_NEAR(beyond / kCount, 0.05, 0.004);
  EXPECT_NEAR(neighbours / kCount, 0.0, 0.015);
}

TEST(RandomBelow, IsUniformEvenWhereTheModuloWouldNotBe) {
  const RandomKey key = random_key(5, "test");
  std::array<int, 7> count{};
  for (std::uint64_t i = 0; i < 70000; ++i) ++count[random_below(key, i, 7)];
  for (const int c : count) EXPECT_NEAR(c, 10000, 400);
  // Three quarters of 2^64: without rejection the lower two thirds would come twice as often.
  const std::uint64_t n = (std::uint64_t{3} << 62);
  int low = 0;
  for (std::uint64_t i = 0; i < 30000; ++i) {
    const std::uint64_t value = random_below(key, i, n);
    ASSERT_LT(value, n);
    low += value < n / 3 ? 1 : 0;
  }
  EXPECT_NEAR(low, 10000, 400);
  EXPECT_EQ(random_below(key, 1, 1), 0u);
}

TEST(RandomPermutation, HoldsEveryNumberOnceAndDependsOnTheKeyOnly) {
  const auto order = random_permutation(random_key(6, "shuffle"), 1000);
  EXPECT_EQ(order, random_permutation(random_key(6, "shuffle"), 1000));
  EXPECT_NE(order, random_permutation(random_key(7, "shuffle"), 1000));
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(sorted, all);
  EXPECT_TRUE(random_permutation(random_key(6, "shuffle"), 0).empty());
}

TEST(RandomPermutation, GivesEveryOrderOfThreeEquallyOften) {
  std::map<std::vector<std::int64_t>, int> count;
  for (std::uint64_t k = 0; k < 6000; ++k) ++count[random_permutation(random_key(k, "shuffle"), 3)];
  ASSERT_EQ(count.size(), 6u);
  for (const auto& [order, times] : count) EXPECT_NEAR(times, 1000, 150);
}

}  // namespace
}  // namespace limen
