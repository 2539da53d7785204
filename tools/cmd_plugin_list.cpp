// limen plugin list, limen plugin path: what is there, and where it was looked for.
#include <fmt/format.h>

#include "base/text.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

Json skipped_json(const SearchedDirectory& place) {
  Json skipped = Json::array();
  for (const SearchedDirectory::Skipped& file : place.skipped) {
    skipped.push_back({{"file", file.file}, {"reason", file.reason}});
  }
  return skipped;
}

Json place_json(const SearchedDirectory& place) {
  return {{"path", place.path},
          {"origin", place.origin},
          {"exists", place.exists},
          {"plugins", place.plugins}};
}

std::string place_text(const SearchedDirectory& place) {
  return fmt::format("{}  ({}): {}\n", place.path, place.origin,
                     !place.exists        ? "not there"
                     : place.plugins == 1 ? "1 plugin"
                                          : fmt::format("{} plugins", place.plugins));
}

class PluginListVerb : public Verb {
 public:
  void declare(CLI::App&) override {}

  // Names and versions stand in the code: every file is opened, strangers' in a child first.
  Exit run(Context& context) override {
    const PluginRegistry& registry = context.registry();
    static_cast<void>(registry.plugins());
    return context.globals.json ? as_json(context, registry) : as_text(context, registry);
  }

 private:
  static std::vector<std::string> ops_of(const PluginFile& file) {
    std::vector<std::string> names;
    for (const auto& op : file.ops) names.push_back(op.front());
    return names;
  }

  static Exit as_json(Context& context, const PluginRegistry& registry) {
    Json plugins = Json::array(), searched = Json::array(), problems = Json::array();
    for (const PluginFile& file : registry.files()) {
      if (file.plugin == nullptr) continue;
      plugins.push_back({{"name", file.plugin->name()},
                         {"version", file.plugin->version()},
                         {"file", file.file},
                         {"shipped", file.plugin->shipped},
                         {"ops", ops_of(file)}});
    }
    for (const SearchedDirectory& place : registry.searched()) {
      searched.push_back(place_json(place));
    }
    for (const Diagnostic& d : registry.problems()) {
      problems.push_back(parse_json(render(d, ErrorFormat::json)));
    }
    context.out.json({{"limen", 1},
                      {"kind", "plugin.list"},
                      {"plugins", plugins},
                      {"searched", searched},
                      {"problems", problems}});
    return Exit::ok;
  }

  static Exit as_text(Context& context, const PluginRegistry& registry) {
    Table table({"plugin", "version", "ops", "file"});
    bool any = false;
    for (const PluginFile& file : registry.files()) {
      if (file.plugin == nullptr) continue;
      any = true;
      table.add({std::string(file.plugin->name()), std::string(file.plugin->version()),
                 join(ops_of(file)), file.file});
    }
    std::string text = any ? table.text() : "no plugins found\n";
    if (context.globals.verbose || !any) {
      text += "searched:\n";
      for (const SearchedDirectory& place : registry.searched()) text += "  " + place_text(place);
    }
    context.out.write(text);
    for (const Diagnostic& problem : registry.problems()) context.messages.show(problem);
    return Exit::ok;
  }
};

class PluginPathVerb : public Verb {
 public:
  void declare(CLI::App&) override {}

  Exit run(Context& context) override {
    Json places = Json::array();
    std::string text;
    for (const SearchedDirectory& place : context.registry().searched()) {
      places.push_back(place_json(place));
      places.back()["skipped"] = skipped_json(place);
      text += place_text(place);
      for (const SearchedDirectory::Skipped& file : place.skipped) {
        text += fmt::format("  {}: {}\n", file.file, file.reason);
      }
    }
    if (context.globals.json) {
      context.out.json({{"limen", 1}, {"kind", "plugin.path"}, {"places", places}});
    } else {
      context.out.write(printable(text));
    }
    return Exit::ok;
  }
};

}  // namespace

std::unique_ptr<Verb> make_plugin_list() { return std::make_unique<PluginListVerb>(); }
std::unique_ptr<Verb> make_plugin_path() { return std::make_unique<PluginPathVerb>(); }

}  // namespace limen::tools
