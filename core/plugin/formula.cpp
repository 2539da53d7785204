#include "plugin/formula.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "plugin/formula_functions.hpp"

namespace limen {
namespace {

using Kind = Formula::Kind;
using Node = Formula::Node;

const FormulaFunction& function_of(const Node& node) {
  return formula_functions()[static_cast<std::size_t>(node.index)];
}

Dual truth(bool value) { return {static_cast<long double>(value ? 1 : 0), 0}; }

Dual apply(const Node& node, Dual a, Dual b, Dual c) {
  switch (node.kind) {
    case Kind::negate:
      return {-a.value, -a.slope};
    case Kind::add:
      return {a.value + b.value, a.slope + b.slope};
    case Kind::sub:
      return {a.value - b.value, a.slope - b.slope};
    case Kind::mul:
      return {a.value * b.value, a.slope * b.value + a.value * b.slope};
    case Kind::div:
      return {a.value / b.value, (a.slope - a.value / b.value * b.slope) / b.value};
    case Kind::power:
      return dual_power(a, b);
    case Kind::less:
      return truth(a.value < b.value);
    case Kind::less_equal:
      return truth(a.value <= b.value);
    case Kind::greater:
      return truth(a.value > b.value);
    case Kind::greater_equal:
      return truth(a.value >= b.value);
    case Kind::equal:
      return truth(a.value == b.value);
    case Kind::unequal:
      return truth(a.value != b.value);
    case Kind::both:
      return truth(a.value != 0 && b.value != 0);
    case Kind::either:
      return truth(a.value != 0 || b.value != 0);
    case Kind::negation:
      return truth(a.value == 0);
    case Kind::choose:
      return a.value != 0 ? b : c;
    default:
      return function_of(node).evaluate(a, b);
  }
}

// c + slope * x + scale * parameter, for the arguments that a jump may hang on.
struct Linear {
  double constant = 0, slope = 0, scale = 0;
  int param = -1;

