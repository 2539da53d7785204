// The passes of optimize(), one file each.
#pragma once

#include <limen/graph.hpp>

namespace limen {

// Nodes that read constants only, and whose result is small, become constants.
Graph fold_constants(const Graph& graph);
// Algebra that removes nodes: x + 0, x * 1, x * c as scale, -(-x), reshape of reshape.
Graph simplify(const Graph& graph);
// Nodes with the same op (name and attributes) and the same inputs become one.
Graph share_common(const Graph& graph);
// matmul + broadcast_to(bias) in one product.
Graph fuse_bias(const Graph& graph);

// Whether rewrite() would drop nodes that no output depends on.
bool has_dead_nodes(const Graph& graph);

}  // namespace limen
