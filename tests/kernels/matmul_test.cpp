#include "kernels/matmul.hpp"

#include <array>
#include <cstring>
#include <functional>

#include <gtest/gtest.h>

#include "base/isa.hpp"
#include "base/parallel.hpp"
#include "support/tensors.hpp"

namespace limen::test {
namespace {

// Odd, tiny, tall, wide, empty, and large enough for several pieces.
const std::vector<std::array<std::int64_t, 3>> kShapes{
    {1, 1, 1},     {1, 1, 7},      {1, 5, 3},      {3, 1, 4},       {4, 16, 8},
    {5, 17, 3},    {7, 7, 7},      {8, 32, 16},    {13, 16, 5},     {33, 31, 29},
    {64, 10, 128}, {64, 128, 100}, {1, 300, 200},  {300, 1, 200},   {257, 3, 65},
    {3, 257, 65},  {2, 2, 5000},   {0, 4, 3},      {4, 0, 3},       {4, 3, 0},
    {0, 0, 0},     {0, 0, 9},      {300, 50, 300}, {200, 160, 200}, {1, 1, 100000}};

std::string name(const MatmulSpec& s) {
  return std::to_string(s.m) + " x " + std::to_string(s.n) + " x " + std::to_string(s.k) +
         (s.transpose_a ? " T" : " N") + (s.transpose_b ? "T" : "N") + (s.bias ? " bias" : "");
}

void for_each_spec(const std::function<void(const MatmulSpec&)>& body) {
  for (const auto& [m, n, k] : kShapes) {
    const bool large = m * n * k > 1'000'000;
    for (int flags = 0; flags < (large ? 5 : 8); ++flags) {
      body({m, n, k, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0});
    }
  }
}

struct Operands {
  Tensor a, b, bias;
  std::vector<double> expected, magnitude;  // the product, and the product of absolute values

  Operands(const MatmulSpec& s, DType dtype)
      : a(random_tensor({s.transpose_a ? Shape{s.k, s.m} : Shape{s.m, s.k}, dtype}, 1)),
        b(random_tensor({s.transpose_b ? Shape{s.n, s.k} : Shape{s.k, s.n}, dtype}, 2)),
        bias(random_tensor({{s.n}, dtype}, 3)) {
    const std::vector<double> x = plain(values(a), s.m, s.k, s.transpose_a);
    const std::vector<double> y = plain(values(b), s.k, s.n, s.transpose_b), z = values(bias);
    const auto n = static_cast<std::size_t>(s.n), k = static_cast<std::size_t>(s.k);
    expected.assign(static_cast<std::size_t>(s.m) * n, 0);
    magnitude = expected;
    for (std::size_t i = 0; i < static_cast<std::size_t>(s.m); ++i) {
      for (std::size_t p = 0; p < k; ++p) {
        for (std::size_t j = 0; j < n; ++j) {
          const double term = x[i * k + p] * y[p * n + j];
          expected[i * n + j] += term;
          magnitude[i * n + j] += std::abs(term);
        }
      }
      for (std::size_t j = 0; s.bias && j < n; ++j) {
        expected[i * n + j] += z[j];
        magnitude[i * n + j] += std::abs(z[j]);
      }
    }
  }

  static std::vector<double> plain(std::vector<double> matrix, std::int64_t rows,
                                   std::int64_t columns, bool transposed) {
    if (!transposed) return matrix;
    std::vector<double> turned(matrix.size());
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        turned[static_cast<std::size_t>(r * columns + c)] =
            matrix[static_cast<std::size_t>(c * rows + r)];
      }
    }
    return turned;
  }
};

Tensor product(const MatmulKernel& kernel, const MatmulSpec& s, const Operands& in, DType dtype) {
  const Tensor c({{s.m, s.n}, dtype});
  // Leftovers of other steps must not show.
  std::memset(c.data(), 0x7f, c.type().bytes());
  const Tensor scratch({{static_cast<std::int64_t>(kernel.scratch_bytes / 4 + 1)}, DType::i32});
  std::memset(scratch.data(), 0x7f, scratch.type().bytes());
  const OneThreadScope one_thread;
  kernel.run(in.a.data(), in.b.data(), s.bias ? in.bias.data() : nullptr, c.data(), scratch.data());
  return c;
}

using Make = std::function<MatmulKernel(const MatmulSpec&, const Target&)>;

