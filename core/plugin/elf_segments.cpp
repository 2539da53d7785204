// The parts of an ELF file that the system's loader follows without looking.
#include <limen/plugin.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "plugin/elf_file.hpp"
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
constexpr std::uint64_t kLargestImage = std::uint64_t{1} << 31;

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

class Segments {
 public:
  Segments(ByteSource& in, const std::string& file) : in_(in), file_(file) {}

  std::vector<Elf64_Phdr> read() {
    const Elf64_Ehdr header = read_header();
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) {
      broken("its program headers are of no known form");
    }
    const std::uint64_t bytes = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
    if (!in_.holds(header.e_phoff, bytes)) cut("the program headers", header.e_phoff + bytes);
    std::vector<Elf64_Phdr> all;
    for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
      const auto segment = in_.get<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
      if (!segment) cut("the program headers", header.e_phoff + bytes);
      all.push_back(*segment);
      const bool in_file =
          segment->p_type == PT_LOAD || segment->p_type == PT_NOTE || segment->p_type == PT_DYNAMIC;
      if (in_file && !in_.holds(segment->p_offset, segment->p_filesz)) {
        cut("a segment", segment->p_offset + segment->p_filesz);
      }
    }
    check_order(all);
    for (const Elf64_Phdr& segment : all) check_place(all, segment);
    return all;
  }

 private:
  [[noreturn]] void fail(const char* code, std::string message,
                         std::vector<std::string> help = {}) const {
    throw plugin_fault(code, file_, std::move(message), std::move(help));
  }
  [[noreturn]] void broken(std::string_view what) const {
    fail("E0502", fmt::format("not a loadable ELF file: {}", what));
  }
  [[noreturn]] void cut(std::string_view part, std::uint64_t needs) const {
    fail("E0504", fmt::format("file is cut short: {} needs {} bytes, the file has {} (still being "
                              "written?)",
                              part, needs, in_.size()));
  }

  Elf64_Ehdr read_header() const {
    const std::string_view bytes = in_.head();
    if (bytes.empty()) fail("E0502", "not an ELF file (it is empty)");
    if (bytes.starts_with("!<arch>")) {
      fail("E0502", "is a static archive", {"link the objects with -shared"});
    }
    if (bytes.starts_with("/* GNU ld script") || bytes.starts_with("INPUT") ||
        bytes.starts_with("GROUP")) {
      fail("E0502", "is a linker script", {"name the library that it points at"});
    }
    const std::string_view magic(ELFMAG, std::min<std::size_t>(SELFMAG, bytes.size()));
    if (!bytes.starts_with(magic)) {
      fail("E0502", fmt::format("not an ELF file (starts with \"{}\")", shown_start(bytes)));
    }
    const auto found = in_.get<Elf64_Ehdr>(0);
    if (!found) cut("the ELF header", sizeof(Elf64_Ehdr));
    const bool foreign = found->e_ident[EI_CLASS] != ELFCLASS64 ||
                         found->e_ident[EI_DATA] != ELFDATA2LSB || found->e_machine != kMachine;
    if (foreign) {
      const bool big = found->e_ident[EI_DATA] == ELFDATA2MSB;
      fail("E0503", fmt::format("built for {}; this engine runs on {}",
                                big ? "a big-endian machine" : machine_name(found->e_machine),
                                machine_name(kMachine)));
    }
    if (found->e_type != ET_DYN) {
      fail("E0502",
           found->e_type == ET_REL ? "is an object file, not a shared library"
                                   : "is a program, not a shared library",
           {"link it with -shared"});
    }
    return *found;
  }

  // The loader reserves room from the first segment to the end of the last and maps each at its
  // place without looking: one out of order would be mapped over something else of the process.
  void check_order(const std::vector<Elf64_Phdr>& all) const {
    std::uint64_t end = 0;
    bool any = false;
    for (const Elf64_Phdr& s : all) {
      if (s.p_type != PT_LOAD) continue;
      const bool sizes =
          s.p_filesz <= s.p_memsz && s.p_memsz <= kLargestImage && s.p_vaddr <= kLargestImage;
      const bool aligned = std::has_single_bit(s.p_align) && s.p_align >= 4096 &&
                           (s.p_vaddr - s.p_offset) % s.p_align == 0;
      const bool later = !any || (s.p_vaddr >= end && s.p_vaddr / 4096 > (end - 1) / 4096);
      if (!sizes || !aligned || !later || s.p_memsz == 0)
        broken("its segments do not fit together");
      end = s.p_vaddr + s.p_memsz;
      any = true;
    }
    if (!any) broken("it has no segment to load");
  }

  // Other parts lie in a loaded segment, where the file says.
  void check_place(const std::vector<Elf64_Phdr>& all, const Elf64_Phdr& part) const {
    const bool followed = part.p_type == PT_DYNAMIC || part.p_type == PT_GNU_RELRO ||
                          part.p_type == PT_TLS || part.p_type == PT_NOTE ||
                          part.p_type == PT_GNU_PROPERTY || part.p_type == PT_GNU_EH_FRAME ||
                          part.p_type == PT_PHDR;
    if (part.p_type == PT_INTERP) broken("it names an interpreter: it is a program");
    if (!followed || part.p_memsz == 0) return;
    for (const Elf64_Phdr& s : all) {
      if (s.p_type != PT_LOAD || part.p_vaddr < s.p_vaddr) continue;
      const std::uint64_t into = part.p_vaddr - s.p_vaddr, end = s.p_vaddr + s.p_memsz;
      // What is written once, and thread-local zeros, may reach to the end of their last page.
      const bool loose = part.p_type == PT_GNU_RELRO || part.p_type == PT_TLS;
      const std::uint64_t last = loose ? (end + 4095) / 4096 * 4096 : end;
      const bool fits = part.p_vaddr <= end && part.p_memsz <= last - part.p_vaddr;
      const bool same = loose || s.p_offset + into == part.p_offset;
      if (fits && same) return;
    }
    broken("a part of it lies outside its segments");
  }

  ByteSource& in_;
  const std::string& file_;
};

}  // namespace

std::vector<Elf64_Phdr> read_segments(ByteSource& in, const std::string& file) {
  return Segments(in, file).read();
}

FilePlace file_place(const std::vector<Elf64_Phdr>& segments, std::uint64_t address) {
  for (const Elf64_Phdr& s : segments) {
    if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz) {
      const std::uint64_t into = address - s.p_vaddr;
      return {true, s.p_offset + into, s.p_filesz - into};
    }
  }
  return {};
}

}  // namespace limen
