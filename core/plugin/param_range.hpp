// The values that a parameter may take, in one place for plugins' defaults and users' values.
#pragma once

#include <limen/plugin.h>

#include <string>

namespace limen {

// Whether the parameter may have this value: in range, whole for integers and choices, 0 or 1 for
// booleans, always finite.
bool allows(const limen_param& param, double value);

// "[0, 1]", "(0, inf)", "an integer in [1, 8]", "0 or 1", "one of none, tanh".
std::string range_text(const limen_param& param);

std::string number_text(double value);  // the shortest text that reads back as the same number

}  // namespace limen
