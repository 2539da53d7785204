// Formulas as text: their canonical spelling, and C++ for the plugin kit.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "plugin/formula_functions.hpp"

namespace limen {
namespace {

using Kind = Formula::Kind;
using Node = Formula::Node;

// How tightly an expression holds together; higher binds tighter.
enum Binding : int {
  kChoice,
  kEither,
  kBoth,
  kNot,
  kCompare,
  kSum,
  kProduct,
  kUnary,
  kPower,
  kAtom
};

struct Piece {
  std::string text;
  int binding = kAtom;
};

std::string in_brackets(const Piece& piece, int at_least) {
  return piece.binding < at_least ? "(" + piece.text + ")" : piece.text;
}

struct Sign {
  std::string_view formula, cpp;
  int binding;
};

Sign sign_of(Kind kind) {
  switch (kind) {
    case Kind::add:
      return {"+", "+", kSum};
    case Kind::sub:
      return {"-", "-", kSum};
    case Kind::mul:
      return {"*", "*", kProduct};
    case Kind::div:
      return {"/", "/", kProduct};
    case Kind::less:
      return {"<", "<", kCompare};
    case Kind::less_equal:
      return {"<=", "<=", kCompare};
    case Kind::greater:
      return {">", ">", kCompare};
    case Kind::greater_equal:
      return {">=", ">=", kCompare};
    case Kind::equal:
      return {"==", "==", kCompare};
    case Kind::unequal:
      return {"!=", "!=", kCompare};
    case Kind::both:
      return {"and", "&&", kBoth};
    default:
      return {"or", "||", kEither};
  }
}

std::string number_text(double value) {
  if (std::isinf(value)) return "1e999";
  return fmt::format("{}", value);
}

// As a double: 1 / 2 must not be 0.
std::string cpp_number(double value) {
  if (std::isnan(value)) return "limen::kNaN";
  if (std::isinf(value)) return value > 0 ? "limen::kInfinity" : "-limen::kInfinity";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// Walks the nodes in their order: no recursion.
class Printer {
 public:
  Printer(const Formula& formula, bool cpp, std::string_view owner)
      : formula_(formula), cpp_(cpp), owner_(owner) {
    const std::vector<long double> x(formula.inputs().size()), hyper(formula.params().size());
    values_ = formula.node_values(x, hyper, 0);
  }

  std::string print() {
    for (const Node& node : formula_.nodes()) pieces_.push_back(print(node));
    return pieces_.back().text;
  }

 private:
  const Piece& operand(const Node& node, int i) const {
    return pieces_[static_cast<std::size_t>(node.operands[i])];
  }
  const Node& node_of(const Node& node, int i) const {
    return formula_.nodes()[static_cast<std::size_t>(node.operands[i])];
  }

  Piece print(const Node& node) const {
    switch (node.kind) {
      case Kind::number:
        return {cpp_ ? cpp_number(node.value) : number_text(node.value), kAtom};
      case Kind::input:
        return {formula_.inputs()[static_cast<std::size_t>(node.index)], kAtom};
      case Kind::param:
        return {formula_.params()[static_cast<std::size_t>(node.index)], kAtom};
      case Kind::negate:
        return {"-" + in_brackets(operand(node, 0), kPower), kUnary};
      case Kind::negation:
        return {(cpp_ ? "!" : "not ") + in_brackets(operand(node, 0), cpp_ ? kAtom : kNot), kNot};
      case Kind::choose:
        return {fmt::format("{} ? {} : {}", in_brackets(operand(node, 0), kEither),
                            in_brackets(operand(node, 1), kEither), operand(node, 2).text),
                kChoice};
      case Kind::call:
        return call(formula_functions()[static_cast<std::size_t>(node.index)].name, node);
      case Kind::power:
        return cpp_ ? power(node)
                    : Piece{in_brackets(operand(node, 0), kAtom) + "^" +
                                in_brackets(operand(node, 1), kAtom),
                            kPower};
      default:
        return infix(node);
    }
  }

  Piece infix(const Node& node) const {
    const Sign sign = sign_of(node.kind);
    // a - (b - c) keeps its brackets, (a - b) - c loses them.
    return {fmt::format("{} {} {}", in_brackets(operand(node, 0), sign.binding),
                        cpp_ ? sign.cpp : sign.formula,
                        in_brackets(operand(node, 1), sign.binding + 1)),
            sign.binding};
  }

  Piece call(std::string_view name, const Node& node) const {
    if (cpp_ && node.constant) return {constant(node), kAtom};
    std::string text = cpp_ && name == owner_ ? "limen::" : "";
    text += name;
    const bool swap = cpp_ && node.operands[1] >= 0 && node_of(node, 0).constant;
    // Found by the type of its arguments: the first one must not be a bare number.
    text += "(" + (swap ? std::string(variable(node, 0)) : operand(node, 0).text);
    for (int i = 1; i < 3 && node.operands[i] >= 0; ++i) text += ", " + operand(node, i).text;
    return {text + ")", kAtom};
  }
  // A constant first operand as a number of the formula's own type.
  std::string variable(const Node& node, int i) const {
    return fmt::format("decltype({})({})", operand(node, 1 - i).text, operand(node, i).text);
  }

  Piece power(const Node& node) const {
    const Node& exponent = node_of(node, 1);
    if (node.constant) return {constant(node), kAtom};
    const std::string& base = operand(node, 0).text;
    const bool number = exponent.kind == Kind::number;
    const auto name = [&](std::string_view f) {
      return (f == owner_ ? "limen::" : "") + std::string(f);
    };
    if (number && exponent.value == 1) return operand(node, 0);
    if (number && exponent.value == 2) return {fmt::format("{}({})", name("square"), base), kAtom};
    if (number && exponent.value == 3) {
      return {
          fmt::format("{} * {}({})", in_brackets(operand(node, 0), kProduct), name("square"), base),
          kProduct};
    }
    if (number && exponent.value == 4) {
      return {fmt::format("{0}({0}({1}))", name("square"), base), kAtom};
    }
    return call("pow", node);
  }

  // A part without variables, computed here.
  std::string constant(const Node& node) const {
    const auto position = static_cast<std::size_t>(&node - formula_.nodes().data());
    return cpp_number(static_cast<double>(values_[position].value));
  }

  const Formula& formula_;
  bool cpp_;
  std::string_view owner_;
  std::vector<FormulaResult> values_;  // right for the parts without variables
  std::vector<Piece> pieces_;
};

constexpr auto kWordsOfCpp = std::to_array<std::string_view>(
    {"alignas", "alignof", "and", "asm", "auto", "bitand", "bitor", "bool", "break", "case",
     "catch", "char", "class", "compl", "concept", "const", "continue", "decltype", "default",
     "delete", "do", "double", "else", "enum", "explicit", "export", "extern", "false", "float",
     "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new",
     "noexcept", "not", "nullptr", "operator", "or", "private", "protected", "public", "register",
     "requires", "return", "short", "signed", "sizeof", "static", "struct", "switch", "template",
     "this", "throw", "true", "try", "typedef", "typeid", "typename", "union", "unsigned", "using",
     "virtual", "void", "volatile", "while", "xor", "char8_t", "char16_t", "char32_t", "wchar_t",
     "and_eq", "or_eq", "xor_eq", "not_eq", "consteval", "constexpr", "constinit", "const_cast",
     "co_await", "co_return", "co_yield", "dynamic_cast", "reinterpret_cast", "static_assert",
     "static_cast", "thread_local",
     // names of the plugin kit that a struct or its arguments would hide
     "main", "std", "limen", "f", "formula", "params", "kinks", "facts", "arity", "pi", "e", "x"});

}  // namespace

std::string Formula::text() const { return Printer(*this, false, "").print(); }

std::string Formula::expression(std::string_view owner) const {
  return Printer(*this, true, owner).print();
}

std::string bad_formula_name(std::string_view name, bool of_param) {
  constexpr std::size_t kLongest = 64;
  const bool spelled = !name.empty() && name.size() <= kLongest && name[0] >= 'a' &&
                       name[0] <= 'z' && std::all_of(name.begin(), name.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                       });
  if (!spelled) return "a name has small letters, digits and _, and begins with a letter";
  if (std::find(kWordsOfCpp.begin(), kWordsOfCpp.end(), name) != kWordsOfCpp.end()) {
    return fmt::format("`{}` means something else in C++ or in the plugin kit", name);
  }
  if (of_param && (name == "axis" || name == "learn" || name == "per_channel")) {
    return fmt::format("`{}` says something else of a step", name);
  }
  const auto functions = formula_functions();
  if (of_param && std::any_of(functions.begin(), functions.end(),
                              [&](const FormulaFunction& f) { return f.name == name; })) {
    return fmt::format("`{}` is a function", name);
  }
  return {};
}

std::string formula_source(const Formula& formula, std::string_view name, std::string_view plugin,
                           std::span<const FormulaParam> params) {
  std::string text = fmt::format("#include <limen/activation.hpp>\nstruct {} {{\n", name);
  text += fmt::format("  static constexpr auto formula = \"{}\";\n", formula.text());
  std::string arguments, rows;
  for (const std::string& input : formula.inputs()) {
    arguments += (arguments.empty() ? "auto " : ", auto ") + input;
  }
  std::vector<double> defaults;
  for (const FormulaParam& param : params) {
    arguments += ", auto " + param.name;
    defaults.push_back(param.value);
    rows += fmt::format(
        "      {{\"{}\", {}, -limen::kInfinity, limen::kInfinity, \"of the formula\",\n"
        "       LIMEN_PF_TRAINABLE}},\n",
        param.name, cpp_number(param.value));
  }
  if (!rows.empty()) {
    text += "  static constexpr limen::param params[] = {\n" + rows + "  };\n";
  }
  if (formula.inputs().size() > 1) {
    text += fmt::format("  static constexpr unsigned arity = {};\n", formula.inputs().size());
  }
  std::string corners;
  for (const FormulaKink& kink : formula.kinks(defaults)) {
    corners += fmt::format(
        "      {{.at = {}, .slope = {}, .kind = {}, .scale = {}, .param = {}}},\n",
        cpp_number(kink.at), cpp_number(kink.slope),
        kink.jump ? "LIMEN_KINK_JUMP" : "LIMEN_KINK_CORNER", cpp_number(kink.scale), kink.param);
  }
  if (!corners.empty()) text += "  static constexpr limen::kink kinks[] = {\n" + corners + "  };\n";
  text += fmt::format("  static auto f({}) {{ return {}; }}\n}};\n", arguments,
                      formula.expression(name));
  text += fmt::format("LIMEN_ACTIVATION({})\nLIMEN_PLUGIN(\"{}\", \"1.0.0\")\n", name, plugin);
  return text;
}

}  // namespace limen
