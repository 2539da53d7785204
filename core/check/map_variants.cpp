#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "check/activation.hpp"
#include "check/map_function.hpp"

namespace limen::check {
namespace {

// Relative steps, in units of rounding, over which an argument may be off. No two of them are whole
// turns of one sine.
constexpr std::array<double, 6> kSteps{16, -16, 7, -7, 3, -3};

class Variants {
 public:
  Variants(const ActivationContext& context, const KernelPair& reference, const Slice& slice,
           int points);

  void forward(const limen_kernel& kernel, Tally& t);
  void jvp(const limen_kernel& kernel, Tally& t);
  void backward2(const limen_kernel& kernel, Tally& first, Tally& second);

 private:
  // What a kernel of one element type is held against at every point.
  struct Reference {
    double unit = 0, min_normal = 0;
    Row f, f_change, f_size;  // values, how far rounding of x moves them, and their size nearby
    // Of <v, gradient> for each v: the value, its change with rounding of x, and sum |v_k dx_k|.
    std::map<Row, std::array<Row, 3>> along;
  };

  const ActivationContext& context_;
  KernelPair reference_;
  Slice slice_;
  MapFunction exact_;
  MapScan scan_;
  Row direction_, dy_;                             // tangents or gx, and upstreams
  std::map<std::uint32_t, Reference> references_;  // by element type
  Row exact_f_;
  std::vector<Derivative> curvatures_;  // of <gx, J^T dy>, found when first wanted

