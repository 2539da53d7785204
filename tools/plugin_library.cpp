// A plugin's file as data, and what happens while it is loaded.
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <elf.h>

#include <fmt/format.h>

#include "base/text.hpp"
#include "base/thread_time.hpp"
#include "check/fp_environment.hpp"
#include "plugin/elf_file.hpp"
#include "plugin_suite.hpp"

namespace limen::tools {
namespace {

// The dynamic section of a library that inspect_elf() has accepted.
struct Library {
  struct Symbol {
    std::string name;
    bool defined = false;
    unsigned bind = 0;
  };
  std::vector<Symbol> symbols;
  std::vector<std::string> needed;
  std::uint64_t constructors = 0;  // functions that run at load, besides the C runtime's one
  bool thread_local_data = false, text_relocations = false;
};

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}

  template <class T>
  T get(std::uint64_t offset) const {
    T value{};
    if (offset <= bytes_.size() && sizeof(T) <= bytes_.size() - offset) {
      std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    }
    return value;
  }
  std::string text(std::uint64_t offset) const {
    return offset < bytes_.size() ? std::string(bytes_.c_str() + offset) : std::string();
  }

 private:
  const std::string& bytes_;
};

Library read_library(const std::string& bytes) {
  const Reader in(bytes);
  const auto header = in.get<Elf64_Ehdr>(0);
  Library library;
  std::vector<Elf64_Phdr> segments;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    segments.push_back(in.get<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr)));
  }
  const auto offset = [&](std::uint64_t address) -> std::uint64_t {
    for (const Elf64_Phdr& s : segments) {
      if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz) {
        return s.p_offset + (address - s.p_vaddr);
      }
    }
    return bytes.size();
  };
  std::uint64_t symbols = 0, strings = 0;
  std::vector<std::uint64_t> needed;
  for (const Elf64_Phdr& s : segments) {
    library.thread_local_data = library.thread_local_data || (s.p_type == PT_TLS && s.p_memsz > 0);
    for (std::uint64_t at = 0; s.p_type == PT_DYNAMIC && at < s.p_filesz; at += sizeof(Elf64_Dyn)) {
      const auto entry = in.get<Elf64_Dyn>(s.p_offset + at);
      const std::uint64_t value = entry.d_un.d_val;
      if (entry.d_tag == DT_SYMTAB) symbols = offset(value);
      if (entry.d_tag == DT_STRTAB) strings = offset(value);
      if (entry.d_tag == DT_NEEDED) needed.push_back(value);
      if (entry.d_tag == DT_TEXTREL) library.text_relocations = true;
      if (entry.d_tag == DT_FLAGS && (value & DF_TEXTREL) != 0) library.text_relocations = true;
      if (entry.d_tag == DT_INIT_ARRAYSZ) library.constructors += value / sizeof(void*);
      if (entry.d_tag == DT_NULL) break;
    }
  }
  if (library.constructors > 0) --library.constructors;  // frame_dummy of crtbegin
  for (const std::uint64_t at : needed) library.needed.push_back(in.text(strings + at));
  // The table has no length of its own; the strings follow it.
  for (std::uint64_t at = symbols + sizeof(Elf64_Sym); at + sizeof(Elf64_Sym) <= strings;
       at += sizeof(Elf64_Sym)) {
    const auto symbol = in.get<Elf64_Sym>(at);
    library.symbols.push_back({in.text(strings + symbol.st_name), symbol.st_shndx != SHN_UNDEF,
                               static_cast<unsigned>(ELF64_ST_BIND(symbol.st_info))});
  }
  return library;
}

// limen_plugin_v1, limen_plugin_v2, ...
bool is_entry(const std::string& name) {
  constexpr std::string_view kStart = "limen_plugin_v";
  return name.starts_with(kStart) && name.size() > kStart.size() &&
         name.find_first_not_of("0123456789", kStart.size()) == std::string::npos;
}

