// Is what a plugin's entry point returned a descriptor that the engine can use?
#pragma once

#include <limen/plugin.h>

#include <string>

namespace limen {

// Checks every struct, text and function pointer against the library's own memory before following
// it, then the meaning: names, kinds, parameters and their defaults, kernels. Throws Error E0506,
// E0507 (ABI version), E0513 (broken descriptor), E0514 (a parameter), E0515 (a kernel is missing),
// E0516 (a name twice in one file).
void check_descriptor(const limen_plugin* plugin, const std::string& file);

}  // namespace limen
