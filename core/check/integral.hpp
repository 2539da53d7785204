// The fundamental theorem as a test: f(c) - f(a) against the integral of the gradient over [a, c].
// It needs no step, does not suffer from subtraction, is blind to kinks, and sees a wrong stretch
// between the points that others sample. core/check/README.md has the rules.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "check/judge.hpp"
#include "check/ladder.hpp"

namespace limen::check {

// A function of one number and its claimed gradient. All are given arguments, not offsets.
struct IntegralSubject {
  BatchFunction f, b;
  BatchFunction allowance;              // the rounding that b may have at x
  std::function<double(double)> scale;  // of slopes around x
  std::function<double(double)> range;  // of |f| far around x
  std::function<double(double)> round;  // to a number of the format
  Precision precision;
  // In f32 alone: of x times slopes around, where f may be what is left of that. Else empty.
  std::function<double(double)> product{};
};

struct Panel {
  double low = 0, high = 0;
  double width() const { return high - low; }
};

struct PanelFinding {
  Panel panel;
  double slope = 0, gradient = 0;  // mean of f' by the values of f, mean of b
  Judgement judgement;             // skipped: not resolved (a kink, an oscillation)
};

// Panels inside (low, high): `density` of them on [-6, 6], others out to +-1000, down to 1e-3 and
// over 1.2 times `active`, where those are not covered finely enough yet.
std::vector<Panel> integral_panels(const Panel& active, double low, double high, int density,
                                   const std::function<double(double)>& round);

std::vector<PanelFinding> check_integral(const IntegralSubject& subject,
                                         const std::vector<Panel>& panels);

// Whether the integral over this one panel has converged and contradicts f.
bool integral_disagrees(const IntegralSubject& subject, const Panel& panel);
// Whether f rises over this panel by the gradient's integral, and that to `sharp` of its width.
bool integral_agrees(const IntegralSubject& subject, const Panel& panel, double sharp);

}  // namespace limen::check
