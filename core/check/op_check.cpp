#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include <limen/differentiate.hpp>
#include <limen/error.hpp>
#include <limen/gradient_check.hpp>
#include <limen/ops.hpp>
#include <limen/plugin_registry.hpp>

#include "base/text.hpp"
#include "check/op_table.hpp"
#include "check/random.hpp"

namespace limen {
namespace {

using check::OperandRow;
using check::OpRow;
using check::Random;

std::vector<Value> add_operands(Graph& graph, const OpRow& row) {
  std::vector<Value> in;
  for (std::size_t i = 0; i < row.operands.size(); ++i) {
    const OperandRow& operand = row.operands[i];
    in.push_back(graph.input(fmt::format("x{}", i),
                             {operand.shape, operand.classes > 0 ? DType::i32 : DType::f64}));
  }
  return in;
}

std::map<std::string, Tensor> draw_operands(const OpRow& row, std::uint64_t seed) {
  std::map<std::string, Tensor> values;
  for (std::size_t i = 0; i < row.operands.size(); ++i) {
    const OperandRow& operand = row.operands[i];
    const std::string name = fmt::format("x{}", i);
    Random random(seed, "operand", name);
    Tensor value({operand.shape, operand.classes > 0 ? DType::i32 : DType::f64});
    if (operand.classes > 0) {
      for (std::int32_t& v : value.as<std::int32_t>()) {
        v = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(operand.classes)));
      }
    } else {
      for (double& v : value.as<double>()) v = random.uniform(operand.low, operand.high);
    }
    values[name] = value;
  }
  return values;
}

// First order: the op's vjp. Second: the gradient of that gradient, by x and by the upstream.
void check_row(const OpRow& row, const CheckOptions& options, CheckReport& report) {
  GraphCheckOptions graph_options;
  static_cast<CheckOptions&>(graph_options) = options;
  graph_options.op = "op:" + row.name + (row.form.empty() ? "" : " (" + row.form + ")");
  graph_options.values = draw_operands(row, options.seed);
  graph_options.loss.clear();
  graph_options.local = false;
  {
    Graph graph;
    graph.output("y", row.build(add_operands(graph, row)));
    report.merge(check_graph(graph, graph_options));
  }
  Graph graph;
  const std::vector<Value> in = add_operands(graph, row);
  const Value y = row.build(in);
  const Value dy = graph.input("dy", y.type());
  std::vector<Value> floats;
  std::copy_if(in.begin(), in.end(), std::back_inserter(floats),
               [](const Value& v) { return is_float(v.dtype()); });
  try {
    const std::vector<Value> dx = differentiate(y, floats, dy);
    for (std::size_t i = 0; i < dx.size(); ++i) graph.output(fmt::format("dx{}", i), dx[i]);
    graph_options.op += ", second order";
    report.merge(check_graph(graph, graph_options));
  } catch (const Error& error) {
    if (error.diagnostics()[0].code != "E0610") throw;
    report.notes.push_back(
        fmt::format("{}: no second order: {}", graph_options.op, error.diagnostics()[0].message));
  }
}

}  // namespace

std::vector<std::string> checkable_ops() {
  std::set<std::string> names;
  for (const OpRow& row : check::op_table()) names.insert(row.name);
  return {names.begin(), names.end()};
}

CheckReport check_op(std::string_view name, PluginRegistry& registry, const CheckOptions& options) {
  CheckReport report;
  const std::vector<std::string> core = checkable_ops();
  if (std::find(core.begin(), core.end(), name) != core.end()) {
    for (const OpRow& row : check::op_table()) {
      if (row.name == name) check_row(row, options, report);
    }
  } else {
    try {
      const Activation activation = registry.find(name);
      report = check_activation(activation.op(), options);
      const limen_op& op = activation.op();
      if (op.arity == 1 && op.outputs == 1 && op.kind != LIMEN_GENERAL &&
          (op.flags & LIMEN_OP_SURROGATE) == 0) {
        const OpRow row{
            activation.op().name, "in a graph", {{{3, 7}}}, [&](std::span<const Value> in) {
              return activate(in[0], activation);
            }};
        check_row(row, options, report);
      }
    } catch (const Error& error) {
      if (error.diagnostics()[0].code != "E0518") throw;
      std::vector<std::string> known = core;
      for (const Activation& a : registry.activations()) known.emplace_back(a.name());
      Diagnostic diagnostic;
      diagnostic.message = fmt::format("no op `{}`", name);
      if (std::string hint = did_you_mean(name, known); !hint.empty()) {
        diagnostic.help.push_back(std::move(hint));
      }
      std::sort(known.begin(), known.end());
      diagnostic.help.push_back("ops that can be checked: " + join(known));
      throw Error(std::move(diagnostic));
    }
  }
  report.subject = fmt::format("op:{}", name);
  report.seed = options.seed;
  return report;
}

}  // namespace limen
