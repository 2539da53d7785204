#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "check/activation.hpp"
#include "check/map_function.hpp"

namespace limen::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using DerivativeCache = std::map<std::pair<const limen_kernel*, double>, Derivative>;

class MapCheck {
 public:
  MapCheck(const ActivationContext& context, const limen_kernel& forward,
           const limen_kernel& backward, DerivativeCache& cache)
      : context_(context),
        forward_(forward),
        backward_(backward),
        cache_(cache),
        function_(context.op, forward, backward),
        precision_(precision_of(function_.dtype())),
        subject_(describe(backward)) {
    const limen_facts* facts = context.op.op().facts;
    if (context.has(LIMEN_FACT_DOMAIN)) {
      low_ = facts->x_min;
      high_ = facts->x_max;
    }
    scan_ = scan(function_, low_, high_, context.options.points,
                 Random(context.options.seed, "points", context.op.op().name));
  }

  void pointwise();
  void declared_kinks();
  void precision(MapFunction& exact);
  void extremes();

 private:
  const ActivationContext& context_;
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  DerivativeCache& cache_;
  MapFunction function_;
  Precision precision_;
  std::string subject_;
  double low_ = -kInfinity, high_ = kInfinity;
  MapScan scan_;

  const Derivative& derivative(double x);
  double allowance(double x, const Derivative& d);
  Point point(std::size_t i, double x, double got);
  Outcome precision_at(MapFunction& exact, double x, Judgement& judgement, double got);
};

const Derivative& MapCheck::derivative(double x) {
  const auto [at, fresh] = cache_.try_emplace({&forward_, x});
  if (fresh) at->second = function_.derivative(x);
  return at->second;
}

// The rounding of a right implementation, measured by asking it: how much its answer moves with the
// last bits of x and, if it reads y, of y.
double MapCheck::allowance(double x, const Derivative& d) {
  const double step = function_.dtype() == DType::f32 ? 0x1p-10 : 0x1p-20;
  const auto moves = [&](double a, double b) {
    const double change = std::abs(a - b) / (2 * step);
    return std::isfinite(change) ? change : 0.0;
  };
  double sum = std::abs(d.value);
  sum += moves(function_.b(function_.round(x * (1 + step))),
               function_.b(function_.round(x * (1 - step))));
  if ((backward_.reads & LIMEN_Y) != 0) {
    sum += moves(function_.b_with_y(x, step), function_.b_with_y(x, -step));
  }
  // A product that underflows on the way (1 / cosh^2 far out) is harmless: it counts as 0.
  double underflow = 4 * precision_.min_normal;
  if (function_.dtype() == DType::f64) {
    underflow += std::sqrt(precision_.min_normal) * scan_.scale(x);
  }
  return 16 * precision_.unit * sum + underflow + context_.accuracy() * scan_.scale(x);
}

Point MapCheck::point(std::size_t i, double x, double got) {
  Point p;
  p.element = static_cast<std::int64_t>(i);
  p.elements = static_cast<std::int64_t>(scan_.points.size());
  p.x = x;
  p.y = function_.f(x);
  p.got = got;
  return p;
}

void MapCheck::pointwise() {
  Tally t = context_.tally("pointwise derivative", subject_);
  t.explain_by_x();
  for (std::size_t i = 0; i < scan_.points.size(); ++i) {
    const double x = scan_.points[i];
    const Derivative& d = derivative(x);
    const double got = function_.b(x);
    const Tolerance tolerance{allowance(x, d), std::max(scan_.slope_scale(x), std::abs(d.value)),
                              resolution_of(function_.dtype())};
    t.add(point(i, x, got), judge(got, d, tolerance));
  }
  context_.add(t);
}

void MapCheck::declared_kinks() {
  const limen_facts* facts = context_.op.op().facts;
  if (facts == nullptr || facts->n_kinks == 0) return;
  Tally t = context_.tally("declared kinks", subject_);
  for (std::uint32_t i = 0; i < facts->n_kinks; ++i) {
    const limen_kink& kink = facts->kinks[i];
    double at = kink.at;
    if (kink.param >= 0 && static_cast<std::uint32_t>(kink.param) < context_.op.op().n_params) {
      at += kink.scale * context_.op.hyper()[static_cast<std::size_t>(kink.param)];
    }
    if (function_.round(at) != at) continue;  // no number of this type lies there
    const Derivative& d = derivative(at);
    const double got = function_.b(at);
    const Tolerance tolerance{allowance(at, d) + precision_.unit * std::abs(got),
                              std::max(scan_.slope_scale(at), std::abs(d.value)),
                              resolution_of(function_.dtype())};
    if (!context_.surrogate()) t.add(point(i, at, got), judge(got, d, tolerance));
    // A slope may depend on a parameter (leaky_relu's is alpha): then it is not a constant of the
    // descriptor, and only the default's is declared.
    const bool constant = context_.op.label() == context_.op.op().name;
    if (constant) {
      t.add(point(i, at, got),
            compare(got, kink.slope, 16 * precision_.unit * std::max(1.0, std::abs(kink.slope)),
                    "the slope that the op declares at this kink"));
    }
  }
  context_.add(t);
}

