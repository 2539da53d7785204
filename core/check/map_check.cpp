#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "check/activation.hpp"
#include "check/map_function.hpp"

namespace limen::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Of one slice.
using DerivativeCache = std::map<std::pair<const limen_kernel*, double>, Derivative>;

// Where a declared kink is for these parameters.
double place_of(const OpCase& op, const limen_kink& kink) {
  if (kink.param < 0 || static_cast<std::uint32_t>(kink.param) >= op.op().n_params) return kink.at;
  return kink.at + kink.scale * op.hyper()[static_cast<std::size_t>(kink.param)];
}

class MapCheck {
 public:
  MapCheck(const ActivationContext& context, const limen_kernel& forward,
           const limen_kernel& backward, const Slice& slice, int points, DerivativeCache& cache)
      : context_(context),
        forward_(forward),
        backward_(backward),
        slice_(slice),
        points_(points),
        cache_(cache),
        function_(context.op, forward, backward, slice),
        precision_(precision_of(function_.dtype())) {
    const limen_facts* facts = context.op.op().facts;
    if (context.has(LIMEN_FACT_DOMAIN)) {
      low_ = facts->x_min;
      high_ = facts->x_max;
    }
    scan_ = scan(function_, low_, high_, points,
                 Random(context.options.seed, "points", context.op.op().name));
  }

  void pointwise(Tally& t);
  void declared_kinks(Tally& t);
  void undeclared_kinks(Tally& t);
  void precision(Tally& t, MapFunction& exact);
  void extremes(Tally& t);
  void not_a_number(Tally& t);
  // Lets a guess at the mistake ask the function.
  void testify(Evidence& evidence);

 private:
  const ActivationContext& context_;
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  const Slice& slice_;
  int points_;
  DerivativeCache& cache_;
  MapFunction function_;
  Precision precision_;
  double low_ = -kInfinity, high_ = kInfinity;
  MapScan scan_;

  const Derivative& derivative(double x);
  double rounding(double x, const Derivative& d);
  Tolerance tolerance(double x, const Derivative& d);
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
double MapCheck::rounding(double x, const Derivative& d) {
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
  return 16 * precision_.unit * sum + underflow;
}

Tolerance MapCheck::tolerance(double x, const Derivative& d) {
  Tolerance result;
  result.declared = context_.accuracy() * scan_.scale(x);
  result.allowance = rounding(x, d) + result.declared;
  result.scale = std::max(scan_.slope_scale(x), std::abs(d.value));
  result.resolution = resolution_of(function_.dtype());
  return result;
}

void MapCheck::testify(Evidence& evidence) {
  evidence.float32 = function_.dtype() == DType::f32;
  evidence.stochastic = context_.op.stochastic();
  evidence.one_line = slice_.others.size() > 1;
  evidence.gradient = [this](double x) { return function_.b(x); };
  evidence.slope = [this](double x) { return derivative(x).value; };
  const limen_op& op = context_.op.op();
  evidence.parameters.clear();
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    evidence.parameters.emplace_back(LIMEN_AT(limen_param, op.params, p)->name,
                                     context_.op.hyper()[p]);
  }
}

Point MapCheck::point(std::size_t i, double x, double got) {
  Point p;
  p.tensor = slice_.tensor;
  p.element = static_cast<std::int64_t>(i);
  p.elements = static_cast<std::int64_t>(scan_.points.size());
  p.x = x;
  p.y = function_.f(x);
  p.got = got;
  return p;
}

void MapCheck::pointwise(Tally& t) {
  for (std::size_t i = 0; i < scan_.points.size(); ++i) {
    const double x = scan_.points[i];
    const Derivative& d = derivative(x);
    const double got = function_.b(x);
    t.add(point(i, x, got), judge(got, d, tolerance(x, d)));
  }
}

void MapCheck::declared_kinks(Tally& t) {
  const limen_facts* facts = context_.op.op().facts;
  for (std::uint32_t i = 0; facts != nullptr && i < facts->n_kinks; ++i) {
    const limen_kink& kink = facts->kinks[i];
    const double at = place_of(context_.op, kink);
    if (function_.round(at) != at) continue;  // no number of this type lies there
    const Derivative& d = derivative(at);
    const double got = function_.b(at);
    Tolerance allowed = tolerance(at, d);
    allowed.allowance += precision_.unit * std::abs(got);
    if (!context_.surrogate()) t.add(point(i, at, got), judge(got, d, allowed));
    // A slope may depend on a parameter (leaky_relu's is alpha): then it is not a constant of the
    // descriptor, and only the default's is declared.
    const bool constant = context_.op.label() == context_.op.op().name;
    if (constant) {
      t.add(point(i, at, got),
            compare(got, kink.slope, 16 * precision_.unit * std::max(1.0, std::abs(kink.slope)),
                    "the slope that the op declares at this kink"));
    }
  }
}

