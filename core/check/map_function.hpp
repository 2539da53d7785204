// An element-wise kernel pair as functions of one number, and the places where it should be tested.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "check/kernel_call.hpp"
#include "check/ladder.hpp"
#include "check/random.hpp"

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
  void upstreams(double value);
};

// The largest of a range of numbers that are not negative, for many ranges.
class RangeMax {
 public:
  explicit RangeMax(Row values = {});
  double operator()(std::size_t begin, std::size_t end) const;  // 0 if empty

 private:
  static constexpr std::size_t kBlock = 8;  // or the levels would take more time than the questions
  Row values_;
  std::vector<Row> levels_;  // [k][i]: of 2^k blocks from block i on

  double over(std::size_t begin, std::size_t end) const;  // one by one
};

// What a coarse look at f and b over many octaves tells.
struct MapScan {
  Row points;                // where to test: special values, random ones, the active region
  Row branches;              // neighbouring numbers between which b jumps
  double low = 0, high = 0;  // the active region
  Row at;                    // places, sorted
  RangeMax size, value;      // |b| and |f| there
  bool overflows = false;    // b is infinite far out

  // max |b| over |x' - x| <= max(4, 2 |x|): the size that gradients have around x.
  double scale(double x) const { return largest(x, 0); }
  double least_scale() const { return around(size, 0, 2); }  // every scale's x' take in [-2, 2]
  // The same as scale(), at least a tenth of the slope that would change f by its own size over
  // that distance: what a bound must be small against, where the gradient is 0 all around.
  double slope_scale(double x) const { return largest(x, 0.1); }
  // max |f| farther around.
  double range(double x) const { return around(value, x, 24); }
  // max |b| far and wide, where it is no longer growing there: of the terms that b may be what is
  // left of. Else 0.
  double steady_scale(double x) const {
    const double all = around(size, x, 1600);
    return all <= 1.5 * around(size, x, 800) && !overflows ? all : 0;
  }
  // max |f| over |x' - x| <= max(24, 2 |x|), and in the active region.
  double wide_range(double x) const { return wide(value, x); }
  // max |b| there and in the active region.
  double wide_scale(double x) const { return wide(size, x); }

 private:
  double largest(double x, double of_f) const;
  double wide(const RangeMax& of, double x) const {
    return std::max(around(of, x, 24), around(of, 0.5 * (low + high), 0.5 * (high - low)));
  }
  // Places with |x' - x| <= max(least, 2 |x|), by their numbers.
  std::pair<std::size_t, std::size_t> near(double x, double least) const;
  double around(const RangeMax& of, double x, double least) const {
    const auto [from, to] = near(x, least);
    return of(from, to);
  }
};

inline constexpr int kBriefPoints = 12;
// `points` random points besides the special ones, inside [low, high]. Few of everything if they
// are kBriefPoints.
MapScan scan(MapFunction& function, double low, double high, int points, Random random);

// Numbers that make trouble: zeros, tiny, round, large.
Row special_values(DType dtype);

}  // namespace limen::check
