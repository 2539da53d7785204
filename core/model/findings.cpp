#include "model/findings.hpp"

#include <fmt/format.h>

namespace limen::language {

void append_origins(Diagnostic& diagnostic, const Node& node) {
  if (node.origins == nullptr) return;
  for (const Origin& origin : *node.origins) {
    diagnostic.spans.push_back(
        origin.place.span(fmt::format("`${}` is set here", origin.variable)));
  }
}

void add_help(Diagnostic& diagnostic, std::string help) {
  if (!help.empty()) diagnostic.help.push_back(std::move(help));
}

Diagnostic& Findings::error(std::string code, std::string message, const Place& at) {
  Diagnostic found{.code = std::move(code),
                   .message = std::move(message),
                   .spans = {at.span()},
                   .notes = {},
                   .help = {}};
  if (errors_.size() >= kMost) return overflow_ = std::move(found);
  return errors_.emplace_back(std::move(found));
}

Diagnostic& Findings::error(std::string code, std::string message, const Node& at) {
  Diagnostic& found = error(std::move(code), std::move(message), at.at);
  append_origins(found, at);
  return found;
}

Diagnostic& Findings::warning(std::string code, std::string message, const Place& at) {
  return warnings_.emplace_back(Diagnostic{.code = std::move(code),
                                           .message = std::move(message),
                                           .spans = {at.span()},
                                           .notes = {},
                                           .help = {},
                                           .warning = true});
}

void Findings::add(const Error& error, std::string_view help) {
  for (const Diagnostic& diagnostic : error.diagnostics()) {
    if (errors_.size() >= kMost) return;
    errors_.push_back(diagnostic);
    if (diagnostic.help.empty()) errors_.back().help.push_back(std::string(help));
  }
}

void Findings::end_stage() {
  if (errors_.empty()) return;
  // What stands on the command line is wrong usage, whatever is wrong with it.
  const std::vector<Span>& spans = errors_.front().spans;
  const bool usage = !spans.empty() && spans.front().file == "--set";
  const Exit exit = usage ? Exit::usage : exit_code(errors_.front().code);
  throw Error(std::move(errors_), exit);
}

}  // namespace limen::language
