// Looks at a shared library as data before the system's loader sees it: a cut or foreign file would
// end the process there, or be reported as something else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace limen {

// What the file says about itself.
struct ElfFile {
  bool has_note = false;  // the limen note: ABI version and flags
  std::uint16_t abi_major = 0, abi_minor = 0, abi_needs = 0, note_flags = 0;
  std::vector<std::string> op_names;  // names and aliases from the notes
  std::vector<std::string> entries;   // exported symbols whose name contains "limen_plugin_v"
};

// Reads `bytes`, the content of `file` (for messages). Throws Error E0502 (no ELF library), E0503
// (another machine), E0504 (cut short), E0505 (no plugin), E0506 and E0507 (ABI version), E0508 (no
// entry point), E0512 (needs a sanitizer that is not there). Never reads outside `bytes`.
ElfFile inspect_elf(std::string_view bytes, const std::string& file);

}  // namespace limen
