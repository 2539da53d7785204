#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check/activation.hpp"
#include "check/map_function.hpp"

namespace limen::check {
namespace {

// An f64 (else f32) pair that the other kernels are held against; one that reads x if there is one,
// because y has lost digits where a function saturates.
struct Reference {
  const limen_kernel* forward = nullptr;
  const limen_kernel* backward = nullptr;
};

Reference reference_pair(const ActivationContext& context) {
  Reference best;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(context.op.op(), LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(context.op.op(), *k, context.isa);
      if (forward == nullptr) continue;
      if (best.backward == nullptr) best = {forward, k};
      if (k->reads == LIMEN_X) return {forward, k};
    }
    if (best.backward != nullptr) break;
  }
  return best;
}

class Variants {
 public:
  Variants(const ActivationContext& context, const Reference& reference)
      : context_(context),
        reference_(reference),
        exact_(context.op, *reference.forward, *reference.backward) {
    double low = -std::numeric_limits<double>::infinity(), high = -low;
    if (context.has(LIMEN_FACT_DOMAIN)) {
      low = context.op.op().facts->x_min;
      high = context.op.op().facts->x_max;
    }
    scan_ = scan(exact_, low, high, context.options.points,
                 Random(context.options.seed, "variants", context.op.op().name));
    for (double& x : scan_.points) x = static_cast<double>(static_cast<float>(x));
    std::erase_if(scan_.points, [&](double x) { return !(x > low && x < high); });
  }

  void forward(const limen_kernel& kernel);
  void jvp(const limen_kernel& kernel);
  void backward2(const limen_kernel& kernel);

 private:
  const ActivationContext& context_;
  Reference reference_;
  MapFunction exact_;
  MapScan scan_;

  // `got` against b(x), at the precision of `kernel`, either side at a branch of b.
  Judgement against_b(const limen_kernel& kernel, double x, double factor, double got);
  void run_backward2(const limen_kernel& kernel, Call& call, double x, double dy, double gx);
};

Judgement Variants::against_b(const limen_kernel& kernel, double x, double factor, double got) {
  const double u = precision_of(dtype_of_bit(kernel.dtype)).unit;
  const double expected = factor * exact_.b(x);
  double change = 0, low = expected, high = expected;
  for (const double e : {16 * u, -16 * u}) {
    const double other = factor * exact_.b(x + e * std::max(std::abs(x), 1e-30));
    change = std::max(change, std::abs(other - expected));
    low = std::min(low, other);
    high = std::max(high, other);
  }
  const double bound = 32 * u * std::abs(expected) + change + 64 * u * scan_.scale(x) +
                       precision_of(dtype_of_bit(kernel.dtype)).min_normal;
  Judgement result =
      compare(got, expected, bound, "the backward kernel's derivative at the same x");
  if (!std::isfinite(expected)) result.outcome = Outcome::skipped;
  return result;
}

void Variants::forward(const limen_kernel& kernel) {
  Tally t = context_.tally("forward kernels agree", describe(kernel));
  const Precision precision = precision_of(dtype_of_bit(kernel.dtype));
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, 1);
  for (std::size_t i = 0; i < scan_.points.size(); ++i) {
    const double x = scan_.points[i];
    const double expected = exact_.f(x);
    if (!std::isfinite(expected)) continue;
    double change = 0;
    for (const double e : {16 * precision.unit, -16 * precision.unit}) {
      change = std::max(change, std::abs(exact_.f(x * (1 + e)) - expected));
    }
    call.x.set(0, x);
    call.run(kernel);
    Point p;
    p.tensor = "y";
    p.element = static_cast<std::int64_t>(i);
    p.elements = static_cast<std::int64_t>(scan_.points.size());
    p.x = x;
    p.got = call.y.get(0);
    const double bound = 64 * precision.unit * std::max(std::abs(expected), scan_.scale(x)) +
                         change + precision.min_normal;
    if (kernel.dtype == LIMEN_F32 && std::abs(expected) > 3e38) continue;
    t.add(p,
          compare(p.got, expected, bound, "the forward kernel that the gradient was held against"));
  }
  context_.add(t);
}

