#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include <limen/executable.hpp>

#include "base/text.hpp"
#include "check/graph_check.hpp"

namespace limen::check {
namespace {

// One scope cut out of a graph: what it reads from outside are inputs, what others read of it are
// outputs.
struct Cut {
  Graph graph;
  std::map<std::string, NodeId> from;  // leaf -> node of the whole graph
  bool any = false;
};

std::string leaf_name(const Value& v) {
  return v.kind() == NodeKind::op ? fmt::format("{}.%{}", v.name(), v.id()) : v.name();
}

Cut cut(const Graph& graph, const std::string& scope, const std::vector<bool>& read_outside) {
  Cut result;
  std::map<NodeId, Value> images;
  const auto image_of = [&](const Value& v) {
    const auto found = images.find(v.id());
    if (found != images.end()) return found->second;
    Value image;
    if (v.kind() == NodeKind::constant) {
      image = result.graph.constant(v.constant());
    } else {
      const std::string name = leaf_name(v);
      image = v.kind() == NodeKind::parameter ? result.graph.parameter(name, v.type())
                                              : result.graph.input(name, v.type());
      result.from[name] = v.id();
    }
    return images[v.id()] = image;
  };
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    if (node.kind() != NodeKind::op || node.name() != scope) continue;
    std::vector<Value> in;
    for (int i = 0; i < node.arity(); ++i) in.push_back(image_of(node.input(i)));
    images[id] = result.graph.add(node.shared_op(), in);
    if (read_outside[id] && is_float(node.dtype())) {
      result.graph.output(fmt::format("y{}", id), images[id]);
      result.any = true;
    }
  }
  return result;
}

}  // namespace

void check_scopes(const Graph& forward, const GraphCheckOptions& options, CheckReport& report) {
  std::vector<Value> images;
  Graph graph = copy_in_f64(forward, images);
  std::vector<bool> read_outside(graph.size());
  std::vector<std::string> scopes;
  std::set<std::string> seen;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    if (node.kind() != NodeKind::op) continue;
    if (seen.insert(node.name()).second) scopes.push_back(node.name());
    for (int i = 0; i < node.arity(); ++i) {
      if (node.input(i).name() != node.name()) read_outside[node.input(i).id()] = true;
    }
  }
  for (const auto& [name, value] : forward.outputs()) read_outside[value.id()] = true;
  if (scopes.size() < 2) return;

  std::vector<Cut> cuts;
  for (const std::string& scope : scopes) cuts.push_back(cut(graph, scope, read_outside));
  // The values that cross from scope to scope, from one run of the whole graph.
  std::vector<Leaf> leaves = draw_leaves(graph, options);
  std::set<NodeId> crossing;
  for (const Cut& c : cuts) {
    for (const auto& [name, id] : c.from) {
      if (graph.node(id).kind() == NodeKind::op) crossing.insert(id);
    }
  }
  for (const NodeId id : crossing) graph.output(fmt::format("%{}", id), graph.node(id));
  std::map<std::string, Tensor> values;
  for (const Leaf& leaf : leaves) values[leaf.name] = leaf.value;
  if (!crossing.empty()) {
    Executable run = compile(graph);
    for (const Leaf& leaf : leaves) run.bind(leaf.name, leaf.value);
    run.run();
    for (const NodeId id : crossing) {
      const TensorView view = run.output(fmt::format("%{}", id));
      Tensor copy(view.type);
      std::copy_n(view.data, view.type.bytes(), copy.data());
      values[leaf_name(graph.node(id))] = copy;
    }
  }

  std::vector<std::string> right;
  for (std::size_t s = 0; s < scopes.size(); ++s) {
    if (!cuts[s].any || scopes[s].empty()) continue;
    GraphCheckOptions local = options;
    local.op = fmt::format("step {}", scopes[s]);
    local.loss.clear();
    local.local = false;
    local.skip.clear();
    local.values.clear();
    for (const auto& [name, id] : cuts[s].from) local.values[name] = values[name];
    GraphFunction function(cuts[s].graph, local);
    CheckReport alone;
    check_leaves(function, local, alone);
    if (alone.verdict == Verdict::fail) {
      report.merge(std::move(alone));
    } else {
      right.push_back(scopes[s]);
    }
  }
  if (!right.empty()) report.notes.push_back("right when checked alone: " + join(right));
}

}  // namespace limen::check
