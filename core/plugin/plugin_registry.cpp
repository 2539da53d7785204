#include <limen/plugin_registry.hpp>

#include <sys/stat.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/text.hpp"
#include "plugin/descriptor.hpp"
#include "plugin/elf_file.hpp"
#include "plugin/fault.hpp"
#include "plugin/library.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 30;

// FNV-1a, to recognise copies; not against an adversary.
std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

std::string read_whole(const fs::path& file, std::uint64_t size) {
  if (size > kLargestFile) {
    throw plugin_fault("E0502", file.string(), "not a plugin: larger than 1 GiB");
  }
  std::ifstream in(file, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) throw plugin_fault("E0501", file.string(), "cannot be read");
  return bytes;
}

bool matches(const limen_op& op, std::string_view name) {
  if (op.name == name) return true;
  for (const char* const* alias = op.aliases; alias != nullptr && *alias != nullptr; ++alias) {
    if (*alias == name) return true;
  }
  return false;
}

std::vector<std::string> names_of(const limen_op& op) {
  std::vector<std::string> names = {op.name};
  for (const char* const* alias = op.aliases; alias != nullptr && *alias != nullptr; ++alias) {
    names.emplace_back(*alias);
  }
  return names;
}

template <class Visit>
void for_each_op(const std::vector<std::shared_ptr<const LoadedPlugin>>& plugins, Visit visit) {
  for (const auto& plugin : plugins) {
    for (std::uint32_t i = 0; i < plugin->descriptor->n_ops; ++i) {
      visit(plugin, *plugin->descriptor->ops[i]);
    }
  }
}

std::string offer(const LoadedPlugin& plugin) {
  return fmt::format("{} ({} {})", plugin.file, plugin.name(), plugin.version());
}

fs::path user_directory() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && data[0] == '/') {
    return fs::path(data) / "limen" / "plugins";
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? fs::path(home) / ".local/share/limen/plugins"
                                           : fs::path();
}

}  // namespace

std::shared_ptr<const LoadedPlugin> PluginRegistry::load(const fs::path& library) {
  std::error_code ignored;
  const fs::path file = fs::absolute(library, ignored).lexically_normal();
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) {
    throw Error("E0501", fmt::format("{}: not found", file.string()));
  }
  if (!S_ISREG(status.st_mode)) {
    throw plugin_fault("E0502", file.string(), "not an ELF file (it is no regular file)");
  }
  const std::string bytes = read_whole(file, static_cast<std::uint64_t>(status.st_size));
  Source source{status.st_dev, status.st_ino, bytes.size(), hash_of(bytes), file.string(), nullptr};
  for (const Source& known : sources_) {
    // The system's loader knows a library by its path and by its inode, whatever it holds now.
    const bool same_file =
        known.file == source.file || (known.device == source.device && known.inode == source.inode);
    const bool same_bytes = known.size == source.size && known.hash == source.hash;
    if (same_bytes) return known.plugin;
    if (same_file) {
      throw plugin_fault("E0511", source.file, "was changed after it had been loaded",
                         {"start again, or load the new version under another name"});
    }
  }
  inspect_elf(bytes, source.file);
  const limen_plugin* descriptor = open_library(file);
  check_descriptor(descriptor, source.file);
  for (const auto& other : plugins_) {
    if (other->name() != descriptor->name) continue;
    throw plugin_fault("E0516", source.file,
                       fmt::format("plugin {} {} is hidden by {}, which was found first",
                                   descriptor->name, descriptor->version, offer(*other)));
  }
  const bool shipped = std::string_view(descriptor->name).starts_with("org.limen.");
  source.plugin = std::make_shared<const LoadedPlugin>(
      LoadedPlugin{.descriptor = descriptor, .file = source.file, .shipped = shipped});
  plugins_.push_back(source.plugin);
  sources_.push_back(source);
  return source.plugin;
}

void PluginRegistry::remember(const Error& error) {
  problems_.insert(problems_.end(), error.diagnostics().begin(), error.diagnostics().end());
}

void PluginRegistry::load_directory(const fs::path& directory, std::string origin) {
  SearchedDirectory searched{directory.string(), std::move(origin), false, 0};
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    searched.exists = true;
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name.ends_with(".so") && name[0] != '.' && it->is_regular_file(ignored)) {
      files.push_back(it->path());
    }
  }
  searched.exists = searched.exists || fs::is_directory(directory, error);
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    try {
      load(file);
      ++searched.plugins;
    } catch (const Error& fault) {
      remember(fault);
    }
  }
  searched_.push_back(std::move(searched));
}

void PluginRegistry::load_path(const fs::path& path, std::string origin) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    load_directory(path, std::move(origin));
  } else {
    load(path);
  }
}

