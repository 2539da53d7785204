#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "plugin/formula_functions.hpp"
#include "plugin/formula_tokens.hpp"

namespace limen {

namespace {

using Kind = Formula::Kind;
using Token = FormulaToken;

const FormulaFunction* find_function(std::string_view name) {
  for (const FormulaFunction& function : formula_functions()) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

}  // namespace

// Recursive descent; the depth is counted, so that no text can exhaust the stack.
class FormulaParser {
 public:
  FormulaParser(std::string_view text, const FormulaNames& names)
      : text_(text), names_(names), tokens_(formula_tokens(text)) {}

  Formula parse() {
    find_inputs();
    formula_.params_ = names_.params;
    if (peek().type == Token::Type::end) fail(0, 1, "the formula is empty");
    const Operand result = choice();
    if (peek().type != Token::Type::end) unexpected();
    if (result.truth) {
      fail(0, text_.size(), "the formula is true or false, not a number",
           {fmt::format("write `{} ? 1 : 0`", text_)});
    }
    check_mentioned();
    return std::move(formula_);
  }

 private:
  struct Operand {
    int node = -1;
    bool truth = false;
    std::size_t begin = 0, end = 0;  // bytes, for messages
  };

  const Token& peek() const { return tokens_[next_]; }
  bool take(std::string_view what) {
    if (!peek().is(what)) return false;
    ++next_;
    return true;
  }

  // x is the one input; a formula without x has a, b, c, d as far as it mentions them.
  void find_inputs() {
    formula_.inputs_ = names_.inputs;
    if (!names_.inputs.empty()) return;
    const auto mentioned = [&](std::string_view name) {
      return std::any_of(tokens_.begin(), tokens_.end(),
                         [&](const Token& t) { return t.is(name); });
    };
    std::size_t pieces = 0;
    const std::string kPieces[] = {"a", "b", "c", "d"};
    if (!mentioned("x")) {
      for (std::size_t i = 0; i < 4; ++i) {
        if (mentioned(kPieces[i]) && !is_param(kPieces[i])) pieces = i + 1;
      }
    }
    formula_.inputs_ = {"x"};
    if (pieces > 0) formula_.inputs_.assign(kPieces, kPieces + pieces);
  }
  bool is_param(std::string_view name) const {
    return std::find(names_.params.begin(), names_.params.end(), name) != names_.params.end();
  }

  void check_mentioned() const {
    std::vector<bool> inputs(formula_.inputs_.size()), params(formula_.params_.size());
    for (const Formula::Node& node : formula_.nodes_) {
      const auto index = static_cast<std::size_t>(node.index);
      if (node.kind == Kind::input) inputs[index] = true;
      if (node.kind == Kind::param) params[index] = true;
    }
    const auto missing = [&](const std::vector<bool>& seen, const std::vector<std::string>& names,
                             std::string_view what) {
      for (std::size_t i = 0; i < seen.size(); ++i) {
        if (!seen[i]) {
          fail(0, text_.size(),
               fmt::format("the formula does not mention {} `{}`", what, names[i]));
        }
      }
    };
    missing(inputs, formula_.inputs_, "its input");
    if (names_.choices.empty()) missing(params, formula_.params_, "the parameter");
  }

  [[noreturn]] void unexpected() const {
    const Token& token = peek();
    if (token.type == Token::Type::end) fail(text_.size(), 1, "the formula ends too early");
    if (token.is(")")) fail(token, "a `)` without a `(`");
    if (next_ > 0 && (token.type != Token::Type::sign || token.is("("))) {
      fail(token, fmt::format("an operator is missing before `{}`", token.text),
           {"write `*` for a product"});
    }
    fail(token, fmt::format("`{}` cannot stand here", token.text));
  }

  Operand add(Kind kind, std::initializer_list<Operand> operands, std::size_t begin, bool truth,
              int index = 0, double value = 0) {
    if (formula_.nodes_.size() >= Formula::kMostNodes) {
      fail(begin, 1,
           fmt::format("a formula may have {} parts, this one has more", Formula::kMostNodes));
    }
    Formula::Node node{.kind = kind, .index = index, .value = value};
    node.constant = kind != Kind::input && kind != Kind::param;
    int* slot = node.operands;
    for (const Operand& operand : operands) {
      *slot++ = operand.node;
      node.constant =
          node.constant && formula_.nodes_[static_cast<std::size_t>(operand.node)].constant;
    }
    formula_.nodes_.push_back(node);
    const std::size_t end = next_ > 0 ? tokens_[next_ - 1].at + tokens_[next_ - 1].text.size() : 0;
    return {static_cast<int>(formula_.nodes_.size()) - 1, truth, begin, end};
  }

