// An element-wise kernel pair as functions of one number.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "check/kernel_call.hpp"
#include "check/ladder.hpp"

namespace limen::check {

struct ActivationContext;

// Relative steps, in units of rounding, over which an argument may be off. Not all of them can be
// (nearly) whole turns of one sine.
inline constexpr std::array<double, 6> kRoundings{16, -15.1, 7.382, -6.27, 3.618, -2.91};

// A line through the arguments of an op: one input moves and the others stay, one output is looked
// at. An op of one input and output has one; a stochastic op has one for each of some draws.
struct Slice {
  std::size_t input = 0, output = 0;
  Row others;  // the arguments; others[input] has no meaning
  CallSettings settings;
  std::string tensor = "dx";  // in messages
  bool brief = false;         // the same code as another slice's, with another draw: few points do
};
std::vector<Slice> slices_of(const ActivationContext& context);

// All values of one call of this class come from few kernel calls over many elements. A stochastic
// op gets one element a call, because elements have draws of their own; unless these are wanted,
// to compare kernels with each other.
class MapFunction {
 public:
  MapFunction(const OpCase& op, const limen_kernel& forward, const limen_kernel& backward,
              const Slice& slice, bool own_draws = false);

  DType dtype() const { return dtype_; }
  double round(double x) const;  // to the element type
  bool one_by_one() const { return call_.x[0].size() == 1; }
  Row f(std::span<const double> x);
  Row b(std::span<const double> x, double upstream = 1);  // the backward kernel's derivative
  std::pair<Row, Row> both(std::span<const double> x);  // f and b of one run of the forward kernel
  // b for each of these upstreams.
  std::vector<Row> for_upstreams(std::span<const double> x, std::span<const double> upstreams);
  // The backward kernel given x and y (1 + relative): how it answers to rounding of y.
  Row b_with_y(std::span<const double> x, double relative);
  // <v, J^T dy> at x: what the backward kernel makes of any upstream, along any direction.
  Row pull(std::span<const double> x, const Row& dy, const Row& v);
  // <v, gradient of the slice's output>.
  Row along(std::span<const double> x, const Row& v);
  double f(double x) { return f(std::span(&x, 1))[0]; }
  double b(double x, double upstream = 1) { return b(std::span(&x, 1), upstream)[0]; }
  // Of f, by the ladder; `ranges` are LadderOptions::range.
  std::vector<Derivative> derivatives(std::span<const double> x, std::span<const double> ranges);

 private:
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  Slice slice_;
  DType dtype_;
  Call call_;
  double upstream_ = 0;  // that dy holds, if it holds one and zeros
  Row pulled_;           // what dy holds otherwise

  // Runs the forward kernel over x piece by piece; `part(begin, count)` looks at each.
  template <class Part>
  void pieces(std::span<const double> x, const Part& part);
  void set_upstream(double value);
};

}  // namespace limen::check
