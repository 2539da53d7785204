// Maps a plugin and asks it for its descriptor. The only use of Boost.DLL.
#pragma once

#include <limen/plugin.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace limen {

// Maps `file` (absolute) for the rest of the process and calls its entry point; messages name
// `original`, of which it is a copy. `before_entry` runs in between. Throws Error E0509
// (a library it needs is missing), E0510 (a library is too old), E0511 (anything else the system's
// loader says), E0508 (no entry point), E0513 (the entry point failed).
const limen_plugin* open_library(const std::filesystem::path& file, const std::string& original,
                                 const std::function<void()>& before_entry = {});

// Maps the file and unmaps it again: what runs then runs when the process ends, too.
void map_once(const std::filesystem::path& file);

// Whether the system's loader has a library of this path mapped that is not this content: it would
// answer with the old one. Without a build id no content is known to be the same.
bool mapped_as_other(const std::filesystem::path& file, std::string_view build_id);

// The folder two levels above the running program: <prefix> of <prefix>/bin/limen. Empty if the
// system does not tell.
std::filesystem::path program_prefix();

}  // namespace limen