  void need(const Operand& operand, bool truth, std::string_view by) const {
    if (operand.truth == truth) return;
    const std::string text(text_.substr(operand.begin, operand.end - operand.begin));
    fail(operand.begin, operand.end - operand.begin,
         truth ? fmt::format("{} needs a condition, `{}` is a number", by, text)
               : fmt::format("{} needs a number, `{}` is true or false", by, text),
         {truth ? fmt::format("write `{} > 0`", text) : fmt::format("write `({} ? 1 : 0)`", text)});
  }

  class Deeper {
   public:
    explicit Deeper(FormulaParser& parser) : parser_(parser) {
      if (++parser.depth_ > Formula::kMostDepth) {
        parser.fail(parser.peek(), fmt::format("the formula is nested deeper than {} levels",
                                               Formula::kMostDepth));
      }
    }
    ~Deeper() { --parser_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    FormulaParser& parser_;
  };

  Operand choice() {
    const Deeper guard(*this);
    Operand condition = either();
    if (!take("?")) return condition;
    need(condition, true, "`?`");
    const Operand yes = choice();
    if (!take(":")) {
      if (peek().type == Token::Type::end) {
        fail(text_.size(), 1, "`?` without `:`", {"write `condition ? value : other value`"});
      }
      unexpected();
    }
    const Operand no = choice();
    need(yes, false, "a value");
    need(no, false, "a value");
    return add(Kind::choose, {condition, yes, no}, condition.begin, false);
  }

  using Part = Operand (FormulaParser::*)();
  using Signs = std::initializer_list<std::pair<std::string_view, Kind>>;

  // part, sign, part, sign, part: from left to right.
  Operand chain(Part part, Signs signs, bool truth) {
    Operand left = (this->*part)();
    for (;;) {
      const auto sign = std::find_if(signs.begin(), signs.end(),
                                     [&](const auto& s) { return peek().is(s.first); });
      if (sign == signs.end()) return left;
      ++next_;
      const Operand right = (this->*part)();
      const std::string by = fmt::format("`{}`", sign->first);
      need(left, truth, by), need(right, truth, by);
      left = add(sign->second, {left, right}, left.begin, truth);
    }
  }

  Operand either() {
    return chain(&FormulaParser::both, {{"or", Kind::either}, {"||", Kind::either}}, true);
  }
  Operand both() {
    return chain(&FormulaParser::negation, {{"and", Kind::both}, {"&&", Kind::both}}, true);
  }
  Operand sum() {
    return chain(&FormulaParser::product, {{"+", Kind::add}, {"-", Kind::sub}}, false);
  }
  Operand product() {
    return chain(&FormulaParser::unary, {{"*", Kind::mul}, {"/", Kind::div}}, false);
  }

  Operand negation() {
    const Deeper guard(*this);
    const std::size_t begin = peek().at;
    if (!take("not") && !take("!")) return comparison();
    const Operand operand = negation();
    need(operand, true, "`not`");
    return add(Kind::negation, {operand}, begin, true);
  }

  std::optional<Kind> comparison_sign() {
    constexpr std::pair<std::string_view, Kind> kSigns[] = {
        {"<=", Kind::less_equal}, {"<", Kind::less},   {">=", Kind::greater_equal},
        {">", Kind::greater},     {"==", Kind::equal}, {"!=", Kind::unequal}};
    for (const auto& [sign, kind] : kSigns) {
      if (take(sign)) return kind;
    }
    return std::nullopt;
  }

  Operand comparison() {
    const Operand left = sum();
    const std::optional<Kind> kind = comparison_sign();
    if (!kind) return left;
    const Operand right = sum();
    need(left, false, "a comparison"), need(right, false, "a comparison");
    const Operand result = add(*kind, {left, right}, left.begin, true);
    const Token& behind = peek();
    if (comparison_sign()) {
      fail(behind, "comparisons cannot be chained", {"write `a < x and x < b`"});
    }
    return result;
  }

  Operand unary() {
    const Deeper guard(*this);
    const std::size_t begin = peek().at;
    if (take("+")) return unary();
    if (!take("-")) return power();
    const Operand operand = unary();
    need(operand, false, "`-`");
    return add(Kind::negate, {operand}, begin, false);
  }

  Operand power() {
    const Operand base = primary();
    if (!take("^") && !take("**")) return base;
    const Operand exponent = unary();
    need(base, false, "`^`"), need(exponent, false, "`^`");
    return add(Kind::power, {base, exponent}, base.begin, false);
  }

  Operand primary() {
    const Token token = peek();
    if (token.type == Token::Type::number) {
      ++next_;
      return add(Kind::number, {}, token.at, false, 0, token.value);
    }
    if (take("(")) {
      Operand inner = choice();
      close(token);
      inner.begin = token.at;
      inner.end = tokens_[next_ - 1].at + 1;
      return inner;
    }
    constexpr std::string_view kWords[] = {"and", "or", "not"};
    if (token.type != Token::Type::word ||
        std::find(std::begin(kWords), std::end(kWords), token.text) != std::end(kWords)) {
      unexpected();
    }
    ++next_;
    return peek().is("(") ? call(token) : name(token);
  }

