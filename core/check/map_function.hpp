// An element-wise kernel pair as functions of one number, and the places where it should be tested.
#pragma once

#include <string>
#include <vector>

#include "check/kernel_call.hpp"
#include "check/ladder.hpp"
#include "check/random.hpp"

namespace limen::check {

// A line through the arguments of an op: one input moves and the others stay, one output is looked
// at. An op of one input and output has one; a stochastic op has one for each of some draws.
struct Slice {
  std::size_t input = 0, output = 0;
  Row others;  // the arguments; others[input] has no meaning
  CallSettings settings;
  std::string tensor = "dx";  // in messages
};
std::vector<Slice> slices_of(const OpCase& op, std::uint64_t seed);

class MapFunction {
 public:
  MapFunction(const OpCase& op, const limen_kernel& forward, const limen_kernel& backward,
              const Slice& slice);

  DType dtype() const { return dtype_; }
  double round(double x) const;  // to the element type
  double f(double x);
  double b(double x, double upstream = 1);  // the backward kernel's derivative
  // The backward kernel given x and y (1 + relative): how it answers to rounding of y.
  double b_with_y(double x, double relative);
  // <v, J^T dy> at x: what the backward kernel makes of any upstream, along any direction.
  double pull(double x, const Row& dy, const Row& v);
  // <v, gradient of the slice's output>.
  double along(double x, const Row& v);
  Derivative derivative(double x);  // of f, by the ladder

 private:
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  Slice slice_;
  DType dtype_;
  Call call_;
};

// What a coarse look at f and b over many octaves tells.
struct MapScan {
  std::vector<double> points;    // where to test: special values, random ones, the active region
  std::vector<double> branches;  // neighbouring numbers between which b jumps
  std::vector<double> at, size, value;  // places, sorted; |b| and |f| there

  // max |b| over |x' - x| <= max(4, 2 |x|): the size that gradients have around x.
  double scale(double x) const;
  // The same, at least a tenth of the slope that would change f by its own size over that distance:
  // what a bound must be small against, where the gradient is 0 all around.
  double slope_scale(double x) const;

 private:
  double largest(double x, double of_f) const;
};

// `points` random points besides the special ones, inside [low, high].
MapScan scan(MapFunction& function, double low, double high, int points, Random random);

// Numbers that make trouble: zeros, tiny, round, large.
std::vector<double> special_values(DType dtype);

}  // namespace limen::check
