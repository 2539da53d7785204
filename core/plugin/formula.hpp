// Formulas of element-wise functions as data: "x > 0 ? x : alpha * x". A text is read into a tree
// by rules of our own; the tree is evaluated, or printed as C++ for the plugin kit. Nothing of the
// text reaches a compiler but through the tree.
//
//   numbers, names, ( ), + - * / ^, < <= > >= == !=, and or not (&& || !), c ? a : b, pi, e,
//   exp expm1 log log1p tanh sigmoid softplus sqrt square abs max min erf erfc sin cos atan pow
//   relu clamp isnan
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/error.hpp>

namespace limen {

// What a formula may mention. Without inputs they are found: `x`, else `a`, `b`, `c`, `d` as far as
// the formula mentions them.
struct FormulaNames {
  std::vector<std::string> inputs = {};
  std::vector<std::string> params = {};
  std::vector<std::string> choices = {};  // of the CHOICE parameters; each stands for its number
  std::vector<double> choice_values = {};
};

struct FormulaResult {
  long double value = 0, slope = 0;
};

struct FormulaKink {  // at x = at + scale * value of parameter `param`
  double at = 0, scale = 0;
  int param = -1;
  bool jump = false;  // of the value; else of the derivative
  double slope = 0;   // the derivative that the formula has there
};

class Formula {
 public:
  enum class Kind : std::uint8_t {
    number,
    input,
    param,
    negate,
    add,
    sub,
    mul,
    div,
    power,
    less,
    less_equal,
    greater,
    greater_equal,
    equal,
    unequal,
    both,
    either,
    negation,
    choose,
    call
  };
  // Operands stand before the node that uses them, so every traversal is a loop.
  struct Node {
    Kind kind = Kind::number;
    int index = 0;  // input, param: which; call: which function
    double value = 0;
    int operands[3] = {-1, -1, -1};
    bool constant = true;  // mentions neither input nor parameter
  };

  static constexpr std::size_t kMostText = 4000, kMostNodes = 300;
  // Compiling takes a second for each function that is called.
  static constexpr int kMostDepth = 100, kMostCalls = 16;

  // Throws Error E0209 with the formula as the source line of its span: column 1 is the first
  // character of `text`.
  static Formula parse(std::string_view text, const FormulaNames& names = {});

  const std::vector<std::string>& inputs() const { return inputs_; }
  const std::vector<std::string>& params() const { return params_; }
  const std::vector<Node>& nodes() const { return nodes_; }

  // The same formula in one canonical spelling; equal texts mean equal functions.
  std::string text() const;

  // The value, and the derivative with respect to input number `direction`, by dual numbers. At a
  // corner: what limen/math.hpp has there. Numbers of values must match inputs() and params().
  FormulaResult evaluate(std::span<const long double> inputs, std::span<const long double> params,
                         int direction = 0) const;

  // The same for every node, in their order.
  std::vector<FormulaResult> node_values(std::span<const long double> inputs,
                                         std::span<const long double> params, int direction) const;

  // Where a comparison, max, min, abs, relu or clamp of something linear in x makes the function or
  // its derivative jump. For formulas of one input; empty for others.
  std::vector<FormulaKink> kinks(std::span<const double> params) const;

  // As an expression of C++ over limen/math.hpp, inside a struct called `owner`.
  std::string expression(std::string_view owner) const;

 private:
  friend class FormulaParser;
  std::vector<std::string> inputs_, params_;
  std::vector<Node> nodes_;  // the last one is the result
};

// What is wrong with the name of an op made from a formula, or of its parameter; empty: nothing.
std::string bad_formula_name(std::string_view name, bool of_param);

// A whole source file for the plugin kit: the op `name` of the plugin `plugin`.
struct FormulaParam {
  std::string name;
  double value = 1;
};
std::string formula_source(const Formula& formula, std::string_view name, std::string_view plugin,
                           std::span<const FormulaParam> params);

}  // namespace limen
