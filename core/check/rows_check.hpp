// The class behind check_rows() and check_general(): one function of several numbers, at all test
// rows.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"
#include "check/row_function.hpp"
#include "check/row_places.hpp"

namespace limen::check {

class RowsCheck {
 public:
  RowsCheck(const ActivationContext& context, VectorFunction& function, DType dtype,
            std::string place)
      : context_(context),
        function_(function),
        n_(function.inputs()),
        outputs_(function.outputs()),
        dtype_(dtype),
        precision_(precision_of(dtype)),
        place_(std::move(place)),
        rows_(test_rows(n_, Random(context.options.seed, "rows", context.op.op().name))),
        ties_random_(context.options.seed, "ties", context.op.op().name) {
    // Draws break ties anyway.
    if (context.op.stochastic() && n_ > 2) {
      std::erase_if(rows_, [](const TestRow& row) { return row.equal; });
    }
  }

  void differences(Tally& jacobian, Tally& directions);
  // `scale`: the size of slopes at rows of any length.
  void precision(Tally& t, VectorFunction& exact, double scale);
  void extremes(Tally& t);
  void not_a_number(Tally& t);

 private:
  const ActivationContext& context_;
  VectorFunction& function_;
  std::size_t n_, outputs_;
  DType dtype_;
  Precision precision_;
  std::string place_;  // "a row of 5"
  std::vector<TestRow> rows_;
  std::optional<NearTies> ties_;  // of the row at hand, once they are asked for
  bool whole_to_each_ = false;    // equal inputs were seen to get the whole gradient each
  Random ties_random_;

  Point point(const TestRow& row, std::size_t i, std::size_t j, double got) const;
  void overflow(const TestRow& row, const Row& y, Tally& t);
  // Of the terms that a gradient is summed from: an entry may be what is left of 1 - 1.
  double rounding(double scale) const {
    return (64 * precision_.unit + context_.accuracy()) * scale + 4 * precision_.min_normal;
  }
  // All outputs along a direction; `size` is that of what moves.
  struct Line {
    Row direction;
    double size;
    std::vector<Derivative> slopes;
    std::vector<Sides> at_zero;
  };
  Line line(const TestRow& row, const Row& direction, double size);
  bool by_chance(const Row& x, double noise);
  Judgement judge_at(const TestRow& row, const Line& line, std::size_t i, double got,
                     const Tolerance& tolerance);
  bool goes_to_each(const TestRow& row, const Row& analytic, std::size_t i, double over,
                    double slack) const;
  void along(const TestRow& row, const Row& analytic, const Row& moves, double scale,
             const Row& direction, Tally& t);
};

}  // namespace limen::check