void test_file(const Library& library, SuiteListener& listener) {
  std::vector<std::string> exported, missing, unique;
  for (const Library::Symbol& symbol : library.symbols) {
    if (symbol.defined && !is_entry(symbol.name)) exported.push_back(symbol.name);
    if (!symbol.defined && symbol.bind == STB_GLOBAL) missing.push_back(symbol.name);
    if (symbol.bind == STB_GNU_UNIQUE) unique.push_back(symbol.name);
  }
  const auto some = [](std::vector<std::string> names) {
    if (names.size() > 4) names.resize(4), names.emplace_back("...");
    return join(names);
  };
  if (listener.begin("one-export", {})) {
    listener.add("one-export", exported.empty(),
                 "exports more than its entry point: " + some(exported) +
                     "; compile with -fvisibility=hidden");
  }
  if (listener.begin("no-undefined", {})) {
    listener.add("no-undefined", missing.empty() || !library.needed.empty(),
                 "names no library, but needs " + some(missing));
  }
  if (listener.begin("no-libstdcxx", {})) {
    bool found = false;
    for (const std::string& name : library.needed) found = found || name.starts_with("libstdc++");
    listener.add(
        "no-libstdcxx", !found,
        "needs libstdc++.so, whose version may be another where it is used; link with gcc");
  }
  if (listener.begin("no-constructors", {})) {
    listener.add("no-constructors", library.constructors == 0,
                 fmt::format("{} functions run when it is loaded (global objects, -ffast-math)",
                             library.constructors));
  }
  if (listener.begin("no-gnu-unique", {})) {
    listener.add("no-gnu-unique", unique.empty(),
                 "has symbols that all libraries of a process share: " + some(unique) +
                     "; compile with -fno-gnu-unique");
  }
  if (listener.begin("no-thread-local", {})) {
    listener.add("no-thread-local", !library.thread_local_data, "has thread-local variables");
  }
  if (listener.begin("no-textrel", {})) {
    listener.add("no-textrel", !library.text_relocations,
                 "its code must be changed at load; compile with -fPIC");
  }
}

// A host as plugins see it, with room for what later versions append.
struct Host {
  limen_host host{};
  char later[64] = {};
};

class Loader {
 public:
  Loader(const std::string& file, SuiteListener& listener) : file_(file), listener_(listener) {}

  void run(const ElfFile& notes) {
    const std::uint64_t environment = check::fp_environment();
    const bool timed = listener_.begin("load-under-10ms", {});
    const bool load = listener_.begin("load-now", {});
    const double begin = thread_seconds();
    const limen_entry_fn entry = open();
    if (load) listener_.add("load-now", entry != nullptr, text_);
    if (entry == nullptr) return;
    const limen_plugin* plugin = call(entry, sizeof(limen_host), LIMEN_ABI_MINOR);
    const double seconds = thread_seconds() - begin;
    if (listener_.begin("fp-environment", {})) {
      const std::uint64_t after = check::fp_environment();
      listener_.add("fp-environment", environment == after,
                    environment == after ? "" : fp_change_of_load(environment, after));
      check::restore_fp_environment(environment);
    }
    if (timed) {
      listener_.add("load-under-10ms", seconds < 0.010, fmt::format("{:.1f} ms", 1e3 * seconds));
    }
    if (plugin == nullptr) return;  // loading it again says why
    again(plugin);
    hosts(entry, *plugin);
    if (listener_.begin("notes-match", {})) compare_notes(notes, *plugin);
  }

 private:
  const std::string& file_;
  SuiteListener& listener_;
  std::string text_;
  std::mutex loading_;

  limen_entry_fn open() {
    void* library = ::dlopen(file_.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) {
      const char* why = ::dlerror();
      text_ = why != nullptr ? why : "cannot be loaded";
      return nullptr;
    }
    return reinterpret_cast<limen_entry_fn>(::dlsym(library, LIMEN_ENTRY_NAME));
  }

  const limen_plugin* call(limen_entry_fn entry, std::size_t size, unsigned minor,
                           std::int32_t* code = nullptr) {
    Host room;
    room.host.size = static_cast<std::uint32_t>(size);
    room.host.abi_major = LIMEN_ABI_MAJOR;
    room.host.abi_minor = static_cast<std::uint16_t>(minor);
    room.host.engine = "limen plugin check";
    char text[512] = {};
    limen_error error{sizeof(limen_error), 0, -1, sizeof text, text};
    const limen_plugin* plugin = entry(&room.host, &error);
    text_ =
        plugin != nullptr ? "another descriptor" : fmt::format("its entry point says: {}", text);
    if (code != nullptr) *code = error.code;
    return plugin;
  }

