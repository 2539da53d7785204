#include <limen/differentiate.hpp>

#include <limits>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/ops.hpp>

namespace limen {
namespace {

Value ones_like(Value y) { return broadcast_to(y.make_constant(1.0), y.shape()); }

Value zeros_like(Value x) { return broadcast_to(x.make_constant(0.0), x.shape()); }

// Which nodes up to y depend on one of `wrt`, in one forward loop.
std::vector<bool> mark_dependents(Value y, std::span<const Value> wrt, std::vector<Value>& nodes) {
  std::vector<bool> depends(nodes.size());
  for (const Value x : wrt) {
    if (x.id() < depends.size()) depends[x.id()] = true;
  }
  for (NodeId id = 0; id <= y.id(); ++id) {
    for (int i = 0; i < nodes[id].arity(); ++i) {
      if (depends[nodes[id].input(i).id()]) depends[id] = true;
    }
  }
  return depends;
}

// Whether an input depends on one of `wrt`: behind the x asked for nothing is looked at.
bool needs_vjp(Value node, const std::vector<bool>& depends) {
  for (int i = 0; i < node.arity(); ++i) {
    if (depends[node.input(i).id()]) return true;
  }
  return false;
}

}  // namespace

std::vector<Value> differentiate(Value y, std::span<const Value> wrt, Value seed) {
  if (!is_float(y.dtype())) {
    throw Error("E0610",
                fmt::format("only floats can be differentiated, got {}", to_string(y.type())));
  }
  if (seed && seed.type() != y.type()) {
    throw Error("E0602", fmt::format("the seed of a gradient of {} has type {}",
                                     to_string(y.type()), to_string(seed.type())));
  }
  std::vector<Value> nodes;  // handles to 0..y; index order is a topological order
  for (NodeId id = 0; id <= y.id(); ++id) nodes.push_back(y.sibling(id));
  const std::vector<bool> depends = mark_dependents(y, wrt, nodes);

  std::vector<Value> cotangent(nodes.size());
  if (depends[y.id()]) cotangent[y.id()] = seed ? seed : ones_like(y);
  for (NodeId id = y.id() + 1; id-- > 0;) {
    const Value node = nodes[id];
    if (!needs_vjp(node, depends) || !cotangent[id]) continue;
    node.enter_scope();  // a gradient belongs to the step whose gradient it is
    const std::vector<Value> contributions = node.op()->vjp(node, cotangent[id]);
    for (int i = 0; i < node.arity(); ++i) {
      const Value input = node.input(i);
      const Value part = contributions[static_cast<std::size_t>(i)];
      if (!depends[input.id()]) continue;
      node.op()->require_vjp(i);
      if (!part) continue;
      Value& sum = cotangent[input.id()];
      sum = sum ? add(sum, part) : part;
    }
  }

  y.enter_scope();
  std::vector<Value> gradients;
  for (const Value x : wrt) {
    const bool reached = x.id() < cotangent.size() && cotangent[x.id()];
    gradients.push_back(reached ? cotangent[x.id()] : zeros_like(x));
  }
  return gradients;
}

}  // namespace limen
