// A graph as a function of its leaves: its scalar result, and the gradient that differentiate()
// makes, both compiled in f64 over the same memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <limen/executable.hpp>
#include <limen/gradient_check.hpp>
#include <limen/graph.hpp>

namespace limen::check {

struct Leaf {
  std::string name;
  Tensor value;            // bound to both executables; write to it to move the point
  bool checked = false;    // float, reached by the loss, not skipped
  std::size_t output = 0;  // of a checked leaf: its number among the gradients
};

class GraphFunction {
 public:
  // Throws what building, differentiating and compiling throw; Error E0405 for names of
  // options.values and options.skip that the graph lacks, E0602 for values of the wrong shape.
  GraphFunction(const Graph& forward, const GraphCheckOptions& options);

  std::vector<Leaf>& leaves() { return leaves_; }
  double loss();
  // Runs the gradient; the result is valid until the next call.
  void run_gradient();
  std::span<const double> gradient(const Leaf& leaf) const;
  double flops() const { return forward_->stats().flops; }  // of one loss()

 private:
  std::vector<Leaf> leaves_;
  std::unique_ptr<Executable> forward_, backward_;
};

// The same nodes in f64, without outputs. images[id] is the copy of node id.
Graph copy_in_f64(const Graph& graph, std::vector<Value>& images);

// Values for the leaves of a graph (f64 or i32), drawn from the seed where options.values has none.
std::vector<Leaf> draw_leaves(const Graph& graph, const GraphCheckOptions& options);

}  // namespace limen::check