// One f32 gradient against the f64 kernel at the same x.
Outcome MapCheck::precision_at(MapFunction& exact, double x, Judgement& judgement, double got) {
  const double u = precision_.unit;
  const double expected = exact.b(x);
  double change = 0;
  for (const double e : {16 * u, -16 * u, 7 * u, -7 * u, 3 * u, -3 * u}) {
    change = std::max(change, std::abs(exact.b(x * (1 + e)) - expected));
    if ((backward_.reads & LIMEN_Y) != 0) {
      change = std::max(change, std::abs(exact.b_with_y(x, e / 4) - expected));
    }
  }
  const double scale = scan_.scale(x);
  const double bound = 32 * u * std::abs(expected) + change + 64 * u * scale +
                       precision_.min_normal + context_.accuracy() * scale;
  judgement = compare(got, expected, bound, "the f64 kernel's gradient at the same x");
  if (!std::isfinite(expected) || std::abs(expected) > FLT_MAX) return Outcome::skipped;
  if (judgement.outcome == Outcome::pass) return Outcome::pass;
  if (change > 0.1 * scale) return Outcome::skipped;  // f32 does not resolve this function here
  // A threshold that moved by rounding: right on the other side, within 1024 units.
  for (const double e : {1024 * u, -1024 * u, 64 * u, -64 * u}) {
    const double other = exact.b(x * (1 + e));
    if (!std::isnan(got) && std::abs(got - other) <= bound &&
        std::abs(other - expected) > 4 * bound) {
      return Outcome::skipped;
    }
  }
  return Outcome::fail;
}

void MapCheck::precision(MapFunction& exact) {
  Tally t = context_.tally("f32 against f64", subject_);
  t.explain_by_x();
  std::vector<double> points = scan_.points;
  Random random(context_.options.seed, "precision", context_.op.op().name);
  for (int i = 0; i < 4 * context_.options.points; ++i) {
    const double x = function_.round(i % 2 == 0 ? random.uniform(-12, 12) : 3 * random.normal());
    if (x > low_ && x < high_) points.push_back(x);
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double x = points[i];
    if (!std::isfinite(exact.f(x)) || !std::isfinite(function_.f(x))) continue;
    const double got = function_.b(x);
    Judgement judgement;
    judgement.outcome = precision_at(exact, x, judgement, got);
    Point p = point(i, x, got);
    p.elements = static_cast<std::int64_t>(points.size());
    t.add(p, judgement);
  }
  context_.add(t);
}

// Finite x, finite f and a finite derivative demand a finite gradient; NaN must not vanish.
void MapCheck::extremes() {
  Tally t = context_.tally("extremes", subject_);
  const double top = function_.dtype() == DType::f32 ? FLT_MAX : DBL_MAX;
  std::vector<double> values{precision_.denormal,
                             precision_.min_normal,
                             precision_.min_normal * (1 + 2 * precision_.unit),
                             precision_.unit,
                             88.7,
                             89.0,
                             103.97,
                             709.7,
                             745.2,
                             1000.0,
                             1e10,
                             top / 2,
                             top};
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = function_.round(values[i]);
    if (!(x > low_ && x < high_) || !std::isfinite(function_.f(x))) continue;
    const double got = function_.b(x);
    Judgement judgement{Outcome::pass, 0, 0, {}};
    if (!std::isfinite(got)) {
      const Derivative& d = derivative(x);
      judgement = {Outcome::fail, d.value, d.bound,
                   "finite x and finite f(x) must give a finite gradient"};
      if (std::isinf(got) && !std::isfinite(d.bound)) judgement.outcome = Outcome::skipped;
    }
    Point p = point(i, x, got);
    p.elements = static_cast<std::int64_t>(values.size());
    t.add(p, judgement);
  }
  if (!context_.has(LIMEN_FACT_NAN_IGNORED)) {
    Point p = point(0, kNaN, function_.f(kNaN));
    p.tensor = "y";
    t.add(p, {std::isnan(p.got) ? Outcome::pass : Outcome::fail, kNaN, 0,
              "NaN must give NaN, or the op must declare LIMEN_FACT_NAN_IGNORED"});
    const double x = function_.round(scan_.points.back());
    Point up = point(0, x, function_.b(x, kNaN));
    up.upstream = kNaN;
    const bool live = function_.b(x) != 0;
    t.add(up, {!live || std::isnan(up.got) ? Outcome::pass : Outcome::fail, kNaN, 0,
               "a NaN upstream must reach dx where the derivative is not 0"});
  }
  context_.add(t);
}

}  // namespace

void check_map(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  DerivativeCache cache;
  std::map<std::uint32_t, MapFunction> exact;  // f64 kernels by what they read
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(op, LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(op, *k, context.isa);
      if (forward == nullptr) {
        context.report.notes.push_back(
            fmt::format("{}: {} has no forward kernel to go with it; not checked",
                        context.op.label(), describe(*k)));
        continue;
      }
      check_contract(context, *forward, *k);
      MapCheck check(context, *forward, *k, cache);
      if (dtype == LIMEN_F32 && !exact.empty()) {
        const auto like = exact.find(k->reads);
        check.precision(like == exact.end() ? exact.begin()->second : like->second);
      } else if (!context.surrogate()) {
        check.pointwise();
      }
      check.declared_kinks();
      check.extremes();
      if (dtype == LIMEN_F64) exact.try_emplace(k->reads, context.op, *forward, *k);
    }
  }
  check_map_variants(context);
}

}  // namespace limen::check
