#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <limen/differentiate.hpp>
#include <limen/executable.hpp>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "check/graph_check.hpp"
#include "check/random.hpp"

namespace limen::check {
namespace {

// One scope cut out of a graph: what it reads from outside are inputs, what others read of it are
// outputs.
struct Cut {
  Graph graph;
  std::map<std::string, NodeId> from;  // leaf -> node of the whole graph
  std::map<NodeId, NodeId> outputs;    // what others read of it: node of the whole graph -> its own
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
      result.outputs[id] = images[id].id();
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

// What reaches the scopes from outside, by leaf_name(), and the cotangents of what leaves them, by
// node; from one run of the whole graph.
struct Crossing {
  std::map<std::string, Tensor> values;
  std::map<NodeId, Tensor> cotangents;
};

// Of size 1, by a power of two: a cotangent's size means nothing to a local gradient but underflow.
// If nothing comes back at all (behind a step without a surrogate) it is +-1: with 0 any gradient
// would pass.
void normalise(std::span<double> cotangent, Random random) {
  double largest = 0;
  for (const double c : cotangent) largest = std::max(largest, std::abs(c));
  if (!std::isfinite(largest)) return;
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  for (double& c : cotangent) c = largest > 0 ? std::ldexp(c, -exponent) : random.sign();
}

Crossing crossing_of(Graph& graph, const Value& loss, const std::vector<Cut>& cuts,
                     const GraphCheckOptions& options) {
  const std::vector<Leaf> leaves = draw_leaves(graph, options);
  Crossing result;
  for (const Leaf& leaf : leaves) result.values[leaf.name] = leaf.value;
  std::set<NodeId> in, out;
  for (const Cut& c : cuts) {
    for (const auto& [name, id] : c.from) {
      if (graph.node(id).kind() == NodeKind::op) in.insert(id);
    }
    for (const auto& [id, image] : c.outputs) out.insert(id);
  }
  std::vector<Value> wanted;
  for (const NodeId id : out) {
    const Value sources[] = {graph.node(id)};
    if (depends_on(graph, sources)[loss.id()]) wanted.push_back(sources[0]);
  }
  const std::vector<Value> cotangents = differentiate(loss, wanted);
  for (const NodeId id : in) graph.output(fmt::format("%{}", id), graph.node(id));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    graph.output(fmt::format("d%{}", wanted[i].id()), cotangents[i]);
  }
  if (in.empty() && wanted.empty()) return result;
  Executable run = compile(graph, {.threads = default_threads()});
  for (const Leaf& leaf : leaves) run.bind(leaf.name, leaf.value);
  run.run();
  const auto copy_of = [&](const std::string& output) {
    const TensorView view = run.output(output);
    Tensor copy(view.type);
    std::copy_n(view.data, view.type.bytes(), copy.data());
    return copy;
  };
  for (const NodeId id : in) {
    result.values[leaf_name(graph.node(id))] = copy_of(fmt::format("%{}", id));
  }
  for (const Value& v : wanted) {
    Tensor cotangent = copy_of(fmt::format("d%{}", v.id()));
    normalise(cotangent.as<double>(), Random(options.seed, "cotangent", leaf_name(v)));
    result.cotangents[v.id()] = cotangent;
  }
  return result;
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
  const Value loss = checked_value(forward, graph, images, options);
  const Crossing crossing = crossing_of(graph, loss, cuts, options);
  std::vector<std::string> right;
  bool wrong = report.verdict == Verdict::fail;
  for (std::size_t s = 0; s < cuts.size(); ++s) {
    const std::string& scope = scopes.names[s];
    GraphCheckOptions local = options;
    local.op = fmt::format("step {}", scope);
    local.loss.clear();
    local.skip.clear();
    local.values.clear();
    // The rest are metrics and the like: no gradient comes back to them.
    for (const auto& [id, image] : cuts[s].outputs) {
      const auto cotangent = crossing.cotangents.find(id);
      if (cotangent == crossing.cotangents.end()) continue;
      local.cotangents.emplace(fmt::format("y{}", id), cotangent->second);
      cuts[s].graph.output(fmt::format("y{}", id), cuts[s].graph.node(image));
    }
    if (local.cotangents.empty() || scope.empty()) continue;
    for (const auto& [name, id] : cuts[s].from) local.values[name] = crossing.values.at(name);
    CheckReport alone;
    GraphFunction function(cuts[s].graph, local);
    check_leaves(function, local, alone);
    if (alone.verdict == Verdict::pass) right.push_back(scope);
    wrong = wrong || alone.verdict == Verdict::fail;
    report.merge(std::move(alone));
  }
  if (wrong && !right.empty()) report.notes.push_back("right when checked alone: " + join(right));
}

}  // namespace limen::check
