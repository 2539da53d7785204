#include "check/ladder.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "check/noise.hpp"
#include "check/octaves.hpp"

namespace limen::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

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

// One difference formula over all rungs: its value, the rounding in it, the unevenness that smooth
// functions do not have, and the rounding if values are no larger than they look.
struct Table {
  std::vector<double> d, round, q, unexplained, least;

  explicit Table(std::size_t rungs) {
    for (std::vector<double>* column : {&d, &round, &q, &unexplained, &least}) {
      column->reserve(rungs);
    }
  }
};

double magnitude_of(const Rung& r, double center) {
  return std::max(
      {std::abs(center), std::abs(r.p1), std::abs(r.p2), std::abs(r.m1), std::abs(r.m2)});
}

// Takes the values of `octaves` and those for its noise from the front of `known`.
void add_rungs(const BatchFunction& f, const Octaves& octaves, std::span<const double>& known,
               const Precision& precision, const LadderOptions& options, Ladder& ladder) {
  const std::size_t n = octaves.n;
  const std::span<const double> values = known.first(2 * n);
  double largest = std::abs(ladder.center);
  for (const double value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  ladder.largest = std::max(ladder.largest, largest);
  known = known.subspan(2 * n);
  Noise noise;
  noise.level = options.noise;
  if (options.noise < 0) {
    noise = estimate_noise(f, known.first(kNoiseSamples), ladder.center, octaves.smallest(),
                           octaves.top / 256, ladder.reach, std::max(ladder.largest, options.range),
                           precision);
    known = known.subspan(kNoiseSamples);
  }
  ladder.evaluations += static_cast<int>(2 * n) + noise.evaluations;
  // What rounding does to a part of f does not become less close by.
  noise.level = std::max(noise.level, ladder.noise.hidden);
  ladder.noise.hidden = std::max(noise.hidden, ladder.noise.hidden);
  ladder.noise.level = std::max(noise.level, ladder.noise.level);
  if (noise.change > ladder.noise.change) {
    ladder.noise.change = noise.change;
    ladder.noise.flat = noise.flat;
  }
  ladder.rungs.reserve(ladder.rungs.size() + n);
  const double limit = ladder.rungs.empty() ? kInfinity : 0.5 * ladder.rungs.back().h;
  for (std::size_t i = 4; i < 2 * n; i += 2) {
    const double h = octaves.step(i / 2);
    if (!(h < limit)) continue;
    ladder.rungs.push_back({h, values[i], values[i - 2], values[i - 4], values[i + 1],
                            values[i - 1], values[i - 3], noise.level});
  }
}

Ladder climb(const BatchFunction& f, double x, const Precision& precision,
             const LadderOptions& options, std::span<const double> known) {
  Ladder ladder;
  ladder.center = known[0];
  ladder.magnitude = options.magnitude > 0 ? options.magnitude : std::abs(x);
  ladder.largest = ladder.value_scale = options.value_scale;
  known = known.subspan(1);
  for (const Octaves& octaves : octaves_of(x, precision, options)) {
    if (ladder.reach == 0) ladder.reach = 4 * octaves.top;
    add_rungs(f, octaves, known, precision, options, ladder);
  }
  return ladder;
}

bool usable(const Rung& r) {
  return std::isfinite(r.p1) && std::isfinite(r.p2) && std::isfinite(r.m1) && std::isfinite(r.m2);
}

Table central(const Ladder& ladder, const Precision& precision, std::vector<Rung>& rungs) {
  Table t(ladder.rungs.size());
  rungs.clear();
  rungs.reserve(ladder.rungs.size());
  const double u = precision.unit;
  for (const Rung& r : ladder.rungs) {
    if (!usable(r)) continue;
    rungs.push_back(r);
    const double d = (8 * (r.p1 - r.m1) - (r.p2 - r.m2)) / (12 * r.h);
    const double m = magnitude_of(r, ladder.center), by_x = ladder.magnitude * std::abs(d);
    const double q = std::abs(r.p2 - 4 * r.p1 + 6 * ladder.center - 4 * r.m1 + r.m2);
    const double rounding = u * (std::max(m, ladder.value_scale) + by_x);
    t.d.push_back(d);
    t.round.push_back(12 * rounding + 16 * r.noise + precision.denormal);
    t.least.push_back(12 * u * (m + by_x) + 16 * r.noise + precision.denormal);
    t.q.push_back(q);
    t.unexplained.push_back(std::max(0.0, q - 32 * rounding - 32 * r.noise));
  }
  return t;
}

// One side, with or without the value at x itself.
Table sided(const Ladder& ladder, const Precision& precision, double side, bool with_center,
            std::vector<Rung>& rungs) {
  Table t(ladder.rungs.size());
  rungs.clear();
  rungs.reserve(ladder.rungs.size());
  for (const Rung& r : ladder.rungs) {
    const double f1 = side > 0 ? r.p1 : r.m1;
    const double f2 = side > 0 ? r.p2 : r.m2;
    const double f4 = side > 0 ? r.p4 : r.m4;
    if (!std::isfinite(f1) || !std::isfinite(f2) || !std::isfinite(f4)) continue;
    rungs.push_back(r);
    const double d =
        with_center ? 0.0 + side * (-7.0 / 4 * ladder.center + 8.0 / 3 * f1 - f2 + f4 / 12) / r.h
                    : 0.0 + side * (-2 * f1 + 2.5 * f2 - 0.5 * f4) / r.h;
    const double m = std::max(
        {std::abs(f1), std::abs(f2), std::abs(f4), with_center ? std::abs(ladder.center) : 0.0});
    const double by_x = ladder.magnitude * std::abs(d), rest = 16 * r.noise + precision.denormal;
    t.d.push_back(d);
    t.round.push_back(12 * precision.unit * (std::max(m, ladder.value_scale) + by_x) + rest);
    t.least.push_back(12 * precision.unit * (m + by_x) + rest);
  }
  t.q.assign(t.d.size(), 0.0);
  t.unexplained.assign(t.d.size(), 0.0);
  return t;
}

// Where D_k changes the same way and by a steady part of the change before, slowly, down to rung i:
// what all changes still to come add up to. x sqrt |x| at 0, which has 0.7 of it at each octave.
double slow_tail(const Table& t, std::size_t i) {
  constexpr std::size_t kChanges = 6;
  if (i < kChanges) return 0;
  double least = 1, most = 0;
  for (std::size_t j = i - kChanges + 1; j < i; ++j) {
    const double ratio = (t.d[j + 1] - t.d[j]) / (t.d[j] - t.d[j - 1]);
    if (!(ratio > 0.5 && ratio < 1)) return 0;
    least = std::min(least, ratio);
    most = std::max(most, ratio);
  }
  if (most - least > 0.1) return 0;
  return std::abs(t.d[i] - t.d[i - 1]) * most / (1 - most);
}

// B_k: twice the disagreement with the neighbouring steps, the unevenness of this and of smaller
// steps, and the rounding. The maxima run over smaller steps, so that an accidental agreement at
// one step cannot shrink its bound.
std::vector<double> bounds(const Table& t, const std::vector<double>& round,
                           const std::vector<Rung>& rungs, double denormal) {
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
    if (i > 0) change = std::max({change, std::abs(t.d[i] - t.d[i - 1]), slow_tail(t, i)});
    b[i] = 2 * (change + 0.25 * std::max(q / h, unexplained) + drift / h + round[i] / h);
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
// Rounding that f may have, but does not show, hides no contradiction: what is left of a softmax
// far from its largest element is flat over all large steps, and steep over small ones.
Choice select(const Table& t, const std::vector<Rung>& rungs, double denormal) {
  Choice best;
  if (t.d.size() < 3) return best;
  const std::vector<double> b = bounds(t, t.round, rungs, denormal);
  const std::vector<double> least = t.least == t.round ? b : bounds(t, t.least, rungs, denormal);
  double low = -kInfinity, high = kInfinity;
  for (std::size_t i = t.d.size(); i-- > 0;) {
    low = std::max(low, t.d[i] - least[i]);
    high = std::min(high, t.d[i] + least[i]);
    if (!(low <= high)) break;
    if (b[i] < best.slope.bound) best = {{t.d[i], b[i]}, rungs[i].h};
  }
  return best;
}

// Whether the slope goes on changing, always the same way and by as much, down to the smallest
// steps: x log |x| at 0 has none.
bool diverges(const Table& t, const std::vector<Rung>& rungs, const Choice& choice) {
  constexpr std::size_t kLast = 7;
  std::size_t n = t.d.size();
  const auto shows = [&](std::size_t i) {
    return std::abs(t.d[i] - t.d[i - 1]) >= 4 * t.round[i] / rungs[i].h;
  };
  while (n > kLast && !shows(n - 1)) --n;
  if (n < kLast || choice.step < rungs[n - 1].h / 16) return false;  // closer by they agree
  const double first = t.d[n - kLast + 1] - t.d[n - kLast];
  for (std::size_t i = n - kLast; i + 1 < n; ++i) {
    const double change = t.d[i + 1] - t.d[i];
    if (!(change * first > 0) || std::abs(change) < 0.75 * std::abs(first)) return false;
    if (!shows(i + 1)) return false;
  }
  return true;
}

Slope side_of(const Ladder& ladder, const Precision& precision, double side, bool& unbounded) {
  std::vector<Rung> rungs;
  const Table table = sided(ladder, precision, side, true, rungs);
  const Choice with = select(table, rungs, precision.denormal);
  unbounded = unbounded || diverges(table, rungs, with);
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

std::vector<double> ladder_offsets(double x, const Precision& precision,
                                   const LadderOptions& options) {
  std::vector<double> offsets{0};
  if (!std::isfinite(x)) return offsets;
  offsets.reserve(256);
  for (const Octaves& octaves : octaves_of(x, precision, options)) {
    for (std::size_t i = 0; i < octaves.n; ++i) {
      offsets.push_back(octaves.step(i));
      offsets.push_back(-octaves.step(i));
    }
    if (options.noise < 0) noise_offsets(octaves.smallest(), octaves.top / 256, offsets);
  }
  return offsets;
}

BatchFunction batch_of(const Function& f) {
  return [&f](std::span<const double> offsets, std::span<double> values) {
    std::transform(offsets.begin(), offsets.end(), values.begin(), std::cref(f));
  };
}

Derivative derivative_at(const Function& f, double x, const Precision& precision,
                         const LadderOptions& options) {
  return derivative_at(batch_of(f), x, precision, options);
}

Derivative derivative_at(const BatchFunction& f, double x, const Precision& precision,
                         const LadderOptions& options, std::span<const double> known) {
  Derivative result;
  std::vector<double> values;
  if (known.empty()) {
    const std::vector<double> offsets = ladder_offsets(x, precision, options);
    values.resize(offsets.size());
    f(offsets, values);
    known = values;
  }
  // Numbers near the largest leave no room for differences.
  const double top = 1e-4 * (precision.digits == 24 ? double{FLT_MAX} : DBL_MAX);
  if (!(std::abs(known[0]) <= top) || !std::isfinite(x)) {
    result.kind = PointKind::not_finite;
    result.bound = result.left.bound = result.right.bound = kInfinity;
    result.evaluations = 1;
    return result;
  }
  const Ladder ladder = climb(f, x, precision, options, known);
  std::vector<Rung> rungs;
  const Table table = central(ladder, precision, rungs);
  const Choice choice = select(table, rungs, precision.denormal);
  for (std::size_t i = 0; i < rungs.size(); ++i) {
    const double d = std::abs(table.d[i]);
    if (d > 4 * table.round[i] / rungs[i].h) result.steepest = std::max(result.steepest, d);
  }
  result.value = choice.slope.value;
  result.unbounded = diverges(table, rungs, choice);
  result.bound = result.unbounded ? kInfinity : choice.slope.bound;
  result.step = choice.step;
  result.noise = ladder.noise.level;
  result.evaluations = ladder.evaluations + 1;
  // Where all values near x are equal because rounding hides the slope, only the size of the first
  // change limits it.
  const auto at =
      std::find_if(rungs.begin(), rungs.end(), [&](const Rung& r) { return r.h == choice.step; });
  const bool flat = at != rungs.end() && at->p1 == ladder.center && at->m1 == ladder.center;
  if (flat && ladder.noise.flat >= choice.step) {
    result.value = 0;
    result.bound = std::max(result.bound, ladder.noise.change / ladder.noise.flat);
  }
  const double sharp = precision.digits == 24 ? 1e-3 : 1e-6;
  if (!options.one_sided || result.bound <= sharp * std::abs(result.value)) return result;
  result.right = side_of(ladder, precision, 1, result.unbounded);
  result.left = side_of(ladder, precision, -1, result.unbounded);
  classify(ladder, precision, result);
  return result;
}

std::vector<Derivative> derivatives_at(const BatchFunction& f, std::span<const double> at,
                                       const Precision& precision,
                                       std::span<const LadderOptions> each) {
  std::vector<double> arguments, values;
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const LadderOptions options = each.empty() ? LadderOptions{} : each[i];
    for (const double offset : ladder_offsets(at[i], precision, options)) {
      arguments.push_back(at[i] + offset);
    }
    ends.push_back(arguments.size());
  }
  values.resize(arguments.size());
  f(arguments, values);
  std::vector<Derivative> result;
  std::vector<double> moved;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const LadderOptions options = each.empty() ? LadderOptions{} : each[i];
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    const BatchFunction more = [&](std::span<const double> offsets, std::span<double> to) {
      moved.assign(offsets.begin(), offsets.end());
      for (double& x : moved) x += at[i];
      f(moved, to);
    };
    result.push_back(derivative_at(more, at[i], precision, options,
                                   std::span(values).subspan(begin, ends[i] - begin)));
  }
  return result;
}

}  // namespace limen::check
