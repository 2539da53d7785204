#include <limen/plugin_registry.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "plugin/catalogue.hpp"
#include "plugin/fault.hpp"
#include "plugin/library.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

fs::path user_directory() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && data[0] == '/') {
    return fs::path(data) / "limen" / "plugins";
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? fs::path(home) / ".local/share/limen/plugins"
                                           : fs::path();
}

std::string absolute_path(const fs::path& path) {
  std::error_code ignored;
  return fs::absolute(path, ignored).lexically_normal().string();
}

// Why a name in a directory is not even looked at; empty for "*.so".
std::string passed_over(const fs::directory_entry& entry) {
  std::error_code ignored;
  const std::string name = entry.path().filename().string();
  if (name[0] == '.') return "hidden";
  if (!entry.is_regular_file(ignored)) return "no regular file";
  return name.ends_with(".so") ? "" : "its name does not end in .so";
}

struct Listing {
  bool exists = false;
  std::vector<std::string> files;
  std::vector<SearchedDirectory::Skipped> skipped;
};

Listing list_directory(const fs::path& directory) {
  Listing listing;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    listing.exists = true;
    if (const std::string why = passed_over(*it); !why.empty()) {
      listing.skipped.push_back({it->path().filename().string(), why});
    } else {
      listing.files.push_back(it->path().string());
    }
  }
  listing.exists = listing.exists || fs::is_directory(directory, error);
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

}  // namespace

PluginRegistry::PluginRegistry() : state_(std::make_unique<State>()) {}
PluginRegistry::~PluginRegistry() = default;
PluginRegistry::PluginRegistry(PluginRegistry&&) noexcept = default;
PluginRegistry& PluginRegistry::operator=(PluginRegistry&&) noexcept = default;

std::shared_ptr<const LoadedPlugin> PluginRegistry::load(const fs::path& library,
                                                         const std::string& sha256) {
  const std::lock_guard lock(state_->mutex);
  const Catalogue::Added added = state_->add(absolute_path(library), true);
  try {
    return state_->open(state_->files[added.index], sha256);
  } catch (...) {
    const auto at = state_->files.begin() + static_cast<std::ptrdiff_t>(added.index);
    if (!added.known) state_->files.erase(at);
    throw;
  }
}

void PluginRegistry::load_directory(const fs::path& path, std::string origin) {
  const std::lock_guard lock(state_->mutex);
  const fs::path directory = absolute_path(path);
  SearchedDirectory searched{.path = path.string(), .origin = std::move(origin)};
  Listing listing = list_directory(directory);
  searched.exists = listing.exists;
  searched.skipped = std::move(listing.skipped);
  const std::string why = state_->is_own(directory.string()) ? "" : untrusted(directory.string());
  if (listing.exists && !why.empty()) {
    state_->remember(plugin_fault("E0522", directory.string(), why + "; refused",
                                  {"name the file itself, or `chmod o-w`"}));
    searched.skipped.push_back({".", "E0522: " + why});
    listing.files.clear();
  }
  for (const std::string& file : listing.files) {
    const std::string name = fs::path(file).filename().string();
    try {
      const Catalogue::Added added = state_->add(file, false);
      CataloguedFile& found = state_->files[added.index];
      if (found.is.ops.empty()) state_->open(found, "");
      ++searched.plugins;
      if (added.known && found.is.file != file) {
        searched.skipped.push_back({name, "the same as " + found.is.file});
      }
    } catch (const Error& fault) {
      state_->remember(fault);
      const Diagnostic& first = fault.diagnostics().front();
      searched.skipped.push_back({name, fmt::format("{}: {}", first.code, first.message)});
    }
  }
  std::sort(searched.skipped.begin(), searched.skipped.end(),
            [](const auto& a, const auto& b) { return a.file < b.file; });
  state_->searched.push_back(std::move(searched));
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
    std::error_code ignored;
    try {
      if (!item.ends_with(".so") && !fs::exists(item, ignored)) {
        load_directory(fs::path(item), "LIMEN_PLUGIN_PATH");  // says that it is not there
      } else {
        load_path(fs::path(item), "LIMEN_PLUGIN_PATH");
      }
    } catch (const Error& error) {
      state_->remember(error);
    }
  }
  if (const fs::path user = user_directory(); !user.empty()) {
    load_directory(user, "user's data folder");
  }
  if (const fs::path own = own_folder(); !own.empty()) load_directory(own, "limen's own");
}

const std::vector<SearchedDirectory>& PluginRegistry::searched() const { return state_->searched; }

std::vector<PluginFile> PluginRegistry::files() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<PluginFile> all;
  for (const CataloguedFile& file : state_->files) all.push_back(file.is);
  return all;
}

std::vector<std::shared_ptr<const LoadedPlugin>> PluginRegistry::plugins() const {
  const std::lock_guard lock(state_->mutex);
  state_->open_all();
  std::vector<std::shared_ptr<const LoadedPlugin>> all;
  for (const CataloguedFile& file : state_->files) {
    if (file.is.plugin != nullptr) all.push_back(file.is.plugin);
  }
  return all;
}

}  // namespace limen