  Reference& reference(std::uint32_t dtype);
  const std::array<Row, 3>& along(std::uint32_t dtype, const Row& v);
  Call call_for(const limen_kernel& kernel) const;
  Point point(const char* tensor, std::size_t i, double got) const;
  // `got` against <v, gradient at point i>, at the precision of `kernel`, either side at a branch
  // of b.
  Judgement against_b(const limen_kernel& kernel, std::size_t i, const Row& v, double got);
  void run_backward2(const limen_kernel& kernel, Call& call, const Row& x, Row& dx, Row* gy);
  Row curvature_moves(const limen_kernel& kernel, Call& call, const Row& dx);
  template <class Run>
  void by_pieces(Call& call, const Row& x, const Run& run) const;
};

Variants::Variants(const ActivationContext& context, const KernelPair& reference,
                   const Slice& slice, int points)
    : context_(context),
      reference_(reference),
      slice_(slice),
      exact_(context.op, *reference.forward, *reference.backward, slice) {
  double low = -std::numeric_limits<double>::infinity(), high = -low;
  if (context.has(LIMEN_FACT_DOMAIN)) {
    low = context.op.op().facts->x_min;
    high = context.op.op().facts->x_max;
  }
  scan_ = scan(exact_, low, high, points,
               Random(context.options.seed, "variants", context.op.op().name));
  for (double& x : scan_.points) x = static_cast<double>(static_cast<float>(x));
  std::erase_if(scan_.points, [&](double x) { return !(x > low && x < high); });
  exact_f_ = exact_.f(scan_.points);
  Random random(context.options.seed, "tangents", context.op.op().name);
  for (std::size_t k = 0; k < slice.others.size(); ++k) {
    direction_.push_back(k == slice.input ? -1.5 : std::round(16 * random.upstream()) / 16);
  }
  for (std::size_t i = 0; i < context.op.op().outputs; ++i) {
    dy_.push_back(i == slice.output ? 0.75 : std::round(16 * random.upstream()) / 16);
  }
}

Variants::Reference& Variants::reference(std::uint32_t dtype) {
  const auto [at, fresh] = references_.try_emplace(dtype);
  Reference& r = at->second;
  if (!fresh) return r;
  r.unit = precision_of(dtype_of_bit(dtype)).unit;
  r.min_normal = precision_of(dtype_of_bit(dtype)).min_normal;
  r.f_change.assign(exact_f_.size(), 0);
  for (const double f : exact_f_) r.f_size.push_back(std::abs(f));
  for (const double e : kSteps) {
    Row moved = scan_.points;
    for (double& x : moved) x *= 1 + e * r.unit;
    const Row other = exact_.f(moved);
    for (std::size_t i = 0; i < other.size(); ++i) {
      r.f_change[i] = std::max(r.f_change[i], std::abs(other[i] - exact_f_[i]));
      r.f_size[i] = std::max(r.f_size[i], std::abs(other[i]));
    }
  }
  return r;
}

const std::array<Row, 3>& Variants::along(std::uint32_t dtype, const Row& v) {
  Reference& r = reference(dtype);
  const auto [at, fresh] = r.along.try_emplace(v);
  auto& [value, change, size] = at->second;
  if (!fresh) return at->second;
  const Row& points = scan_.points;
  value = exact_.along(points, v);
  change.assign(points.size(), 0);
  size.assign(points.size(), 0);
  for (std::size_t k = 0; k < v.size(); ++k) {
    Row unit(v.size(), 0);
    unit[k] = v[k];
    const Row part = v.size() == 1 ? value : exact_.along(points, unit);
    for (std::size_t i = 0; i < part.size(); ++i) size[i] += std::abs(part[i]);
  }
  for (const double e : kSteps) {
    Row moved = points;
    for (double& x : moved) x += e * r.unit * std::max(std::abs(x), 1e-30);
    const Row other = exact_.along(moved, v);
    for (std::size_t i = 0; i < other.size(); ++i) {
      change[i] = std::max(change[i], std::abs(other[i] - value[i]));
    }
  }
  return at->second;
}

Call Variants::call_for(const limen_kernel& kernel) const {
  const std::size_t n = context_.op.stochastic() ? 1 : 256;
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, n, slice_.settings);
  for (std::size_t k = 0; k < call.x.size(); ++k) {
    call.x[k].fill(slice_.others[k]);
    call.gx[k].fill(direction_[k]);
  }
  for (std::size_t i = 0; i < call.dy.size(); ++i) call.dy[i].fill(dy_[i]);
  return call;
}

// Runs over x as many at a time as the call holds; `run(begin, count)` calls kernels.
template <class Run>
void Variants::by_pieces(Call& call, const Row& x, const Run& run) const {
  Operand& moving = call.x[slice_.input];
  for (std::size_t begin = 0; begin < x.size(); begin += call.n) {
    call.n = std::min(moving.size(), x.size() - begin);
    moving.assign(std::span(x).subspan(begin, call.n));
    run(begin, call.n);
  }
}

Point Variants::point(const char* tensor, std::size_t i, double got) const {
  Point p;
  p.tensor = tensor;
  if (slice_.tensor != "dx") p.tensor += fmt::format(" ({})", slice_.tensor);
  p.element = static_cast<std::int64_t>(i);
  p.elements = static_cast<std::int64_t>(scan_.points.size());
  p.x = scan_.points[i];
  p.got = got;
  return p;
}

Judgement Variants::against_b(const limen_kernel& kernel, std::size_t i, const Row& v, double got) {
  const Reference& r = reference(kernel.dtype);
  const auto& [value, change, size] = along(kernel.dtype, v);
  double largest = 1;
  for (const double tangent : v) largest = std::max(largest, std::abs(tangent));
  // A product with another input grows with x.
  const double x = scan_.points[i], grows = v.size() > 1 ? std::max(1.0, std::abs(x)) : 1;
  const double scale = grows * scan_.scale(x);
  const double bound =
      32 * r.unit * size[i] + change[i] + 64 * r.unit * scale * largest + r.min_normal;
  Judgement result =
      compare(got, value[i], bound, "the backward kernel's derivative at the same x");
  const bool blurred = kernel.dtype == LIMEN_F32 && change[i] > 0.1 * largest * scale;
  if (!std::isfinite(value[i]) || blurred) result.outcome = Outcome::skipped;
  return result;
}

void Variants::forward(const limen_kernel& kernel, Tally& t) {
  const Reference& r = reference(kernel.dtype);
  Call call = call_for(kernel);
  Row got(scan_.points.size());
  by_pieces(call, scan_.points, [&](std::size_t begin, std::size_t count) {
    call.run(kernel);
    call.y[slice_.output].read(std::span(got).subspan(begin, count));
  });
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double expected = exact_f_[i];
    if (!std::isfinite(expected)) continue;
    // Numbers of f32 too far apart to tell.
    const bool narrow = kernel.dtype == LIMEN_F32;
    if (narrow && r.f_change[i] > 0.1 * r.f_size[i] && r.f_size[i] > 0) continue;
    if (narrow && std::abs(expected) > 3e38) continue;
    const double size = std::max(std::abs(expected), scan_.scale(scan_.points[i]));
    t.add(point("y", i, got[i]),
          compare(got[i], expected, 64 * r.unit * size + r.f_change[i] + r.min_normal,
                  "the forward kernel that the gradient was held against"));
  }
}

