#include "model/yaml_hints.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen::language {
namespace {

struct Hint {
  std::string message;  // empty: what the parser said
  Place at;
  std::string label = "here";
  std::string help;
};

bool word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// The line up to its comment.
std::string_view code_of(std::string_view line) {
  if (!line.empty() && line[0] == '#') return {};
  line = line.substr(0, line.find(" #"));
  while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
  return line;
}

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

// The position of a colon that lacks its space: `batch:100`.
std::optional<std::size_t> tight_colon(std::string_view line) {
  std::size_t i = indent_of(line);
  while (i + 1 < line.size() && line[i] == '-' && line[i + 1] == ' ') i += 2;
  const std::size_t begin = i;
  while (i < line.size() && word(line[i])) ++i;
  if (i == begin || i + 1 >= line.size() || line[i] != ':') return std::nullopt;
  if (line[i + 1] == ' ' || line[i + 1] == '/' || line[i + 1] == ':') return std::nullopt;
  return i;
}

std::optional<Hint> shell_braces(const Source& source, int line) {
  const std::string_view text = code_of(source.line(line));
  const std::size_t at = text.find("${");
  if (at == std::string_view::npos) return std::nullopt;
  return Hint{"", Place{&source, line, static_cast<int>(at) + 2, 1}, "here",
              "write `$name` or `$(expr)`; `${...}` is not limen syntax"};
}

std::optional<Hint> missing_space(const Source& source, int line) {
  for (int l = line; l >= std::max(1, line - 2); --l) {
    const std::string_view text = code_of(source.line(l));
    if (const auto colon = tight_colon(text)) {
      return Hint{"could not find expected ':'", Place{&source, l, static_cast<int>(*colon) + 1, 1},
                  "here", missing_space_help(text)};
    }
  }
  return std::nullopt;
}

// `- conv_bn` with `name: body` below it: the step lacks its colon.
std::optional<Hint> dash_without_colon(const Source& source, int line) {
  const std::string_view here = code_of(source.line(line));
  const std::size_t colon = here.find(": ");
  if (colon == std::string_view::npos && (here.empty() || here.back() != ':')) return std::nullopt;
  int above = line - 1;
  while (above > 0 && code_of(source.line(above)).empty()) --above;
  const std::string_view step = code_of(source.line(above));
  const std::size_t dash = indent_of(step);
  if (dash >= indent_of(here) || step.substr(dash, 2) != "- ") return std::nullopt;
  const std::string_view name = step.substr(dash + 2);
  if (name.empty() ||
      !std::all_of(name.begin(), name.end(), [](char c) { return word(c) || c == '.'; })) {
    return std::nullopt;
  }
  const std::size_t mark = colon == std::string_view::npos ? here.size() - 1 : colon;
  return Hint{
      "mapping values are not allowed here", Place{&source, line, static_cast<int>(mark) + 1, 1},
      "here",
      fmt::format("a step with more keys needs a colon: write `- {}:` on line {}", name, above)};
}

struct Open {
  char bracket;
  int line, column;
};

// Brackets and quotes that are open at the end of the text, or a closing one without its partner.
std::optional<Hint> unbalanced(const Source& source) {
  std::vector<Open> open;
  for (int l = 1; l <= source.lines(); ++l) {
    const std::string_view line = code_of(source.line(l));
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      const int column = static_cast<int>(i) + 1;
      const bool starts =
          i == 0 || std::string_view(" [{,:=").find(line[i - 1]) != std::string_view::npos;
      if ((c == '"' || c == '\'') && starts) {
        const std::size_t end = line.find(c, i + 1);
        if (end == std::string_view::npos) {
          return Hint{"a quote is not closed", Place{&source, l, column, 1}, "opened here",
                      fmt::format("close it with `{}` on the same line", c)};
        }
        i = end;
      } else if ((c == '[' || c == '{') && (starts || !open.empty())) {
        open.push_back({c, l, column});
      } else if ((c == ']' || c == '}') && !open.empty()) {
        const char want = open.back().bracket == '[' ? ']' : '}';
        if (c != want) {
          return Hint{fmt::format("expected `{}`, but got `{}`", want, c),
                      Place{&source, l, column, 1}, "here",
                      "every bracket closes the last one that was opened"};
        }
        open.pop_back();
      }
    }
    if (open.size() > 1000) break;
  }
  if (open.empty()) return std::nullopt;
  const Open& last = open.back();
  return Hint{fmt::format("`{}` is never closed", last.bracket),
              Place{&source, last.line, last.column, 1}, "opened here",
              fmt::format("add the missing `{}`", last.bracket == '[' ? ']' : '}')};
}

