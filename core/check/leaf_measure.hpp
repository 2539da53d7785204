// Lines through the values of a graph's leaves, and what the loss and its gradient do along them.
#pragma once

#include <optional>
#include <vector>

#include "base/philox.hpp"
#include "check/graph_function.hpp"
#include "check/judge.hpp"

namespace limen::check {

// Elements [first, last) of a leaf, which move by +-size. +-1 and nothing between: one wrong
// element changes <gradient, direction> by its whole error.
struct Line {
  const Leaf* leaf;
  std::size_t first, last;
  double size;
  std::optional<RandomKey> signs{};  // none: all +

  std::vector<double> steps() const;  // of these elements
};

struct Measured {
  Judgement judgement;
  double got = 0, scale = 0;  // scale: of the gradient
};

class LeafMeasure {
 public:
  // Runs the gradient at the point; no more where the loss is not finite.
  LeafMeasure(GraphFunction& function, const GraphCheckOptions& options);

  GraphFunction& function() { return function_; }
  double loss() const { return loss_; }
  const std::vector<double>& gradient(const Leaf& leaf) const { return gradients_[leaf.output]; }

  Line element(const Leaf& leaf, std::size_t i) const;
  Line direction(const Leaf& leaf, int k) const;  // the k-th of all elements
  // The derivative along each line against the gradient; on all lanes.
  std::vector<Measured> measure(const std::vector<Line>& lines);
  // A quick look only, whose `judgement.outcome` may be wrong.
  Measured glance(Lane& lane, const Line& line) const { return measure(lane, line, true); }

 private:
  GraphFunction& function_;
  const GraphCheckOptions& options_;
  double loss_ = 0, noise_ = 0;
  std::vector<std::vector<double>> gradients_;  // by Leaf::output
  std::vector<std::vector<double>> moves_;  // how far each moves with the last bits of all leaves
  Precision precision_ = precision_of(DType::f64);

  void save_gradients();
  double noise();
  Derivative along(Lane& lane, const Line& line, bool in_short) const;
  Measured measure(Lane& lane, const Line& line, bool in_short) const;
  void integrate(const Line& line, Measured& measured);
};

// How many operations a quick look along one line takes.
double operations_of_a_line(const GraphFunction& function);

}  // namespace limen::check
