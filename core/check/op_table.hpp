// One row per way to use a core op: how to build it and at which operands to check it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <limen/graph.hpp>

namespace limen::check {

struct OperandRow {
  Shape shape;
  double low = -2, high = 2;  // of floats
  std::int64_t classes = 0;   // not 0: integers below it
};

struct OpRow {
  std::string name;  // what `op:NAME` says
  std::string form;  // which of several: "a^T b"
  std::vector<OperandRow> operands;
  std::function<Value(std::span<const Value>)> build;
};

// Every differentiable op of limen/ops.hpp. Rows of one name stand together.
std::vector<OpRow> op_table();

}  // namespace limen::check