  void again(const limen_plugin* plugin) {
    if (listener_.begin("load-twice", {})) {
      const limen_entry_fn entry = open();
      listener_.add("load-twice",
                    entry != nullptr && call(entry, sizeof(limen_host), LIMEN_ABI_MINOR) == plugin,
                    "a second load gives " + text_);
    }
    if (!listener_.begin("load-64-threads", {})) return;
    int wrong = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 64; ++i) {
      threads.emplace_back([&] {
        void* library = ::dlopen(file_.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        const auto entry = reinterpret_cast<limen_entry_fn>(
            library ? ::dlsym(library, LIMEN_ENTRY_NAME) : nullptr);
        const std::lock_guard guard(loading_);  // entry points are called one at a time
        if (entry == nullptr || call(entry, sizeof(limen_host), LIMEN_ABI_MINOR) != plugin) ++wrong;
      });
    }
    for (std::thread& thread : threads) thread.join();
    listener_.add("load-64-threads", wrong == 0,
                  fmt::format("{} of 64 threads did not get the descriptor", wrong));
  }

  void hosts(limen_entry_fn entry, const limen_plugin& plugin) {
    if (listener_.begin("bare-host", {})) {  // no log, no extensions: what call() gives
      listener_.add("bare-host", call(entry, sizeof(limen_host), LIMEN_ABI_MINOR) != nullptr,
                    text_);
    }
    if (listener_.begin("newer-host", {})) {
      listener_.add("newer-host", call(entry, sizeof(Host), LIMEN_ABI_MINOR + 7) != nullptr, text_);
    }
    if (listener_.begin("older-host", {})) {
      std::int32_t code = LIMEN_OK;
      const bool loaded = call(entry, sizeof(limen_host), 0, &code) != nullptr;
      const bool refused = plugin.abi_needs > 0 && code == LIMEN_E_HOST;
      listener_.add("older-host", loaded || refused, text_);
    }
  }

  void compare_notes(const ElfFile& notes, const limen_plugin& plugin) {
    std::set<std::string> noted, offered;
    for (const std::vector<std::string>& op : notes.ops) noted.insert(op.begin(), op.end());
    for (std::uint32_t i = 0; i < plugin.n_ops; ++i) {
      offered.insert(plugin.ops[i]->name);
      const char* const* alias = plugin.ops[i]->aliases;
      for (; alias != nullptr && *alias != nullptr; ++alias) offered.insert(*alias);
    }
    const auto missing = [](const std::set<std::string>& in, const std::set<std::string>& from) {
      std::vector<std::string> names;
      for (const std::string& name : from) {
        if (!in.contains(name)) names.push_back(name);
      }
      return names.empty() ? std::string("none") : join(names);
    };
    listener_.add("notes-match", noted == offered,
                  fmt::format("names in the ELF notes only: {}; in the descriptor only: {}",
                              missing(offered, noted), missing(noted, offered)));
    listener_.add("notes-match",
                  notes.abi_major == plugin.abi_major && notes.abi_needs == plugin.abi_needs,
                  fmt::format("the ELF note says ABI {}.{}, the descriptor {}.{}", notes.abi_major,
                              notes.abi_needs, plugin.abi_major, plugin.abi_needs));
  }
};

}  // namespace

void test_library(const Suite& suite, SuiteListener& listener) {
  std::ifstream in(suite.file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) throw Error("E0501", fmt::format("{}: cannot be read", suite.file));
  const bool preflight = listener.begin("file-preflight", {});
  const ElfFile notes = inspect_elf(bytes, suite.file);
  if (preflight) listener.add("file-preflight", true, {});
  test_file(read_library(bytes), listener);
  Loader(suite.file, listener).run(notes);
}

}  // namespace limen::tools
