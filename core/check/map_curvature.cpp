// The second order of element-wise ops: BACKWARD2.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "check/map_variants.hpp"

namespace limen::check {

void Variants::run_backward2(const limen_kernel& kernel, Call& call, const Row& x, Row& dx,
                             Row* gy) {
  const limen_kernel& forward = *forward_for(context_.op.op(), kernel, context_.isa);
  dx.resize(x.size());
  if (gy != nullptr) gy->resize(x.size());
  by_pieces(call, x, [&](std::size_t begin, std::size_t count) {
    call.run(forward);
    for (Operands* operands : {&call.gy, &call.dx}) {
      for (Operand& operand : *operands) operand.fill(std::numeric_limits<double>::quiet_NaN());
    }
    call.run(kernel);
    call.dx[slice_.input].read(std::span(dx).subspan(begin, count));
    if (gy != nullptr) call.gy[slice_.output].read(std::span(*gy).subspan(begin, count));
  });
}

// How far the result moves with rounding of x; where it jumps, on the side without the jump.
Row Variants::curvature_moves(const limen_kernel& kernel, Call& call, const Row& dx) {
  const Row& x = scan_.points;
  Row moves(x.size(), INFINITY);
  const double step = kernel.dtype == LIMEN_F32 ? 0x1p-10 : 0x1p-20;
  for (const double side : {1 + step, 1 - step}) {
    Row moved = x, other;
    for (double& v : moved) v *= side;
    run_backward2(kernel, call, moved, other, nullptr);
    for (std::size_t i = 0; i < x.size(); ++i) {
      moves[i] = std::min(moves[i], std::abs(other[i] - dx[i]) / step);
    }
  }
  // The other inputs are rounded inside the kernel like x.
  for (std::size_t k = 0; k < call.x.size(); ++k) {
    if (k == slice_.input) continue;
    Row other;
    call.x[k].fill(slice_.others[k] * (1 + step));
    run_backward2(kernel, call, x, other, nullptr);
    call.x[k].fill(slice_.others[k]);
    for (std::size_t i = 0; i < x.size(); ++i) moves[i] += std::abs(other[i] - dx[i]) / step;
  }
  return moves;
}

// phi(x) = <gx, J^T dy> for constant gx, dy: gy is its gradient by dy, the new dx that by x. The
// ladder runs over phi.
void Variants::backward2(const limen_kernel& kernel, Tally& first, Tally& second) {
  if (forward_for(context_.op.op(), kernel, context_.isa) == nullptr) return;
  const Row& x = scan_.points;
  const DType dtype = dtype_of_bit(kernel.dtype);
  const double u = precision_of(dtype).unit, min_normal = precision_of(dtype).min_normal;
  Row sizes;
  std::vector<LadderOptions> options(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    sizes.push_back(std::max(std::abs(exact_f_[i]), scales_[i]));
    options[i].value_scale = sizes[i];
  }
  if (curvatures_.empty()) {
    curvatures_ = derivatives_at(
        [&](std::span<const double> at, std::span<double> to) {
          const Row values = exact_.pull(at, dy_, direction_);
          std::copy(values.begin(), values.end(), to.begin());
        },
        x, precision_of(dtype_of_bit(reference_.backward->dtype)), options);
  }
  Call call = call_for(kernel);
  Row dx, gy;
  run_backward2(kernel, call, x, dx, &gy);
  double scale = 0;
  for (const double v : dx) scale = std::isfinite(v) ? std::max(scale, std::abs(v)) : scale;
  const Row moves = curvature_moves(kernel, call, dx);
  const Row& blur = along(LIMEN_F32, direction_)[1];
  const Row& slope = along(LIMEN_F32, direction_)[0];
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(exact_f_[i])) continue;
    if (x[i] != 0 && std::abs(x[i]) < 1e-10) continue;  // a kink at 0 is too near for b
    Point p = point("gy", i, gy[i]);
    p.upstream = direction_[slice_.input];
    first.add(p, against_b(kernel, i, direction_, p.got));
    // Whether the numbers of f32 lie close enough for the slope to be smooth between them:
    // sin(30 x) at 1000 has no second derivative to speak of.
    const double size = std::max(scales_[i], std::abs(slope[i]));
    if (dtype == DType::f32 && blur[i] > 1e-4 * size) continue;
    const Derivative& d = curvatures_[i];
    p.tensor = "dx";
    p.upstream = direction_[slice_.input] * dy_[slice_.output];
    p.got = dx[i];
    p.y = exact_f_[i];
    const double moved = std::isfinite(moves[i]) ? moves[i] : 0;
    const Tolerance tolerance{32 * u * (std::abs(d.value) + moved + scale) + 64 * min_normal,
                              std::max(scale, 0.1 * sizes[i] / std::max(4.0, 2 * std::abs(x[i]))),
                              resolution_of(dtype), 1024 * min_normal};
    // Rounding of x alone may be more than what a verdict allows, at the top of a wave too.
    const bool coarse = tolerance.allowance > tolerance.resolution * tolerance.scale;
    if (dtype == DType::f32 && coarse && tolerance.allowance > tolerance.negligible) continue;
    second.add(p, judge(dx[i], d, tolerance));
  }
}

}  // namespace limen::check
