// Scalars by YAML 1.2's core schema, narrowed: booleans are `true` and `false` only, and a number
// with a leading zero is text.
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>

#include "model/yaml.hpp"

namespace limen::language {
namespace {

bool digits(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) return false;
  }
  return true;
}

// [-+]? ( . digits | digits ( . digits? )? ) ( [eE] [-+]? digits )?
bool looks_like_number(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const std::size_t e = text.find_first_of("eE");
  if (e != std::string_view::npos) {
    std::string_view exponent = text.substr(e + 1);
    if (!exponent.empty() && (exponent[0] == '-' || exponent[0] == '+')) exponent.remove_prefix(1);
    if (!digits(exponent)) return false;
    text = text.substr(0, e);
  }
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return digits(text);
  const std::string_view whole = text.substr(0, dot), part = text.substr(dot + 1);
  return (whole.empty() || digits(whole)) && (part.empty() ? !whole.empty() : digits(part));
}

bool leading_zero(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' &&
         std::isdigit(static_cast<unsigned char>(text[1])) != 0;
}

bool based_integer(std::string_view text, std::int64_t& value) {
  const bool hex = text.substr(0, 2) == "0x", octal = text.substr(0, 2) == "0o";
  if (!hex && !octal) return false;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 2, end, value, hex ? 16 : 8);
  return error == std::errc() && stop == end && text.size() > 2 && text[2] != '-';
}

void set_number(Node& node) {
  std::string_view text = node.text;
  if (text[0] == '+') text.remove_prefix(1);
  const bool whole = text.find_first_of(".eE") == std::string_view::npos;
  const char* end = text.data() + text.size();
  if (whole) {
    const auto [stop, error] = std::from_chars(text.data(), end, node.integer);
    if (error == std::errc() && stop == end) {
      node.kind = Node::Kind::integer;
      return;
    }
  }
  node.kind = Node::Kind::real;
  const auto [stop, error] = std::from_chars(text.data(), end, node.real);
  // from_chars leaves the value alone where it does not fit a double; strtod gives 0 or infinity.
  if (error == std::errc::result_out_of_range) node.real = std::strtod(node.text.c_str(), nullptr);
}

}  // namespace

void resolve_scalar(Node& node) {
  const std::string& text = node.text;
  node.kind = Node::Kind::text;
  if (node.quoted) return;
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    node.kind = Node::Kind::null;
  } else if (text == "true" || text == "false") {
    node.kind = Node::Kind::boolean;
    node.flag = text == "true";
  } else if (based_integer(text, node.integer)) {
    node.kind = Node::Kind::integer;
  } else if (looks_like_number(text) && !leading_zero(text)) {
    set_number(node);
  } else if (text == ".inf" || text == "+.inf" || text == "-.inf") {
    node.kind = Node::Kind::real;
    node.real = (text[0] == '-' ? -1 : 1) * std::numeric_limits<double>::infinity();
  } else if (text == ".nan") {
    node.kind = Node::Kind::real;
    node.real = std::numeric_limits<double>::quiet_NaN();
  }
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::boolean:
      return fmt::format("`{}`", node.text);
    case Node::Kind::integer:
      return fmt::format("the integer `{}`", node.text);
    case Node::Kind::real:
      return fmt::format("the number `{}`", node.text);
    case Node::Kind::text:
      if (node.text.find('\n') != std::string::npos) return "a text of several lines";
      return node.text.size() <= 60 ? fmt::format("the text `{}`", node.text) : "a longer text";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
  }
  return {};
}

}  // namespace limen::language