// Against the naive product, and the same bits for 1, 2 and 4 threads.
void expect_products(const Make& make, DType dtype, double largest_flops = 1e9) {
  const double epsilon = dtype == DType::f32 ? 6e-8 : 1.2e-16;
  for_each_spec([&](const MatmulSpec& s) {
    if (s.flops() > largest_flops) return;
    const Operands in(s, dtype);
    const Tensor one = product(make(s, {.threads = 1, .isa = detect_isa()}), s, in, dtype);
    const std::vector<double> got = values(one);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double bound = epsilon * (static_cast<double>(s.k) + 2) * in.magnitude[i];
      ASSERT_LE(std::abs(got[i] - in.expected[i]), bound) << name(s) << " element " << i;
    }
    for (const int threads : {2, 4}) {
      const Tensor more = product(make(s, {.threads = threads, .isa = detect_isa()}), s, in, dtype);
      ASSERT_TRUE(same_bits(one, more)) << name(s) << " with " << threads << " threads";
    }
  });
}

TEST(MatmulEigen, EqualsTheNaiveProductInF32) {
  expect_products(
      [](const MatmulSpec& s, const Target& t) { return make_matmul_eigen(s, DType::f32, t); },
      DType::f32);
}

TEST(MatmulEigen, EqualsTheNaiveProductInF64) {
  expect_products(
      [](const MatmulSpec& s, const Target& t) { return make_matmul_eigen(s, DType::f64, t); },
      DType::f64);
}

TEST(MatmulSmall, EqualsTheNaiveProduct) { expect_products(make_matmul_small, DType::f32); }

TEST(MatmulSmall, EqualsTheNaiveProductAtEveryInstructionSet) {
  for (const std::uint32_t isa : {kIsaBase, kIsaX86V3}) {
    if (!isa_runs(isa, detect_isa())) continue;
    expect_products(
        [isa](const MatmulSpec& s, Target t) {
          t.isa = isa;
          return make_matmul_small(s, t);
        },
        DType::f32, 1e6);
  }
}

TEST(MatmulOneDnn, EqualsTheNaiveProduct) {
  if (!onednn_available()) GTEST_SKIP() << "built without oneDNN";
  expect_products(
      [](const MatmulSpec& s, const Target& t) {
        // The empty ones are answered elsewhere.
        return s.flops() == 0 ? make_matmul(s, DType::f32, t) : make_matmul_onednn(s, t);
      },
      DType::f32);
}

TEST(Matmul, EqualsTheNaiveProductWhateverIsChosen) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    expect_products(
        [dtype](const MatmulSpec& s, const Target& t) { return make_matmul(s, dtype, t); }, dtype,
        1e6);
  }
}

TEST(Matmul, PassesNaNAndInfinityOn) {
  const float inf = INFINITY, nan = NAN;
  for (const std::int64_t k : {2, 500}) {
    for (const std::int64_t n : {1, 40}) {
      const MatmulSpec s{.m = 3, .n = n, .k = k};
      Operands in(s, DType::f32);
      for (float& v : in.b.as<float>()) v = 1;
      in.a.as<float>()[0] = inf;
      in.a.as<float>()[static_cast<std::size_t>(k)] = nan;
      const Tensor c =
          product(make_matmul(s, DType::f32, {.isa = detect_isa()}), s, in, DType::f32);
      EXPECT_EQ(c.as<float>()[0], inf);
      EXPECT_TRUE(std::isnan(c.as<float>()[static_cast<std::size_t>(n)]));
      EXPECT_TRUE(std::isfinite(c.as<float>()[static_cast<std::size_t>(2 * n)]));
    }
  }
}

TEST(Matmul, NeedsNoScratchForEmptyProducts) {
  const MatmulSpec s{.m = 0, .n = 0, .k = std::int64_t{1} << 50};
  EXPECT_EQ(make_matmul(s, DType::f32, {}).scratch_bytes, 0u);
}

TEST(CutMatmul, CutsLargeProducts) {
  EXPECT_EQ(cut_matmul({.m = 300, .n = 50, .k = 300}).count, 2);
  EXPECT_EQ(cut_matmul({.m = 64, .n = 128, .k = 784}).count, 1);
  EXPECT_GT(cut_matmul({.m = 4096, .n = 1024, .k = 1024}).count, 8);
}

TEST(CutMatmul, CoversEveryRowOnce) {
  for_each_spec([](const MatmulSpec& s) {
    const MatmulPieces pieces = cut_matmul(s);
    EXPECT_GE(pieces.count, 1) << name(s);
    std::int64_t rows = 0;
    for (std::int64_t i = 0; i < pieces.count; ++i) {
      EXPECT_TRUE(pieces.rows(i, s.m) > 0 || s.m == 0) << name(s);
      rows += pieces.rows(i, s.m);
    }
    EXPECT_EQ(rows, s.m) << name(s);
  });
}

}  // namespace
}  // namespace limen::test
