#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "check/activation.hpp"
#include "check/map_check.hpp"
#include "check/map_scan.hpp"
#include "check/map_variants.hpp"

namespace limen::check {
namespace {

constexpr double kUpstream = 0.75;

}  // namespace

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
  // A narrow band of one kernel lies between random points more often than one would think.
  for (int i = 0; context.first && !exact_.one_by_one() && i < 64; ++i)
    scan_.points.push_back(0.25 * (i + 0.381966) - 8);
  for (double& x : scan_.points) x = static_cast<double>(static_cast<float>(x));
  std::erase_if(scan_.points, [&](double x) { return !(x > low && x < high); });
  exact_f_ = exact_.f(scan_.points);
  for (const double x : scan_.points) scales_.push_back(scan_.scale(x));
  Random random(context.options.seed, "tangents", context.op.op().name);
  for (std::size_t k = 0; k < slice.others.size(); ++k) {
    direction_.push_back(k == slice.input ? -1.5 : std::round(16 * random.upstream()) / 16);
  }
  for (std::size_t i = 0; i < context.op.op().outputs; ++i) {
    dy_.push_back(i == slice.output ? kUpstream : std::round(16 * random.upstream()) / 16);
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
  for (const double e : kRoundings) {
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
  for (const double e : kRoundings) {
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
  const double scale = grows * scales_[i];
  const double bound =
      32 * r.unit * size[i] + change[i] + 64 * r.unit * scale * largest + r.min_normal;
  Judgement result = compare(got, value[i], bound, "the backward kernel's derivative at the same x",
                             context_.options);
  const bool blurred = kernel.dtype == LIMEN_F32 && change[i] > 0.1 * largest * scale;
  if (!std::isfinite(value[i]) || blurred) result.outcome = Outcome::skipped;
  return result;
}

void Variants::forward(const limen_kernel& kernel, Tally& t) {
  const Reference& r = reference(kernel.dtype);
  Row x = scan_.points;  // floats already
  const Row got = values(kernel, x);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double expected = exact_f_[i];
    if (!std::isfinite(expected)) continue;
    // Numbers of f32 too far apart to tell.
    const bool narrow = kernel.dtype == LIMEN_F32;
    if (narrow && r.f_change[i] > 0.1 * r.f_size[i] && r.f_size[i] > 0) continue;
    if (narrow && std::abs(expected) > 3e38) continue;
    const double size = std::max(std::abs(expected), scales_[i]);
    Judgement judgement =
        compare(got[i], expected, 64 * r.unit * size + 2 * r.f_change[i] + r.min_normal,
                "the forward kernel that the gradient was held against");
    if (judgement.outcome == Outcome::fail &&
        ((narrow && (too_fast(i, r.f_change[i]) || moved_jump(i, got[i], judgement.bound))) ||
         rounds_so(kernel, i, got[i] - expected))) {
      judgement.outcome = Outcome::skipped;
    }
    t.add(point("y", i, got[i]), judgement);
  }
}

// The values of y at these x, of a forward or JVP kernel.
Row Variants::values(const limen_kernel& kernel, Row& x) {
  if (kernel.dtype == LIMEN_F32) {
    for (double& v : x) v = static_cast<double>(static_cast<float>(v));
  }
  Call call = call_for(kernel);
  Row got(x.size());
  by_pieces(call, x, [&](std::size_t begin, std::size_t count) {
    call.y[slice_.output].fill(std::numeric_limits<double>::quiet_NaN());
    call.run(kernel);
    call.y[slice_.output].read(std::span(got).subspan(begin, count));
  });
  return got;
}

// Whether rounding of x changes f by a tenth of what f changes over a hundredth of x.
bool Variants::too_fast(std::size_t i, double change) {
  Row places;
  for (int k = -16; k <= 16; ++k) places.push_back(scan_.points[i] * (1 + 6.1e-4 * k));
  const Row f = exact_.f(places);
  const auto [low, high] = std::minmax_element(f.begin(), f.end());
  return change > 0.1 * (*high - *low);
}

// A jump of f that rounding of a x + b moved, as far as numbers where f does something are rounded:
// the value from its other side.
bool Variants::moved_jump(std::size_t i, double got, double bound) {
  const double x = scan_.points[i], expected = exact_f_[i], u = precision_of(DType::f32).unit;
  // Whether f bends or jumps as far out.
  const auto busy = [&](double at) {
    return std::abs(exact_.f(at) - 2 * exact_.f(1.5 * at) + exact_.f(2 * at)) > 4 * bound;
  };
  for (const double shift : {16 * u, 64 * u, 256 * u, 1024 * u}) {
    if (!busy(shift / (8 * u)) && !busy(-shift / (8 * u))) continue;
    for (const double side : {shift, -shift}) {
      const double other = exact_.f(x + side), step = std::abs(other - expected);
      if (!(step > 4 * bound) || !(std::abs(got - other) <= bound)) continue;
      double here = 0, there = 1;
      for (int k = 0; k < 20; ++k) {
        const double middle = 0.5 * (here + there), f = exact_.f(x + middle * side);
        (std::abs(f - expected) < std::abs(f - other) ? here : there) = middle;
      }
      if (std::abs(exact_.f(x + there * side) - exact_.f(x + here * side)) >= 0.9 * step)
        return true;
    }
  }
  return false;
}

// f may be what is left of larger numbers, whose rounding scatters, or cuts f off to a constant.
bool Variants::rounds_so(const limen_kernel& kernel, std::size_t i, double error) {
  const double x = scan_.points[i], unit = reference(kernel.dtype).unit, range = scan_.range(x);
  const double wide = scan_.wide_range(x);
  // x times a gate that is 1 + erf: of numbers as large as x times the slope elsewhere, if f gets
  // as large there.
  if (std::abs(error) <= unit * std::min(std::abs(x) * scan_.steady_scale(x), wide)) return true;
  if (std::abs(error) <= 4 * unit * size_elsewhere(context_, reference_, slice_, x, true)) {
    return true;
  }
  if (kernel.dtype == LIMEN_F32) {
    const double rounded = 4 * grain([&](Row at) { return values(kernel, at); }, exact_, x);
    if (std::abs(error) <= rounded * std::abs(exact_.b(x))) return true;
    const Row beside = exact_.f(Row{x - rounded, x + rounded});  // the domain may end there
    if (!std::isfinite(beside[0]) || !std::isfinite(beside[1])) return true;
  }
  Row near, places;
  for (int k = -8; k <= 8; ++k) near.push_back(x + k * 1e-4 * std::max(1.0, std::abs(x)));
  const Row close = values(kernel, near);
  const bool coarse = std::set<double>(close.begin(), close.end()).size() <= close.size() / 2;
  if (coarse && std::abs(error) <= 4 * unit * range) return true;
  const double step = 3.7e-4 * std::max({1.0, std::abs(x), scan_.high - scan_.low});
  for (int k = -8; k <= 8; ++k) places.push_back(x + k * step);
  Row got = values(kernel, places);
  const auto [right, slopes] = exact_.both(places);
  // The offset in a (x + b) is rounded, too: that moves all values as one step of x does.
  double along = 0, square = 0;
  for (std::size_t k = 0; k < got.size(); ++k) {
    along += (got[k] - right[k]) * slopes[k];
    square += slopes[k] * slopes[k];
  }
  const double most = 2 * unit * std::max({std::abs(x), std::abs(scan_.low), std::abs(scan_.high)});
  const double shift = square > 0 ? std::clamp(along / square, -most, most) : 0;
  for (std::size_t k = 0; k < got.size(); ++k) got[k] -= shift * slopes[k];
  return scatters(got, right, error - shift * slopes[slopes.size() / 2], 64 * unit * wide);
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

void check_map_variants(const ActivationContext& context) {
  const KernelPair reference = reference_pair(context);
  if (reference.forward == nullptr) return;
  const std::vector<Slice> slices = slices_of(context);
  const int all = context.options.points / (context.first ? 1 : 2);
  const int points = slices.size() == 1 ? all : std::max(24, all / 4);
  std::vector<std::optional<Variants>> made(slices.size());
  const auto test = [&](std::uint32_t role, const char* name, auto part) {
    for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
      for (const limen_kernel* k : kernels_of(context.op.op(), role, dtype, context.isa)) {
        if (k == reference.forward || !context.wants(name)) continue;
        for (std::size_t s = 0; s < slices.size(); ++s) {
          if (made[s]) continue;
          // With a draw: one element a call. In evaluation there are all points.
          const bool few =
              slices[s].brief || (context.op.stochastic() && slices[s].settings.flags == 0);
          made[s].emplace(context, reference, slices[s], few ? kBriefPoints : points);
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
    for (auto& variants : made) {
      variants->jvp(k, t);
      variants->forward(k, t);  // y, which may be asked for
    }
    context.add(t);
  });
  test(LIMEN_BACKWARD2, "second-derivative", [&](const limen_kernel& k) {
    Tally first = context.tally("second-derivative", "second order, d/d upstream", describe(k));
    Tally second = context.tally("second-derivative", "second order, d/dx", describe(k));
    second.explain_by_x();
    second.evidence().parameters.emplace_back("dy", kUpstream);
    for (auto& variants : made) variants->backward2(k, first, second);
    context.add(first);
    context.add(second);
  });
}

}  // namespace limen::check
