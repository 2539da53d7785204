#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <limen/differentiate.hpp>
#include <limen/ops.hpp>

#include "support/execute.hpp"

namespace limen::test {
namespace {

struct Dropped {
  Tensor y, dx;
};

Dropped drop(const Tensor& x, std::int32_t counter, double rate, std::uint64_t seed,
             const CompileOptions& options = {}) {
  Graph g;
  const Value in = g.input("x", x.type()), c = g.input("c", {{}, DType::i32});
  const Value y = dropout(in, c, rate, seed);
  g.output("y", y);
  g.output("dx", differentiate(sum(y), std::array{in})[0]);
  const Tensors out = execute(g, {{"x", x}, {"c", integers({}, {counter})}}, options);
  return {out.at("y"), out.at("dx")};
}

Tensor ones(std::int64_t n, DType dtype = DType::f32) {
  const Tensor t({{n}, dtype});
  if (dtype == DType::f32) std::ranges::fill(t.as<float>(), 1.0f);
  if (dtype == DType::f64) std::ranges::fill(t.as<double>(), 1.0);
  return t;
}

TEST(Dropout, KeepsTheShareItShouldAndScalesIt) {
  constexpr double n = 200000;
  for (const double rate : {0.1, 0.5, 0.9}) {
    const Dropped d = drop(ones(static_cast<std::int64_t>(n)), 3, rate, 42);
    double kept = 0, neighbours = 0;
    const auto y = d.y.as<float>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (y[i] == 0) continue;
      EXPECT_FLOAT_EQ(y[i], static_cast<float>(1 / (1 - rate)));
      kept += 1;
      neighbours += i > 0 && y[i - 1] != 0 ? 1 : 0;
    }
    const double p = 1 - rate;
    EXPECT_NEAR(kept / n, p, 5 * std::sqrt(p * rate / n));
    EXPECT_NEAR(neighbours / n, p * p, 5 * std::sqrt(p * p * (1 - p * p) / n) * 2);  // independent
  }
}

TEST(Dropout, OfRateZeroIsTheIdentity) {
  const Tensor x = random_tensor({{1001}, DType::f64}, 1);
  EXPECT_TRUE(same_bits(drop(x, 0, 0, 1).y, x));
}

TEST(Dropout, SendsTheCotangentThroughTheSameMask) {
  for (const std::int64_t n : {1, 3, 4, 5, 1000, 16385, 40000}) {
    const Dropped d = drop(ones(n), 7, 0.3, 5);
    EXPECT_TRUE(same_bits(d.y, d.dx)) << n;
  }
}

TEST(Dropout, IsAFunctionOfSeedCounterAndIndexAlone) {
  const Tensor x = ones(40000), f64 = ones(40000, DType::f64), shorter = ones(1001);
  const Tensor y = drop(x, 7, 0.5, 5).y;
  for_each_config(
      [&](CompileOptions o) { EXPECT_TRUE(same_bits(drop(x, 7, 0.5, 5, o).y, y)) << describe(o); });
  EXPECT_EQ(values(drop(f64, 7, 0.5, 5).y), values(y));
  const std::vector<double> head = values(drop(shorter, 7, 0.5, 5).y);
  EXPECT_TRUE(std::equal(head.begin(), head.end(), values(y).begin()));
  EXPECT_FALSE(same_bits(drop(x, 8, 0.5, 5).y, y));
  EXPECT_FALSE(same_bits(drop(x, -7, 0.5, 5).y, y));
  EXPECT_FALSE(same_bits(drop(x, 7, 0.5, 6).y, y));
}

TEST(Dropout, MasksOfDifferentStepsAreIndependent) {
  const Tensor x = ones(100000);
  const Tensor a = drop(x, 0, 0.5, 1).y, b = drop(x, 1, 0.5, 1).y, c = drop(x, 0, 0.5, 2).y;
  for (const Tensor* other : {&b, &c}) {
    double both = 0;
    for (std::size_t i = 0; i < 100000; ++i) {
      both += a.as<float>()[i] != 0 && other->as<float>()[i] != 0 ? 1 : 0;
    }
    EXPECT_NEAR(both / 1e5, 0.25, 0.01);
  }
}

TEST(Dropout, DropsNaNAndInfinityToo) {
  const Tensor x = ones(1000);
  std::ranges::fill(x.as<float>(), NAN);
  const Tensor y = drop(x, 1, 0.5, 1).y;
  EXPECT_GT(std::ranges::count(y.as<float>(), 0.0f), 400);
}

TEST(Dropout, TwoOfOneSeedAreOneNodeAndTwoOfDifferentSeedsAreNot) {
  for (const std::uint64_t second : {1u, 2u}) {
    Graph g;
    const Value x = g.input("x", {{8}}), c = g.input("c", {{}, DType::i32});
    g.output("a", dropout(x, c, 0.5, 1));
    g.output("b", dropout(x, c, 0.5, second));
    EXPECT_EQ(compile(g).stats().steps, second);
  }
}

}  // namespace
}  // namespace limen::test