// `{x: f32[N, 784]}`: a type is legal in block style only.
std::optional<Hint> type_in_braces(const Source& source, int line) {
  const std::string_view text = code_of(source.line(line));
  const std::size_t brace = text.find('{');
  if (brace == std::string_view::npos) return std::nullopt;
  for (std::size_t i = brace + 1; i + 1 < text.size(); ++i) {
    if (text[i + 1] == '[' && word(text[i])) {
      return Hint{"a type cannot stand inside { }",
                  Place{&source, line, static_cast<int>(i) + 2, 1}, "here",
                  "write the inputs one below the other: `image: f32[N, 784]`"};
    }
  }
  return std::nullopt;
}

std::optional<Hint> reserved_start(const Source& source, int line, int column) {
  const std::string_view text = source.line(line);
  const auto i = static_cast<std::size_t>(std::max(0, column - 1));
  if (i >= text.size() || std::string_view("@`%").find(text[i]) == std::string_view::npos) {
    return std::nullopt;
  }
  return Hint{fmt::format("a plain text cannot begin with `{}`", text[i]),
              Place{&source, line, column, 1}, "here", "put the text in quotes"};
}

// A key that begins further right or left than the key above it.
std::optional<Hint> indentation(const Source& source, int line) {
  const std::string_view here = code_of(source.line(line));
  int above = line - 1;
  while (above > 0 && code_of(source.line(above)).empty()) --above;
  const std::string_view before = code_of(source.line(above));
  const auto is_entry = [](std::string_view text) {
    const std::size_t begin = indent_of(text), colon = text.find(": ", begin);
    return colon != std::string_view::npos && colon > begin &&
           std::all_of(text.begin() + begin, text.begin() + colon, word);
  };
  if (!is_entry(here) || !is_entry(before) || indent_of(here) == indent_of(before))
    return std::nullopt;
  return Hint{
      "", Place{&source, line, static_cast<int>(indent_of(here)) + 1, 1}, "here",
      fmt::format("begin the line in column {}, as line {} does", indent_of(before) + 1, above)};
}

std::string reworded(std::string_view said) {
  struct Row {
    std::string_view theirs, ours;
  };
  static constexpr std::array kTable = std::to_array<Row>({
      {"illegal map value", "mapping values are not allowed here"},
      {"illegal map key", "a key cannot stand here"},
      {"end of map not found", "this line fits no indentation above"},
      {"end of sequence not found", "this line fits no list above"},
      {"end of map flow not found", "expected ',' or '}'"},
      {"end of sequence flow not found", "expected ',' or ']'"},
      {"illegal block entry", "a list item cannot stand here"},
      {"illegal flow end", "a closing bracket without an opening one"},
      {"unknown token", "a character that cannot start a value"},
      {"illegal EOF in scalar", "a quote is not closed"},
      {"illegal character in scalar", "a character that cannot stand in plain text"},
      {"bad file", "too deeply nested"},
  });
  for (const Row& row : kTable) {
    if (said == row.theirs) return std::string(row.ours);
  }
  return std::string(said.substr(0, said.find('\n')));
}

Diagnostic e0001(std::string_view message, const Hint& hint) {
  return {.code = "E0001",
          .message = fmt::format("not valid YAML: {}", message),
          .spans = {hint.at.span(hint.label)},
          .notes = {},
          .help = {hint.help}};
}

