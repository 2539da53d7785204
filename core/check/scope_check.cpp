#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <limen/error.hpp>
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

// The scopes in order, and which nodes are read outside their own.
struct Scopes {
  std::vector<std::string> names;
  std::vector<bool> read_outside;
};

Scopes scopes_of(const Graph& graph, const Graph& with_outputs, const std::vector<Value>& images) {
  Scopes result;
  result.read_outside.resize(graph.size());
  std::set<std::string> seen;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Value node = graph.node(id);
    if (node.kind() != NodeKind::op) continue;
    if (seen.insert(node.name()).second) result.names.push_back(node.name());
    for (int i = 0; i < node.arity(); ++i) {
      const Value in = node.input(i);
      if (in.name() != node.name()) result.read_outside[in.id()] = true;
    }
  }
  for (const auto& [name, value] : with_outputs.outputs()) {
    result.read_outside[images[value.id()].id()] = true;
  }
  return result;
}

// The values that cross from scope to scope, by leaf_name(), from one run of the whole graph; and
// those of its leaves.
std::map<std::string, Tensor> crossing_values(Graph& graph, const std::vector<Cut>& cuts,
                                              const GraphCheckOptions& options) {
  const std::vector<Leaf> leaves = draw_leaves(graph, options);
  std::map<std::string, Tensor> values;
  for (const Leaf& leaf : leaves) values[leaf.name] = leaf.value;
  std::set<NodeId> crossing;
  for (const Cut& c : cuts) {
    for (const auto& [name, id] : c.from) {
      if (graph.node(id).kind() == NodeKind::op) crossing.insert(id);
    }
  }
  if (crossing.empty()) return values;
  for (const NodeId id : crossing) graph.output(fmt::format("%{}", id), graph.node(id));
  Executable run = compile(graph);
  for (const Leaf& leaf : leaves) run.bind(leaf.name, leaf.value);
  run.run();
  for (const NodeId id : crossing) {
    const TensorView view = run.output(fmt::format("%{}", id));
    Tensor copy(view.type);
    std::copy_n(view.data, view.type.bytes(), copy.data());
    values[leaf_name(graph.node(id))] = copy;
  }
  return values;
}

}  // namespace

void check_scopes(const Graph& forward, const GraphCheckOptions& options, CheckReport& report) {
  std::vector<Value> images;
  Graph graph = copy_in_f64(forward, images);
  const Scopes scopes = scopes_of(graph, forward, images);
  if (scopes.names.size() < 2) return;
  std::vector<Cut> cuts;
  for (const std::string& scope : scopes.names) {
    cuts.push_back(cut(graph, scope, scopes.read_outside));
  }
  const std::map<std::string, Tensor> values = crossing_values(graph, cuts, options);
  std::vector<std::string> right;
  for (std::size_t s = 0; s < cuts.size(); ++s) {
    const std::string& scope = scopes.names[s];
    if (!cuts[s].any || scope.empty()) continue;
    GraphCheckOptions local = options;
    local.op = fmt::format("step {}", scope);
    local.loss.clear();
    local.skip.clear();
    local.values.clear();
    for (const auto& [name, id] : cuts[s].from) local.values[name] = values.at(name);
    CheckReport alone;
    try {
      GraphFunction function(cuts[s].graph, local);
      check_leaves(function, local, alone);
    } catch (const Error& error) {
      if (error.diagnostics().front().code != "E0610") throw;
      continue;  // a metric: nothing differentiates it
    }
    if (alone.verdict == Verdict::fail) {
      report.merge(std::move(alone));
    } else {
      right.push_back(scope);
    }
  }
  if (!right.empty()) report.notes.push_back("right when checked alone: " + join(right));
}

}  // namespace limen::check