// Where backward jumps, f may have a corner; then the op must say so.
void MapCheck::undeclared_kinks(Tally& t) {
  const limen_facts* facts = context_.op.op().facts;
  for (std::size_t i = 0; i < scan_.branches.size(); ++i) {
    const double x = scan_.branches[i];
    const PointKind kind = derivative(x).kind;
    if (kind != PointKind::kink && kind != PointKind::jump) continue;
    bool declared = false;
    for (std::uint32_t k = 0; k < facts->n_kinks && !declared; ++k) {
      const double at = place_of(context_.op, facts->kinks[k]);
      declared = std::abs(x - at) <= 16 * precision_.unit * std::max(std::abs(at), 0x1p-20);
    }
    Point p = point(i, x, function_.b(x));
    p.elements = static_cast<std::int64_t>(scan_.branches.size());
    t.add(p,
          {declared ? Outcome::pass : Outcome::fail, p.got, 0,
           kind == PointKind::jump ? "the function jumps here, and its list of kinks has no entry"
                                   : "a corner that the op's list of kinks does not have"});
  }
  if (scan_.branches.empty()) t.require(true, "kinks", "");
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

void MapCheck::precision(Tally& t, MapFunction& exact) {
  std::vector<double> points = scan_.points;
  Random random(context_.options.seed, "precision", context_.op.op().name);
  for (int i = 0; i < 4 * points_; ++i) {
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
}

// Finite x, finite f and a finite derivative demand a finite gradient.
void MapCheck::extremes(Tally& t) {
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
}

// NaN must not vanish, neither from x nor from the upstream.
void MapCheck::not_a_number(Tally& t) {
  const bool live =
      std::any_of(scan_.size.begin(), scan_.size.end(), [](double b) { return b > 0; });
  const bool simple = context_.op.op().arity == 1 && !context_.op.stochastic();
  if (context_.has(LIMEN_FACT_NAN_IGNORED) || !(simple || live)) return;
  Point p = point(0, kNaN, function_.f(kNaN));
  p.tensor = "y";
  t.add(p, {std::isnan(p.got) ? Outcome::pass : Outcome::fail, kNaN, 0,
            "NaN must give NaN, or the op must declare LIMEN_FACT_NAN_IGNORED"});
  function_.b(kNaN);  // must come back
  const double x = function_.round(scan_.points.back());
  Point up = point(0, x, function_.b(x, kNaN));
  up.upstream = kNaN;
  t.add(up, {function_.b(x) == 0 || std::isnan(up.got) ? Outcome::pass : Outcome::fail, kNaN, 0,
             "a NaN upstream must reach dx where the derivative is not 0"});
}

// All tests of one backward kernel; `exact` is the f64 kernel that an f32 one is held against.
void check_kernel(const ActivationContext& context, const limen_kernel& forward,
                  const limen_kernel& backward, const limen_kernel* exact,
                  const std::vector<Slice>& slices, std::vector<DerivativeCache>& caches) {
  const limen_op& op = context.op.op();
  const bool one = slices.size() == 1;
  const int points = one ? context.options.points : std::max(24, context.options.points / 4);
  std::vector<std::optional<MapCheck>> checks(slices.size());
  const auto test = [&](const char* name, const char* check, auto part) {
    if (!context.wants(name)) return;
    Tally t = context.tally(name, check, describe(backward));
    t.explain_by_x();
    for (std::size_t s = 0; s < slices.size(); ++s) {
      if (!checks[s]) checks[s].emplace(context, forward, backward, slices[s], points, caches[s]);
      if (!t.failed()) checks[s]->testify(t.evidence());
      part(*checks[s], slices[s], t);
      if (slices.size() > 1) t.next_function();
    }
    context.add(t);
  };
  if (exact != nullptr) {
    test("dtype-agree", "f32 against f64", [&](MapCheck& map, const Slice& slice, Tally& t) {
      MapFunction reference(context.op, *forward_for(op, *exact, context.isa), *exact, slice);
      map.precision(t, reference);
    });
  } else if (!context.surrogate()) {
    test("derivative-fd", "pointwise derivative",
         [](MapCheck& map, const Slice&, Tally& t) { map.pointwise(t); });
  }
  test("extremes", "extremes", [](MapCheck& map, const Slice&, Tally& t) { map.extremes(t); });
  test("nan-in", "NaN", [](MapCheck& map, const Slice&, Tally& t) { map.not_a_number(t); });
  if (!one || op.facts == nullptr) return;
  test("kink-slope", "declared kinks",
       [](MapCheck& map, const Slice&, Tally& t) { map.declared_kinks(t); });
  if (exact != nullptr) return;
  test("kinks-declared", "undeclared kinks",
       [](MapCheck& map, const Slice&, Tally& t) { map.undeclared_kinks(t); });
}

}  // namespace

void check_map(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  const std::vector<Slice> slices = slices_of(context.op, context.options.seed);
  std::vector<DerivativeCache> caches(slices.size());
  const limen_kernel* exact_y = nullptr;  // f64 kernels by what they read
  const limen_kernel* exact_x = nullptr;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(op, LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(op, *k, context.isa);
      if (forward == nullptr) {
        context.no_forward(*k);
        continue;
      }
      check_contract(context, *forward, *k);
      const limen_kernel*& exact = (k->reads & LIMEN_Y) != 0 ? exact_y : exact_x;
      const limen_kernel* like = exact != nullptr ? exact : exact_x != nullptr ? exact_x : exact_y;
      check_kernel(context, *forward, *k, dtype == LIMEN_F64 ? nullptr : like, slices, caches);
      if (dtype == LIMEN_F64 && exact == nullptr) exact = k;
    }
  }
  check_map_variants(context);
}

}  // namespace limen::check
