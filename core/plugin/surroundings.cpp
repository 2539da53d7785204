#include "plugin/surroundings.hpp"

#include <link.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/text.hpp"
#include "plugin/fault.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultFolders[] = {
#if defined(__x86_64__)
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
#endif
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib"};
constexpr const char* kCacheFile = "/etc/ld.so.cache";

struct Library {
  std::string soname;
  std::set<std::string> versions;
};

// The dynamic section of a mapped library. The loader turned some of its addresses into pointers
// and left others as they were in the file.
Library read_mapped(const dl_phdr_info& info) {
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    if (info.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    dynamic = reinterpret_cast<const ElfW(Dyn)*>(info.dlpi_addr + info.dlpi_phdr[i].p_vaddr);
  }
  const auto pointer = [&](std::uint64_t address) {
    return reinterpret_cast<const char*>(address < info.dlpi_addr ? info.dlpi_addr + address
                                                                  : address);
  };
  Library library;
  const char *strings = nullptr, *definitions = nullptr;
  std::uint64_t soname = 0, count = 0;
  for (const ElfW(Dyn)* entry = dynamic; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_STRTAB) strings = pointer(entry->d_un.d_ptr);
    if (entry->d_tag == DT_SONAME) soname = entry->d_un.d_val;
    if (entry->d_tag == DT_VERDEF) definitions = pointer(entry->d_un.d_ptr);
    if (entry->d_tag == DT_VERDEFNUM) count = entry->d_un.d_val;
  }
  if (strings == nullptr) return library;
  library.soname =
      soname != 0 ? std::string(strings + soname) : fs::path(info.dlpi_name).filename().string();
  for (std::uint64_t i = 0; definitions != nullptr && i < count; ++i) {
    const auto* definition = reinterpret_cast<const ElfW(Verdef)*>(definitions);
    const auto* name = reinterpret_cast<const ElfW(Verdaux)*>(definitions + definition->vd_aux);
    library.versions.emplace(strings + name->vda_name);
    if (definition->vd_next == 0) break;
    definitions += definition->vd_next;
  }
  return library;
}

bool is_file(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// "GLIBCXX_3.4.32" as ("GLIBCXX", {3, 4, 32}).
struct Version {
  std::string_view family;
  std::vector<int> numbers;
};
Version parse_version(std::string_view text) {
  const std::size_t bar = text.rfind('_');
  Version version{text.substr(0, bar), {}};
  for (std::size_t at = bar + 1; bar != std::string_view::npos && at < text.size();) {
    version.numbers.push_back(std::atoi(std::string(text.substr(at, 9)).c_str()));
    at = std::min(text.find('.', at), text.size() - 1) + 1;
  }
  return version;
}

// The highest of the same family; empty if there is none.
std::string highest(const std::set<std::string>& versions, std::string_view family) {
  std::string best;
  for (const std::string& version : versions) {
    const Version parsed = parse_version(version);
    if (parsed.family != family) continue;
    if (best.empty() || parsed.numbers > parse_version(best).numbers) best = version;
  }
  return best;
}

std::string with_origin(std::string folder, const std::string& file) {
  const std::string origin = fs::path(file).parent_path().string();
  for (const char* mark : {"$ORIGIN", "${ORIGIN}"}) {
    const std::size_t at = folder.find(mark);
    if (at != std::string::npos) folder.replace(at, std::strlen(mark), origin);
  }
  return folder;
}

std::vector<std::string> items_of(std::string_view path) {
  std::vector<std::string> items;
  while (!path.empty()) {
    const std::string_view item = path.substr(0, path.find_first_of(":;"));
    path.remove_prefix(std::min(path.size(), item.size() + 1));
    if (!item.empty()) items.emplace_back(item);
  }
  return items;
}

}  // namespace

Surroundings::Surroundings() {
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        Library library = read_mapped(*info);
        auto& all = *static_cast<std::map<std::string, std::set<std::string>>*>(data);
        all[std::move(library.soname)].merge(library.versions);
        return 0;
      },
      &mapped_);
}

// The names of the "glibc-ld.so.cache1.1" format: a header of 48 bytes, then entries of 24 whose
// second word is where the name begins.
const std::set<std::string>& Surroundings::cache() {
  if (std::exchange(cache_read_, true)) return cache_;
  std::ifstream stream(kCacheFile, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)),
                          std::istreambuf_iterator<char>());
  constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
  const std::size_t begin = bytes.find(kMagic);
  if (begin == std::string::npos) return cache_;
  ByteSource in(std::string_view(bytes).substr(begin));
  const std::uint64_t count = in.get<std::uint32_t>(kMagic.size()).value_or(0);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto name = in.get<std::uint32_t>(48 + 24 * i + 4);
    if (!name) break;
    cache_.emplace(in.text(*name, 256));
  }
  return cache_;
}

bool Surroundings::found(const ElfFile& elf, const std::string& file, const std::string& library,
                         std::vector<std::string>& places) {
  if (library.find('/') != std::string::npos) return is_file(library);
  if (mapped_.contains(library)) return true;
  const auto look = [&](const char* what, std::string_view path) {
    for (const std::string& item : items_of(path)) {
      const std::string folder = with_origin(item, file);
      const std::string meant =
          folder == item ? "" : fmt::format(" (={})", fs::path(folder).lexically_normal().string());
      places.push_back(fmt::format("{} {}{}", what, item, meant));
      if (is_file(fs::path(folder) / library)) return true;
    }
    return false;
  };
  if (elf.runpath.empty() && look("RPATH", elf.rpath)) return true;
  const char* variable = std::getenv("LD_LIBRARY_PATH");
  if (variable != nullptr && look("LD_LIBRARY_PATH", variable)) return true;
  if (look("RUNPATH", elf.runpath)) return true;
  places.emplace_back("ld.so.cache");
  if (cache().contains(library)) return true;
  return std::any_of(std::begin(kDefaultFolders), std::end(kDefaultFolders), [&](const char* path) {
    if (is_file(fs::path(path) / library)) return true;
    if (fs::is_directory(path)) places.emplace_back(path);
    return false;
  });
}

void Surroundings::check(const ElfFile& elf, const std::string& file) {
  for (const std::string& library : elf.needed) {
    std::vector<std::string> places;
    if (found(elf, file, library, places)) continue;
    throw plugin_fault("E0509", file,
                       fmt::format("needs {}, which is in none of: {}", library, join(places)),
                       {"install it, or link the plugin with -Wl,-rpath,DIR"});
  }
  for (const ElfFile::Version& wanted : elf.versions) {
    const auto library = mapped_.find(wanted.library);
    if (library == mapped_.end() || library->second.contains(wanted.version)) continue;
    const std::string_view family = parse_version(wanted.version).family;
    const std::string most = highest(library->second, family);
    throw plugin_fault("E0510", file,
                       fmt::format("needs {}; this process has {}", wanted.version,
                                   most.empty() ? fmt::format("no {} in {}", family, wanted.library)
                                                : "up to " + most.substr(most.rfind('_') + 1)),
                       {family.starts_with("GLIBCXX") || family.starts_with("CXXABI")
                            ? "link with gcc, or with -static-libstdc++"
                            : "build it on a system that is no newer than this one"});
  }
}

}  // namespace limen
