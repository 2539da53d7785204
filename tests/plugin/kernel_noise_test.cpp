// The random numbers of stochastic ops: what they depend on, and whether they look random.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "operands.hpp"

namespace limen::test {
namespace {

template <class F>
std::vector<F> noise(std::size_t n, std::uint64_t base = 0, std::uint64_t seed0 = 1,
                     std::uint64_t seed1 = 2, std::uint32_t isa = LIMEN_ISA_ANY,
                     std::uint32_t flags = 0) {
  static const Activation a = all_plugins().find("noise_itself");
  Operands<F> o(a, n);
  std::fill(o.x[0].begin(), o.x[0].end(), F(0));
  o.base = base, o.seed[0] = seed0, o.seed[1] = seed1, o.flags = flags;
  return o.run(LIMEN_FORWARD, isa).y[0];
}

TEST(Noise, DependsOnTheSeedAndThePlaceAlone) {
  const auto all = noise<float>(2000);
  for (const std::size_t begin : {1u, 255u, 256u, 1000u}) {
    const auto part = noise<float>(500, begin);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + static_cast<long>(begin)));
  }
  for (const std::uint32_t isa : {kIsaBase, kIsaX86V3, kIsaX86V4}) {
    if (isa > detect_isa()) continue;
    EXPECT_EQ(noise<float>(2000, 0, 1, 2, isa), all);
    const auto wide = noise<double>(2000, 0, 1, 2, isa);
    EXPECT_TRUE(std::equal(all.begin(), all.end(), wide.begin())) << "the same in both types";
  }
  EXPECT_NE(noise<float>(1, 0, 3, 2), noise<float>(1));
  EXPECT_NE(noise<float>(1, 0, 1, 3), noise<float>(1));
  EXPECT_NE(noise<float>(1, 0, 2, 1), noise<float>(1)) << "the two words are not alike";
}

TEST(Noise, GoesOnPastFourThousandMillionElements) {
  const std::uint64_t carry = std::uint64_t{1} << 32;
  const auto around = noise<float>(600, carry - 300), behind = noise<float>(300, carry);
  EXPECT_TRUE(std::equal(behind.begin(), behind.end(), around.begin() + 300));
  EXPECT_NE(behind, noise<float>(300)) << "it does not repeat";
}

TEST(Noise, IsItsMeanInEvaluation) {
  EXPECT_THAT(noise<float>(300, 0, 1, 2, LIMEN_ISA_ANY, LIMEN_TILE_EVAL), testing::Each(0.5f));
}

double correlation(const std::vector<double>& a, const std::vector<double>& b, std::size_t shift) {
  double sum = 0;
  const std::size_t n = a.size() - shift;
  for (std::size_t i = 0; i < n; ++i) sum += (a[i] - 0.5) * (b[i + shift] - 0.5);
  return 12 * sum / std::sqrt(static_cast<double>(n));  // normal(0, 1) if independent
}

TEST(Noise, HasTheMomentsOfTheUniformDistribution) {
  constexpr std::size_t n = 1 << 20;
  for (const std::uint64_t seed : {0u, 1u, 2u, 77u}) {
    const auto u = noise<double>(n, 0, seed, 0);
    double mean = 0, square = 0, cube = 0;
    for (const double v : u) {
      ASSERT_TRUE(v > 0 && v < 1);
      const double c = v - 0.5;
      mean += c / n, square += c * c / n, cube += c * c * c / n;
    }
    const double root = std::sqrt(static_cast<double>(n));
    EXPECT_LT(std::abs(mean) * root / std::sqrt(1.0 / 12), 4);
    EXPECT_LT(std::abs(square - 1.0 / 12) * root / std::sqrt(1.0 / 180), 4);
    EXPECT_LT(std::abs(cube) * root / std::sqrt(1.0 / 448), 4);
  }
}

TEST(Noise, HasNoSerialCorrelation) {
  const auto u = noise<double>(1 << 20);
  for (const std::size_t shift : {1u, 2u, 3u, 4u, 8u, 16u, 256u, 1024u, 65536u}) {
    EXPECT_LT(std::abs(correlation(u, u, shift)), 4.5) << "at distance " << shift;
  }
}

