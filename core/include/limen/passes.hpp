// Graph to graph transformations.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/graph.hpp>

namespace limen {

// What becomes of `node`, whose inputs are already rewritten to `in`: a value of the new graph, or
// an invalid one for "copy it".
using Rule = std::function<Value(Value node, std::span<const Value> in, Graph& to)>;

// Re-emits the nodes that the outputs need, in order, each through `rule`; inputs and parameters
// are always kept, with their names and order. Linear in the number of nodes.
Graph rewrite(const Graph& from, const Rule& rule);

struct Pass {
  std::string_view name;
  Graph (*run)(const Graph&);
};

// In order: fold_constants, simplify, share_common, fuse_bias. Dead code goes in every rewrite.
std::span<const Pass> passes();

struct OptimizeOptions {
  std::vector<std::string> skip = {};  // names of passes to leave out
  bool verify = false;                 // verify() after each pass
  std::function<void(std::string_view pass, const Graph&)> observe = {};  // called after each pass
};

// Runs the passes until nothing changes, at most 4 rounds.
Graph optimize(const Graph& graph, const OptimizeOptions& options = {});

// The same graph with every f32 tensor and constant as `to` (f64 for gradient checks).
Graph with_float_type(const Graph& graph, DType to);

}  // namespace limen
