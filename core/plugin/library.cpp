#include "plugin/library.hpp"

#include <dlfcn.h>

#include <fmt/format.h>

// Boost.DLL on std::filesystem: header only, no boost_filesystem.
#define BOOST_DLL_USE_STD_FS
#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>

#include <array>
#include <cstdio>
#include <string_view>

#include "base/isa.hpp"
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

Error loader_fault(const std::filesystem::path& file, const std::string& text) {
  const std::string name = file.filename().string();
  if (const std::string symbol = between(text, "undefined symbol: ", ",) \n"); !symbol.empty()) {
    return plugin_fault(
        "E0511", file.string(),
        fmt::format("undefined symbol {} (used by {}; defined by no library it names)", symbol,
                    name),
        {"link with -Wl,-z,defs to catch this at build time"});
  }
  if (const std::string version = between(text, "version `", "'"); !version.empty()) {
    return plugin_fault(
        "E0510", file.string(),
        fmt::format("needs {}, which no library of this process has: {}", version, text),
        {"link with gcc instead of g++, or with -static-libstdc++"});
  }
  const std::size_t missing = text.find(": cannot open shared object file");
  if (missing != std::string::npos && !text.starts_with(file.string())) {
    return plugin_fault(
        "E0509", file.string(),
        fmt::format("needs {}, which the system's loader does not find", text.substr(0, missing)),
        {"install it, or link the plugin with -Wl,-rpath,DIR"});
  }
  return plugin_fault("E0511", file.string(), fmt::format("cannot be loaded: {}", text));
}

void log_line(void*, std::uint32_t level, const char* text) {
  if (level >= 2 && text != nullptr) std::fprintf(stderr, "limen plugin: %s\n", text);
}

const limen_plugin* call_entry(const std::filesystem::path& file, limen_entry_fn entry) {
  limen_host host{};
  host.size = sizeof host;
  host.abi_major = LIMEN_ABI_MAJOR;
  host.abi_minor = LIMEN_ABI_MINOR;
  host.isa = detect_isa();
  host.engine = "limen";
  host.log = log_line;
  std::array<char, 512> text{};
  limen_error error{sizeof(limen_error), 0, -1, text.size(), text.data()};
  const limen_plugin* plugin = entry(&host, &error);
  if (plugin != nullptr) return plugin;
  text.back() = '\0';
  throw plugin_fault(
      "E0513", file.string(),
      fmt::format("entry point failed: {}", text[0] != '\0' ? text.data() : "it does not say why"));
}

}  // namespace

const limen_plugin* open_library(const std::filesystem::path& file) {
  namespace dll = boost::dll;
  // NODELETE: the mapping outlives every handle. Never lazy (a missing symbol would end the process
  // at the first call), never global.
  const auto mode = dll::load_mode::rtld_now | dll::load_mode::rtld_local |
                    static_cast<dll::load_mode::type>(RTLD_NODELETE);
  limen_entry_fn entry = nullptr;
  try {
    const dll::shared_library library(file, mode);
    if (!library.has(LIMEN_ENTRY_NAME)) {
      throw plugin_fault("E0508", file.string(),
                         fmt::format("no entry point {}", LIMEN_ENTRY_NAME));
    }
    entry = &library.get<const limen_plugin*(const limen_host*, limen_error*)>(LIMEN_ENTRY_NAME);
  } catch (const std::system_error& error) {
    throw loader_fault(file, loader_text(error.what()));
  }
  return call_entry(file, entry);
}

std::filesystem::path program_prefix() {
  std::error_code error;
  const auto program = boost::dll::program_location(error);
  return error ? std::filesystem::path() : program.parent_path().parent_path();
}

}  // namespace limen
