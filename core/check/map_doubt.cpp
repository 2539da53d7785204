// What speaks against a verdict on one point, and for one where a difference has none.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <set>
#include <span>

#include "check/map_check.hpp"

namespace limen::check {

// Where only small steps of the ladder agree, f may be a staircase made by rounding, smooth
// from one stair to the next: then such steps contradict b all around, and a panel of many stairs
// does not.
bool MapCheck::steps_hide(double x, double got, const Derivative& d) {
  const double size = std::max(1.0, std::abs(x)), reach = std::max(1e-5 * size, 1e4 * d.step);
  if (d.kind != PointKind::smooth || !(d.step < 1e-6 * size)) return false;
  constexpr std::ptrdiff_t kMost = 1;  // of six steps may meet the edge of a stair
  Row places, above, below;
  for (const double by : {-0.73, -0.37, -0.11, 0.11, 0.37, 0.73}) {
    places.push_back(x + by * reach);
    above.push_back(places.back() + d.step);
    below.push_back(places.back() - d.step);
  }
  const Row b = function_.b(places), high = function_.f(above), low = function_.f(below);
  std::ptrdiff_t agree = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double slope = (high[i] - low[i]) / (above[i] - below[i]);
    if (!(std::abs(slope - b[i]) > 0.5 * std::abs(d.value - got))) ++agree;
  }
  return agree <= kMost && !integral_disagrees(subject(), {x - reach, x + reach});
}

// Without an f64 kernel a difference alone is no proof: the integral over the same stretch must
// disagree too, or the point stand alone between two numbers whose gradients are right.
void MapCheck::doubt(double x, double got, const Derivative& d, Judgement& judgement) {
  if (judgement.outcome != Outcome::fail || std::isnan(got)) return;
  const double gap = ulp(x, precision_);
  // Where f stays the same though that slope would change it by many roundings, or takes half as
  // many values over 17 numbers as a line does, 0 is right whatever f does farther away.
  const double reach = std::max(4 * gap, 4 * precision_.unit * std::abs(function_.f(x) / d.value));
  const Row near = function_.f(Row{x, x - reach, x + reach});
  const bool flat = near[1] == near[0] && near[2] == near[0];
  const double line = 1 + 16 * std::min(1.0, std::abs(d.value) * gap / ulp(near[0], precision_));
  if (got == 0 && (flat || 2 * static_cast<double>(different_values(x, 16 * gap)) <= line)) {
    judgement.outcome = Outcome::pass;
    return;
  }
  // Nor is 0 refuted where stairs of a 32nd are finer than the numbers.
  const bool fine = got == 0 && gap > 0x1p-5;
  const IntegralSubject at = subject();
  for (const double h : {d.step, 4 * d.step}) {
    const Panel panel{function_.round(x - h), function_.round(x + h)};
    if (h > 0 && !fine && integral_disagrees(at, panel)) return;
  }
  bool alone = !fine;
  for (const double next : {x - gap, x + gap}) {
    if (!alone) break;
    const Derivative& there = derivative(next);
    const double b = function_.b(next);
    alone = judge(b, there, tolerance(next, there)).outcome == Outcome::pass && b != got;
  }
  if (alone) return;
  judgement.outcome = Outcome::undecided;
  judgement.note += "; the integral of the gradient around this point does not contradict f";
}

namespace {

// As grain(). `cut`: nothing can be told, because the domain ends too near for wider windows.
double grain_at(const std::function<Row(const Row&)>& f, MapFunction& exact, double x, bool& cut) {
  const auto different = [](const Row& v) -> std::size_t {  // 0: not all of them are numbers
    if (std::any_of(v.begin(), v.end(), [](double y) { return std::isnan(y); })) return 0;
    return std::set<double>(v.begin(), v.end()).size();
  };
  const double finest = 0x1p-21 * std::min(1.0, std::abs(x));
  bool beyond = false;
  for (double step = 0x1p-15 * std::max(1.0, std::abs(x)); step > finest; step /= 2) {
    Row places;
    for (int i = -8; i <= 8; ++i) {
      places.push_back(static_cast<double>(static_cast<float>(x + i * step)));
    }
    const std::size_t n = different(f(places)), finer = different(exact.f(places));
    beyond = beyond || finer == 0;
    if (finer == 0 || n == 0) continue;
    cut = beyond && n < 3;
    if (n < 3) return 0;
    if (2 * n <= finer) return 16 * step / static_cast<double>(n);
  }
  return 0;
}

}  // namespace

double grain(const std::function<Row(const Row&)>& f, MapFunction& exact, double x) {
  bool cut = false, there = false;
  double result = grain_at(f, exact, x, cut);
  // A grain that a larger number makes is the same a little farther inside; a clamp is not.
  for (const double inside : {0x1p-21, -0x1p-21, 0x1p-18, -0x1p-18}) {
    if (cut && result == 0) result = grain_at(f, exact, x + inside, there);
  }
  return result;
}

std::size_t MapCheck::different_values(double x, double distance) {
  Row places;
  for (int i = 0; i <= 16; ++i) places.push_back(function_.round(x + i * distance / 16));
  const Row f = function_.f(places);
  return std::set<double>(f.begin(), f.end()).size();
}

