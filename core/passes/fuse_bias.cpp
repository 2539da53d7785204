#include <vector>

#include <limen/ops.hpp>
#include <limen/passes.hpp>

#include "ops/matmul_op.hpp"
#include "passes/pass_list.hpp"

namespace limen {
namespace {

// bias[n] repeated in every row of [m, n].
bool is_row_bias(Value v) {
  return v.kind() == NodeKind::op && v.op()->name() == "broadcast_to" && v.shape().rank() == 2 &&
         v.input(0).shape() == Shape{v.shape()[1]};
}

}  // namespace

Graph fuse_bias(const Graph& graph) {
  // A product that somebody else reads would be computed twice.
  std::vector<int> uses(graph.size());
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    for (int i = 0; i < node.arity(); ++i) ++uses[node.input(i).id()];
  }
  for (const auto& [name, value] : graph.outputs()) ++uses[value.id()];

  return rewrite(graph, [&uses](Value node, std::span<const Value> in, Graph&) -> Value {
    if (node.kind() != NodeKind::op || node.op()->name() != "add") return {};
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const Value product = in[side], bias = in[1 - side];
      const auto* op = dynamic_cast<const MatmulOp*>(product.op());
      const bool read_once = uses[node.input(static_cast<int>(side)).id()] == 1;
      if (op != nullptr && !op->has_bias() && read_once && is_row_bias(bias)) {
        return matmul_bias(product.input(0), product.input(1), bias.input(0), op->transpose_a(),
                           op->transpose_b());
      }
    }
    return {};
  });
}

}  // namespace limen