void Variants::jvp(const limen_kernel& kernel) {
  Tally t = context_.tally("jvp", describe(kernel));
  Call call(context_.op, dtype_of_bit(kernel.dtype), 1, 1);
  for (std::size_t i = 0; i < scan_.points.size(); ++i) {
    const double x = scan_.points[i];
    for (const double tangent : {1.0, -0.75, 0.0}) {
      call.x.set(0, x);
      call.tx.set(0, tangent);
      call.ty.fill(std::numeric_limits<double>::quiet_NaN());
      call.run(kernel);
      Point p;
      p.tensor = "ty";
      p.element = static_cast<std::int64_t>(i);
      p.elements = static_cast<std::int64_t>(scan_.points.size());
      p.x = x;
      p.upstream = tangent;
      p.got = call.ty.get(0);
      t.add(p, against_b(kernel, x, tangent, p.got));
    }
  }
  context_.add(t);
}

void Variants::run_backward2(const limen_kernel& kernel, Call& call, double x, double dy,
                             double gx) {
  call.x.set(0, x);
  call.dy.set(0, dy);
  call.gx.set(0, gx);
  call.run(*forward_for(context_.op.op(), kernel, context_.isa));
  call.gy.fill(std::numeric_limits<double>::quiet_NaN());
  call.dx.fill(std::numeric_limits<double>::quiet_NaN());
  call.run(kernel);
}

// dx = gx B(x, dy), so gy = gx b(x) and the new dx is gx dy b'(x): the ladder runs over b.
void Variants::backward2(const limen_kernel& kernel) {
  if (forward_for(context_.op.op(), kernel, context_.isa) == nullptr) return;
  Tally first = context_.tally("second order, d/d upstream", describe(kernel));
  Tally second = context_.tally("second order, d/dx", describe(kernel));
  second.explain_by_x();
  const DType dtype = dtype_of_bit(kernel.dtype);
  const Precision precision = precision_of(dtype_of_bit(reference_.backward->dtype));
  const double u = precision_of(dtype).unit;
  Call call(context_.op, dtype, 1, 1);
  double scale = 0;
  for (const double x : scan_.points) {
    run_backward2(kernel, call, x, 1, 1);
    if (std::isfinite(call.dx.get(0))) scale = std::max(scale, std::abs(call.dx.get(0)));
  }
  for (std::size_t i = 0; i < scan_.points.size(); ++i) {
    const double x = scan_.points[i];
    if (!std::isfinite(exact_.f(x))) continue;
    if (x != 0 && std::abs(x) < 1e-10) continue;  // a kink at 0 is too near to be resolved in b
    run_backward2(kernel, call, x, 0.75, -1.5);
    Point p;
    p.tensor = "gy";
    p.element = static_cast<std::int64_t>(i);
    p.elements = static_cast<std::int64_t>(scan_.points.size());
    p.x = x;
    p.upstream = -1.5;
    p.got = call.gy.get(0);
    first.add(p, against_b(kernel, x, -1.5, p.got));
    LadderOptions options;
    options.value_scale = std::max(std::abs(exact_.f(x)), scan_.scale(x));
    const Derivative d = derivative_at([&](double offset) { return -1.125 * exact_.b(x + offset); },
                                       x, precision, options);
    const double curvature = call.dx.get(0);
    p.tensor = "dx";
    p.upstream = -1.125;
    p.got = curvature;
    p.y = exact_.f(x);
    double moves = 0;
    const double step = dtype == DType::f32 ? 0x1p-10 : 0x1p-20;
    run_backward2(kernel, call, x * (1 + step), 0.75, -1.5);
    moves = std::abs(call.dx.get(0) - curvature) / step;
    if (!std::isfinite(moves)) moves = 0;
    const Tolerance tolerance{
        32 * u * (std::abs(d.value) + moves + scale) + 64 * precision_of(dtype).min_normal,
        std::max(scale, 0.1 * options.value_scale / std::max(4.0, 2 * std::abs(x))),
        resolution_of(dtype), 1024 * precision_of(dtype).min_normal};
    second.add(p, judge(curvature, d, tolerance));
  }
  context_.add(first);
  if (!context_.surrogate()) context_.add(second);
}

}  // namespace

void check_map_variants(const ActivationContext& context) {
  const Reference reference = reference_pair(context);
  if (reference.forward == nullptr) return;
  Variants variants(context, reference);
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(context.op.op(), LIMEN_FORWARD, dtype, context.isa)) {
      if (k != reference.forward) variants.forward(*k);
    }
    for (const limen_kernel* k : kernels_of(context.op.op(), LIMEN_JVP, dtype, context.isa)) {
      variants.jvp(*k);
    }
    for (const limen_kernel* k : kernels_of(context.op.op(), LIMEN_BACKWARD2, dtype, context.isa)) {
      variants.backward2(*k);
    }
  }
}

}  // namespace limen::check
