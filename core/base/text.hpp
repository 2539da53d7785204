// Text helpers that several floors need: nearest names for "did you mean", joining, quoting.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limen {

// The candidate nearest to `word` by Damerau-Levenshtein distance, if it is near enough to be a
// slip (at most a third of the word's length, at least 1).
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// "did you mean `x`?" for the nearest candidate, or empty.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

std::string join(std::span<const std::string> parts, std::string_view separator = ", ");

// The text as a JSON string literal, quotes included. Bytes that are not UTF-8 become U+FFFD.
std::string json_quote(std::string_view text);

// The text with control characters other than tab and newline as U+FFFD, one for one: what comes
// from a file must not command the terminal.
std::string printable(std::string_view text);

// Letters, digits, '_' and '.' of the text, each run of others as one '-', none at the ends: a word
// that a shell leaves alone.
std::string as_word(std::string_view text);

// A word as a shell would take it: in single quotes where it has to be.
std::string shell_quote(const std::string& word);

// Code points; malformed bytes count as one character each (U+FFFD).
std::u32string decode_utf8(std::string_view text);

}  // namespace limen
