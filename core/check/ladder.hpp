// The derivative of a function of one variable from its values alone, with a bound on its error and
// the kind of point it is. core/check/README.md derives the formulas; the noise estimate is that of
// More and Wild, "Estimating Computational Noise", SIAM J. Sci. Comput. 33 (2011).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <limen/tensor.hpp>

namespace limen::check {

// The number format in which the function computes.
struct Precision {
  double unit;        // half an ulp of 1
  double min_normal;  // below it, relative accuracy is lost
  double denormal;    // the smallest positive number
  int digits;         // bits of the significand
  int depth;          // octaves that the ladder descends
};
Precision precision_of(DType dtype);  // f32 or f64

double ulp(double x, const Precision& precision);  // the gap from |x| to the next number

// offset -> f(x + offset), computed in the format under test. Must be deterministic.
using Function = std::function<double(double)>;
// The same for many offsets in one go: what the speed of a check depends on.
using BatchFunction = std::function<void(std::span<const double> offsets, std::span<double> f)>;
BatchFunction batch_of(const Function& f);  // one by one; f must outlive it

enum class PointKind : std::uint8_t {
  smooth,      // value +- bound holds (the bound may be large)
  kink,        // the sides differ: left and right hold
  jump,        // the function jumps: left and right hold where resolved
  not_finite,  // f(x) itself is infinite or NaN
};

struct Slope {
  double value = 0;
  double bound = 0;  // infinite: nothing is known
};

struct Derivative {
  PointKind kind = PointKind::smooth;
  double value = 0;
  double bound = 0;
  Slope left, right;
  double steepest = 0;  // the largest difference quotient at any step that rounding cannot explain
  double step = 0;      // h of the difference that was chosen
  double noise = 0;     // estimated rounding noise of f near x
  int evaluations = 0;
  bool unbounded = false;  // slopes that grow and grow towards x
};

struct LadderOptions {
  double magnitude =
      0;  // of the argument, where f's own variable is an offset (directions); else |x|
  double value_scale = 0;  // the size of values whose rounding enters f, where f itself is smaller
  double range = 0;   // the largest |f| far and wide: it may be rounding of that that f is cut into
  int depth = 0;      // octaves; 0: the precision's
  double noise = -1;  // of f, if it is known; else it is estimated
  bool one_sided = true;  // false: left and right are left out, and kinks are not told apart
};

// Never throws of its own. Non-finite values far from x only shorten the ladder. `left` and `right`
// are found where `value` alone does not settle the kind of point.
Derivative derivative_at(const Function& f, double x, const Precision& precision,
                         const LadderOptions& options = {});
// `known`: the values at ladder_offsets(), if the caller has them, for many x in one call.
Derivative derivative_at(const BatchFunction& f, double x, const Precision& precision,
                         const LadderOptions& options = {}, std::span<const double> known = {});
// Where derivative_at() looks in any case; often nowhere else.
std::vector<double> ladder_offsets(double x, const Precision& precision,
                                   const LadderOptions& options = {});
// derivative_at() many places, what all of them want in one call. `f` is given arguments, not
// offsets; `options` are one for each place, or none.
std::vector<Derivative> derivatives_at(const BatchFunction& f, std::span<const double> at,
                                       const Precision& precision,
                                       std::span<const LadderOptions> options = {});

}  // namespace limen::check
