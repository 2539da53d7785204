// A first look at a plugin's numbers before they are used.
#pragma once

#include <limen/plugin.h>

#include <string>

namespace limen {

// Runs the golden points of every element-wise op through the kernels that the engine would choose
// on this machine. Kinks, points that the element type cannot hold, and ops that need more than
// numbers (rows, general ops, instances) are left out. Throws Error E0520 at the first value that
// is off by more than the kernel promises, and by more than 4 ulp.
void self_test(const limen_plugin& plugin, const std::string& file);

}  // namespace limen
