// What an op says it computes, as a formula, against what it computes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <limen/error.hpp>

#include "check/activation.hpp"
#include "check/map_function.hpp"
#include "plugin/formula.hpp"

namespace limen::check {

FormulaNames names_of(const limen_op& op) {
  FormulaNames names;
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    const limen_param& param = *LIMEN_AT(limen_param, op.params, p);
    names.params.emplace_back(param.name);
    for (std::uint32_t i = 0; param.type == LIMEN_P_CHOICE && i < param.n_choices; ++i) {
      names.choices.emplace_back(param.choices[i]);
      names.choice_values.push_back(i);
    }
  }
  return names;
}

namespace {

// The formula as a tree; without one, what is wrong with it.
std::optional<Formula> read(const limen_op& op, const char* text, std::string& why) {
  try {
    return Formula::parse(text, names_of(op));
  } catch (const Error& error) {
    why = error.diagnostics()[0].message;
    return std::nullopt;
  }
}

// Values at points of all sizes.
void compare_formula(const ActivationContext& context, const Formula& formula,
                     const limen_kernel& forward, Tally& t) {
  const limen_op& op = context.op.op();
  const std::vector<long double> params(context.op.hyper().begin(), context.op.hyper().end());
  // The formula lists what it mentions; parameters come by name.
  std::vector<long double> used;
  for (const std::string& name : formula.params()) {
    for (std::uint32_t p = 0; p < op.n_params; ++p) {
      if (name == LIMEN_AT(limen_param, op.params, p)->name) used.push_back(params[p]);
    }
  }
  Random random(context.options.seed, "formula", op.name);
  Call call(context.op, dtype_of_bit(forward.dtype), 1, 1);
  const double resolution = forward.dtype == LIMEN_F32 ? 1e-5 : 1e-11;
  for (int i = 0; i < context.options.points; ++i) {
    std::vector<long double> x;
    for (Operand& operand : call.x) {
      const double drawn = random.normal() * (i % 4 == 0 ? 30 : 2);
      operand.set(0, context.inside(drawn, random));
      x.push_back(static_cast<long double>(operand.get(0)));
    }
    call.run(forward);
    const FormulaResult expected = formula.evaluate(x, used);
    Point p;
    p.tensor = "y";
    p.element = i;
    p.elements = context.options.points;
    p.x = call.x[0].get(0);
    p.got = call.y[0].get(0);
    const auto value = static_cast<double>(expected.value);
    if (!std::isfinite(value)) continue;
    // What rounding of x alone may do, and of sums as large as x or y.
    const double bound = resolution * std::max({std::abs(value), std::abs(p.x), 1.0});
    t.add(p, compare(p.got, value, bound, "the op's own formula"));
  }
}

}  // namespace

void check_formula(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  const bool readable = op.kind == LIMEN_MAP && op.outputs == 1 && op.arity <= 4 &&
                        !context.op.stochastic() && op.formula != nullptr && *op.formula != '\0';
  const KernelPair pair = reference_pair(context);
  if (!readable || pair.forward == nullptr) return;
  std::string why;
  const std::optional<Formula> formula = read(op, op.formula, why);
  if (context.wants("formula-parses")) {
    Tally t = context.tally("formula-parses", "formula", op.formula);
    t.require(formula.has_value(), "formula", why);
    context.add(t);
  }
  const bool fits = formula && formula->inputs().size() == op.arity;
  if (context.wants("formula-matches") && fits) {
    Tally t = context.tally("formula-matches", "formula", describe(*pair.forward));
    compare_formula(context, *formula, *pair.forward, t);
    context.add(t);
  }
}

}  // namespace limen::check
