// Small f32 products, where a library call costs more than the arithmetic: B packed into panels of
// 16 columns, C computed in register tiles of 8 x 16.
#include <algorithm>
#include <cstring>

#include "base/simd.hpp"
#include "kernels/matmul.hpp"

namespace limen {
namespace {

constexpr std::int64_t kColumns = 16, kRows = 8;

// Sixteen floats; on targets with shorter registers the compiler uses several. Written out because
// GCC does not keep an array of sums in registers by itself (4 times slower).
using Vector = float __attribute__((vector_size(kColumns * sizeof(float)), aligned(4), may_alias));

struct Strides {
  std::int64_t row, step;  // of A: from row to row, and along k
};

// C[Rows, columns] = A B (+ bias) for one panel; columns <= kColumns.
template <int Rows>
inline void tile(const float* a, Strides stride, const float* panel, std::int64_t k,
                 const float* bias, float* c, std::int64_t ldc, std::int64_t columns) {
  Vector sums[Rows];
  for (int r = 0; r < Rows; ++r) sums[r] = Vector{};
  for (std::int64_t p = 0; p < k; ++p) {
    const Vector b = *reinterpret_cast<const Vector*>(panel + p * kColumns);
    for (int r = 0; r < Rows; ++r) sums[r] += a[r * stride.row + p * stride.step] * b;
  }
  for (int r = 0; r < Rows; ++r) {
    if (columns == kColumns) {
      if (bias != nullptr) sums[r] += *reinterpret_cast<const Vector*>(bias);
      *reinterpret_cast<Vector*>(c + r * ldc) = sums[r];
    } else {
      for (std::int64_t j = 0; j < columns; ++j) {
        c[r * ldc + j] = sums[r][j] + (bias != nullptr ? bias[j] : 0.0f);
      }
    }
  }
}

inline void pack(const MatmulSpec& s, const float* b, std::int64_t first, float* __restrict panel) {
  const std::int64_t columns = std::min(kColumns, s.n - first);
  if (s.transpose_b) {
    for (std::int64_t j = 0; j < columns; ++j) {
      for (std::int64_t p = 0; p < s.k; ++p) panel[p * kColumns + j] = b[(first + j) * s.k + p];
    }
  } else {
    for (std::int64_t p = 0; p < s.k; ++p) {
      for (std::int64_t j = 0; j < columns; ++j) panel[p * kColumns + j] = b[p * s.n + first + j];
    }
  }
  for (std::int64_t j = columns; j < kColumns; ++j) {
    for (std::int64_t p = 0; p < s.k; ++p) panel[p * kColumns + j] = 0;
  }
}

inline void multiply(const MatmulSpec& s, const float* a, const float* b, const float* bias,
                     float* c, float* packed) {
  const Strides stride{s.transpose_a ? 1 : s.k, s.transpose_a ? s.m : 1};
  for (std::int64_t first = 0; first < s.n; first += kColumns) {
    const std::int64_t columns = std::min(kColumns, s.n - first);
    const float* panel = packed;
    if (!s.transpose_b && s.n == kColumns) {
      panel = b;  // already in panel form
    } else {
      pack(s, b, first, packed);
    }
    const float* bias_here = bias != nullptr ? bias + first : nullptr;
    std::int64_t r = 0;
    for (; r + kRows <= s.m; r += kRows) {
      tile<kRows>(a + r * stride.row, stride, panel, s.k, bias_here, c + r * s.n + first, s.n,
                  columns);
    }
    for (; r < s.m; ++r) {
      tile<1>(a + r * stride.row, stride, panel, s.k, bias_here, c + r * s.n + first, s.n, columns);
    }
  }
}

}  // namespace

MatmulKernel make_matmul_small(const MatmulSpec& spec, const Target& target) {
  const std::uint32_t isa = target.isa;
  MatmulKernel kernel;
  kernel.scratch_bytes = static_cast<std::size_t>(spec.k * kColumns) * sizeof(float);
  kernel.run = [spec, isa](const void* a, const void* b, const void* bias, void* c,
                           std::byte* scratch) {
    const auto* fa = static_cast<const float*>(a);
    const auto* fb = static_cast<const float*>(b);
    const auto* fbias = static_cast<const float*>(bias);
    auto* fc = static_cast<float*>(c);
    auto* packed = reinterpret_cast<float*>(scratch);
    vectorised(isa, [&] { multiply(spec, fa, fb, fbias, fc, packed); });
  };
  return kernel;
}

}  // namespace limen
