#include "kernels/matmul.hpp"

#include <algorithm>

namespace limen {
namespace {

// A call of oneDNN costs 0.3 to 0.5 us; up to about this many multiply-adds the plain loop is done
// sooner (tools/bench/kernels).
constexpr double kSmallFlops = 2.0 * 24 * 1024;

}  // namespace

MatmulPieces cut_matmul(const MatmulSpec& spec) {
  // Half a piece's packing is paid again per piece, about 2 % at this size.
  constexpr double kPieceFlops = 4e6;
  constexpr std::int64_t kUnit = 16;  // whole vectors, whole cache lines of C
  MatmulPieces pieces;
  pieces.columns = spec.n >= spec.m;
  const std::int64_t length = pieces.columns ? spec.n : spec.m;
  const auto wanted =
      static_cast<std::int64_t>(std::min(64.0, std::max(1.0, spec.flops() / kPieceFlops)));
  const std::int64_t raw = std::max<std::int64_t>(1, (length + wanted - 1) / wanted);
  pieces.size = std::min(std::max<std::int64_t>(length, 1), (raw + kUnit - 1) / kUnit * kUnit);
  pieces.count = std::max<std::int64_t>(1, (length + pieces.size - 1) / pieces.size);
  return pieces;
}

MatmulKernel make_matmul(const MatmulSpec& spec, DType dtype, const Target& target) {
  if (dtype != DType::f32 || target.reference || spec.k == 0) {
    return make_matmul_eigen(spec, dtype, target);
  }
  if (spec.flops() <= kSmallFlops) return make_matmul_small(spec, target);
  return onednn_available() ? make_matmul_onednn(spec, target)
                            : make_matmul_eigen(spec, dtype, target);
}

}  // namespace limen
