// A formula's text as words, numbers and signs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <limen/error.hpp>

namespace limen {

struct FormulaToken {
  enum class Type : std::uint8_t { number, word, sign, end } type = Type::end;
  std::string_view text;
  std::size_t at = 0;  // byte
  double value = 0;    // of a number

  bool is(std::string_view what) const {
    return (type == Type::sign || type == Type::word) && text == what;
  }
};

// The last one is an end. Throws Error E0209.
std::vector<FormulaToken> formula_tokens(std::string_view text);

// E0209 about `length` bytes of the formula; empty lines of help are left out.
Error formula_error(std::string_view text, std::size_t at, std::size_t length, std::string message,
                    std::vector<std::string> help = {});

}  // namespace limen
