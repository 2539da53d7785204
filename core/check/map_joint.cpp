// Element-wise ops of several inputs where no line along one input leads: all of them far out, some
// equal, all 0. Slopes of f nearby, without a ladder: lines know the derivative more sharply.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "check/activation.hpp"

namespace limen::check {
namespace {

// A direction at a point, and between what slopes of f lie in it around the point: there lie
// Clarke's generalised gradients, too.
struct Probe {
  Row x, direction;
  double low = INFINITY, high = -INFINITY, rounding = 0;
  double width = INFINITY;              // of the narrowest of the intervals that were measured
  bool finite = true, steeper = false;  // the closer, the steeper: a cusp

  double steepest() const { return std::max(std::abs(low), std::abs(high)); }
};
using Probes = std::vector<Probe>;

// The numbers that inputs take, all with all where that is not too much; and in all of them first
// each input alone, then pairs of equal size.
Probes probes_of(const ActivationContext& context) {
  const std::size_t arity = context.op.op().arity;
  Random random(context.options.seed, "joint", context.op.op().name);
  Row numbers{0, 0.75, -0.75, 6, -6, 9.5, -9.5, 40, -40};
  for (double& v : numbers) v = context.inside(v, random);
  const std::size_t size = numbers.size(), all = arity == 2 ? size * size : 120;
  Probes probes;
  const auto add = [&](const Row& x, std::size_t i, std::size_t j, double sign) {
    Row direction(arity, 0);
    direction[i] = 1;
    if (i != j) direction[j] = sign;
    probes.push_back({x, std::move(direction)});
  };
  for (std::size_t n = 0; n < all; ++n) {
    Row x(arity, numbers[n % size]);  // first all equal
    for (std::size_t k = 1; k < arity && n >= size; ++k) {
      x[k] = numbers[arity == 2 ? (n + n / size) % size : random.below(size)];
    }
    for (std::size_t i = 0; i < arity; ++i) {
      for (std::size_t j = i; j < arity; ++j) {
        if (std::abs(x[i]) != std::abs(x[j])) continue;
        add(x, i, j, 1);
        if (i != j) add(x, i, j, -1);
      }
    }
  }
  return probes;
}

// f (or with `backward` the product of its gradients with the probes' directions) at many points.
class Joint {
 public:
  Joint(const ActivationContext& context, const KernelPair& pair, std::size_t output)
      : pair_(pair),
        output_(output),
        call_(context.op, dtype_of_bit(pair.backward->dtype), 1, kPiece,
              {.flags = context.op.stochastic() ? LIMEN_TILE_EVAL : 0, .first_order = true}) {
    call_.dy[output].fill(1);
  }

  // `point(i)`: x of point i; `look(i, place)`: its results are at that place of the call.
  template <class Point, class Look>
  void run(std::size_t n, bool backward, const Point& point, const Look& look) {
    for (std::size_t begin = 0; begin < n; begin += call_.n) {
      call_.n = std::min(kPiece, n - begin);
      for (std::size_t i = 0; i < call_.n; ++i) {
        const Row& x = point(begin + i);
        for (std::size_t k = 0; k < x.size(); ++k) call_.x[k].set(i, x[k]);
      }
      call_.run(*pair_.forward);
      if (backward) call_.run(*pair_.backward);
      for (std::size_t i = 0; i < call_.n; ++i) look(begin + i, i);
    }
  }
  double f(std::size_t place) const { return call_.y[output_].get(place); }
  double b(std::size_t place, std::size_t k) const { return call_.dx[k].get(place); }
  void measure(Probes& probes, double reach, const Precision& precision);

