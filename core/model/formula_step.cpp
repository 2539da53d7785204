// `- formula: "x * tanh(softplus(x))"`: an activation that the model file itself holds.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "model/graph_reader.hpp"
#include "model/yaml_hints.hpp"
#include "plugin/formula_cache.hpp"

namespace limen::language {
namespace {

// Keys beside `f` that are not parameters of the formula.
constexpr auto kOwnKeys = std::to_array<std::string_view>({"f", "axis", "learn", "per_channel"});

bool is_own_key(std::string_view key) {
  return std::find(kOwnKeys.begin(), kOwnKeys.end(), key) != kOwnKeys.end();
}

// Bytes of the first `count` characters.
std::size_t bytes_of(std::string_view text, int count) {
  std::size_t at = 0;
  for (; at < text.size() && count > 0; --count) {
    do ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u);
  }
  return at;
}

// Says what is wrong with a formula at its own place in the line, if it stands there as it is read.
void place_formula(const Error& error, const Node& node, Findings& findings) {
  const Diagnostic& wrong = error.diagnostics().front();
  const Span& span = wrong.spans.front();
  const int begin = node.at.column - 1 + (node.quoted ? 1 : 0);
  const std::string_view line =
      node.at.source != nullptr ? node.at.source->line(node.at.line) : std::string_view();
  const bool here = begin >= 0 && static_cast<std::size_t>(begin) <= line.size() &&
                    line.substr(static_cast<std::size_t>(begin)).starts_with(node.text);
  Place place = node.at;
  if (here) {
    const std::size_t at = bytes_of(node.text, span.column - 1);
    place.column = begin + 1 + static_cast<int>(at);
    place.length = std::max(1, static_cast<int>(bytes_of(node.text.substr(at), span.length)));
  }
  Diagnostic& found = findings.error(wrong.code, wrong.message, place);
  append_origins(found, node);
  if (!here) found.spans.push_back(span);
  found.help = wrong.help;
}

}  // namespace

std::optional<Activation> read_formula(const Call& call, Findings& findings) {
  const Node* text = call.value;
  FormulaNames names;
  if (text != nullptr && text->kind == Node::Kind::map) {
    const std::size_t before = findings.count();
    for (const Entry& entry : call.value->entries) {
      if (is_own_key(entry.key)) continue;
      names.params.push_back(entry.key);
      const std::string wrong = bad_formula_name(entry.key, true);
      if (!wrong.empty()) {
        findings.error("E0202", fmt::format("`{}` cannot be a parameter: {}", entry.key, wrong),
                       entry.key_at);
      }
    }
    if (findings.count() != before) return std::nullopt;
    const Entry* entry = call.value->find("f");
    text = entry != nullptr ? &entry->value : nullptr;
  }
  if (text == nullptr || !text->is_scalar() || text->kind == Node::Kind::null) {
    add_help(text == nullptr || text->kind == Node::Kind::null
                 ? findings.error("E0203", "`formula` needs its argument `f`", call.named)
                 : findings.error(
                       "E0205", fmt::format("`formula` must be a text, found {}", describe(*text)),
                       *text),
             "write `formula: \"x * sigmoid(x)\"`, or `formula: {f: \"x * sigmoid(beta * x)\", "
             "beta: 1.5}`");
    return std::nullopt;
  }
  std::optional<Formula> formula;
  try {
    formula = Formula::parse(text->text, names);
  } catch (const Error& error) {
    place_formula(error, *text, findings);
    return std::nullopt;
  }
  try {
    return compiled_formula(*formula);
  } catch (const Error& error) {
    const Diagnostic& wrong = error.diagnostics().front();
    Diagnostic& found = findings.error(wrong.code, wrong.message, call.named);
    found.notes = wrong.notes;
    found.help = wrong.help;
    return std::nullopt;
  }
}

}  // namespace limen::language
