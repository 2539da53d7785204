// Rows at which differences of ordinary steps do not settle what a gradient may be: ties, where
// functions of the order of their inputs (maximum, median, sorting) have corners in many directions
// at once, and zero, around which a function may be as steep as one over a small constant.
#pragma once

#include <cmath>
#include <functional>
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
  // and it lies within what they give, up to their own resolution.
  bool allow(std::size_t i, const Row& direction, double got, const Tolerance& tolerance) const;

 private:
  std::vector<Row> jacobians_;
};

// One-sided slopes of an output, NaN where unknown.
struct Sides {
  double left = NAN, right = NAN;
};
// Along a direction at the row 0, from steps of 1e-29, which are numbers like others there; NaN
// where f is not 0 (its rounding hides them) or an eighth of the step gives another slope.
std::vector<Sides> slopes_at_zero(VectorFunction& function, const Row& direction);
// Where one is steep it is enough to pass to lie between them, and to fail not to if longer steps
// have not seen them.
void judge_at_zero(const Sides& sides, double got, const Derivative& d, Judgement& judgement);

// Of f32 that stands alone, where differences see kinks or nothing: `got` is right if what f gains
// along the line is what b says, over all stretches around x where both are known, and b is `got`
// beside x. Looks only where there is no pass yet.
void judge_along(VectorFunction& function, const Row& x, const Row& direction, const Row& dy,
                 double got, const Tolerance& tolerance, Judgement& judgement);

// How far rounding inside moves what an f64 function gives: at rows as close as rounding itself. An
// f32 kernel that takes the same steps loses as many digits of its own (what a rounded mean leaves
// of a row of two numbers around 1000).
Row rounding_noise(const std::function<Row(const Row&)>& exact, const Row& x, Random random);

// Whether f(x) is infinite because it is beyond all numbers, which it nears on the way from 0 to x;
// not because of a step in between, as log(sum exp(x)) without a maximum.
bool overflows(VectorFunction& function, const Row& x, const Precision& precision);

bool all_finite(const Row& y);
double largest_of(const Row& x);  // size of its elements, at least 1

}  // namespace limen::check
