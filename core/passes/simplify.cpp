#include <optional>

#include <limen/ops.hpp>
#include <limen/passes.hpp>

#include "passes/pass_list.hpp"

namespace limen {
namespace {

bool is(Value v, std::string_view op) { return v.kind() == NodeKind::op && v.op()->name() == op; }

// The value that every element of a tensor is known to have.
std::optional<double> uniform_value(Value v) {
  while (is(v, "broadcast_to") || is(v, "reshape")) v = v.input(0);
  if (v.kind() != NodeKind::constant || !is_float(v.dtype()) || v.type().elements() == 0) return {};
  const auto all_equal = [](const auto values) -> std::optional<double> {
    for (const auto value : values) {
      if (!(value == values[0])) return {};
    }
    return static_cast<double>(values[0]);
  };
  return v.dtype() == DType::f64 ? all_equal(v.constant().as<double>())
                                 : all_equal(v.constant().as<float>());
}

Value simplified(Value node, std::span<const Value> in) {
  const std::string_view op = node.op()->name();
  if (op == "mul") {  // x * c = scale(x, c); exact, also for c = 1 and c = 0 (0 * inf stays NaN)
    for (const int side : {0, 1}) {
      const auto c = uniform_value(in[static_cast<std::size_t>(side)]);
      const Value other = in[static_cast<std::size_t>(1 - side)];
      if (c) return *c == 1 ? other : scale(other, *c);
    }
  }
  if (op == "add") {
    // x + 0 = x but for x = -0, whose sum is +0: no user can tell cotangents of -0 and +0 apart
    for (const int side : {0, 1}) {
      const auto c = uniform_value(in[static_cast<std::size_t>(side)]);
      if (c && *c == 0) return in[static_cast<std::size_t>(1 - side)];
    }
  }
  if (op == "neg" && is(in[0], "neg")) return in[0].input(0);
  if (op == "scale" && node.op()->attributes() == "1") return in[0];
  if (op == "reshape") {
    if (is(in[0], "reshape")) return reshape(in[0].input(0), node.shape());
    if (in[0].shape() == node.shape()) return in[0];
  }
  return {};
}

}  // namespace

Graph simplify(const Graph& graph) {
  return rewrite(graph, [](Value node, std::span<const Value> in, Graph&) -> Value {
    return node.kind() == NodeKind::op ? simplified(node, in) : Value();
  });
}

}  // namespace limen