// Over a stretch around x or on one side of it f rises as b says, as sharply as a difference would
// have to say so, and b is at x what it is at the next numbers of that stretch.
bool MapCheck::integral_confirms(double x, double got) {
  const double sharp = resolution_of(function_.dtype()) * scan_.slope_scale(x);
  const double gap = ulp(x, precision_), size = std::max(1.0, std::abs(x));
  // 0 on one side of x: f stays the same where that slope would change it by four last bits.
  const double far = 4 * ulp(function_.f(x), precision_) / sharp;
  for (const double side : {1.0, -1.0}) {
    const Row f = function_.f(Row{x + side * gap, x + side * 0.5 * far, x + side * far});
    if (got == 0 && far > gap && f[0] == f[1] && f[1] == f[2]) return true;
  }
  const IntegralSubject at = subject();
  const auto steady = [&](double next) { return std::abs(function_.b(next) - got) <= sharp; };
  const bool left = steady(x - gap), right = steady(x + gap);
  for (const double reach : {0x1p-3, 0x1p-5, 0x1p-7}) {
    const double low = function_.round(x - reach * size), high = function_.round(x + reach * size);
    if ((left && right && integral_agrees(at, {low, high}, sharp)) ||
        (left && integral_agrees(at, {low, x}, sharp)) ||
        (right && integral_agrees(at, {x, high}, sharp))) {
      return true;
    }
  }
  return false;
}

// Whether the numbers of f32 lie too far apart here: a step that resolves f is so small beside x
// that rounding of x alone spoils the difference, or b moves from one to the next by more than a
// difference would have to resolve.
bool MapCheck::blurred(double x, const Derivative& d) {
  if (too_fine(d, x, precision_)) return true;
  Row places{x};
  for (const double e : kRoundings) places.push_back(x * (1 + e * precision_.unit));
  const Row b = function_.b(places);
  const double most = 16 * resolution_of(function_.dtype()) * scan_.scale(x);
  return std::any_of(b.begin(), b.end(), [&](double v) { return std::abs(v - b[0]) > most; });
}

// What needs no verdict: numbers that f does not tell from 0 beside 0 itself; places too far out
// for a difference; of the suspicious ones a few others (poles), where many are a finding.
void MapCheck::leave_out(Findings& findings, std::size_t suspicious,
                         const std::vector<const Derivative*>& d) {
  const auto undecided = [](const Finding& f) { return f.judgement.outcome == Outcome::undecided; };
  const double at_zero = function_.f(0.0);
  const std::size_t first = findings.size() - suspicious;
  std::size_t open = 0;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    Finding& f = findings[i];
    if (!undecided(f)) continue;
    const bool like_zero = f.point.x != 0 && std::abs(f.point.x) < 1e-3 && f.point.y == at_zero;
    const bool far = i >= first || std::abs(f.point.x) > 64;
    // Far out a step of a tenth of x is chosen where finer ones show nothing but rounding.
    const double size = std::abs(f.point.x);
    const bool blind = i >= first && size > 1e5 && d[i]->step > 0.1 * size;
    if (like_zero || (far && (blind || too_fine(*d[i], f.point.x, precision_)))) {
      f.judgement.outcome = Outcome::skipped;
    } else if (i >= first) {
      ++open;
    }
  }
  if (4 * open > suspicious) return;
  for (Finding& f : std::span(findings).subspan(first)) {
    if (undecided(f)) f.judgement.outcome = Outcome::skipped;
  }
}

double size_elsewhere(const ActivationContext& context, const KernelPair& pair, const Slice& slice,
                      double x, bool of_f) {
  double result = 0;
  for (std::size_t k = 0; k < slice.others.size(); ++k) {
    if (k == slice.input) continue;
    for (const double by : {-1.0, 0.0}) {
      Slice turned = slice;
      turned.others[k] *= by;
      MapFunction there(context.op, *pair.forward, *pair.backward, turned);
      const double size = std::abs(of_f ? there.f(x) : there.b(x));
      if (std::isfinite(size)) result = std::max(result, size);
    }
  }
  return result;
}

// Whether f rises towards the sign of `got` by more than the type holds: 1 / x at the smallest x is
// infinite, rightly rounded.
bool MapCheck::out_of_range(double x, double got) {
  const double gap = ulp(x, precision_), top = function_.dtype() == DType::f32 ? FLT_MAX : DBL_MAX;
  const Row f = function_.f(Row{x - gap, x, x + gap});
  for (const std::size_t i : {0u, 1u}) {
    const double rise = f[i + 1] - f[i], size = std::max(std::abs(f[i]), std::abs(f[i + 1]));
    const bool seen = std::isfinite(size) && std::abs(rise) > 256 * precision_.unit * size;
    if (seen && rise * got > 0 && std::abs(rise) / gap > top) return true;
  }
  return false;
}

// Around 0 there are numbers far below the steps of a ladder: a dead zone may end at 1e-20. Where f
// is small, too, their differences round next to nothing, and the slope on one side is right.
bool MapCheck::is_slope_near_zero(double x, double got) {
  constexpr double kNear = 1e-13;
  if (std::abs(x) > kNear) return false;
  const auto agrees = [&](double slope) { return std::abs(slope - got) <= 1e-3 * std::abs(got); };
  for (const double step : {x == 0 ? 0x1p-120 : 0x1p-10 * std::abs(x), 0x1p-1000}) {
    const Row f = function_.f(Row{x, x + step, x - step});
    if (std::abs(f[0]) > kNear) return false;
    if (agrees((f[1] - f[0]) / step) || agrees((f[0] - f[2]) / step)) return true;
    if (x != 0) return false;
  }
  return false;
}

}  // namespace limen::check
