// Load faults as errors: E0501 .. E0522 are P01 .. P22 of the plugin design, one number per cause.
#pragma once

#include <limen/error.hpp>

#include <string>
#include <utility>

namespace limen {

// An error about a file as a whole.
inline Error plugin_fault(std::string code, std::string file, std::string message,
                          std::vector<std::string> help = {}) {
  Span span;
  span.file = std::move(file);
  return Error(Diagnostic{.code = std::move(code),
                          .message = std::move(message),
                          .spans = {std::move(span)},
                          .notes = {},
                          .help = std::move(help)});
}

}  // namespace limen
