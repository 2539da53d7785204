// `plugins`: libraries that the file asks for. Only what lies beside the model, on the plugin path
// or was allowed by the user is ever loaded: a model file is data.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/program.hpp"
#include "model/yaml_hints.hpp"

namespace limen::language {
namespace {

namespace fs = std::filesystem;

bool lies_in(const fs::path& file, const fs::path& folder) {
  const auto [rest, end] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  static_cast<void>(end);
  return rest == folder.end() || (std::next(rest) == folder.end() && rest->empty());
}

// The path without links and dots; empty if it does not exist.
fs::path real_path(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? fs::path() : real;
}

class PluginReader {
 public:
  PluginReader(const std::string& file, const ModelOptions& options, PluginRegistry& registry,
               Findings& findings)
      : options_(options), registry_(registry), findings_(findings) {
    folder_ = file == "-" ? fs::path() : fs::path(file).parent_path();
    if (folder_.empty()) folder_ = ".";
  }

  void read(const Node& node) {
    if (node.kind != Node::Kind::list) {
      Diagnostic& found = findings_.error(
          "E0205", fmt::format("`plugins` must be a list, found {}", describe(node)), node);
      add_help(found, "write each plugin on a line of its own, as in `- plugins/softclip.so`");
      return;
    }
    for (const Node& item : node.items) {
      if (item.kind == Node::Kind::text) {
        read_item(item);
      } else if (item.kind == Node::Kind::map) {
        add_help(
            findings_.error(
                "E0110",
                "versions and hashes of plugins are not available in this version of limen", item),
            "write the path alone");
      } else {
        add_help(
            findings_.error(
                "E0205", fmt::format("a plugin must be a path or a name, found {}", describe(item)),
                item),
            "write a path such as `plugins/softclip.so`");
      }
    }
  }

 private:
  void read_item(const Node& item) {
    const bool path = item.text.find('/') != std::string::npos || item.text.ends_with(".so");
    path ? read_path(item) : read_bare(item);
  }

  void read_path(const Node& item) {
    const fs::path written = item.text;
    const fs::path file = written.is_absolute() ? written : folder_ / written;
    const fs::path real = real_path(file);
    if (real.empty()) return not_found(item);
    if (!allowed(real)) {
      add_help(
          findings_.error(
              "E0519", fmt::format("plugin `{}` lies outside the folder of the model", item.text),
              item),
          fmt::format("if you trust it, add `--allow-plugin {}`", real.string()));
      return;
    }
    load(real, item);
  }

  void read_bare(const Node& item) {
    for (const PluginFile& file : registry_.files()) {
      const bool named = file.plugin != nullptr && file.plugin->name() == item.text;
      if (named || fs::path(file.file).stem() == item.text) return;
    }
    std::vector<fs::path> folders = {folder_ / "plugins", folder_};
    for (const SearchedDirectory& directory : registry_.searched())
      folders.emplace_back(directory.path);
    for (const fs::path& folder : folders) {
      const fs::path real = real_path(folder / (item.text + ".so"));
      if (!real.empty()) return load(real, item);
    }
    not_found(item);
  }

  bool allowed(const fs::path& real) const {
    if (lies_in(real, real_path(folder_))) return true;
    for (const SearchedDirectory& directory : registry_.searched()) {
      const fs::path folder = real_path(directory.path);
      if (!folder.empty() && lies_in(real, folder)) return true;
    }
    return std::any_of(options_.allow_plugins.begin(), options_.allow_plugins.end(),
                       [&](const std::string& path) {
                         const fs::path named = real_path(path);
                         return !named.empty() && lies_in(real, named);
                       });
  }

  void load(const fs::path& real, const Node& item) {
    try {
      registry_.load_path(real, "plugins of the model");
    } catch (const Error& error) {
      for (const Diagnostic& diagnostic : error.diagnostics()) {
        Diagnostic& found = findings_.error(diagnostic.code, diagnostic.message, item);
        found.notes = diagnostic.notes;
        found.help = diagnostic.help;
        if (found.help.empty()) add_help(found, "build the plugin again, or remove the line");
      }
    }
  }

  void not_found(const Node& item) {
    Diagnostic& found =
        findings_.error("E0501", fmt::format("plugin `{}` not found", item.text), item);
    std::vector<std::string> places = {(folder_ / "plugins").string()};
    if (item.text.find('/') != std::string::npos)
      places = {(folder_ / fs::path(item.text).parent_path()).string()};
    for (const SearchedDirectory& directory : registry_.searched())
      places.push_back(directory.path);
    add_help(found, missing_space_help(item.text));
    add_help(found, fmt::format("looked in: {}", join(places)));
  }

  fs::path folder_;
  const ModelOptions& options_;
  PluginRegistry& registry_;
  Findings& findings_;
};

}  // namespace

void read_plugins(const Node& node, const std::string& file, const ModelOptions& options,
                  PluginRegistry& registry, Findings& findings) {
  PluginReader(file, options, registry, findings).read(node);
}

}  // namespace limen::language
