// Rows at which differences of ordinary steps do not settle what a gradient may be: ties, where
// functions of the order of their inputs (maximum, median, sorting) have corners in many directions
// at once, and zero, around which a function may be as steep as one over a small constant.
#pragma once

#include <vector>

#include "check/judge.hpp"
#include "check/row_function.hpp"

namespace limen::check {

// The Jacobians of `function` at rows near `x` in which no two inputs are equal, in some orders.
// Between their limits lies Clarke's generalised Jacobian: what a gradient at the tie may be, also
// where both one-sided slopes agree on another number (a median of three equal numbers does not
// follow any one of them, but follows all).
class NearTies {
 public:
  NearTies(VectorFunction& function, const Row& x, const Precision& precision, Random random);

  // Whether row `i` of a Jacobian at x may give `got` along a direction: the rows nearby differ,
  // and it lies within what they give, up to `slack`.
  bool allow(std::size_t i, const Row& direction, double got, double slack) const;

 private:
  std::vector<Row> jacobians_;
};

// The Jacobian at zero from steps of 1e-29, which are numbers like others there; NaN where f is not
// 0 (its rounding hides them) or an eighth of the step gives another slope.
Row slopes_at_zero(VectorFunction& function);
// Where such a slope is steep it is enough to pass, and to fail if longer steps have not seen it.
void judge_at_zero(double slope, double got, const Derivative& d, Judgement& judgement);

// Whether f(x) is infinite because it is beyond all numbers, which it nears on the way from 0 to x;
// not because of a step in between, as log(sum exp(x)) without a maximum.
bool overflows(VectorFunction& function, const Row& x, const Precision& precision);

double largest_of(const Row& x);  // size of its elements, at least 1

}  // namespace limen::check
