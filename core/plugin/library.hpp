// Maps a plugin and asks it for its descriptor. The only use of Boost.DLL.
#pragma once

#include <limen/plugin.h>

#include <filesystem>
#include <string>

namespace limen {

// Maps `file` (absolute) for the rest of the process and calls its entry point. Throws Error E0509
// (a library it needs is missing), E0510 (a library is too old), E0511 (anything else the system's
// loader says), E0508 (no entry point), E0513 (the entry point failed).
const limen_plugin* open_library(const std::filesystem::path& file);

// The folder two levels above the running program: <prefix> of <prefix>/bin/limen. Empty if the
// system does not tell.
std::filesystem::path program_prefix();

}  // namespace limen
