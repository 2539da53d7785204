// Where the functions of a C++ source begin and end, found by its braces.
#pragma once

#include <string>
#include <vector>

namespace limen::house {

struct FunctionSpan {
  std::string head;         // the text in front of its opening brace
  int first = 0, last = 0;  // lines, 1-based
  int lines() const { return last - first + 1; }
};

// Comments, strings, characters and preprocessor lines as blanks; line breaks stay.
std::string without_text(const std::string& source);

// Functions at namespace or class level. Lambdas and local classes belong to what they stand in.
std::vector<FunctionSpan> functions_of(const std::string& source);

}  // namespace limen::house
