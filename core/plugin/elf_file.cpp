#include "plugin/elf_file.hpp"

#include <elf.h>

#include <limen/plugin.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/text.hpp"
#include "plugin/fault.hpp"

namespace limen {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
constexpr std::uint16_t kMachine = EM_NONE;
#endif
#if defined(__SANITIZE_ADDRESS__)
constexpr std::uint16_t kSanitizers = LIMEN_NOTE_ASAN;
#elif defined(__SANITIZE_THREAD__)
constexpr std::uint16_t kSanitizers = LIMEN_NOTE_TSAN;
#else
constexpr std::uint16_t kSanitizers = 0;
#endif

std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_386:
      return "32-bit x86";
    case EM_AARCH64:
      return "aarch64";
    case EM_ARM:
      return "32-bit ARM";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "PowerPC";
    case EM_S390:
      return "s390x";
    default:
      return fmt::format("machine {}", machine);
  }
}

std::string shown_start(std::string_view bytes) {
  std::string start;
  for (const char c : bytes.substr(0, 9)) start += c >= 0x20 && c < 0x7f ? c : '.';
  return start;
}

// Bounds-checked access to the bytes; every offset in the file is somebody else's number.
class Reader {
 public:
  Reader(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  bool holds(std::uint64_t offset, std::uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  template <class T>
  std::optional<T> get(std::uint64_t offset) const {
    if (!holds(offset, sizeof(T))) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }
  std::string_view text(std::uint64_t offset, std::uint64_t limit) const {
    if (!holds(offset, 0)) return {};
    const std::string_view rest = bytes_.substr(offset, limit);
    return rest.substr(0, rest.find('\0'));
  }
  std::uint64_t size() const { return bytes_.size(); }
  std::string_view bytes() const { return bytes_; }

  [[noreturn]] void fail(const char* code, std::string message,
                         std::vector<std::string> help = {}) const {
    throw plugin_fault(code, file_, std::move(message), std::move(help));
  }
  [[noreturn]] void cut(std::string_view part, std::uint64_t needs) const {
    fail("E0504", fmt::format("file is cut short: {} needs {} bytes, the file has {} (still being "
                              "written?)",
                              part, needs, size()));
  }

 private:
  std::string_view bytes_;
  const std::string& file_;
};

Elf64_Ehdr read_header(const Reader& in) {
  const std::string_view bytes = in.bytes();
  if (bytes.empty()) in.fail("E0502", "not an ELF file (it is empty)");
  if (bytes.starts_with("!<arch>")) {
    in.fail("E0502", "is a static archive", {"link the objects with -shared"});
  }
  if (bytes.starts_with("/* GNU ld script") || bytes.starts_with("INPUT") ||
      bytes.starts_with("GROUP")) {
    in.fail("E0502", "is a linker script", {"name the library that it points at"});
  }
  if (!bytes.starts_with(std::string_view(ELFMAG, std::min<std::size_t>(SELFMAG, bytes.size())))) {
    in.fail("E0502", fmt::format("not an ELF file (starts with \"{}\")", shown_start(bytes)));
  }
  if (bytes.size() < sizeof(Elf64_Ehdr)) in.cut("the header", sizeof(Elf64_Ehdr));
  const auto header = *in.get<Elf64_Ehdr>(0);
  const bool foreign = header.e_ident[EI_CLASS] != ELFCLASS64 ||
                       header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != kMachine;
  if (foreign) {
    const char* order = header.e_ident[EI_DATA] == ELFDATA2MSB ? "a big-endian machine" : nullptr;
    in.fail("E0503",
            fmt::format("built for {}; this engine runs on {}",
                        order ? order : machine_name(header.e_machine), machine_name(kMachine)));
  }
  if (header.e_type != ET_DYN) {
    in.fail("E0502",
            header.e_type == ET_REL ? "is an object file, not a shared library"
                                    : "is a program, not a shared library",
            {"link it with -shared"});
  }
  return header;
}

std::vector<Elf64_Phdr> read_segments(const Reader& in, const Elf64_Ehdr& header) {
  std::vector<Elf64_Phdr> segments;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) {
    in.fail("E0502", "not a loadable ELF file: its program headers are of no known form");
  }
  const std::uint64_t bytes = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (!in.holds(header.e_phoff, bytes)) in.cut("the program headers", header.e_phoff + bytes);
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    segments.push_back(*in.get<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr)));
    const Elf64_Phdr& s = segments.back();
    const bool in_file = s.p_type == PT_LOAD || s.p_type == PT_NOTE || s.p_type == PT_DYNAMIC;
    if (in_file && !in.holds(s.p_offset, s.p_filesz)) in.cut("a segment", s.p_offset + s.p_filesz);
  }
  return segments;
}

void read_limen_note(const Reader& in, std::uint64_t type, std::uint64_t at, std::uint64_t size,
                     ElfFile& out) {
  if (type == 1 && size >= 8) {
    out.has_note = true;
    out.abi_major = *in.get<std::uint16_t>(at);
    out.abi_minor = *in.get<std::uint16_t>(at + 2);
    out.abi_needs = *in.get<std::uint16_t>(at + 4);
    out.note_flags = *in.get<std::uint16_t>(at + 6);
  }
  for (std::uint64_t begin = at; type == 2 && begin < at + size;) {
    const std::string_view name = in.text(begin, at + size - begin);
    if (!name.empty()) out.op_names.emplace_back(name);
    begin += name.size() + 1;
  }
}

