// "Did you mean": near spellings, and words that other programs use for the same thing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limen::language {

// "did you mean `dense`?" for Linear, Dense, dense_ ...; empty if nothing is near. Only words of
// `known` are suggested.
std::string suggest(std::string_view word, std::span<const std::string> known);

// "known: a, b, c", sorted.
std::string known_list(std::string_view head, std::vector<std::string> known);

}  // namespace limen::language
