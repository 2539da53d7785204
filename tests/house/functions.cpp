#include "house/functions.hpp"

#include <cctype>
#include <regex>

namespace limen::house {
namespace {

// Blanks out source[begin, end), line breaks excepted.
void blank(std::string& text, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end && i < text.size(); ++i) {
    if (text[i] != '\n') text[i] = ' ';
  }
}

// The end of a preprocessor directive that begins at `i`, continued lines included.
std::size_t directive_end(const std::string& text, std::size_t i) {
  while (i < text.size()) {
    const std::size_t end = text.find('\n', i);
    if (end == std::string::npos) return text.size();
    if (end == 0 || text[end - 1] != '\\') return end;
    i = end + 1;
  }
  return i;
}

std::size_t quoted_end(const std::string& text, std::size_t i) {
  const char quote = text[i];
  for (++i; i < text.size() && text[i] != quote && text[i] != '\n'; ++i) {
    if (text[i] == '\\') ++i;
  }
  return i + 1;
}

std::size_t raw_end(const std::string& text, std::size_t i) {  // at the R of R"tag(
  const std::size_t open = text.find('(', i);
  if (open == std::string::npos) return text.size();
  const std::string close = ")" + text.substr(i + 2, open - i - 2) + "\"";
  const std::size_t end = text.find(close, open);
  return end == std::string::npos ? text.size() : end + close.size();
}

bool line_begins(const std::string& text, std::size_t i) {
  while (i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\t')) --i;
  return i == 0 || text[i - 1] == '\n';
}

enum class Scope { open, function, other };  // open: namespaces and types

Scope scope_of(const std::string& head) {
  static const std::regex kType(
      R"(^\s*(template\s*<[^{]*>\s*)?(inline\s+)?(namespace|class|struct|union|enum|extern)\b)");
  const bool type = std::regex_search(head, kType);
  const bool call = head.find('(') != std::string::npos;
  // `struct Foo bar() {` is a function; `class Foo final : Base<decltype(x)> {` is rare enough.
  if (type && (!call || head.find(':') < head.find('('))) return Scope::open;
  return call ? Scope::function : Scope::other;
}

}  // namespace

std::string without_text(const std::string& source) {
  std::string text = source;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    const bool apostrophe_in_number = text[i] == '\'' && i > 0 && std::isxdigit(text[i - 1]) != 0;
    if (source.compare(i, 2, "//") == 0) {
      end = source.find('\n', i);
    } else if (source.compare(i, 2, "/*") == 0) {
      end = source.find("*/", i + 2);
      if (end != std::string::npos) end += 2;
    } else if (source[i] == '#' && line_begins(source, i)) {
      end = directive_end(source, i);
    } else if (source.compare(i, 2, "R\"") == 0) {
      end = raw_end(source, i);
    } else if (source[i] == '"' || (source[i] == '\'' && !apostrophe_in_number)) {
      end = quoted_end(source, i);
    } else {
      ++i;
      continue;
    }
    if (end == std::string::npos) end = text.size();
    blank(text, i, end);
    i = end;
  }
  return text;
}

std::vector<FunctionSpan> functions_of(const std::string& source) {
  const std::string text = without_text(source);
  std::vector<FunctionSpan> found;
  std::vector<Scope> scopes;
  std::string head;
  int line = 1, head_line = 1, inside = 0;  // inside: braces open within a function
  for (const char c : text) {
    if (c == '\n') ++line;
    if (inside > 0) {
      inside += c == '{' ? 1 : c == '}' ? -1 : 0;
      if (inside > 0) continue;
      if (scopes.back() == Scope::function) found.back().last = line;
      scopes.pop_back();
      head.clear();
    } else if (c == '{') {
      const Scope scope = scope_of(head);
      scopes.push_back(scope);
      if (scope == Scope::function) found.push_back({head, head_line, line});
      if (scope != Scope::open) inside = 1;
      head.clear();
    } else if (c == '}' || c == ';') {
      if (c == '}' && !scopes.empty()) scopes.pop_back();
      head.clear();
    } else {
      if (head.empty() && std::isspace(static_cast<unsigned char>(c)) != 0) continue;
      if (head.empty()) head_line = line;
      head += c;
    }
  }
  return found;
}

}  // namespace limen::house
