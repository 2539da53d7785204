// What gcc says about its vector loops, in words.
#pragma once

#include <istream>
#include <string>
#include <vector>

namespace limen {

// Reads a file of -fdump-tree-vect-optimized-missed. Lines about kernels of the plugin kit whose
// loops were not vectorised: "mish: not vectorised: f32 forward, f64 forward; call to pow, ...".
std::vector<std::string> kernels_not_vectorised(std::istream& dump);

}  // namespace limen
