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
namespace {

// Of the parameters and choices of the op.
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

// The formula as a tree; without one, what is wrong with it.
std::optional<Formula> read(const limen_op& op, const char* text, std::string& why) {
  try {
    return Formula::parse(text, names_of(op));
  } catch (const Error& error) {
    why = error.diagnostics()[0].message;
    return std::nullopt;
  }
}

// Values and, for a surrogate's formula, slopes at points of all sizes.
void compare_formula(const ActivationContext& context, const Formula& formula,
                     const limen_kernel& forward, const limen_kernel* backward, Tally& t) {
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
  const auto drawn = static_cast<std::size_t>(context.options.points);
  // A surrogate has no differences to speak for it: its window may be too narrow by a little.
  const std::size_t even = backward != nullptr ? 256 : 0;
  Call call(context.op, dtype_of_bit(forward.dtype), 1, drawn + even, {.first_order = true});
  for (std::size_t i = 0; i < call.n; ++i) {
    for (Operand& operand : call.x) {
      const double x = i < drawn ? random.normal() * (i % 4 == 0 ? 30 : 2)
                                 : -16 + (static_cast<double>(i - drawn) + 0.381966) / 8;
      operand.set(i, context.inside(x, random));
    }
  }
  call.dy[0].fill(1);
  call.run(forward);
  if (backward != nullptr) call.run(*backward);
  const double resolution = forward.dtype == LIMEN_F32 ? 1e-5 : 1e-11;
  for (std::size_t i = 0; i < call.n; ++i) {
    std::vector<long double> x;
    for (const Operand& operand : call.x) x.push_back(static_cast<long double>(operand.get(i)));
    const FormulaResult expected = formula.evaluate(x, used);
    Point p;
    p.tensor = backward != nullptr ? "dx" : "y";
    p.element = static_cast<std::int64_t>(i);
    p.elements = static_cast<std::int64_t>(call.n);
    p.x = call.x[0].get(i);
    p.got = (backward != nullptr ? call.dx : call.y)[0].get(i);
    const auto value = static_cast<double>(backward != nullptr ? expected.slope : expected.value);
    if (!std::isfinite(value)) continue;
    // What rounding of x alone may do, and of sums as large as x or y.
    const double bound = resolution * std::max({std::abs(value), std::abs(p.x), 1.0});
    t.add(p, compare(p.got, value, bound,
                     backward != nullptr ? "the slope of surrogate_of, which backward must return"
                                         : "the op's own formula"));
  }
}

// Of a surrogate, where it can be compared.
std::optional<Formula> surrogate_formula(const limen_op& op, std::string& why) {
  why = "the op is not element-wise, of one input and one output, without draws";
  const bool simple = op.kind == LIMEN_MAP && op.arity == 1 && op.outputs == 1;
  if (!simple || (op.flags & LIMEN_OP_STOCHASTIC) != 0) return std::nullopt;
  std::optional<Formula> formula = read(op, op.surrogate_of, why);
  if (formula && formula->inputs().size() != 1) why = "it needs one input", formula.reset();
  return formula;
}

}  // namespace

std::string surrogate_gap(const limen_op& op) {
  if (op.surrogate_of == nullptr || *op.surrogate_of == '\0') {
    return "backward is declared a surrogate, and surrogate_of does not say of what: it was "
           "compared with nothing";
  }
  std::string why;
  if (surrogate_formula(op, why)) {
    return "backward is declared a surrogate: it was compared with the slope of surrogate_of, not "
           "with forward";
  }
  return fmt::format(
      "backward is declared a surrogate and was compared with nothing, not with surrogate_of "
      "\"{}\": {}",
      op.surrogate_of, why);
}

void check_formula(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  const KernelPair pair = reference_pair(context);
  if (op.kind != LIMEN_MAP || op.outputs != 1 || op.arity > 4 || context.op.stochastic() ||
      pair.forward == nullptr) {
    return;
  }
  std::string why;
  if (op.formula != nullptr && *op.formula != '\0') {
    const std::optional<Formula> formula = read(op, op.formula, why);
    if (context.wants("formula-parses")) {
      Tally t = context.tally("formula-parses", "formula", op.formula);
      t.require(formula.has_value(), "formula", why);
      context.add(t);
    }
    const bool fits = formula && formula->inputs().size() == op.arity;
    if (fits && context.wants("formula-matches")) {
      Tally t = context.tally("formula-matches", "formula", describe(*pair.forward));
      compare_formula(context, *formula, *pair.forward, nullptr, t);
      context.add(t);
    }
  }
  if (!context.surrogate() || op.surrogate_of == nullptr) return;
  const std::optional<Formula> surrogate = surrogate_formula(op, why);
  if (surrogate && context.wants("surrogate-declared")) {
    Tally t = context.tally("surrogate-declared", "surrogate", describe(*pair.backward));
    compare_formula(context, *surrogate, *pair.forward, pair.backward, t);
    context.add(t);
  }
}

}  // namespace limen::check
