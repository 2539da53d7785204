#include "plugin/formula_tokens.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.hpp"
#include "plugin/formula.hpp"

namespace limen {
namespace {

using Token = FormulaToken;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// What people write in mathematics, and what is meant.
std::string plain_spelling(std::string_view at) {
  constexpr std::pair<std::string_view, std::string_view> kSigns[] = {
      {"\u00b7", "*"},    {"\u00d7", "*"},     {"\u2212", "-"},    {"\u2264", "<="},
      {"\u2265", ">="},   {"\u2260", "!="},    {"\u00b2", "^2"},   {"\u00b3", "^3"},
      {"\u03c0", "pi"},   {"\u03b1", "alpha"}, {"\u03b2", "beta"}, {"\u03c3", "sigmoid"},
      {"\u221a", "sqrt"}, {"\u00f7", "/"}};
  for (const auto& [sign, plain] : kSigns) {
    if (at.starts_with(sign)) return fmt::format("write `{}`", plain);
  }
  return {};
}

class Tokeniser {
 public:
  explicit Tokeniser(std::string_view text) : text_(text) {}

  std::vector<Token> read() {
    if (text_.size() > Formula::kMostText) {
      fail(0, 1,
           fmt::format("a formula may have {} characters, this one has {}", Formula::kMostText,
                       text_.size()));
    }
    std::size_t at = 0;
    const auto space = [&](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (at < text_.size()) {
      const char c = text_[at];
      if (space(c)) {
        ++at;
      } else if (is_digit(c) || (c == '.' && at + 1 < text_.size() && is_digit(text_[at + 1]))) {
        at += number(at);
      } else if (is_letter(c)) {
        std::size_t end = at;
        while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
        tokens_.push_back({Token::Type::word, text_.substr(at, end - at), at});
        at = end;
      } else {
        at += sign(at);
      }
    }
    tokens_.push_back({Token::Type::end, {}, text_.size()});
    return std::move(tokens_);
  }

 private:
  std::size_t number(std::size_t at) {
    Token token{Token::Type::number, {}, at};
    const char* begin = text_.data() + at;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), token.value);
    token.text = text_.substr(at, static_cast<std::size_t>(end - begin));
    if (error != std::errc{})
      fail(at, token.text.size(), fmt::format("the number {} is out of range", token.text));
    const std::size_t next = at + token.text.size();
    if (next < text_.size() && (is_letter(text_[next]) || text_[next] == '.')) {
      fail(next, 1, fmt::format("`{}` behind a number", text_[next]),
           {is_letter(text_[next]) ? fmt::format("write `{} * {}`", token.text, text_[next]) : ""});
    }
    tokens_.push_back(token);
    return token.text.size();
  }

  std::size_t sign(std::size_t at) {
    constexpr std::string_view kSigns[] = {"<=", ">=", "==", "!=", "&&", "||", "**", "+", "-", "*",
                                           "/",  "^",  "<",  ">",  "?",  ":",  "(",  ")", ",", "!"};
    const std::string_view rest = text_.substr(at);
    for (const std::string_view sign : kSigns) {
      if (!rest.starts_with(sign)) continue;
      tokens_.push_back({Token::Type::sign, rest.substr(0, sign.size()), at});
      return sign.size();
    }
    std::size_t length = 1;
    while (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xC0u) == 0x80u) {
      ++length;
    }
    fail(at, length,
         fmt::format("`{}` has no meaning in a formula", printable(rest.substr(0, length))),
         {plain_spelling(rest), rest[0] == '=' ? "to compare, write `==`" : ""});
  }

  [[noreturn]] void fail(std::size_t at, std::size_t length, std::string message,
                         std::vector<std::string> help = {}) const {
    throw formula_error(text_, at, length, std::move(message), std::move(help));
  }

  std::string_view text_;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<FormulaToken> formula_tokens(std::string_view text) { return Tokeniser(text).read(); }

Error formula_error(std::string_view text, std::size_t at, std::size_t length, std::string message,
                    std::vector<std::string> help) {
  const auto characters = [](std::string_view part) {
    return static_cast<int>(decode_utf8(part).size());
  };
  Span span;
  span.file = "formula";
  span.line = 1;
  span.column = characters(text.substr(0, at)) + 1;
  span.length = std::max(1, at < text.size() ? characters(text.substr(at, length)) : 1);
  span.text = text.size() > Formula::kMostText ? "" : printable(text);
  std::replace_if(
      span.text.begin(), span.text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  std::erase_if(help, [](const std::string& line) { return line.empty(); });
  return Error(Diagnostic{.code = "E0209",
                          .message = std::move(message),
                          .spans = {std::move(span)},
                          .notes = {},
                          .help = std::move(help)});
}

}  // namespace limen
