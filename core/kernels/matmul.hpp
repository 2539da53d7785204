// Matrix products: C[m, n] = A[m, k] B[k, n] (+ bias[n] in every row), operands optionally
// transposed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <limen/op.hpp>

namespace limen {

struct MatmulSpec {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false;  // A is stored [k, m]
  bool transpose_b = false;  // B is stored [n, k]
  bool bias = false;

  std::int64_t lda() const { return transpose_a ? m : k; }
  std::int64_t ldb() const { return transpose_b ? k : n; }
  double flops() const {
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
};

// A product with all decisions made; bias is null where the spec has none. Allocates nothing
// itself; Eigen's products of more than 128 KiB of packed operands, and oneDNN, may.
using MatmulRun = std::function<void(const void* a, const void* b, const void* bias, void* c,
                                     std::byte* scratch)>;

struct MatmulKernel {
  MatmulRun run;
  std::size_t scratch_bytes = 0;
};

// Chooses: a register-blocked loop for small f32 products, oneDNN for the other f32 ones (when
// built with it), Eigen for f64, for `target.reference`, and where oneDNN is left out.
MatmulKernel make_matmul(const MatmulSpec& spec, DType dtype, const Target& target);

// The candidates, for tests and benchmarks.
MatmulKernel make_matmul_eigen(const MatmulSpec& spec, DType dtype, const Target& target);
MatmulKernel make_matmul_small(const MatmulSpec& spec, const Target& target);   // f32
MatmulKernel make_matmul_onednn(const MatmulSpec& spec, const Target& target);  // f32
bool onednn_available();

// How a product is cut for several threads: pieces of rows of C, by size alone. (Pieces of columns
// would leave gaps between C's rows, for which oneDNN 2.6 has no brgemm: 80 instead of 108
// GFLOP/s.)
struct MatmulPieces {
  std::int64_t size = 0;  // rows in every piece but the last
  std::int64_t count = 1;

  std::int64_t rows(std::int64_t piece, std::int64_t m) const {
    return std::min(size, m - piece * size);
  }
};
MatmulPieces cut_matmul(const MatmulSpec& spec);

}  // namespace limen
