#include "check/ladder.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "check/noise.hpp"

namespace limen::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kGolden = 0.80901699437494745;  // no power of two, so that steps round

// The values at distances h, 2h, 4h on both sides, and what follows from them.
struct Rung {
  double h = 0;
  double p1 = 0, p2 = 0, p4 = 0, m1 = 0, m2 = 0, m4 = 0;
  double noise = 0;
};

struct Ladder {
  double center = 0;
  double magnitude = 0;    // of the argument
  double value_scale = 0;  // at least so large are the values whose rounding enters f
  double largest = 0;      // of |f| over all rungs
  double reach = 0;        // the largest distance
  Noise noise;
  int evaluations = 0;
  std::vector<Rung> rungs;  // largest h first
};

// One difference formula over all rungs: its value, the rounding in it, and the unevenness that
// smooth functions do not have.
struct Table {
  std::vector<double> d, round, q, unexplained;
};

double magnitude_of(const Rung& r, double center, double floor) {
  return std::max(
      {floor, std::abs(center), std::abs(r.p1), std::abs(r.p2), std::abs(r.m1), std::abs(r.m2)});
}

// Octaves from `top` down to `bottom`, with their noise: a known one, unless that is negative.
void add_rungs(const Function& f, double top, double bottom, const Precision& precision,
               double known, Ladder& ladder) {
  const auto octaves = static_cast<std::size_t>(std::max(0.0, std::floor(std::log2(top / bottom))));
  const std::size_t n = octaves + 3;
  std::vector<double> plus(n), minus(n);
  double largest = std::abs(ladder.center);
  for (std::size_t i = 0; i < n; ++i) {
    const double h = std::ldexp(top, 2 - static_cast<int>(i));
    plus[i] = f(h);
    minus[i] = f(-h);
    if (std::isfinite(plus[i])) largest = std::max(largest, std::abs(plus[i]));
    if (std::isfinite(minus[i])) largest = std::max(largest, std::abs(minus[i]));
  }
  ladder.largest = std::max(ladder.largest, largest);
  ladder.evaluations += static_cast<int>(2 * n);
  const double smallest = std::ldexp(top, -static_cast<int>(octaves));
  Noise noise;
  noise.level = known;
  if (known < 0) {
    noise = estimate_noise(f, ladder.center, smallest, top / 256, ladder.reach, ladder.largest,
                           precision);
  }
  ladder.evaluations += noise.evaluations;
  ladder.noise.level = std::max(ladder.noise.level, noise.level);
  if (noise.change > ladder.noise.change) {
    ladder.noise.change = noise.change;
    ladder.noise.flat = noise.flat;
  }
  for (std::size_t i = 2; i < n; ++i) {
    ladder.rungs.push_back({std::ldexp(top, 2 - static_cast<int>(i)), plus[i], plus[i - 1],
                            plus[i - 2], minus[i], minus[i - 1], minus[i - 2], noise.level});
  }
}

Ladder climb(const Function& f, double center, double x, const Precision& precision,
             const LadderOptions& options) {
  Ladder ladder;
  ladder.center = center;
  ladder.magnitude = options.magnitude > 0 ? options.magnitude : std::abs(x);
  const int depth = options.depth > 0 ? options.depth : precision.depth;
  const double exponent = std::floor(std::log2(std::max(std::abs(x), 1.0))) - 1;
  const double top = kGolden * std::exp2(exponent);
  ladder.reach = 4 * top;
  ladder.largest = ladder.value_scale = options.value_scale;
  const double grain = 8 * ulp(x, precision);
  add_rungs(f, top, std::max(grain, std::ldexp(top, -depth)), precision, options.noise, ladder);
  if (x == 0 || !(std::abs(x) < top / 16)) return ladder;
  // Activations have their corners at 0: a second, short ladder on the scale of |x| itself.
  const double near = std::ldexp(kGolden, std::ilogb(x) - 1);
  const double floor = std::max(grain, std::ldexp(std::abs(x), -10));
  if (near < 4 * floor || floor >= ladder.rungs.back().h) return ladder;
  std::vector<Rung> coarse = std::move(ladder.rungs);
  ladder.rungs.clear();
  add_rungs(f, near, floor, precision, options.noise, ladder);
  for (const Rung& r : ladder.rungs) {
    if (r.h < 0.5 * coarse.back().h) coarse.push_back(r);
  }
  ladder.rungs = std::move(coarse);
  return ladder;
}

