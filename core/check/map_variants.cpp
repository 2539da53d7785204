#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
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
           int points)
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
    Random random(context.options.seed, "tangents", context.op.op().name);
    for (std::size_t k = 0; k < slice.others.size(); ++k) {
      direction_.push_back(k == slice.input ? -1.5 : std::round(16 * random.upstream()) / 16);
    }
    for (std::size_t i = 0; i < context.op.op().outputs; ++i) {
      dy_.push_back(i == slice.output ? 0.75 : std::round(16 * random.upstream()) / 16);
    }
  }

  void forward(const limen_kernel& kernel, Tally& t);
  void jvp(const limen_kernel& kernel, Tally& t);
  void backward2(const limen_kernel& kernel, Tally& first, Tally& second);

 private:
  const ActivationContext& context_;
  KernelPair reference_;
  Slice slice_;
  MapFunction exact_;
  MapScan scan_;
  Row direction_, dy_;  // tangents or gx, and upstreams

  Call call_for(const limen_kernel& kernel) const;
  bool resolved(double x);
  Point point(const char* tensor, std::size_t i, double got) const;
  // `got` against <v, gradient at x>, at the precision of `kernel`, either side at a branch of b.
  Judgement against_b(const limen_kernel& kernel, double x, const Row& v, double got);
  void run_backward2(const limen_kernel& kernel, Call& call, double x);
};

Call Variants::call_for(const limen_kernel& kernel) const {
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, 1, slice_.settings);
  for (std::size_t k = 0; k < call.x.size(); ++k) {
    call.x[k].set(0, slice_.others[k]);
    call.gx[k].set(0, direction_[k]);
  }
  for (std::size_t i = 0; i < call.dy.size(); ++i) call.dy[i].set(0, dy_[i]);
  return call;
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

// Whether the numbers of f32 lie close enough for the slope to be smooth between them: sin(30 x) at
// 1000 has no second derivative to speak of.
bool Variants::resolved(double x) {
  const double u = precision_of(DType::f32).unit, slope = exact_.along(x, direction_);
  double change = 0;
  for (const double e : {16 * u, -16 * u}) {
    change = std::max(change, std::abs(exact_.along(x * (1 + e), direction_) - slope));
  }
  return !(change > 1e-4 * std::max(scan_.scale(x), std::abs(slope)));
}

Judgement Variants::against_b(const limen_kernel& kernel, double x, const Row& v, double got) {
  const double u = precision_of(dtype_of_bit(kernel.dtype)).unit;
  const double expected = exact_.along(x, v);
  double change = 0, largest = 0, size = 0;
  for (std::size_t k = 0; k < v.size(); ++k) {
    Row unit(v.size(), 0);
    unit[k] = v[k];
    largest = std::max(largest, std::abs(v[k]));
    size += std::abs(v.size() == 1 ? expected : exact_.along(x, unit));
  }
  for (const double e : kSteps) {
    const double other = exact_.along(x + e * u * std::max(std::abs(x), 1e-30), v);
    change = std::max(change, std::abs(other - expected));
  }
  const double bound = 32 * u * size + change + 64 * u * scan_.scale(x) * std::max(1.0, largest) +
                       precision_of(dtype_of_bit(kernel.dtype)).min_normal;
  Judgement result =
      compare(got, expected, bound, "the backward kernel's derivative at the same x");
  const bool blurred =
      kernel.dtype == LIMEN_F32 && change > 0.1 * std::max(1.0, largest) * scan_.scale(x);
  if (!std::isfinite(expected) || blurred) result.outcome = Outcome::skipped;
  return result;
}

void Variants::forward(const limen_kernel& kernel, Tally& t) {
  const Precision precision = precision_of(dtype_of_bit(kernel.dtype));
  Call call = call_for(kernel);
  for (std::size_t i = 0; i < scan_.points.size(); ++i) {
    const double x = scan_.points[i];
    const double expected = exact_.f(x);
    if (!std::isfinite(expected)) continue;
    double change = 0, largest = std::abs(expected);
    for (const double e : kSteps) {
      const double other = exact_.f(x * (1 + e * precision.unit));
      change = std::max(change, std::abs(other - expected));
      largest = std::max(largest, std::abs(other));
    }
    // Numbers of f32 too far apart to tell.
    if (kernel.dtype == LIMEN_F32 && change > 0.1 * largest && largest > 0) continue;
    call.x[slice_.input].set(0, x);
    call.run(kernel);
    const double got = call.y[slice_.output].get(0);
    const double bound = 64 * precision.unit * std::max(std::abs(expected), scan_.scale(x)) +
                         change + precision.min_normal;
    if (kernel.dtype == LIMEN_F32 && std::abs(expected) > 3e38) continue;
    t.add(point("y", i, got),
          compare(got, expected, bound, "the forward kernel that the gradient was held against"));
  }
}

