#include "model/expression.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace limen::language {
namespace {

constexpr std::size_t kMaxLength = 1000;
constexpr int kMaxNesting = 40;

struct Token {
  enum class Kind { number, word, sign, end };
  Kind kind = Kind::end;
  std::string_view text;
  std::size_t begin = 0;
  ExprValue number;
};

bool starts_word(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool in_word(char c) { return starts_word(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

[[noreturn]] void no_arithmetic(std::size_t begin, std::size_t length) {
  throw ExprError{"E0301", "uses something a limen expression cannot do",
                  "expressions are arithmetic on variables only; they never run code", begin,
                  length};
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<Token> all() {
    std::vector<Token> out;
    do {
      out.push_back(next());
    } while (out.back().kind != Token::Kind::end);
    return out;
  }

 private:
  Token next() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    if (at_ == text_.size()) return {Token::Kind::end, {}, at_, {}};
    const char c = text_[at_];
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.') return number();
    if (starts_word(c)) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && in_word(text_[at_])) ++at_;
      return {Token::Kind::word, text_.substr(begin, at_ - begin), begin, {}};
    }
    static constexpr std::array<std::string_view, 15> kSigns = {
        "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "<", ">", "(", ")", ","};
    for (const std::string_view sign : kSigns) {
      if (text_.substr(at_, sign.size()) == sign) {
        at_ += sign.size();
        return {
            Token::Kind::sign, text_.substr(at_ - sign.size(), sign.size()), at_ - sign.size(), {}};
      }
    }
    no_arithmetic(at_, 1);
  }

  Token number() {
    const std::size_t begin = at_;
    const char* first = text_.data() + at_;
    const char* last = text_.data() + text_.size();
    double real = 0;
    const auto [stop, error] = std::from_chars(first, last, real);
    if (error != std::errc() || (stop != last && starts_word(*stop))) {
      throw ExprError{"E0302", "has a number that cannot be read",
                      "write numbers as 12, 0.5 or 1e-3", begin, 1};
    }
    at_ = static_cast<std::size_t>(stop - text_.data());
    const std::string_view text = text_.substr(begin, at_ - begin);
    Token token{Token::Kind::number, text, begin, real};
    std::int64_t whole = 0;
    const auto [end, bad] = std::from_chars(first, stop, whole);
    if (bad == std::errc() && end == stop) token.number = whole;
    return token;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Precedence climbing. Every level of nesting passes through unary(), which counts.
class Parser {
 public:
  Parser(std::string_view text, const ExprLookup& lookup)
      : tokens_(Scanner(text).all()), lookup_(lookup) {}

  ExprValue all() {
    ExprValue value = binary(0);
    if (!ends()) misplaced();
    return value;
  }

 private:
  const Token& here() const { return tokens_[at_]; }
  bool ends() const { return here().kind == Token::Kind::end; }
  bool is(std::string_view text) const {
    return (here().kind == Token::Kind::sign || here().kind == Token::Kind::word) &&
           here().text == text;
  }
  bool accept(std::string_view text) {
    if (!is(text)) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view text) {
    if (!accept(text)) misplaced();
  }

  [[noreturn]] void misplaced() const {
    if (ends()) {
      throw ExprError{"E0302", "is not complete",
                      "write a value after the last sign, and close every bracket", here().begin,
                      1};
    }
    throw ExprError{"E0302", fmt::format("has `{}` where it cannot stand", here().text),
                    "signs: + - * / // % == != < <= > >= and or not; min max int round sqrt",
                    here().begin, here().text.size()};
  }

  static int level_of(std::string_view sign) {
    if (sign == "or") return 1;
    if (sign == "and") return 2;
    if (sign == "==" || sign == "!=" || sign == "<" || sign == "<=" || sign == ">" || sign == ">=")
      return 4;
    if (sign == "+" || sign == "-") return 5;
    if (sign == "*" || sign == "/" || sign == "//" || sign == "%") return 6;
    return -1;
  }

  ExprValue binary(int lowest) {
    ExprValue left = unary(lowest);
    for (;;) {
      const Token sign = here();
      const bool known = sign.kind == Token::Kind::sign || sign.kind == Token::Kind::word;
      const int level = known ? level_of(sign.text) : -1;
      if (level < 0 || level < lowest) return left;
      ++at_;
      const ExprValue right = binary(level + 1);
      left = combine(sign, left, right);
      const int following = here().kind == Token::Kind::sign ? level_of(here().text) : -1;
      if (level == 4 && following == 4) misplaced();  // a < b < c means nothing here
    }
  }

  ExprValue unary(int lowest) {
    struct Depth {
      int& depth;
      ~Depth() { --depth; }
    } guard{++depth_};
    if (depth_ > kMaxNesting) {
      throw ExprError{"E0303", "is nested too deeply", "use a variable for a part of it",
                      here().begin, 1};
    }
    const Token token = here();
    if (lowest <= 3 && accept("not")) return !truth(token, binary(3));
    if (accept("-")) return negated(token, unary(7));
    if (accept("+")) return number(token, unary(7));
    return primary();
  }

  ExprValue primary() {
    const Token token = here();
    if (token.kind == Token::Kind::number) return ++at_, token.number;
    if (accept("(")) {
      const ExprValue value = binary(0);
      expect(")");
      return value;
    }
    if (token.kind != Token::Kind::word || level_of(token.text) >= 0 || token.text == "not")
      misplaced();
    ++at_;
    if (token.text == "true" || token.text == "false") return token.text == "true";
    if (is("(")) return call(token);
    try {
      return lookup_(token.text);
    } catch (ExprError& error) {
      error.begin = token.begin;
      error.length = token.text.size();
      throw;
    }
  }

  ExprValue call(const Token& function) {
    const bool several = function.text == "min" || function.text == "max";
    if (!several && function.text != "int" && function.text != "round" && function.text != "sqrt") {
      no_arithmetic(function.begin, function.text.size());
    }
    expect("(");
    ExprValue result = number(function, binary(0));
    while (several && accept(",")) {
      const ExprValue next = number(function, binary(0));
      const bool less = as_real(next) < as_real(result);
      if (less == (function.text == "min")) result = next;
    }
    expect(")");
    if (several) return result;
    if (function.text == "sqrt") {
      if (as_real(result) < 0) {
        throw ExprError{"E0305", "takes the square root of a negative number",
                        "check the values of its variables", function.begin, function.text.size()};
      }
      return std::sqrt(as_real(result));
    }
    if (const auto* whole = std::get_if<std::int64_t>(&result)) return *whole;
    const double real = std::get<double>(result);
    // Half to even, as Python's round().
    return to_whole(function, function.text == "int" ? std::trunc(real) : std::nearbyint(real));
  }

  static double as_real(const ExprValue& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    return std::get<double>(value);
  }

  [[noreturn]] static void out_of_range(const Token& at) {
    throw ExprError{"E0305", fmt::format("has a result of `{}` that is out of range", at.text),
                    "check the values of its variables", at.begin, at.text.size()};
  }

  static std::int64_t to_whole(const Token& at, double real) {
    if (!(std::fabs(real) < 0x1p62)) out_of_range(at);
    return static_cast<std::int64_t>(real);
  }

  static bool truth(const Token& at, const ExprValue& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    throw ExprError{"E0304",
                    fmt::format("gives a number to `{}`, which works on true and false", at.text),
                    "compare the number with something, as in `n > 0`", at.begin, at.text.size()};
  }

  static ExprValue number(const Token& at, const ExprValue& value) {
    if (!std::holds_alternative<bool>(value)) return value;
    throw ExprError{"E0304",
                    fmt::format("gives true or false to `{}`, which works on numbers", at.text),
                    "use numbers here", at.begin, at.text.size()};
  }

  static ExprValue negated(const Token& at, const ExprValue& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      std::int64_t result = 0;
      if (__builtin_sub_overflow(std::int64_t{0}, *whole, &result)) out_of_range(at);
      return result;
    }
    return -as_real(number(at, value));
  }

  static ExprValue combine(const Token& sign, const ExprValue& left, const ExprValue& right) {
    const std::string_view s = sign.text;
    if (s == "and" || s == "or") {
      const bool a = truth(sign, left), b = truth(sign, right);
      return s == "and" ? a && b : a || b;
    }
    if ((s == "==" || s == "!=") && std::holds_alternative<bool>(left) &&
        std::holds_alternative<bool>(right)) {
      return (std::get<bool>(left) == std::get<bool>(right)) == (s == "==");
    }
    const ExprValue a = number(sign, left), b = number(sign, right);
    const bool whole =
        std::holds_alternative<std::int64_t>(a) && std::holds_alternative<std::int64_t>(b);
    if (level_of(s) == 4) {
      const auto order =
          whole ? std::partial_ordering(std::get<std::int64_t>(a) <=> std::get<std::int64_t>(b))
                : as_real(a) <=> as_real(b);
      return s == "=="   ? order == 0
             : s == "!=" ? order != 0
             : s == "<"  ? order < 0
             : s == "<=" ? order <= 0
             : s == ">"  ? order > 0
                         : order >= 0;
    }
    if ((s == "/" || s == "//" || s == "%") && as_real(b) == 0) {
      throw ExprError{"E0305", "divides by zero", "check the values of its variables", sign.begin,
                      s.size()};
    }
    if (whole && s != "/")
      return whole_result(sign, std::get<std::int64_t>(a), std::get<std::int64_t>(b));
    return real_result(sign, as_real(a), as_real(b));
  }

  static ExprValue whole_result(const Token& sign, std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    const std::string_view s = sign.text;
    bool lost = false;
    if (s == "+") {
      lost = __builtin_add_overflow(a, b, &result);
    } else if (s == "-") {
      lost = __builtin_sub_overflow(a, b, &result);
    } else if (s == "*") {
      lost = __builtin_mul_overflow(a, b, &result);
    } else if (b == -1) {  // the one quotient that can leave the range
      if (s == "//") lost = __builtin_sub_overflow(std::int64_t{0}, a, &result);
    } else {
      const std::int64_t rest = a % b;
      const bool down = rest != 0 && (rest < 0) != (b < 0);
      result = s == "%" ? rest + (down ? b : 0) : a / b - (down ? 1 : 0);
    }
    if (lost) out_of_range(sign);
    return result;
  }

  static ExprValue real_result(const Token& sign, double a, double b) {
    const std::string_view s = sign.text;
    const double result = s == "+"    ? a + b
                          : s == "-"  ? a - b
                          : s == "*"  ? a * b
                          : s == "/"  ? a / b
                          : s == "//" ? std::floor(a / b)
                                      : a - std::floor(a / b) * b;
    if (!std::isfinite(result)) out_of_range(sign);
    return result;
  }

  std::vector<Token> tokens_;
  const ExprLookup& lookup_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

ExprValue evaluate(std::string_view text, const ExprLookup& lookup) {
  if (text.size() > kMaxLength) {
    throw ExprError{"E0303", fmt::format("has more than {} characters", kMaxLength),
                    "use variables for parts of it", 0, 1};
  }
  return Parser(text, lookup).all();
}

std::string to_text(const ExprValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
  return fmt::format("{}", std::get<double>(value));
}

}  // namespace limen::language