bool usable(const Rung& r) {
  return std::isfinite(r.p1) && std::isfinite(r.p2) && std::isfinite(r.m1) && std::isfinite(r.m2);
}

Table central(const Ladder& ladder, const Precision& precision, std::vector<Rung>& rungs) {
  Table t;
  rungs.clear();
  const double u = precision.unit;
  for (const Rung& r : ladder.rungs) {
    if (!usable(r)) continue;
    rungs.push_back(r);
    const double d = (8 * (r.p1 - r.m1) - (r.p2 - r.m2)) / (12 * r.h);
    const double m = magnitude_of(r, ladder.center, ladder.value_scale);
    const double q = std::abs(r.p2 - 4 * r.p1 + 6 * ladder.center - 4 * r.m1 + r.m2);
    const double rounding = u * (m + ladder.magnitude * std::abs(d));
    t.d.push_back(d);
    t.round.push_back(12 * rounding + 16 * r.noise + precision.denormal);
    t.q.push_back(q);
    t.unexplained.push_back(std::max(0.0, q - 32 * rounding - 32 * r.noise));
  }
  return t;
}

// One side, with or without the value at x itself.
Table sided(const Ladder& ladder, const Precision& precision, double side, bool with_center,
            std::vector<Rung>& rungs) {
  Table t;
  rungs.clear();
  for (const Rung& r : ladder.rungs) {
    const double f1 = side > 0 ? r.p1 : r.m1;
    const double f2 = side > 0 ? r.p2 : r.m2;
    const double f4 = side > 0 ? r.p4 : r.m4;
    if (!std::isfinite(f1) || !std::isfinite(f2) || !std::isfinite(f4)) continue;
    rungs.push_back(r);
    const double d =
        with_center ? 0.0 + side * (-7.0 / 4 * ladder.center + 8.0 / 3 * f1 - f2 + f4 / 12) / r.h
                    : 0.0 + side * (-2 * f1 + 2.5 * f2 - 0.5 * f4) / r.h;
    const double m = std::max({ladder.value_scale, std::abs(f1), std::abs(f2), std::abs(f4),
                               with_center ? std::abs(ladder.center) : 0.0});
    t.d.push_back(d);
    t.round.push_back(12 * precision.unit * (m + ladder.magnitude * std::abs(d)) + 16 * r.noise +
                      precision.denormal);
  }
  t.q.assign(t.d.size(), 0.0);
  t.unexplained.assign(t.d.size(), 0.0);
  return t;
}

// B_k: twice the disagreement with the neighbouring steps, the unevenness of this and of smaller
// steps, and the rounding. The maxima run over smaller steps, so that an accidental agreement at
// one step cannot shrink its bound.
std::vector<double> bounds(const Table& t, const std::vector<Rung>& rungs, double denormal) {
  const std::size_t n = t.d.size();
  std::vector<double> b(n);
  double q = 0, unexplained = 0, drift = 0;
  for (std::size_t i = n; i-- > 0;) {
    const double h = rungs[i].h;
    q = std::max(q, t.q[i]);
    unexplained = std::max(unexplained, t.unexplained[i] / h);
    double change = 0;
    if (i + 1 < n) {
      change = std::abs(t.d[i] - t.d[i + 1]);
      drift = std::max(drift, change * rungs[i + 1].h);
    }
    if (i > 0) change = std::max(change, std::abs(t.d[i] - t.d[i - 1]));
    b[i] = 2 * (change + 0.25 * std::max(q / h, unexplained) + drift / h + t.round[i] / h);
    b[i] = b[i] >= 0 ? std::max(b[i], denormal) : kInfinity;
  }
  return b;
}

struct Choice {
  Slope slope{0, kInfinity};
  double step = 0;
};

// From the smallest step upwards, intervals are intersected until the first contradiction: there a
// larger scale begins (a kink nearby, an aliased oscillation). The tightest of the kept ones wins.
Choice select(const Table& t, const std::vector<Rung>& rungs, double denormal) {
  Choice best;
  if (t.d.size() < 3) return best;
  const std::vector<double> b = bounds(t, rungs, denormal);
  double low = -kInfinity, high = kInfinity;
  for (std::size_t i = t.d.size(); i-- > 0;) {
    low = std::max(low, t.d[i] - b[i]);
    high = std::min(high, t.d[i] + b[i]);
    if (!(low <= high)) break;
    if (b[i] < best.slope.bound) best = {{t.d[i], b[i]}, rungs[i].h};
  }
  return best;
}

