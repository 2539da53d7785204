// The arguments of one call of a `data` section against its table. Shared by the readers of whole
// sections and of csv's `fields`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/data_spec.hpp>

namespace limen {

// Findings of one section; the reader goes on behind each.
using Findings = std::vector<Diagnostic>;

void report(Findings& findings, std::string code, std::string message, const Span& at,
            std::vector<std::string> help = {});

// "the text `yes`", "`20`", "a list".
std::string describe(const DataValue& value);

// Checks names, types and ranges of what was written, and adds defaults. `owner` is what messages
// call the callee ("digits", "csv.fields.x"). Code E0202 for unknown names, E0203 for missing ones,
// E0205 for types, E0208 for ranges.
std::vector<DataEntry> check_args(std::vector<DataEntry> written,
                                  std::span<const DataArgInfo> known, const std::string& owner,
                                  const Span& at, Findings& findings);

// `name`, `{name: scalar}` or `{name: {arg: value}}` against a table of kinds. `what` is "dataset"
// or "source", `code` that of an unknown name.
DataCall read_call(const DataValue& value, std::span<const DataKindInfo> kinds,
                   const std::string& what, const std::string& code, Findings& findings);

}  // namespace limen