  bool plain() const { return slope == 0 && param < 0; }
};

std::optional<Linear> plus(const Linear& a, const Linear& b, double sign) {
  if (a.param >= 0 && b.param >= 0 && a.param != b.param) return std::nullopt;
  return Linear{a.constant + sign * b.constant, a.slope + sign * b.slope, a.scale + sign * b.scale,
                std::max(a.param, b.param)};
}

Linear times(const Linear& a, double factor) {
  return {a.constant * factor, a.slope * factor, a.scale * factor, a.param};
}

// The linear forms that a part takes in one place or another: both branches of a choice, of max ...
using Forms = std::vector<Linear>;
constexpr std::size_t kMostForms = 8;

bool picks(const Node& node) {
  return node.kind == Kind::call && function_of(node).most > 1 && function_of(node).name != "pow";
}

// The forms of both, side by side.
Forms both(const Forms& a, const Forms& b) {
  Forms all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

template <class Combine>
Forms pairs(const Forms& a, const Forms& b, const Combine& combine) {
  Forms all;
  for (const Linear& one : a) {
    for (const Linear& two : b) {
      if (const std::optional<Linear> form = combine(one, two)) all.push_back(*form);
    }
  }
  return all;
}

std::optional<Linear> product(const Linear& a, const Linear& b) {
  if (a.plain()) return times(b, a.constant);
  if (b.plain()) return times(a, b.constant);
  return std::nullopt;
}

std::optional<Linear> quotient(const Linear& a, const Linear& b) {
  if (!b.plain() || b.constant == 0) return std::nullopt;
  return times(a, 1 / b.constant);
}

Forms forms_of(const Node& node, const std::vector<Forms>& known) {
  const auto at = [&](int i) -> const Forms& {
    return known[static_cast<std::size_t>(node.operands[i])];
  };
  const auto sum = [&](double sign) {
    return pairs(at(0), at(1), [&](const Linear& a, const Linear& b) { return plus(a, b, sign); });
  };
  if (picks(node)) return both(at(0), at(1));
  switch (node.kind) {
    case Kind::number:
      return {Linear{node.value, 0, 0, -1}};
    case Kind::input:
      return {Linear{0, 1, 0, -1}};
    case Kind::param:
      return {Linear{0, 0, 1, node.index}};
    case Kind::negate:
      return pairs({Linear{-1, 0, 0, -1}}, at(0), product);
    case Kind::add:
      return sum(1);
    case Kind::sub:
      return sum(-1);
    case Kind::mul:
      return pairs(at(0), at(1), product);
    case Kind::div:
      return pairs(at(0), at(1), quotient);
    case Kind::choose:
      return both(at(1), at(2));
    default:
      return {};
  }
}

// What is zero where this node switches over; nothing for smooth nodes.
Forms switches(const Node& node, const std::vector<Forms>& known) {
  const auto at = [&](int i) -> const Forms& {
    return known[static_cast<std::size_t>(node.operands[i])];
  };
  const bool compares = node.kind >= Kind::less && node.kind <= Kind::unequal;
  if (compares || picks(node)) {
    return pairs(at(0), at(1), [](const Linear& a, const Linear& b) { return plus(a, b, -1); });
  }
  if (node.kind == Kind::call && function_of(node).name == "abs") return at(0);
  return {};
}

}  // namespace

std::vector<FormulaResult> Formula::node_values(std::span<const long double> inputs,
                                                std::span<const long double> params,
                                                int direction) const {
  std::vector<Dual> values(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const auto index = static_cast<std::size_t>(node.index);
    const auto at = [&](int k) {
      return node.operands[k] < 0 ? Dual{} : values[static_cast<std::size_t>(node.operands[k])];
    };
    if (node.kind == Kind::number) {
      values[i] = {node.value, 0};
    } else if (node.kind == Kind::input) {
      values[i] = {inputs[index], static_cast<long double>(node.index == direction ? 1 : 0)};
    } else if (node.kind == Kind::param) {
      values[i] = {params[index], 0};
    } else {
      values[i] = apply(node, at(0), at(1), at(2));
    }
  }
  return values;
}

FormulaResult Formula::evaluate(std::span<const long double> inputs,
                                std::span<const long double> params, int direction) const {
  return node_values(inputs, params, direction).back();
}

std::vector<FormulaKink> Formula::kinks(std::span<const double> params) const {
  std::vector<FormulaKink> found;
  if (inputs_.size() != 1) return found;
  const std::vector<long double> hyper(params.begin(), params.end());
  const auto value = [&](long double x) { return evaluate(std::span(&x, 1), hyper); };
  const auto differ = [](long double a, long double b) {
    return std::fabs(a - b) > 1e-6L * std::max({1.0L, std::fabs(a), std::fabs(b)});
  };
  const auto add = [&](const Linear& zero) {
    if (zero.slope == 0) return;
    FormulaKink kink{.at = -zero.constant / zero.slope + 0.0,
                     .scale = zero.param < 0 ? 0 : -zero.scale / zero.slope,
                     .param = zero.param};
    const double at =
        kink.at + (kink.param < 0 ? 0 : kink.scale * params[static_cast<std::size_t>(kink.param)]);
    const bool again = std::any_of(found.begin(), found.end(), [&](const FormulaKink& other) {
      return other.at == kink.at && other.scale == kink.scale && other.param == kink.param;
    });
    if (again || !std::isfinite(at)) return;
    const long double step = std::max(1e-9L, std::fabs(static_cast<long double>(at)) * 1e-9L);
    const FormulaResult left = value(at - step), right = value(at + step), there = value(at);
    kink.jump = differ(left.value, right.value) || differ(left.value, there.value);
    kink.slope = static_cast<double>(there.slope);
    if (kink.jump || differ(left.slope, right.slope) || differ(left.slope, there.slope)) {
      found.push_back(kink);
    }
  };
  std::vector<Forms> known(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    known[i] = forms_of(nodes_[i], known);
    if (known[i].size() > kMostForms) known[i].resize(kMostForms);
    for (const Linear& zero : switches(nodes_[i], known)) add(zero);
  }
  return found;
}

}  // namespace limen
