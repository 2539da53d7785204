#include "kernels/matmul.hpp"

#include <algorithm>

namespace limen {
namespace {

// A call of oneDNN costs 0.3 to 0.5 us; up to about this many multiply-adds the plain loop is done
// sooner (tools/bench/kernels).
constexpr double kSmallFlops = 2.0 * 24 * 1024;

}  // namespace

MatmulPieces cut_matmul(const MatmulSpec& spec) {
  // B is packed again for each piece; with 64 rows and this much work that is lost in the noise,
  // with 32 rows it costs 6 %.
  constexpr double kPieceFlops = 4e6;
  constexpr std::int64_t kUnit = 64;
  const auto wanted = static_cast<std::int64_t>(std::clamp(spec.flops() / kPieceFlops, 1.0, 256.0));
  const std::int64_t raw = (spec.m + wanted - 1) / wanted;
  MatmulPieces pieces;
  pieces.size = wanted == 1 ? std::max<std::int64_t>(spec.m, 1)
                            : std::max<std::int64_t>(1, (raw + kUnit - 1) / kUnit) * kUnit;
  pieces.count = std::max<std::int64_t>(1, (spec.m + pieces.size - 1) / pieces.size);
  return pieces;
}

MatmulKernel make_matmul(const MatmulSpec& spec, DType dtype, const Target& target) {
  if (dtype != DType::f32 || target.reference || spec.flops() == 0) {
    return make_matmul_eigen(spec, dtype, target);
  }
  if (spec.flops() <= kSmallFlops) return make_matmul_small(spec, target);
  return onednn_available() ? make_matmul_onednn(spec, target)
                            : make_matmul_eigen(spec, dtype, target);
}

}  // namespace limen
