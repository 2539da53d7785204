#include "model/version_rule.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <optional>
#include <vector>

namespace limen::language {
namespace {

using Numbers = std::array<int, 4>;

struct Bound {
  std::string_view relation;
  Numbers numbers{};
};

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// "1.2.0-rc1" as {1, 2, 0, 0}; nothing if it does not begin with a number.
std::optional<Numbers> numbers_of(std::string_view text) {
  Numbers numbers{};
  const char *at = text.data(), *const end = at + text.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto [next, fault] = std::from_chars(at, end, numbers[i]);
    if (fault != std::errc()) return std::nullopt;
    at = next;
    if (at == end || *at != '.') break;
    ++at;
  }
  return numbers;
}

// The bounds of a rule; empty if it is none.
std::vector<Bound> bounds_of(std::string_view rule) {
  std::vector<Bound> bounds;
  for (bool more = true; more;) {
    const std::size_t comma = rule.find(',');
    std::string_view part = trimmed(rule.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) rule.remove_prefix(comma + 1);
    Bound bound;
    for (const std::string_view relation : {">=", "<=", "==", ">", "<"}) {
      if (bound.relation.empty() && part.starts_with(relation)) bound.relation = relation;
    }
    const auto numbers = numbers_of(trimmed(part.substr(bound.relation.size())));
    if (bound.relation.empty() || !numbers) return {};
    bound.numbers = *numbers;
    bounds.push_back(bound);
  }
  return bounds;
}

bool holds(std::strong_ordering order, std::string_view relation) {
  if (relation == ">=") return order >= 0;
  if (relation == "<=") return order <= 0;
  if (relation == "==") return order == 0;
  return relation == ">" ? order > 0 : order < 0;
}

}  // namespace

bool is_version_rule(std::string_view rule) { return !bounds_of(rule).empty(); }

bool version_fits(std::string_view version, std::string_view rule) {
  const std::optional<Numbers> numbers = numbers_of(version);
  const std::vector<Bound> bounds = bounds_of(rule);
  return numbers && std::all_of(bounds.begin(), bounds.end(), [&](const Bound& bound) {
           return holds(*numbers <=> bound.numbers, bound.relation);
         });
}

}  // namespace limen::language
