// The functions a formula may call, one row each.
#pragma once

#include <span>
#include <string_view>

#include "plugin/formula.hpp"

namespace limen {

// A value with its derivative along one direction.
using Dual = FormulaResult;

struct FormulaFunction {
  std::string_view name;
  int least = 1, most = 1;  // operands; more than two are folded in pairs
  bool truth = false;       // gives true or false, not a number
  Dual (*evaluate)(Dual a, Dual b) = nullptr;
};

std::span<const FormulaFunction> formula_functions();

Dual dual_power(Dual base, Dual exponent);

}  // namespace limen
