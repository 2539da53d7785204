// Diagnostics as text: the layout people know from rustc, the one line that editors parse, and
// JSON.
#include <limen/error.hpp>

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen {
namespace {

std::string head(const Diagnostic& d) {
  const char* kind = d.warning ? "warning" : "error";
  return d.code.empty() ? std::string(kind) : fmt::format("{}[{}]", kind, d.code);
}

std::string place(const Span& span) {
  if (span.line == 0) return span.file;
  return fmt::format("{}:{}:{}", span.file, span.line, span.column);
}

struct Paint {
  bool on;
  std::string operator()(const char* code, const std::string& text) const {
    return on ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
  }
};

// One place: its arrow (or ::: for a further file or line), its source line, its marks.
void append_span(std::string& out, const Span& span, bool primary, int gutter, const Paint& paint) {
  out +=
      fmt::format("{:>{}}{} {}\n", "", gutter, paint("34", primary ? "-->" : " :::"), place(span));
  if (span.line == 0 || span.text.empty()) return;
  const std::string bar = paint("34", "|");
  if (primary) out += fmt::format("{:>{}} {}\n", "", gutter, bar);
  out += fmt::format("{:>{}} {} {}\n", span.line, gutter, bar, span.text);
  std::string indent;  // tabs stay tabs, so that the marks stand under the text
  const std::u32string line = decode_utf8(span.text);
  for (int i = 0; i + 1 < span.column; ++i) {
    indent +=
        static_cast<std::size_t>(i) < line.size() && line[static_cast<std::size_t>(i)] == U'\t'
            ? '\t'
            : ' ';
  }
  const int room = std::max(1, static_cast<int>(line.size()) - span.column + 1);
  std::string marks(static_cast<std::size_t>(std::clamp(span.length, 1, room)),
                    primary ? '^' : '-');
  if (!span.label.empty()) marks += " " + span.label;
  out +=
      fmt::format("{:>{}} {} {}{}\n", "", gutter, bar, indent, paint(primary ? "31" : "34", marks));
}

// What the diagnostic quotes from files must not command the terminal.
Diagnostic harmless(Diagnostic d) {
  d.message = printable(d.message);
  for (Span& span : d.spans) {
    span.file = printable(span.file);
    span.text = printable(span.text);
    span.label = printable(span.label);
  }
  for (std::string& note : d.notes) note = printable(note);
  for (std::string& help : d.help) help = printable(help);
  return d;
}

std::string human(const Diagnostic& d, bool color) {
  const Paint paint{color};
  std::string out =
      fmt::format("{}: {}\n", paint(d.warning ? "33;1" : "31;1", head(d)), paint("1", d.message));
  int widest = 0;
  for (const Span& span : d.spans) widest = std::max(widest, span.line);
  const int gutter = static_cast<int>(std::to_string(widest).size());
  for (std::size_t i = 0; i < d.spans.size(); ++i)
    append_span(out, d.spans[i], i == 0, gutter, paint);
  for (const std::string& note : d.notes)
    out += fmt::format("{:>{}} = note: {}\n", "", gutter, note);
  for (const std::string& help : d.help)
    out += fmt::format("{:>{}} = help: {}\n", "", gutter, help);
  return out;
}

std::string brief(const Diagnostic& d) {
  std::string out = d.spans.empty() ? std::string() : place(d.spans.front()) + ": ";
  out += head(d) + ": " + d.message;
  for (const std::string& note : d.notes) out += "; " + note;
  for (const std::string& help : d.help) out += "; help: " + help;
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out + "\n";
}

std::string json(const Diagnostic& d) {
  std::string spans;
  for (std::size_t i = 0; i < d.spans.size(); ++i) {
    const Span& s = d.spans[i];
    spans += fmt::format(
        R"({}{{"file":{},"line":{},"col":{},"end_line":{},"end_col":{},"label":{},"primary":{}}})",
        i ? "," : "", json_quote(s.file), s.line, s.column, s.line, s.column + s.length,
        json_quote(s.label), i == 0);
  }
  const auto list = [](const std::vector<std::string>& texts) {
    std::string joined;
    for (const std::string& text : texts) joined += (joined.empty() ? "" : ",") + json_quote(text);
    return joined;
  };
  return fmt::format(
      R"({{"code":{},"level":"{}","message":{},"spans":[{}],"notes":[{}],"help":[{}],"rendered":{}}})"
      "\n",
      json_quote(d.code), d.warning ? "warning" : "error", json_quote(d.message), spans,
      list(d.notes), list(d.help), json_quote(human(harmless(d), false)));
}

}  // namespace

std::string render(const Diagnostic& diagnostic, ErrorFormat format, bool color) {
  switch (format) {
    case ErrorFormat::human:
      return human(harmless(diagnostic), color);
    case ErrorFormat::brief:
      return brief(harmless(diagnostic));
    case ErrorFormat::json:
      return json(diagnostic);
  }
  return {};
}

}  // namespace limen