void read_notes(const Reader& in, const Elf64_Phdr& segment, ElfFile& out) {
  const std::uint64_t end = segment.p_offset + segment.p_filesz;
  const auto padded = [](std::uint64_t n) { return (n + 3) / 4 * 4; };
  for (std::uint64_t at = segment.p_offset; at + 12 <= end;) {
    const std::uint64_t name = *in.get<std::uint32_t>(at), size = *in.get<std::uint32_t>(at + 4);
    const std::uint64_t type = *in.get<std::uint32_t>(at + 8);
    const std::uint64_t data = at + 12 + padded(name);
    if (data > end || size > end - data) return;
    if (in.text(at + 12, name) == "limen") read_limen_note(in, type, data, size, out);
    at = data + padded(size);
  }
}

std::optional<std::uint64_t> file_offset(const std::vector<Elf64_Phdr>& segments,
                                         std::uint64_t address) {
  for (const Elf64_Phdr& s : segments) {
    if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz) {
      return s.p_offset + (address - s.p_vaddr);
    }
  }
  return std::nullopt;
}

// Names of entry points and of what was meant as one. The table of dynamic symbols has no length;
// it ends where the strings begin, which is how every linker lays it out, or at the first wrong
// entry.
void read_entries(const Reader& in, const std::vector<Elf64_Phdr>& segments,
                  const Elf64_Phdr& dynamic, ElfFile& out) {
  std::uint64_t symbols = 0, strings = 0, strings_size = 0;
  for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic.p_filesz; at += sizeof(Elf64_Dyn)) {
    const auto entry = *in.get<Elf64_Dyn>(dynamic.p_offset + at);
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_SYMTAB) symbols = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) strings_size = entry.d_un.d_val;
  }
  const auto first = file_offset(segments, symbols), text = file_offset(segments, strings);
  if (!first || !text) return;
  const std::uint64_t end = *text > *first ? *text : in.size();
  for (std::uint64_t at = *first; at + sizeof(Elf64_Sym) <= end; at += sizeof(Elf64_Sym)) {
    const auto symbol = in.get<Elf64_Sym>(at);
    if (!symbol || symbol->st_name >= strings_size) return;
    if (symbol->st_shndx == SHN_UNDEF) continue;
    const std::string_view name = in.text(*text + symbol->st_name, strings_size - symbol->st_name);
    if (name.find("limen_plugin_v") != std::string_view::npos) out.entries.emplace_back(name);
  }
}

void check_abi(const Reader& in, const ElfFile& elf) {
  const auto exports = [&](std::string_view name) {
    return std::find(elf.entries.begin(), elf.entries.end(), name) != elf.entries.end();
  };
  const bool entry = exports(LIMEN_ENTRY_NAME);
  if (!elf.has_note && elf.entries.empty()) {
    in.fail("E0505",
            "is a shared library but not a limen plugin (no limen note, no "
            "limen_plugin_v* symbol)");
  }
  if (elf.has_note && elf.abi_major != LIMEN_ABI_MAJOR && !entry) {
    in.fail("E0506",
            fmt::format("built for limen ABI {}; this engine has {}. It also exports no {}",
                        elf.abi_major, LIMEN_ABI_MAJOR, LIMEN_ENTRY_NAME),
            {"build it against this engine's limen/plugin.h"});
  }
  if (elf.abi_major == LIMEN_ABI_MAJOR && elf.abi_needs > LIMEN_ABI_MINOR) {
    in.fail("E0507", fmt::format("needs limen ABI {}.{} or later; this engine has {}.{}",
                                 elf.abi_major, elf.abi_needs, LIMEN_ABI_MAJOR, LIMEN_ABI_MINOR));
  }
  if (!entry) {
    const auto mangled = std::find_if(elf.entries.begin(), elf.entries.end(),
                                      [](const std::string& n) { return n.starts_with("_Z"); });
    if (mangled != elf.entries.end()) {
      in.fail("E0508", fmt::format("no entry point {}, but exports {}: the definition was compiled "
                                   "as C++ without including limen/plugin.h",
                                   LIMEN_ENTRY_NAME, *mangled));
    }
    in.fail("E0508",
            elf.entries.empty() ? fmt::format("no entry point {}", LIMEN_ENTRY_NAME)
                                : fmt::format("no entry point {}, but exports {}", LIMEN_ENTRY_NAME,
                                              join(elf.entries)),
            {"a C++ plugin says LIMEN_PLUGIN(...) once; hidden visibility needs LIMEN_EXPORT"});
  }
  if (elf.note_flags & ~kSanitizers & (LIMEN_NOTE_ASAN | LIMEN_NOTE_TSAN | LIMEN_NOTE_MSAN)) {
    in.fail("E0512", fmt::format("built with {}; this engine is not",
                                 elf.note_flags & LIMEN_NOTE_ASAN   ? "AddressSanitizer"
                                 : elf.note_flags & LIMEN_NOTE_TSAN ? "ThreadSanitizer"
                                                                    : "MemorySanitizer"));
  }
}

}  // namespace

ElfFile inspect_elf(std::string_view bytes, const std::string& file) {
  const Reader in(bytes, file);
  const Elf64_Ehdr header = read_header(in);
  const std::vector<Elf64_Phdr> segments = read_segments(in, header);
  ElfFile elf;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_NOTE) read_notes(in, segment, elf);
    if (segment.p_type == PT_DYNAMIC) read_entries(in, segments, segment, elf);
  }
  check_abi(in, elf);
  return elf;
}

}  // namespace limen