void Variants::jvp(const limen_kernel& kernel, Tally& t) {
  Call call = call_for(kernel);
  Row got(scan_.points.size());
  for (const double tangent : {1.0, -0.75, 0.0}) {
    Row v = direction_;
    v[slice_.input] = tangent;
    for (std::size_t k = 0; k < v.size(); ++k) call.tx[k].fill(v[k]);
    by_pieces(call, scan_.points, [&](std::size_t begin, std::size_t count) {
      for (Operand& ty : call.ty) ty.fill(std::numeric_limits<double>::quiet_NaN());
      call.run(kernel);
      call.ty[slice_.output].read(std::span(got).subspan(begin, count));
    });
    for (std::size_t i = 0; i < got.size(); ++i) {
      Point p = point("ty", i, got[i]);
      p.upstream = tangent;
      t.add(p, against_b(kernel, i, v, got[i]));
    }
  }
}

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
  for (std::size_t i = 0; i < x.size(); ++i) {
    sizes.push_back(std::max(std::abs(exact_f_[i]), scan_.scale(x[i])));
  }
  if (curvatures_.empty()) {
    curvatures_ = derivatives_at(
        [&](std::span<const double> at, std::span<double> to) {
          const Row values = exact_.pull(at, dy_, direction_);
          std::copy(values.begin(), values.end(), to.begin());
        },
        x, precision_of(dtype_of_bit(reference_.backward->dtype)), sizes);
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
    const double size = std::max(scan_.scale(x[i]), std::abs(slope[i]));
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

// BACKWARD2 may be asked for one of its results only.
void unwanted(const ActivationContext& context, const limen_kernel& kernel, Tally& t) {
  const limen_kernel* forward = forward_for(context.op.op(), kernel, context.isa);
  if (forward == nullptr) return;
  Random random(context.options.seed, "unwanted");
  Call whole(context.op, dtype_of_bit(kernel.dtype), 1, 19);
  for (Operands* operands : {&whole.x, &whole.dy, &whole.gx}) {
    for (Operand& operand : *operands) {
      for (std::size_t i = 0; i < operand.size(); ++i) {
        operand.set(i, context.inside(random.normal(), random));
      }
    }
  }
  whole.run(*forward);
  whole.run(kernel);
  const Operand gy = whole.gy[0], dx = whole.dx[0];
  whole.gy[0].absent = true;
  whole.run(kernel);
  t.require(whole.dx[0].same_bits(dx), "dx without gy", "dx depends on whether gy is wanted");
  whole.gy[0].absent = false;
  whole.dx[0].absent = true;
  whole.gy[0].fill(7);
  whole.run(kernel);
  t.require(whole.gy[0].same_bits(gy), "gy without dx", "gy depends on whether dx is wanted");
}

}  // namespace

void check_map_variants(const ActivationContext& context) {
  const KernelPair reference = reference_pair(context);
  if (reference.forward == nullptr) return;
  const std::vector<Slice> slices = slices_of(context.op, context.options.seed);
  const int all = context.options.points / (context.first ? 1 : 2);
  const int points = slices.size() == 1 ? all : std::max(24, all / 4);
  std::vector<std::optional<Variants>> made(slices.size());
  const auto test = [&](std::uint32_t role, const char* name, auto part) {
    for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
      for (const limen_kernel* k : kernels_of(context.op.op(), role, dtype, context.isa)) {
        if (k == reference.forward || !context.wants(name)) continue;
        for (std::size_t s = 0; s < slices.size(); ++s) {
          if (!made[s]) made[s].emplace(context, reference, slices[s], points);
        }
        part(*k);
      }
    }
  };
  test(LIMEN_FORWARD, "variants-agree", [&](const limen_kernel& k) {
    Tally t = context.tally("variants-agree", "forward kernels agree", describe(k));
    for (auto& variants : made) variants->forward(k, t);
    context.add(t);
  });
  test(LIMEN_JVP, "jvp-vjp-adjoint", [&](const limen_kernel& k) {
    Tally t = context.tally("jvp-vjp-adjoint", "jvp", describe(k));
    for (auto& variants : made) variants->jvp(k, t);
    context.add(t);
  });
  test(LIMEN_BACKWARD2, "second-derivative", [&](const limen_kernel& k) {
    Tally first = context.tally("second-derivative", "second order, d/d upstream", describe(k));
    Tally second = context.tally("second-derivative", "second order, d/dx", describe(k));
    second.explain_by_x();
    for (auto& variants : made) variants->backward2(k, first, second);
    context.add(first);
    if (!context.surrogate()) context.add(second);
  });
  test(LIMEN_BACKWARD2, "null-outputs", [&](const limen_kernel& k) {
    Tally t = context.tally("null-outputs", "unwanted gradients", describe(k));
    unwanted(context, k, t);
    context.add(t);
  });
}

}  // namespace limen::check