[[noreturn]] void not_text(const Source& source, int line, std::string what, std::string help) {
  Span at;
  at.file = source.file();
  at.line = line;
  at.column = 1;
  throw Error(Diagnostic{.code = "E0002",
                         .message = std::move(what),
                         .spans = {at},
                         .notes = {},
                         .help = {std::move(help)}});
}

void check_line(const Source& source, int number) {
  const std::string_view line = source.line(number);
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
      not_text(source, number,
               fmt::format("not a text file: byte 0x{:02x} in line {}", byte, number),
               "a model is a YAML file in UTF-8");
    }
  }
  const std::size_t first = line.find_first_not_of(" \t");
  const std::size_t tab = line.find('\t');
  if (first == std::string_view::npos || line[first] == '#' || tab > first) return;
  throw Error(e0001("found character '\\t' that cannot start any token",
                    {"", Place{&source, number, static_cast<int>(tab) + 1, 1}, "here",
                     "indent with spaces; YAML does not allow tabs"}));
}

}  // namespace

std::string missing_space_help(std::string_view text) {
  const auto colon = tight_colon(text);
  if (!colon) return {};
  std::string_view key = text.substr(0, *colon);
  key.remove_prefix(std::min(key.find_first_not_of(" -"), key.size()));
  return fmt::format("put a space after the colon: `{}: {}`", key, text.substr(*colon + 1));
}

void check_text(const Source& source) {
  const std::string& text = source.text();
  if (text.size() > kMaxBytes) {
    not_text(source, 0, fmt::format("{} bytes are too many for a model file", text.size()),
             fmt::format("a model has at most {} bytes", kMaxBytes));
  }
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    not_text(source, 0, "the file is empty", "begin with `limen: 1`, then `inputs` and `graph`");
  }
  // Whatever is no UTF-8 decodes to U+FFFD, so a text that has none of its own must give none.
  const std::size_t own = [&] {
    std::size_t count = 0;
    for (std::size_t i = text.find("\xEF\xBF\xBD"); i != std::string::npos;
         i = text.find("\xEF\xBF\xBD", i + 3)) {
      ++count;
    }
    return count;
  }();
  const std::u32string points = decode_utf8(text);
  if (static_cast<std::size_t>(std::count(points.begin(), points.end(), U'\uFFFD')) != own) {
    not_text(source, 0, "not a text file: the bytes are no UTF-8",
             "a model is a YAML file in UTF-8");
  }
  for (int line = 1; line <= source.lines(); ++line) check_line(source, line);
}

std::optional<Diagnostic> unbalanced_error(const Source& source) {
  const std::optional<Hint> hint = unbalanced(source);
  return hint ? std::optional(e0001(hint->message, *hint)) : std::nullopt;
}

Diagnostic syntax_error(const Source& source, int line, int column, std::string_view said) {
  line = std::clamp(line, 1, source.lines());
  const std::string message = reworded(said);
  std::optional<Hint> hint = shell_braces(source, line);
  if (!hint) hint = missing_space(source, line);
  if (!hint) hint = dash_without_colon(source, line);
  if (!hint) hint = type_in_braces(source, line);
  if (!hint) hint = unbalanced(source);
  if (!hint) hint = indentation(source, line);
  if (!hint) hint = reserved_start(source, line, column);
  if (!hint && said == "the referenced anchor is not defined") {
    hint = Hint{"", Place{&source, line, column, 1}, "here",
                "a word that begins with `*` is an alias: put the text in quotes"};
  }
  if (!hint) {
    const int last = static_cast<int>(source.line(line).size()) + 1;
    hint = Hint{"", Place{&source, line, std::clamp(column, 1, last), 1}, "here",
                "compare the indentation and the punctuation with the lines above"};
  }
  return e0001(hint->message.empty() ? std::string_view(message) : hint->message, *hint);
}

}  // namespace limen::language
