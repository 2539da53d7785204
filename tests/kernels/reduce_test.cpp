#include "kernels/reduce.hpp"

#include <cstring>

#include <gtest/gtest.h>

#include "base/isa.hpp"
#include "support/tensors.hpp"

namespace limen::test {
namespace {

const std::vector<ReduceSizes> kSizes{
    {1, 1, 1},    {1, 7, 1},     {5, 1, 3},    {3, 31, 1},  {3, 33, 1},    {2, 1025, 1},
    {1, 5000, 1}, {100, 100, 1}, {1, 65, 3},   {4, 130, 5}, {1, 200, 257}, {3, 64, 1000},
    {0, 4, 1},    {4, 0, 1},     {4, 0, 3},    {4, 3, 0},   {0, 0, 0},     {1, 100000, 1},
    {40, 700, 1}, {20000, 3, 1}, {1, 3, 20000}};

Tensor reduced(Reduction kind, const ReduceSizes& s, const Tensor& in, int threads,
               std::uint32_t isa = detect_isa()) {
  const Tensor out({{s.outer, s.inner}, in.type().dtype});
  std::memset(out.data(), 0x7f, out.type().bytes());
  reduce(kind, in.type().dtype, s, in.data(), out.data(), threads, isa);
  return out;
}

std::vector<double> naive(Reduction kind, const ReduceSizes& s, const std::vector<double>& in) {
  std::vector<double> out;
  for (std::int64_t o = 0; o < s.outer; ++o) {
    for (std::int64_t i = 0; i < s.inner; ++i) {
      double result = kind == Reduction::sum ? 0 : -INFINITY;
      for (std::int64_t c = 0; c < s.count; ++c) {
        const double v = in[static_cast<std::size_t>((o * s.count + c) * s.inner + i)];
        result = kind == Reduction::sum ? result + v : std::max(result, v);
      }
      out.push_back(result);
    }
  }
  return out;
}

TEST(Reduce, EqualsTheNaiveLoopWithTheSameBitsForAnyThreads) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const ReduceSizes& s : kSizes) {
      const Tensor in = random_tensor({{s.outer, s.count, s.inner}, dtype}, 5);
      for (const Reduction kind : {Reduction::sum, Reduction::max}) {
        const Tensor one = reduced(kind, s, in, 1);
        const std::vector<double> expected = naive(kind, s, values(in)), got = values(one);
        const double tolerance = kind == Reduction::max ? 0
                                                        : (dtype == DType::f32 ? 1e-6 : 1e-15) *
                                                              (static_cast<double>(s.count) + 1);
        for (std::size_t i = 0; i < got.size(); ++i) {
          if (got[i] == expected[i]) continue;  // infinities too
          ASSERT_NEAR(got[i], expected[i], tolerance)
              << s.outer << ", " << s.count << ", " << s.inner;
        }
        for (const int threads : {2, 4}) {
          ASSERT_TRUE(same_bits(one, reduced(kind, s, in, threads)));
        }
        EXPECT_LE(distance(one, reduced(kind, s, in, 1, kIsaBase)), 1e-4);
      }
    }
  }
}

TEST(Reduce, KeepsLongSumsAccurate) {
  const ReduceSizes s{1, 1'000'000, 1};
  const Tensor in({{1, s.count, 1}, DType::f32});
  for (float& v : in.as<float>()) v = 0.1f;
  const double expected = 1e6 * static_cast<double>(0.1f);
  EXPECT_NEAR(reduced(Reduction::sum, s, in, 1).as<float>()[0], expected, 1e-6 * expected);
}

TEST(Reduce, AnEmptySumIsZeroAndAnEmptyMaximumMinusInfinity) {
  for (const std::int64_t inner : {1, 3}) {
    const Tensor in({{2, 0, inner}, DType::f32});
    const Tensor sums = reduced(Reduction::sum, {2, 0, inner}, in, 1);
    const Tensor maxima = reduced(Reduction::max, {2, 0, inner}, in, 1);
    for (const float v : sums.as<float>()) EXPECT_EQ(v, 0);
    for (const float v : maxima.as<float>()) EXPECT_EQ(v, -INFINITY);
  }
}

TEST(Reduce, AMaximumOfAnythingWithANaNIsNaN) {
  for (const std::int64_t at : {0, 3, 6}) {
    const Tensor row = random_tensor({{1, 7, 1}, DType::f32}, 1);
    row.as<float>()[static_cast<std::size_t>(at)] = NAN;
    EXPECT_TRUE(std::isnan(reduced(Reduction::max, {1, 7, 1}, row, 1).as<float>()[0])) << at;
    const Tensor columns = random_tensor({{1, 7, 2}, DType::f64}, 1);
    columns.as<double>()[static_cast<std::size_t>(2 * at)] = NAN;
    const Tensor out = reduced(Reduction::max, {1, 7, 2}, columns, 1);
    EXPECT_TRUE(std::isnan(out.as<double>()[0]));
    EXPECT_FALSE(std::isnan(out.as<double>()[1]));
  }
}

TEST(Reduce, FindsTheMaximumOfNegatives) {
  const Tensor in = floats({1, 3, 1}, {-3, -1, -2});
  EXPECT_EQ(reduced(Reduction::max, {1, 3, 1}, in, 1).as<float>()[0], -1);
  const Tensor lowest = floats({1, 2, 1}, {-INFINITY, -INFINITY});
  EXPECT_EQ(reduced(Reduction::max, {1, 2, 1}, lowest, 1).as<float>()[0], -INFINITY);
}

}  // namespace
}  // namespace limen::test
