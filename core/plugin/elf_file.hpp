// Looks at a shared library as data before the system's loader sees it: a cut or foreign file would
// end the process there, or be reported as something else.
#pragma once

#include <elf.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/byte_source.hpp"

namespace limen {

// What the file says about itself.
struct ElfFile {
  bool has_note = false;  // the limen note: ABI version and flags
  std::uint16_t abi_major = 0, abi_minor = 0, abi_needs = 0, note_flags = 0;
  std::vector<std::vector<std::string>> ops;  // from the notes: an op's name, then its aliases
  std::string build_id;                       // GNU's; may be empty
  std::vector<std::string> entries;  // exported symbols whose name contains "limen_plugin_v"

  // What it needs of others.
  struct Version {
    std::string library, version;  // "libc.so.6", "GLIBC_2.34"
  };
  std::vector<std::string> needed;  // DT_NEEDED
  std::vector<Version> versions;
  std::string rpath, runpath;  // as written
};

// Reads what the bytes of `file` (a name for messages) say. Throws Error E0502 (no ELF library, or
// one whose parts do not fit together), E0503 (another machine), E0504 (cut short), E0505 (no
// plugin), E0506 and E0507 (ABI version), E0508 (no entry point), E0512 (needs a sanitizer that is
// not there). Never reads outside the bytes.
ElfFile inspect_elf(ByteSource& in, const std::string& file);
ElfFile inspect_elf(std::string_view bytes, const std::string& file);

// The program headers, checked: what the system's loader would follow without looking lies in the
// file, and segments lie one behind the other. Throws as inspect_elf().
std::vector<Elf64_Phdr> read_segments(ByteSource& in, const std::string& file);

// Whether relocations write into the library's own data only, and functions that run when it is
// mapped lie in its code. For files that nobody vouches for. Throws Error E0502.
void check_relocations(ByteSource& in, const std::string& file);

// Where the file holds what will lie at an address of the mapped library.
struct FilePlace {
  bool found = false;
  std::uint64_t offset = 0, left = 0;  // bytes up to the end of the segment
};
FilePlace file_place(const std::vector<Elf64_Phdr>& segments, std::uint64_t address);

}  // namespace limen
