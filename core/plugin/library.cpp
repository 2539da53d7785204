#include "plugin/library.hpp"

#include <dlfcn.h>
#include <link.h>

#include <fmt/format.h>

// Boost.DLL on std::filesystem: header only, no boost_filesystem.
#define BOOST_DLL_USE_STD_FS
#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>

#include <array>
#include <cstdio>
#include <string_view>

#include "base/isa.hpp"
#include "base/kernel_site.hpp"
#include "base/version.hpp"
#include "plugin/fault.hpp"

namespace limen {
namespace {

static_assert(kIsaBase == LIMEN_ISA_ANY && kIsaX86V3 == LIMEN_ISA_X86_V3 &&
              kIsaX86V4 == LIMEN_ISA_X86_V4);

// The loader's own words inside Boost's message; its error code says nothing (always EBADF).
std::string loader_text(std::string_view what) {
  constexpr std::string_view kMark = "dlerror system message: ";
  const std::size_t begin = what.find(kMark);
  if (begin == std::string_view::npos) return std::string(what);
  what.remove_prefix(begin + kMark.size());
  return std::string(what.substr(0, what.rfind("): ")));
}

std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin + before.size());
  return std::string(text.substr(0, text.find_first_of(after)));
}

Error loader_fault(const std::string& loaded, const std::string& file, std::string text) {
  const std::string name = std::filesystem::path(file).filename().string();
  for (std::size_t at; (at = text.find(loaded)) != std::string::npos && loaded != file;) {
    text.replace(at, loaded.size(), file);
  }
  if (const std::string symbol = between(text, "undefined symbol: ", ",) \n"); !symbol.empty()) {
    return plugin_fault(
        "E0511", file,
        fmt::format("undefined symbol {} (used by {}; defined by no library it names)", symbol,
                    name),
        {"link with -Wl,-z,defs to catch this at build time"});
  }
  if (const std::string version = between(text, "version `", "'"); !version.empty()) {
    return plugin_fault(
        "E0510", file,
        fmt::format("needs {}, which no library of this process has: {}", version, text),
        {"link with gcc instead of g++, or with -static-libstdc++"});
  }
  const std::size_t missing = text.find(": cannot open shared object file");
  if (missing != std::string::npos && !text.starts_with(file)) {
    return plugin_fault(
        "E0509", file,
        fmt::format("needs {}, which the system's loader does not find", text.substr(0, missing)),
        {"install it, or link the plugin with -Wl,-rpath,DIR"});
  }
  return plugin_fault("E0511", file, fmt::format("cannot be loaded: {}", text));
}

void log_line(void*, std::uint32_t level, const char* text) {
  if (level >= 2 && text != nullptr) std::fprintf(stderr, "limen plugin: %s\n", text);
}

const limen_plugin* call_entry(const std::string& file, limen_entry_fn entry) {
  const std::string engine = fmt::format("limen {}", version());
  limen_host host{};
  host.size = sizeof host;
  host.abi_major = LIMEN_ABI_MAJOR;
  host.abi_minor = LIMEN_ABI_MINOR;
  host.isa = detect_isa();
  host.engine = engine.c_str();
  host.log = log_line;
  std::array<char, 512> text{};
  limen_error error{sizeof(limen_error), 0, -1, text.size(), text.data()};
  const KernelSite site{.plugin = file.c_str(), .kernel = "entry point"};
  const KernelGuard guard(site);
  const limen_plugin* plugin = entry(&host, &error);
  if (plugin != nullptr) return plugin;
  text.back() = '\0';
  throw plugin_fault(
      "E0513", file,
      fmt::format("entry point failed: {}", text[0] != '\0' ? text.data() : "it does not say why"));
}

}  // namespace

const limen_plugin* open_library(const std::filesystem::path& file, const std::string& original,
                                 const std::function<void()>& before_entry) {
  namespace dll = boost::dll;
  // NODELETE: the mapping outlives every handle. Never lazy (a missing symbol would end the process
  // at the first call), never global.
  const auto mode = dll::load_mode::rtld_now | dll::load_mode::rtld_local |
                    static_cast<dll::load_mode::type>(RTLD_NODELETE);
  limen_entry_fn entry = nullptr;
  try {
    const dll::shared_library library(file, mode);
    if (!library.has(LIMEN_ENTRY_NAME)) {
      throw plugin_fault("E0508", original, fmt::format("no entry point {}", LIMEN_ENTRY_NAME));
    }
    entry = &library.get<const limen_plugin*(const limen_host*, limen_error*)>(LIMEN_ENTRY_NAME);
  } catch (const std::system_error& error) {
    throw loader_fault(file.string(), original, loader_text(error.what()));
  }
  if (before_entry) before_entry();
  return call_entry(original, entry);
}

void map_once(const std::filesystem::path& file) {
  const boost::dll::shared_library library(
      file, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
}

bool mapped_as_other(const std::filesystem::path& file, std::string_view build_id) {
  void* handle = ::dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return false;
  struct Search {
    std::uintptr_t base = 0;
    std::string_view build_id;
    bool same = false;
  } search;
  search.build_id = build_id;
  link_map* map = nullptr;
  if (::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) search.base = map->l_addr;
  ::dlclose(handle);
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        if (info->dlpi_addr != wanted.base || wanted.base == 0) return 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          if (info->dlpi_phdr[i].p_type != PT_NOTE) continue;
          const std::string_view notes(
              reinterpret_cast<const char*>(wanted.base + info->dlpi_phdr[i].p_vaddr),
              info->dlpi_phdr[i].p_memsz);
          wanted.same = wanted.same || notes.find(wanted.build_id) != std::string_view::npos;
        }
        return 1;
      },
      &search);
  return build_id.empty() || !search.same;
}

std::filesystem::path program_prefix() {
  std::error_code error;
  const auto program = boost::dll::program_location(error);
  return error ? std::filesystem::path() : program.parent_path().parent_path();
}

}  // namespace limen