TEST(Noise, OfNeighbouringSeedsIsIndependent) {
  const auto u = noise<double>(1 << 18, 0, 5, 6);
  for (std::uint64_t d = 1; d < 20; ++d) {
    EXPECT_LT(std::abs(correlation(u, noise<double>(1 << 18, 0, 5 + d, 6), 0)), 4.5);
    EXPECT_LT(std::abs(correlation(u, noise<double>(1 << 18, 0, 5, 6 + d), 0)), 4.5);
    EXPECT_LT(std::abs(correlation(u, noise<double>(1 << 18, 0, 5 ^ (d << 32), 6), 0)), 4.5);
  }
  std::set<double> first;  // value 0 for many seeds: as if drawn anew
  std::vector<double> values;
  for (std::uint64_t s = 0; s < 4096; ++s) values.push_back(noise<double>(1, 0, s, 0)[0]);
  double mean = 0;
  for (const double v : values) mean += v / 4096, first.insert(v);
  EXPECT_LT(std::abs(mean - 0.5) * 64 / std::sqrt(1.0 / 12), 4);
  EXPECT_GT(first.size(), 4090u);
}

// Chi-square with 255 degrees of freedom, as a normal number.
double chi_square(const std::array<double, 256>& counts, double n) {
  double chi = 0;
  for (const double c : counts) chi += (c - n / 256) * (c - n / 256) / (n / 256);
  return (chi - 255) / std::sqrt(510.0);
}

TEST(Noise, FillsTheBytesOfItsBitsEvenly) {
  constexpr std::size_t n = 1 << 20;
  const auto u = noise<double>(n, 1000, 9, 9);
  for (const int shift : {0, 4, 8, 15}) {  // of the 23 bits
    std::array<double, 256> bytes{}, changes{};
    std::uint32_t before = 0;
    for (const double v : u) {
      const auto bits = static_cast<std::uint32_t>(v * 0x1p23) >> shift & 255;
      ++bytes[bits], ++changes[bits ^ before];
      before = bits;
    }
    EXPECT_LT(std::abs(chi_square(bytes, n)), 5) << "byte at bit " << shift;
    EXPECT_LT(std::abs(chi_square(changes, n)), 5) << "changes at bit " << shift;
  }
}

TEST(Noise, OfRowsCountsElementsOfTheTensor) {
  const Activation a = all_plugins().find("row_noise").with({{"kind", 1}});
  constexpr std::uint64_t n = 300, stride = 310, rows = 3;
  for (const std::uint32_t flags : {0u, LIMEN_TILE_EVAL}) {
    std::vector<float> x(rows * stride), y(rows * stride);
    Tile<float> tile(a, n);
    tile.x(x.data()).y(y.data()).rows(rows, stride);
    tile.tile.base = 1000, tile.tile.seed[0] = 1, tile.tile.seed[1] = 2, tile.tile.flags = flags;
    tile.run(a.kernel(LIMEN_FORWARD, LIMEN_F32, LIMEN_ISA_ANY));
    const auto want = noise<float>(rows * stride, 1000, 1, 2, LIMEN_ISA_ANY, flags);
    for (std::uint64_t r = 0; r < rows; ++r) {
      for (std::uint64_t i = 0; i < n; ++i) ASSERT_EQ(y[r * stride + i], want[r * stride + i]);
    }
  }
}

TEST(Rows, TheFirstOfTheLargestIsFound) {
  const Activation a = all_plugins().find("row_best");
  for (const std::size_t n : {1u, 5u, 16u, 17u, 100u}) {
    for (std::size_t best = 0; best < n; best += 1 + n / 7) {
      std::vector<float> x(n, 1.0f);
      for (std::size_t i = best; i < n; i += 3) x[i] = 2;
      std::vector<float> want(n, 0.0f);
      want[best] = 1;
      EXPECT_EQ(forward(a, x), want);
      x[best] = std::nanf("");
      EXPECT_TRUE(std::isnan(forward(a, x)[0]));
    }
  }
}

}  // namespace
}  // namespace limen::test
