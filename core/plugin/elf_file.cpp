#include "plugin/elf_file.hpp"

#include <limen/plugin.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "plugin/fault.hpp"

namespace limen {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::uint16_t kSanitizers = LIMEN_NOTE_ASAN;
#elif defined(__SANITIZE_THREAD__)
constexpr std::uint16_t kSanitizers = LIMEN_NOTE_TSAN;
#else
constexpr std::uint16_t kSanitizers = 0;
#endif
constexpr std::uint64_t kMostSymbols = 1u << 20, kMostEntries = 4096, kMostVersions = 4096;

struct Range {  // of the file
  std::uint64_t offset = 0, size = 0;
};

class Inspector {
 public:
  Inspector(ByteSource& in, const std::string& file) : in_(in), file_(file) {}

  ElfFile inspect() {
    segments_ = read_segments(in_, file_);
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_NOTE) read_notes({segment.p_offset, segment.p_filesz});
      if (segment.p_type == PT_DYNAMIC) read_dynamic({segment.p_offset, segment.p_filesz});
    }
    read_symbols();
    read_needs();
    check_abi();
    return std::move(elf_);
  }

 private:
  [[noreturn]] void fail(const char* code, std::string message,
                         std::vector<std::string> help = {}) const {
    throw plugin_fault(code, file_, std::move(message), std::move(help));
  }

  void read_notes(Range notes) {
    const std::uint64_t end = notes.offset + notes.size;
    const auto padded = [](std::uint64_t n) { return (n + 3) / 4 * 4; };
    for (std::uint64_t at = notes.offset; at + 12 <= end;) {
      const auto header = in_.get<Elf64_Nhdr>(at);
      if (!header) return;
      const std::uint64_t data = at + 12 + padded(header->n_namesz);
      if (data > end || header->n_descsz > end - data) return;
      const std::string_view owner = in_.text(at + 12, header->n_namesz);
      const Range content{data, header->n_descsz};
      if (owner == "limen") read_limen_note(header->n_type, content);
      if (owner == "GNU" && header->n_type == NT_GNU_BUILD_ID) {
        elf_.build_id = in_.bytes(content.offset, std::min<std::uint64_t>(content.size, 64));
      }
      at = data + padded(header->n_descsz);
    }
  }

  void read_limen_note(std::uint32_t type, Range note) {
    if (type == 1 && note.size >= 8) {
      elf_.has_note = true;
      elf_.abi_major = in_.get<std::uint16_t>(note.offset).value_or(0);
      elf_.abi_minor = in_.get<std::uint16_t>(note.offset + 2).value_or(0);
      elf_.abi_needs = in_.get<std::uint16_t>(note.offset + 4).value_or(0);
      elf_.note_flags = in_.get<std::uint16_t>(note.offset + 6).value_or(0);
    }
    if (type != 2) return;
    std::vector<std::string> names;
    const std::string_view text = in_.bytes(note.offset, note.size);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::string_view name = text.substr(begin, text.find('\0', begin) - begin);
      if (!name.empty()) names.emplace_back(name);
      begin += name.size() + 1;
    }
    if (!names.empty()) elf_.ops.push_back(std::move(names));
  }

  void read_dynamic(Range table) {
    const std::uint64_t entries = std::min(table.size / sizeof(Elf64_Dyn), kMostEntries);
    for (std::uint64_t i = 0; i < entries; ++i) {
      const auto entry = in_.get<Elf64_Dyn>(table.offset + i * sizeof(Elf64_Dyn));
      if (!entry || entry->d_tag == DT_NULL) break;
      if (entry->d_tag == DT_NEEDED) {
        needed_.push_back(entry->d_un.d_val);
      } else {
        dynamic_[entry->d_tag] = entry->d_un.d_val;
      }
    }
    const auto strings = dynamic_.find(DT_STRTAB);
    if (strings == dynamic_.end()) return;
    const FilePlace place = file_place(segments_, strings->second);
    if (place.found) strings_ = {place.offset, std::min(place.left, dynamic_[DT_STRSZ])};
  }

  std::string_view string(std::uint64_t at) {
    return at < strings_.size ? in_.text(strings_.offset + at, strings_.size - at)
                              : std::string_view();
  }

  // Names of entry points and of what was meant as one. The table of dynamic symbols has no length;
  // it ends where the strings begin, which is how every linker lays it out, or at the first wrong
  // entry.
  void read_symbols() {
    const FilePlace place = file_place(segments_, dynamic_[DT_SYMTAB]);
    if (!place.found || strings_.size == 0) return;
    const std::uint64_t room = strings_.offset > place.offset
                                   ? std::min(place.left, strings_.offset - place.offset)
                                   : place.left;
    const std::uint64_t count = std::min(room / sizeof(Elf64_Sym), kMostSymbols);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto symbol = in_.get<Elf64_Sym>(place.offset + i * sizeof(Elf64_Sym));
      if (!symbol || symbol->st_name >= strings_.size) return;
      if (symbol->st_shndx == SHN_UNDEF) continue;
      const std::string_view name = string(symbol->st_name);
      if (name.find("limen_plugin_v") == std::string_view::npos) continue;
      elf_.entries.emplace_back(name);
      if (name == LIMEN_ENTRY_NAME) check_entry(*symbol);
    }
  }

  void check_entry(const Elf64_Sym& symbol) const {
    for (const Elf64_Phdr& s : segments_) {
      const bool inside = s.p_type == PT_LOAD && (s.p_flags & PF_X) != 0 &&
                          symbol.st_value >= s.p_vaddr && symbol.st_value - s.p_vaddr < s.p_filesz;
      if (inside && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC) return;
    }
    fail("E0508", fmt::format("{} is no function of this library", LIMEN_ENTRY_NAME));
  }

  void read_needs() {
    for (const std::uint64_t at : needed_) elf_.needed.emplace_back(string(at));
    if (dynamic_.contains(DT_RPATH)) elf_.rpath = string(dynamic_[DT_RPATH]);
    if (dynamic_.contains(DT_RUNPATH)) elf_.runpath = string(dynamic_[DT_RUNPATH]);
    if (!dynamic_.contains(DT_VERNEED)) return;
    const FilePlace place = file_place(segments_, dynamic_[DT_VERNEED]);
    std::uint64_t at = place.offset;
    for (std::uint64_t i = 0; place.found && i < kMostEntries; ++i) {
      const auto library = in_.get<Elf64_Verneed>(at);
      if (!library) return;
      read_versions(at + library->vn_aux, std::string(string(library->vn_file)));
      if (library->vn_next == 0 || elf_.versions.size() > kMostVersions) return;
      at += library->vn_next;
    }
  }

  void read_versions(std::uint64_t at, const std::string& library) {
    for (std::uint64_t i = 0; i < kMostVersions; ++i) {
      const auto version = in_.get<Elf64_Vernaux>(at);
      if (!version) return;
      const std::string_view name = string(version->vna_name);
      if (!(version->vna_flags & VER_FLG_WEAK))
        elf_.versions.push_back({library, std::string(name)});
      if (version->vna_next == 0) return;
      at += version->vna_next;
    }
  }

  void check_abi() const {
    const auto exports = [&](std::string_view name) {
      return std::find(elf_.entries.begin(), elf_.entries.end(), name) != elf_.entries.end();
    };
    const bool entry = exports(LIMEN_ENTRY_NAME);
    if (!elf_.has_note && elf_.entries.empty()) {
      fail("E0505",
           "is a shared library but not a limen plugin (no limen note, no "
           "limen_plugin_v* symbol)");
    }
    if (elf_.has_note && elf_.abi_major != LIMEN_ABI_MAJOR && !entry) {
      fail("E0506",
           fmt::format("built for limen ABI {}; this engine has {}. It also exports no {}",
                       elf_.abi_major, LIMEN_ABI_MAJOR, LIMEN_ENTRY_NAME),
           {"build it against this engine's limen/plugin.h"});
    }
    if (elf_.abi_major == LIMEN_ABI_MAJOR && elf_.abi_needs > LIMEN_ABI_MINOR) {
      fail("E0507", fmt::format("needs limen ABI {}.{} or later; this engine has {}.{}",
                                elf_.abi_major, elf_.abi_needs, LIMEN_ABI_MAJOR, LIMEN_ABI_MINOR));
    }
    if (!entry) no_entry();
    if (elf_.note_flags & ~kSanitizers & (LIMEN_NOTE_ASAN | LIMEN_NOTE_TSAN | LIMEN_NOTE_MSAN)) {
      fail("E0512", fmt::format("built with {}; this engine is not",
                                elf_.note_flags & LIMEN_NOTE_ASAN   ? "AddressSanitizer"
                                : elf_.note_flags & LIMEN_NOTE_TSAN ? "ThreadSanitizer"
                                                                    : "MemorySanitizer"));
    }
  }

  [[noreturn]] void no_entry() const {
    const auto mangled = std::find_if(elf_.entries.begin(), elf_.entries.end(),
                                      [](const std::string& n) { return n.starts_with("_Z"); });
    if (mangled != elf_.entries.end()) {
      fail("E0508", fmt::format("no entry point {}, but exports {}: the definition was compiled "
                                "as C++ without including limen/plugin.h",
                                LIMEN_ENTRY_NAME, *mangled));
    }
    fail("E0508",
         elf_.entries.empty() ? fmt::format("no entry point {}", LIMEN_ENTRY_NAME)
                              : fmt::format("no entry point {}, but exports {}", LIMEN_ENTRY_NAME,
                                            join(elf_.entries)),
         {"a C++ plugin says LIMEN_PLUGIN(...) once; hidden visibility needs LIMEN_EXPORT"});
  }

  ByteSource& in_;
  const std::string& file_;
  std::vector<Elf64_Phdr> segments_;
  std::map<std::int64_t, std::uint64_t> dynamic_;
  std::vector<std::uint64_t> needed_;
  Range strings_;
  ElfFile elf_;
};

}  // namespace

ElfFile inspect_elf(ByteSource& in, const std::string& file) {
  return Inspector(in, file).inspect();
}

ElfFile inspect_elf(std::string_view bytes, const std::string& file) {
  ByteSource in(bytes);
  return inspect_elf(in, file);
}

}  // namespace limen
