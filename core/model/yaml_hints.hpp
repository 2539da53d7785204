// What is wrong with a text that is no YAML, in words that help.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/yaml.hpp"

namespace limen::language {

// The E0001 for what the parser said at line:column (1-based, bytes). Looks at the lines itself for
// the usual slips and moves the mark to where they are.
Diagnostic syntax_error(const Source& source, int line, int column, std::string_view said);

// What to say where a bracket is open to the end, or a quote; nothing if all are closed.
std::optional<Diagnostic> unbalanced_error(const Source& source);

// Checks the bytes before anything is parsed: size, UTF-8, control characters, tabs in indentation.
// Throws Error E0001, E0002 or E0007.
void check_text(const Source& source);

// "put a space after the colon: `batch: 100`" if the text looks like `batch:100`, else empty.
std::string missing_space_help(std::string_view text);

}  // namespace limen::language
