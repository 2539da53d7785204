// `plugins`: libraries that the file asks for. Only what lies beside the model, on the plugin path
// or was allowed by the user is ever loaded: a model file is data.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/program.hpp"
#include "model/version_rule.hpp"
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
        read_item({.where = item, .version = nullptr, .sha256 = {}});
      } else if (item.kind == Node::Kind::map) {
        read_map(item);
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
  // An item of the list: the path or name, and what must be true of the file.
  struct Wanted {
    Node where;  // whose text is the path or name
    const Node* version = nullptr;
    std::string sha256 = {};
  };

  void read_map(const Node& map) {
    check_keys(map, "a plugin", {"path", "name", "version", "sha256"}, {}, findings_);
    const Entry *path = map.find("path"), *name = map.find("name");
    const Entry* const named = path != nullptr ? path : name;
    const bool both = path != nullptr && name != nullptr;
    if (named == nullptr || both || named->value.kind != Node::Kind::text) {
      add_help(findings_.error("E0205", "a plugin has one `path` or one `name`, a text", map),
               "write `{path: plugins/softclip.so, version: \">=1.2\"}`");
      return;
    }
    Wanted wanted{.where = named->value, .version = nullptr, .sha256 = {}};
    if (const Entry* const hash = map.find("sha256"); hash != nullptr) {
      wanted.sha256 = hash->value.text;
      const bool digits = wanted.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
      if (wanted.sha256.size() != 64 || !digits) {
        add_help(findings_.error("E0205", "`sha256` must be 64 digits of 0-9 and a-f", hash->value),
                 "`sha256sum FILE` prints it");
        return;
      }
    }
    if (const Entry* const rule = map.find("version"); rule != nullptr) {
      wanted.version = &rule->value;
      if (!is_version_rule(rule->value.text)) {
        add_help(findings_.error("E0205",
                                 fmt::format("`version` must be a rule such as `>=1.2`, found {}",
                                             describe(rule->value)),
                                 rule->value),
                 "write one of >=, >, <=, <, == and a version; several with commas");
        return;
      }
    }
    read_item(wanted);
  }

  void read_item(const Wanted& wanted) {
    const std::string& text = wanted.where.text;
    const bool path = text.find('/') != std::string::npos || text.ends_with(".so");
    path ? read_path(wanted) : read_bare(wanted);
  }

  void read_path(const Wanted& wanted) {
    const Node& item = wanted.where;
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
    load(real, wanted);
  }

  void read_bare(const Wanted& wanted) {
    const Node& item = wanted.where;
    for (const PluginFile& file : registry_.files()) {
      const bool named = file.plugin != nullptr && file.plugin->name() == item.text;
      if (named || fs::path(file.file).stem() == item.text) return load(file.file, wanted);
    }
    std::vector<fs::path> folders = {folder_ / "plugins", folder_};
    for (const SearchedDirectory& directory : registry_.searched())
      folders.emplace_back(directory.path);
    for (const fs::path& folder : folders) {
      const fs::path real = real_path(folder / (item.text + ".so"));
      if (!real.empty()) return load(real, wanted);
    }
    for (const auto& plugin : registry_.plugins()) {  // opens the files: names stand in the code
      if (plugin->name() == item.text) return load(plugin->file, wanted);
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

  void load(const fs::path& real, const Wanted& wanted) {
    const Node& item = wanted.where;
    std::error_code ignored;
    try {
      if (fs::is_directory(real, ignored)) {
        registry_.load_path(real, "plugins of the model");
        return;
      }
      const auto plugin = registry_.load(real, wanted.sha256);
      if (wanted.version == nullptr || version_fits(plugin->version(), wanted.version->text)) {
        return;
      }
      add_help(findings_.error("E0507",
                               fmt::format("{} is version {}, wanted is {}", real.string(),
                                           plugin->version(), wanted.version->text),
                               *wanted.version),
               "install another version, or change the rule");
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
    for (const SearchedDirectory& directory : registry_.searched()) {
      places.push_back(directory.exists ? directory.path : directory.path + " (not there)");
    }
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
