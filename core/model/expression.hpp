// `$(...)`: arithmetic on numbers, truth values and variables. Nothing else can be said in it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

namespace limen::language {

using ExprValue = std::variant<bool, std::int64_t, double>;

// What is wrong, and where in the text (bytes).
struct ExprError {
  std::string code;  // E0301 .. E0305, E0401
  std::string message;
  std::string help;
  std::size_t begin = 0, length = 1;
};

// Gives a variable's value; throws ExprError (its place is filled in by the caller).
using ExprLookup = std::function<ExprValue(std::string_view name)>;

// The value of the text inside the brackets. `/` gives a real number, `//` and `%` round down.
// Throws ExprError: E0301 something that is no arithmetic, E0302 incomplete or misplaced, E0303 too
// long or deep, E0304 a truth value where a number belongs or the other way round, E0305 a result
// that does not exist (division by zero, out of range).
ExprValue evaluate(std::string_view text, const ExprLookup& lookup);

std::string to_text(const ExprValue& value);

}  // namespace limen::language
