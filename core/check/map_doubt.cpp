// What speaks against a verdict on one point, and for one where a difference has none.
#include <algorithm>
#include <cmath>

#include "check/map_check.hpp"

namespace limen::check {

// Where only the smallest steps of the ladder agree, f may be a staircase made by rounding, smooth
// from one stair to the next: then it leaves the line through x by no more than rounding, and a
// panel of many stairs shows what it does.
bool MapCheck::steps_hide(double x, const Derivative& d) {
  const double size = std::max(1.0, std::abs(x)), reach = 1e-5 * size;
  if (d.kind != PointKind::smooth || !(d.step < 1e-9 * size)) return false;
  const double most = 256 * precision_.unit * scan_.range(x);
  Row near;
  for (const double by : {0.0, 1e-4, 1e-3, 0.01, 0.1, 1.0}) {
    near.push_back(x + reach * by);
    near.push_back(x - reach * by);
  }
  const Row f = function_.f(near);
  for (std::size_t i = 2; i < near.size(); ++i) {
    if (!(std::abs(f[i] - f[0] - d.value * (near[i] - x)) <= most)) return false;
  }
  return !integral_disagrees(subject(), {x - reach, x + reach});
}

// Without an f64 kernel a difference alone is no proof: the integral over the same stretch must
// disagree too, or the point stand alone between two numbers whose gradients are right.
void MapCheck::doubt(double x, double got, const Derivative& d, Judgement& judgement) {
  if (judgement.outcome != Outcome::fail || std::isnan(got)) return;
  const double gap = ulp(x, precision_);
  // Where f stays the same though the difference is that of many roundings, 0 is not refuted by
  // what f does farther away.
  const double reach = std::max(4 * gap, 4 * precision_.unit * std::abs(function_.f(x) / d.value));
  const Row near = function_.f(Row{x, x - reach, x + reach});
  const bool flat = got == 0 && near[1] == near[0] && near[2] == near[0];
  const IntegralSubject at = subject();
  for (const double h : {d.step, 4 * d.step}) {
    const Panel panel{function_.round(x - h), function_.round(x + h)};
    if (h > 0 && !flat && integral_disagrees(at, panel)) return;
  }
  bool alone = !flat;
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

// Over a stretch around x or on one side of it f rises as b says, as sharply as a difference would
// have to say so, and b is at x what it is at the next numbers of that stretch.
bool MapCheck::integral_confirms(double x, double got) {
  const double sharp = resolution_of(function_.dtype()) * scan_.slope_scale(x);
  const double gap = ulp(x, precision_), size = std::max(1.0, std::abs(x));
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
// that rounding of x alone spoils the difference, or b is another one a few numbers on.
bool MapCheck::blurred(double x, const Derivative& d) {
  const double u = precision_.unit, few = 16 * u * std::abs(x);
  if (too_fine(d, x, precision_)) return true;
  const Row b = function_.b(Row{x - few, x, x + few});
  return std::max(std::abs(b[0] - b[1]), std::abs(b[2] - b[1])) > 0.1 * scan_.scale(x);
}

}  // namespace limen::check
