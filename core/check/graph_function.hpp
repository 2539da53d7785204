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

// The loss on a thread of its own. Reads the leaves' memory but for the one that was moved.
class Lane {
 public:
  Lane(const Graph& forward, const std::vector<Leaf>& leaves);

  // A copy of the leaf's values, to be written to, from which loss() is computed until another leaf
  // is moved.
  std::span<double> move(const Leaf& leaf);
  double loss();
  double flops() const { return forward_.stats().flops; }

 private:
  Executable forward_;
  const Leaf* moved_ = nullptr;
  Tensor copy_;
};

class GraphFunction {
 public:
  // Throws what building, differentiating and compiling throw; Error E0405 for names of
  // options.values and options.skip that the graph lacks, E0602 for values of the wrong shape.
  GraphFunction(const Graph& forward, const GraphCheckOptions& options);

  std::vector<Leaf>& leaves() { return leaves_; }
  // One, or as many as there are cores if a loss() is dear.
  std::vector<Lane>& lanes() { return lanes_; }
  double loss() { return lanes_[0].loss(); }
  // Runs the gradient; the result is valid until the next call.
  void run_gradient() { backward_->run(); }
  std::span<const double> gradient(const Leaf& leaf) const;
  double flops() const { return lanes_[0].flops(); }  // of one loss()

 private:
  std::vector<Leaf> leaves_;
  std::vector<Lane> lanes_;
  std::unique_ptr<Executable> backward_;
};

// The output that is checked: the loss, or all float outputs of `from` summed with weights
// (options.cotangents, else random ones), in `to`, a copy_in_f64() of it.
Value checked_value(const Graph& from, Graph& to, const std::vector<Value>& images,
                    const GraphCheckOptions& options);

// The same nodes in f64, without outputs. images[id] is the copy of node id.
Graph copy_in_f64(const Graph& graph, std::vector<Value>& images);

// Values for the leaves of a graph (f64 or i32), drawn from the seed where options.values has none.
std::vector<Leaf> draw_leaves(const Graph& graph, const GraphCheckOptions& options);

}  // namespace limen::check
