// What an op declares about its function, in words.
#pragma once

#include <string>
#include <vector>

#include <limen/plugin.h>

namespace limen::tools {

// "y in [0, 1]", "odd", "kink at 0, slope there 0.01", ...
std::vector<std::string> fact_texts(const limen_op& op);

}  // namespace limen::tools