  void close(const Token& opened) {
    if (take(")")) return;
    if (peek().type == Token::Type::end) fail(opened, "this `(` is never closed");
    unexpected();
  }

  Operand name(const Token& token) {
    const auto index_in = [&](const std::vector<std::string>& list) {
      return static_cast<int>(std::find(list.begin(), list.end(), token.text) - list.begin());
    };
    if (const int i = index_in(formula_.inputs_); i < static_cast<int>(formula_.inputs_.size())) {
      return add(Kind::input, {}, token.at, false, i);
    }
    if (const int i = index_in(names_.params); i < static_cast<int>(names_.params.size())) {
      return add(Kind::param, {}, token.at, false, i);
    }
    if (const auto i = static_cast<std::size_t>(index_in(names_.choices));
        i < names_.choice_values.size()) {
      return add(Kind::number, {}, token.at, false, 0, names_.choice_values[i]);
    }
    if (token.text == "pi") return add(Kind::number, {}, token.at, false, 0, std::numbers::pi);
    if (token.text == "e") return add(Kind::number, {}, token.at, false, 0, std::numbers::e);
    if (find_function(token.text) != nullptr) {
      fail(token, fmt::format("the function `{}` needs its arguments", token.text),
           {fmt::format("write `{}({})`", token.text, formula_.inputs_.front())});
    }
    unknown(token, false);
  }

  [[noreturn]] void unknown(const Token& token, bool called) const {
    std::vector<std::string> known;
    if (!called) {
      known = formula_.inputs_;
      known.insert(known.end(), names_.params.begin(), names_.params.end());
    }
    for (const FormulaFunction& function : formula_functions()) known.emplace_back(function.name);
    const auto alias = [&]() -> std::string {
      if (token.text == "ln") return "did you mean `log`?";
      if (token.text == "fabs") return "did you mean `abs`?";
      if (token.text == "heaviside") return "write `x > 0 ? 1 : 0`";
      return did_you_mean(token.text, known);
    };
    fail(token, fmt::format("unknown {} `{}`", called ? "function" : "name", token.text),
         {alias(), called ? "known: " + join(known)
                          : "a parameter needs a value: `--param NAME=VALUE`, or `NAME: VALUE` "
                            "beside `f` in a model file"});
  }

  Operand call(const Token& token) {
    const FormulaFunction* function = find_function(token.text);
    if (function == nullptr) unknown(token, true);
    if (++calls_ > Formula::kMostCalls) {
      fail(token, fmt::format("a formula may call {} functions, this one calls more",
                              Formula::kMostCalls));
    }
    const Token opened = peek();
    ++next_;
    std::vector<Operand> args;
    if (!peek().is(")")) {
      do {
        args.push_back(choice());
        need(args.back(), false, fmt::format("`{}`", token.text));
      } while (take(","));
    }
    close(opened);
    const int n = static_cast<int>(args.size());
    if (n < function->least || n > function->most) {
      const std::string wanted = function->least == function->most
                                     ? std::to_string(function->least)
                                     : fmt::format("{} to {}", function->least, function->most);
      fail(token, fmt::format("`{}` takes {} argument{}, found {}", token.text, wanted,
                              wanted == "1" ? "" : "s", n));
    }
    return desugar(*function, token, args);
  }

  // relu, clamp, and max and min of many in terms of max and min of two.
  Operand desugar(const FormulaFunction& function, const Token& token,
                  const std::vector<Operand>& args) {
    const auto fold = [&](std::string_view name, Operand a, Operand b) {
      const int index = static_cast<int>(find_function(name) - formula_functions().data());
      return add(Kind::call, {a, b}, token.at, false, index);
    };
    if (function.name == "relu") {
      return fold("max", args[0], add(Kind::number, {}, token.at, false));
    }
    if (function.name == "clamp") return fold("min", fold("max", args[0], args[1]), args[2]);
    if (args.size() >= 2) {
      Operand all = fold(function.name, args[0], args[1]);
      for (std::size_t i = 2; i < args.size(); ++i) all = fold(function.name, all, args[i]);
      return all;
    }
    const int index = static_cast<int>(&function - formula_functions().data());
    return add(Kind::call, {args[0]}, token.at, function.truth, index);
  }

  [[noreturn]] void fail(std::size_t at, std::size_t length, std::string message,
                         std::vector<std::string> help = {}) const {
    throw formula_error(text_, at, length, std::move(message), std::move(help));
  }
  [[noreturn]] void fail(const Token& token, std::string message,
                         std::vector<std::string> help = {}) const {
    fail(token.at, token.text.size(), std::move(message), std::move(help));
  }

  std::string_view text_;
  const FormulaNames& names_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0, calls_ = 0;
  Formula formula_;
};

Formula Formula::parse(std::string_view text, const FormulaNames& names) {
  return FormulaParser(text, names).parse();
}

}  // namespace limen
