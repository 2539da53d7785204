// A coarse look at f and b over many octaves: where something happens, how large they are, and at
// which points they are to be tested.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "check/map_function.hpp"
#include "check/random.hpp"

namespace limen::check {

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