void Variants::jvp(const limen_kernel& kernel, Tally& t) {
  Call call = call_for(kernel);
  for (std::size_t i = 0; i < scan_.points.size(); ++i) {
    const double x = scan_.points[i];
    for (const double tangent : {1.0, -0.75, 0.0}) {
      Row v = direction_;
      v[slice_.input] = tangent;
      call.x[slice_.input].set(0, x);
      for (std::size_t k = 0; k < v.size(); ++k) call.tx[k].set(0, v[k]);
      for (Operand& ty : call.ty) ty.fill(std::numeric_limits<double>::quiet_NaN());
      call.run(kernel);
      Point p = point("ty", i, call.ty[slice_.output].get(0));
      p.upstream = tangent;
      t.add(p, against_b(kernel, x, v, p.got));
    }
  }
}

void Variants::run_backward2(const limen_kernel& kernel, Call& call, double x) {
  call.x[slice_.input].set(0, x);
  call.run(*forward_for(context_.op.op(), kernel, context_.isa));
  for (Operands* operands : {&call.gy, &call.dx}) {
    for (Operand& operand : *operands) operand.fill(std::numeric_limits<double>::quiet_NaN());
  }
  call.run(kernel);
}

// phi(x) = <gx, J^T dy> for constant gx, dy: gy is its gradient by dy, the new dx that by x. The
// ladder runs over phi.
void Variants::backward2(const limen_kernel& kernel, Tally& first, Tally& second) {
  if (forward_for(context_.op.op(), kernel, context_.isa) == nullptr) return;
  const DType dtype = dtype_of_bit(kernel.dtype);
  const Precision precision = precision_of(dtype_of_bit(reference_.backward->dtype));
  const double u = precision_of(dtype).unit;
  Call call = call_for(kernel);
  double scale = 0;
  for (const double x : scan_.points) {
    run_backward2(kernel, call, x);
    const double size = std::abs(call.dx[slice_.input].get(0));
    if (std::isfinite(size)) scale = std::max(scale, size);
  }
  for (std::size_t i = 0; i < scan_.points.size(); ++i) {
    const double x = scan_.points[i];
    if (!std::isfinite(exact_.f(x))) continue;
    if (x != 0 && std::abs(x) < 1e-10) continue;  // a kink at 0 is too near to be resolved in b
    run_backward2(kernel, call, x);
    Point p = point("gy", i, call.gy[slice_.output].get(0));
    p.upstream = direction_[slice_.input];
    first.add(p, against_b(kernel, x, direction_, p.got));
    if (dtype == DType::f32 && !resolved(x)) continue;
    const double curvature = call.dx[slice_.input].get(0);
    LadderOptions options;
    options.value_scale = std::max(std::abs(exact_.f(x)), scan_.scale(x));
    const Derivative d =
        derivative_at([&](double offset) { return exact_.pull(x + offset, dy_, direction_); }, x,
                      precision, options);
    p.tensor = "dx";
    p.upstream = direction_[slice_.input] * dy_[slice_.output];
    p.got = curvature;
    p.y = exact_.f(x);
    // How far the result moves with rounding of x; where it jumps, on the side without the jump.
    double moves = INFINITY;
    const double step = dtype == DType::f32 ? 0x1p-10 : 0x1p-20;
    for (const double side : {1 + step, 1 - step}) {
      run_backward2(kernel, call, x * side);
      moves = std::min(moves, std::abs(call.dx[slice_.input].get(0) - curvature) / step);
    }
    if (!std::isfinite(moves)) moves = 0;
    const Tolerance tolerance{
        32 * u * (std::abs(d.value) + moves + scale) + 64 * precision_of(dtype).min_normal,
        std::max(scale, 0.1 * options.value_scale / std::max(4.0, 2 * std::abs(x))),
        resolution_of(dtype), 1024 * precision_of(dtype).min_normal};
    second.add(p, judge(curvature, d, tolerance));
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
  const int points =
      slices.size() == 1 ? context.options.points : std::max(24, context.options.points / 4);
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
