#include <limen/error.hpp>

#include "base/text.hpp"

namespace limen {

Exit exit_code(std::string_view code) {
  if (code.size() < 3 || code[0] != 'E') return Exit::usage;
  const std::string_view family = code.substr(1, 2);
  if (family == "05") return Exit::plugin;
  if (family == "09" || family == "10") return Exit::data;
  if (family == "11") return Exit::numeric;
  return Exit::model;
}

Error::Error(Diagnostic diagnostic) : Error(std::vector<Diagnostic>{std::move(diagnostic)}) {}

Error::Error(std::vector<Diagnostic> diagnostics)
    : Error(diagnostics, diagnostics.empty() ? Exit::bug : exit_code(diagnostics.front().code)) {}

Error::Error(std::vector<Diagnostic> diagnostics, Exit exit)
    : diagnostics_(std::move(diagnostics)), exit_(exit) {
  for (const Diagnostic& diagnostic : diagnostics_) what_ += render(diagnostic, ErrorFormat::brief);
  if (!what_.empty()) what_.pop_back();
}

Error::Error(std::string code, std::string message, std::vector<std::string> help)
    : Error(Diagnostic{.code = std::move(code),
                       .message = std::move(message),
                       .spans = {},
                       .notes = {},
                       .help = std::move(help)}) {}

const char* Error::what() const noexcept { return what_.c_str(); }

}  // namespace limen