void PluginRegistry::load_default() {
  const char* variable = std::getenv("LIMEN_PLUGIN_PATH");
  std::string_view rest = variable != nullptr ? variable : "";
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    if (item.empty()) continue;
    try {
      load_path(fs::path(item), "LIMEN_PLUGIN_PATH");
    } catch (const Error& error) {
      remember(error);
    }
  }
  if (const fs::path user = user_directory(); !user.empty()) {
    load_directory(user, "user's data folder");
  }
  if (const fs::path prefix = program_prefix(); !prefix.empty()) {
    load_directory(prefix / "lib" / "limen" / "plugins", "limen's own");
  }
}

Activation PluginRegistry::find(std::string_view name) const {
  const std::size_t colon = name.rfind(':');
  const bool qualified = colon != std::string_view::npos;
  const std::string_view wanted = qualified ? name.substr(colon + 1) : name;
  std::vector<Activation> found;
  for_each_op(plugins_, [&](const std::shared_ptr<const LoadedPlugin>& plugin, const limen_op& op) {
    const bool here = !qualified || plugin->name() == name.substr(0, colon);
    if (here && matches(op, wanted)) found.push_back(Activation(plugin, &op));
  });
  if (found.empty()) throw unknown(name);
  const auto own = std::find_if(found.begin(), found.end(),
                                [](const Activation& a) { return a.plugin().shipped; });
  if (own != found.end()) return *own;
  if (found.size() == 1) return found.front();
  std::vector<std::string> offers, ways;
  for (const Activation& a : found) {
    offers.push_back(offer(a.plugin()));
    ways.push_back(fmt::format("{}:{}", a.plugin().name(), wanted));
  }
  throw Error("E0516", fmt::format("op \"{}\" is offered by {}. Say {}", wanted,
                                   join(offers, " and "), join(ways, " or ")));
}

Error PluginRegistry::unknown(std::string_view name) const {
  std::vector<std::string> names, owners;
  std::size_t ops = 0;
  for_each_op(plugins_, [&](const auto& plugin, const limen_op& op) {
    ++ops;
    for (std::string& known : names_of(op)) {
      names.push_back(std::move(known));
      owners.emplace_back(plugin->name());
    }
  });
  const std::size_t colon = name.rfind(':');
  const std::string_view wanted = colon == std::string_view::npos ? name : name.substr(colon + 1);
  std::string hint;
  if (const auto near = nearest(wanted, names)) {
    const auto at = std::find(names.begin(), names.end(), *near) - names.begin();
    hint = fmt::format(" Did you mean {} ({})?", *near, owners[static_cast<std::size_t>(at)]);
  }
  Diagnostic d{.code = "E0518",
               .message = fmt::format("op \"{}\": unknown.{} {} ops known; limen plugin list", name,
                                      hint, ops),
               .spans = {},
               .notes = {},
               .help = {}};
  std::vector<std::string> failed;
  for (const Diagnostic& problem : problems_) {
    if (problem.spans.empty()) {
      failed.push_back(fmt::format("{} ({})", problem.message, problem.code));
    } else {
      failed.push_back(
          fmt::format("{} ({}: {})", problem.spans.front().file, problem.code, problem.message));
    }
  }
  if (!failed.empty()) {
    d.notes.push_back(
        fmt::format("{} could not be loaded: {}",
                    failed.size() == 1 ? "1 file" : fmt::format("{} files", failed.size()),
                    join(failed, "; ")));
  }
  return Error(std::move(d));
}

std::vector<Activation> PluginRegistry::activations() const {
  std::vector<Activation> all;
  for_each_op(plugins_, [&](const std::shared_ptr<const LoadedPlugin>& plugin, const limen_op& op) {
    all.push_back(Activation(plugin, &op));
  });
  std::sort(all.begin(), all.end(), [](const Activation& a, const Activation& b) {
    return std::pair(a.name(), a.plugin().name()) < std::pair(b.name(), b.plugin().name());
  });
  return all;
}

std::vector<Diagnostic> PluginRegistry::problems() const {
  std::vector<Diagnostic> all = problems_;
  for_each_op(plugins_, [&](const std::shared_ptr<const LoadedPlugin>& plugin, const limen_op& op) {
    if (plugin->shipped) return;
    for (const std::string& name : names_of(op)) {
      bool hidden = false;
      for_each_op(plugins_, [&](const auto& other, const limen_op& mine) {
        hidden = hidden || (other->shipped && matches(mine, name));
      });
      if (!hidden) continue;
      Span span;
      span.file = plugin->file;
      all.push_back({.code = "E0517",
                     .message = fmt::format("op \"{}\" is shipped with limen; call it {}:{} or "
                                            "rename it",
                                            name, plugin->name(), name),
                     .spans = {span},
                     .notes = {},
                     .help = {},
                     .warning = true});
    }
  });
  return all;
}

}  // namespace limen