 private:
  static constexpr std::size_t kPiece = 512;
  KernelPair pair_;
  std::size_t output_;
  Call call_;
};

// Takes in the slopes at the point itself and around it, on all sides and in two orders of size.
void Joint::measure(Probes& probes, double reach, const Precision& precision) {
  const std::size_t arity = probes[0].x.size(),
                    sides = std::size_t{1} << std::min<std::size_t>(arity, 3);
  const std::size_t places = 2 * sides + 1, each = 2 * places;
  const double step = reach / 8;
  Row at(arity), values(probes.size() * each);
  run(
      values.size(), false,
      [&](std::size_t n) -> const Row& {
        const Probe& probe = probes[n / each];
        const std::size_t place = n % each / 2;
        for (std::size_t k = 0; k < arity; ++k) {
          const std::size_t rank = place < sides ? k : arity - 1 - k;
          const double away = 1 - 0.4 * static_cast<double>(rank) / static_cast<double>(arity - 1);
          const double side = place == 2 * sides ? 0 : (place >> k % 3 & 1) != 0 ? away : -away;
          const double along = (n % 2 == 0 ? step : -step) * probe.direction[k];
          at[k] = probe.x[k] + std::max(1.0, std::abs(probe.x[k])) * (reach * side + along);
        }
        return at;
      },
      [&](std::size_t n, std::size_t place) { values[n] = f(place); });
  for (std::size_t p = 0; p < probes.size(); ++p) {
    Probe& probe = probes[p];
    double size = 0, largest = 0, low = INFINITY, high = -INFINITY;
    for (std::size_t k = 0; k < arity; ++k) {
      if (probe.direction[k] != 0) size = std::max(1.0, std::abs(probe.x[k]));
    }
    for (std::size_t i = p * each; i < (p + 1) * each; i += 2) {
      const double slope = (values[i] - values[i + 1]) / (2 * step * size);
      probe.finite = probe.finite && std::isfinite(slope);
      largest = std::max(largest, std::abs(values[i]));
      low = std::min(low, slope);
      high = std::max(high, slope);
    }
    const double steep = std::max(std::abs(low), std::abs(high));
    probe.steeper = steep > 1.25 * probe.steepest() + probe.rounding && std::isfinite(probe.low);
    probe.low = std::min(probe.low, low);
    probe.high = std::max(probe.high, high);
    probe.width = std::min(probe.width, high - low);
    probe.rounding = std::max(probe.rounding, 8 * precision.unit * largest / (step * size));
  }
}

// The largest gradient of all points that are nowhere farther out.
double scale_of(const Probes& probes, const Row& slopes, const Row& x) {
  double scale = 0;
  for (std::size_t p = 0; p < probes.size(); ++p) {
    bool inside = std::isfinite(slopes[p]);
    for (std::size_t k = 0; k < x.size(); ++k) {
      inside = inside && std::abs(probes[p].x[k]) <= std::abs(x[k]);
    }
    if (inside) scale = std::max(scale, std::abs(slopes[p]));
  }
  return scale;
}

// "at x = (6, -6): dx", to which "[0] of 2" is added; "at x = (0, 0): dx[1] + dx" for a sum.
Point point_of(const Probe& probe, std::size_t output, double y, double got) {
  Point point;
  const Row& d = probe.direction;
  const auto first = std::find(d.begin(), d.end(), 1.0) - d.begin();
  const auto second = std::find_if(d.begin() + first + 1, d.end(), [](double v) { return v != 0; });
  point.tensor = fmt::format("y[{}] at x = ({:g}): ", output, fmt::join(probe.x, ", "));
  if (second != d.end()) {
    point.tensor += fmt::format("{}dx[{}] + ", *second < 0 ? "-" : "", second - d.begin());
  }
  point.tensor += "dx";
  point.element = first, point.elements = std::ssize(d);
  point.x = probe.x[static_cast<std::size_t>(first)], point.y = y, point.got = got;
  return point;
}

// Gradients of one kernel against what slopes there are.
void compare_joint(const ActivationContext& context, const KernelPair& pair, const Probes& probes,
                   std::size_t output, double resolution, Tally& t) {
  const Precision precision = precision_of(dtype_of_bit(pair.backward->dtype));
  Joint joint(context, pair, output);
  Row slopes(probes.size(), 0), y(probes.size());
  joint.run(
      probes.size(), true, [&](std::size_t p) -> const Row& { return probes[p].x; },
      [&](std::size_t p, std::size_t place) {
        for (std::size_t k = 0; k < probes[p].x.size(); ++k) {
          if (probes[p].direction[k] != 0) slopes[p] += probes[p].direction[k] * joint.b(place, k);
        }
        y[p] = joint.f(place);
      });
  bool alone = false, together = false;  // inputs fail
  for (std::size_t p = 0; p < probes.size(); ++p) {
    const Probe& probe = probes[p];
    const double got = slopes[p], most = probe.steepest();
    if (!probe.finite || !std::isfinite(y[p]) || most > 1e37) continue;
    const bool one = std::count(probe.direction.begin(), probe.direction.end(), 0.0) + 1 ==
                     std::ssize(probe.direction);
    if (probe.steeper && !(one && std::isnan(got))) continue;  // it may be anything
    // A smooth slope may be at its extremum: differences over steps of an eighth miss a 69th of
    // what slopes differ by around it.
    double slack = probe.rounding + 64 * precision.min_normal + probe.width / 32;
    const auto inside = [&] { return got >= probe.low - slack && got <= probe.high + slack; };
    if (!inside()) {
      slack += (resolution + context.accuracy()) * scale_of(probes, slopes, probe.x);
    }
    Judgement judgement{
        Outcome::pass, 0.5 * (probe.low + probe.high), 0.5 * (probe.high - probe.low) + slack, {}};
    if (!inside()) {
      (one ? alone : together) = true;
      judgement.outcome = Outcome::fail;
      judgement.note =
          fmt::format("slopes of f around there: {:.6g} to {:.6g}", probe.low, probe.high);
    }
    const bool told = judgement.outcome == Outcome::fail || context.options.wants_point;
    t.add(told ? point_of(probe, output, y[p], got) : Point{}, judgement);
  }
  if (together && !alone) {
    t.suspect(
        "where inputs are equal each gradient is possible, their sum is not: one upstream is given "
        "to both, and they should share it");
  }
}

}  // namespace

void check_joint(const ActivationContext& context) {
  const KernelPair reference = reference_pair(context);
  if (context.op.op().arity < 2 || context.surrogate() || reference.forward == nullptr) return;
  const bool narrow = reference.backward->dtype == LIMEN_F32;
  for (std::size_t output = 0; output < context.op.op().outputs; ++output) {
    Probes probes = probes_of(context);
    Joint joint(context, reference, output);
    const Row reaches = narrow ? Row{0x1p-4, 0x1p-7} : Row{0x1p-7, 0x1p-13, 0x1p-19};
    for (const double reach : reaches) {
      joint.measure(probes, reach, precision_of(dtype_of_bit(reference.backward->dtype)));
    }
    for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
      const char* const test = dtype == reference.backward->dtype ? "derivative-fd" : "dtype-agree";
      for (const limen_kernel* k :
           kernels_of(context.op.op(), LIMEN_BACKWARD, dtype, context.isa)) {
        const limen_kernel* forward = forward_for(context.op.op(), *k, context.isa);
        if (forward == nullptr || !context.wants(test)) continue;
        Tally t = context.tally(test, "inputs together", describe(*k));
        compare_joint(context, {forward, k}, probes, output, narrow ? 1e-2 : 1e-3, t);
        context.add(t);
      }
    }
  }
}

void check_more_of_map(const ActivationContext& context) {
  check_joint(context);
  check_map_variants(context);
  check_orders_contract(context);
}

}  // namespace limen::check
