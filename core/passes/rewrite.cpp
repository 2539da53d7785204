#include <limen/error.hpp>
#include <limen/passes.hpp>

#include "passes/pass_list.hpp"

namespace limen {

namespace {

// The nodes that an output depends on.
std::vector<bool> needed_nodes(const Graph& graph) {
  std::vector<bool> needed(graph.size());
  for (const auto& [name, value] : graph.outputs()) needed[value.id()] = true;
  for (NodeId id = static_cast<NodeId>(graph.size()); id-- > 0;) {
    if (!needed[id]) continue;
    const Value node = graph.node(id);
    for (int i = 0; i < node.arity(); ++i) needed[node.input(i).id()] = true;
  }
  return needed;
}

}  // namespace

bool has_dead_nodes(const Graph& graph) {
  const std::vector<bool> needed = needed_nodes(graph);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const NodeKind kind = graph.node(id).kind();
    if (!needed[id] && (kind == NodeKind::op || kind == NodeKind::constant)) return true;
  }
  return false;
}

Graph rewrite(const Graph& from, const Rule& rule) {
  const std::vector<bool> needed = needed_nodes(from);
  Graph to;
  std::vector<Value> images(from.size());
  std::vector<Value> in;
  for (NodeId id = 0; id < from.size(); ++id) {
    const Value node = from.node(id);
    if (node.kind() == NodeKind::input || node.kind() == NodeKind::parameter) {
      images[id] = node.kind() == NodeKind::input ? to.input(node.name(), node.type())
                                                  : to.parameter(node.name(), node.type());
      continue;
    }
    if (!needed[id]) continue;
    to.set_scope(node.name());
    in.clear();
    for (int i = 0; i < node.arity(); ++i) in.push_back(images[node.input(i).id()]);
    images[id] = rule ? rule(node, in, to) : Value();
    if (images[id]) continue;
    images[id] = node.kind() == NodeKind::constant ? to.constant(node.constant())
                                                   : to.add(node.shared_op(), in);
  }
  for (const auto& [name, value] : from.outputs()) to.output(name, images[value.id()]);
  return to;
}

Graph with_float_type(const Graph& graph, DType wanted) {
  // Leaves change their type, so this cannot be a rewrite(), which keeps them.
  const auto changed = [wanted](TensorType type) {
    if (is_float(type.dtype)) type.dtype = wanted;
    return type;
  };
  Graph to;
  std::vector<Value> images(graph.size()), in;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    if (node.kind() == NodeKind::op || node.kind() == NodeKind::constant) to.set_scope(node.name());
    switch (node.kind()) {
      case NodeKind::input:
        images[id] = to.input(node.name(), changed(node.type()));
        break;
      case NodeKind::parameter:
        images[id] = to.parameter(node.name(), changed(node.type()));
        break;
      case NodeKind::constant:
        images[id] = to.constant(convert(node.constant(), changed(node.type()).dtype));
        break;
      case NodeKind::op:
        in.clear();
        for (int i = 0; i < node.arity(); ++i) in.push_back(images[node.input(i).id()]);
        images[id] = to.add(node.shared_op(), in);
        break;
    }
  }
  for (const auto& [name, value] : graph.outputs()) to.output(name, images[value.id()]);
  return to;
}

}  // namespace limen
