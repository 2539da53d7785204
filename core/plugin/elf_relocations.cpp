// What the system's loader writes into and calls while it maps a library.
#include <fmt/format.h>

#include <map>

#include "plugin/elf_file.hpp"
#include "plugin/fault.hpp"

namespace limen {
namespace {

#if defined(__aarch64__)
constexpr std::uint64_t kResolver = R_AARCH64_IRELATIVE;
#else
constexpr std::uint64_t kResolver = R_X86_64_IRELATIVE;
#endif
constexpr std::uint64_t kMostEntries = 4096, kWord = sizeof(std::uint64_t);

class Relocations {
 public:
  Relocations(ByteSource& in, const std::string& file)
      : in_(in), file_(file), segments_(read_segments(in, file)) {}

  void check() {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_DYNAMIC) read_dynamic(segment);
    }
    check_table(DT_RELA, DT_RELASZ);
    check_table(DT_JMPREL, DT_PLTRELSZ);
    check_packed();
    for (const std::int64_t tag : {DT_INIT, DT_FINI}) {
      if (dynamic_.contains(tag) && !inside(dynamic_[tag], 1, PF_X))
        broken("runs outside its code");
    }
    for (const auto& [array, size] :
         {std::pair(DT_INIT_ARRAY, DT_INIT_ARRAYSZ), std::pair(DT_FINI_ARRAY, DT_FINI_ARRAYSZ)}) {
      if (dynamic_[size] > 0 && !inside(dynamic_[array], dynamic_[size], PF_W)) {
        broken("runs functions of a table that is not there");
      }
    }
  }

 private:
  [[noreturn]] void broken(std::string_view what) const {
    throw plugin_fault("E0502", file_, fmt::format("not a loadable ELF file: it {}", what));
  }

  void read_dynamic(const Elf64_Phdr& segment) {
    for (std::uint64_t i = 0; i < kMostEntries; ++i) {
      const bool room = (i + 1) * sizeof(Elf64_Dyn) <= segment.p_filesz;
      const auto entry = in_.get<Elf64_Dyn>(segment.p_offset + i * sizeof(Elf64_Dyn));
      if (!room || !entry) break;
      if (entry->d_tag == DT_NULL) return;
      dynamic_[entry->d_tag] = entry->d_un.d_val;
    }
    broken("has a dynamic section without an end");
  }

  bool inside(std::uint64_t address, std::uint64_t size, std::uint32_t flags) const {
    for (const Elf64_Phdr& s : segments_) {
      if (s.p_type != PT_LOAD || (s.p_flags & flags) != flags || address < s.p_vaddr) continue;
      const std::uint64_t into = address - s.p_vaddr;
      if (into <= s.p_memsz && size <= s.p_memsz - into) return true;
    }
    return false;
  }

  void check_written(std::uint64_t address) const {
    if (!inside(address, kWord, PF_W)) broken("relocates what is not its data");
  }

  void check_table(std::int64_t start, std::int64_t size) {
    const std::uint64_t count = dynamic_[size] / sizeof(Elf64_Rela);
    if (count == 0) return;
    const FilePlace place = file_place(segments_, dynamic_[start]);
    if (!place.found || place.left < count * sizeof(Elf64_Rela)) {
      broken("has relocations outside its segments");
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto entry = in_.get<Elf64_Rela>(place.offset + i * sizeof(Elf64_Rela));
      if (!entry) broken("has relocations that cannot be read");
      check_written(entry->r_offset);
      const auto addend = static_cast<std::uint64_t>(entry->r_addend);
      if (ELF64_R_TYPE(entry->r_info) == kResolver && !inside(addend, 1, PF_X)) {
        broken("resolves functions outside its code");
      }
    }
  }

  // DT_RELR: an even word is an address, an odd one says which of the next 63 words follow it.
  void check_packed() {
    const std::uint64_t count = dynamic_[DT_RELRSZ] / kWord;
    if (count == 0) return;
    const FilePlace place = file_place(segments_, dynamic_[DT_RELR]);
    if (!place.found || place.left < count * kWord) broken("has relocations outside its segments");
    std::uint64_t next = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t word = in_.get<std::uint64_t>(place.offset + i * kWord).value_or(0);
      if ((word & 1) == 0) {
        check_written(word);
        next = word + kWord;
        continue;
      }
      for (std::uint64_t bit = 0; bit < 63; ++bit) {
        if ((word >> (bit + 1) & 1) != 0) check_written(next + bit * kWord);
      }
      next += 63 * kWord;
    }
  }

  ByteSource& in_;
  const std::string& file_;
  const std::vector<Elf64_Phdr> segments_;
  std::map<std::int64_t, std::uint64_t> dynamic_;
};

}  // namespace

void check_relocations(ByteSource& in, const std::string& file) { Relocations(in, file).check(); }

}  // namespace limen