Slope side_of(const Ladder& ladder, const Precision& precision, double side) {
  std::vector<Rung> rungs;
  const Choice with =
      select(sided(ladder, precision, side, true, rungs), rungs, precision.denormal);
  const double good = 0.02 * std::abs(with.slope.value);
  if (with.slope.bound <= good) return with.slope;
  const Choice without =
      select(sided(ladder, precision, side, false, rungs), rungs, precision.denormal);
  return without.slope.bound < with.slope.bound ? without.slope : with.slope;
}

bool jumps(const Ladder& ladder, const Precision& precision) {
  if (ladder.rungs.size() < 4) return false;
  for (const bool right : {true, false}) {
    const auto gap = [&](std::size_t back) {
      const Rung& r = ladder.rungs[ladder.rungs.size() - back];
      return std::abs((right ? r.p1 : r.m1) - ladder.center);
    };
    const Rung& last = ladder.rungs.back();
    const double m = std::max({std::abs(ladder.center), std::abs(last.p1), std::abs(last.m1)});
    if (gap(1) > 256 * precision.unit * m && gap(1) > 0.75 * gap(4)) return true;
  }
  return false;
}

void classify(const Ladder& ladder, const Precision& precision, Derivative& result) {
  const double scale =
      std::max({std::abs(result.value), std::abs(result.left.value), std::abs(result.right.value)});
  if (result.bound <= 1e-3 * scale) return;
  const double sides = std::max(std::abs(result.left.value), std::abs(result.right.value));
  const bool sharp = result.left.bound <= 0.02 * sides && result.right.bound <= 0.02 * sides;
  const double gap = std::abs(result.right.value - result.left.value);
  if (jumps(ladder, precision)) {
    result.kind = PointKind::jump;
  } else if (sharp && gap > 2 * (result.left.bound + result.right.bound)) {
    result.kind = PointKind::kink;
  }
}

}  // namespace

Precision precision_of(DType dtype) {
  if (dtype == DType::f32) return {FLT_EPSILON / 2, FLT_MIN, 0x1p-149, 24, 21};
  return {DBL_EPSILON / 2, DBL_MIN, 0x1p-1074, 53, 44};
}

double ulp(double x, const Precision& precision) {
  const int exponent = x == 0 ? std::ilogb(precision.min_normal) : std::ilogb(x);
  return std::max(precision.denormal, std::ldexp(1.0, exponent - precision.digits + 1));
}

Derivative derivative_at(const Function& f, double x, const Precision& precision,
                         const LadderOptions& options) {
  Derivative result;
  const double center = f(0);
  if (!std::isfinite(center) || !std::isfinite(x)) {
    result.kind = PointKind::not_finite;
    result.bound = result.left.bound = result.right.bound = kInfinity;
    result.evaluations = 1;
    return result;
  }
  const Ladder ladder = climb(f, center, x, precision, options);
  std::vector<Rung> rungs;
  const Table table = central(ladder, precision, rungs);
  const Choice choice = select(table, rungs, precision.denormal);
  for (std::size_t i = 0; i < rungs.size(); ++i) {
    const double d = std::abs(table.d[i]);
    if (d > 4 * table.round[i] / rungs[i].h) result.steepest = std::max(result.steepest, d);
  }
  result.value = choice.slope.value;
  result.bound = choice.slope.bound;
  result.step = choice.step;
  result.noise = ladder.noise.level;
  result.evaluations = ladder.evaluations + 1;
  // Where all values near x are equal because rounding hides the slope, only the size of the first
  // change limits it.
  const bool flat = choice.step > 0 && f(choice.step) == center && f(-choice.step) == center;
  if (flat && ladder.noise.flat >= choice.step) {
    result.value = 0;
    result.bound = std::max(result.bound, ladder.noise.change / ladder.noise.flat);
  }
  if (!options.one_sided) return result;
  result.right = side_of(ladder, precision, 1);
  result.left = side_of(ladder, precision, -1);
  classify(ladder, precision, result);
  return result;
}

}  // namespace limen::check
