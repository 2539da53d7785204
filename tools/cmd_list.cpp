// limen list: the names that a model file may use.
#include <algorithm>

#include <fmt/format.h>

#include <limen/data_spec.hpp>

#include "base/text.hpp"
#include "model/graph_reader.hpp"
#include "model/layers.hpp"
#include "model/schema.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

struct Row {
  std::string name, main, help, from;  // from: the plugin of an activation
};

std::vector<Row> rows_of(std::span<const language::CallInfo> table) {
  std::vector<Row> rows;
  for (const language::CallInfo& info : table) {
    std::string help(info.help);
    if (!info.same_as.empty()) help = fmt::format("another name for {}", info.same_as);
    rows.push_back({std::string(info.name), std::string(info.main), std::move(help), ""});
  }
  return rows;
}

std::vector<Row> rows_of(std::span<const DataKindInfo> table) {
  std::vector<Row> rows;
  for (const DataKindInfo& info : table) {
    rows.push_back({std::string(info.name), std::string(info.main), std::string(info.help), ""});
  }
  return rows;
}

std::vector<Row> activation_rows(const PluginRegistry& registry) {
  std::vector<Row> rows;
  for (const Activation& activation : registry.activations()) {
    const auto params = activation.params();
    const char* const summary = activation.op().summary;
    const char* const formula = activation.op().formula;
    rows.push_back({std::string(activation.name()),
                    params.empty() ? "" : std::string(params.front().name),
                    summary != nullptr && *summary != '\0' ? summary
                    : formula != nullptr                   ? formula
                                                           : "",
                    std::string(activation.plugin().name())});
  }
  return rows;
}

std::vector<Row> op_rows(const PluginRegistry& registry) {
  std::vector<Row> rows = activation_rows(registry);
  for (const language::Layer& layer : language::layers()) {
    const language::CallInfo& info = layer.info;
    rows.push_back({std::string(info.name), std::string(info.main), std::string(info.help), ""});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
  return rows;
}

class ListVerb : public Verb {
 public:
  void declare(CLI::App& app) override { add_word(app, "WHAT", what_, join(kinds(), ", ")); }

  Exit run(Context& context) override {
    if (what_.empty()) throw usage_error("`limen list` needs a word: " + join(kinds()));
    const std::vector<Row> rows = find(context);
    if (context.globals.json) {
      Json items = Json::array();
      for (const Row& row : rows) {
        Json item{{"name", row.name}, {"main", row.main}, {"help", row.help}};
        if (!row.from.empty()) item["plugin"] = row.from;
        items.push_back(std::move(item));
      }
      context.out.json({{"limen", 1}, {"kind", "list"}, {"what", what_}, {"items", items}});
      return Exit::ok;
    }
    const bool plugins =
        std::any_of(rows.begin(), rows.end(), [](const Row& r) { return !r.from.empty(); });
    Table table(plugins ? std::vector<std::string>{"name", "main argument", "plugin", "what it is"}
                        : std::vector<std::string>{"name", "main argument", "what it is"});
    for (const Row& row : rows) {
      if (plugins) {
        table.add({row.name, row.main, row.from, row.help});
      } else {
        table.add({row.name, row.main, row.help});
      }
    }
    context.out.write(table.text());
    return Exit::ok;
  }

 private:
  static std::vector<std::string> kinds() {
    return {"ops",       "activations", "losses",   "metrics", "optimizers",
            "schedules", "inits",       "datasets", "sources"};
  }

  std::vector<Row> find(Context& context) const {
    if (what_ == "ops") return op_rows(context.registry());
    if (what_ == "activations") return activation_rows(context.registry());
    if (what_ == "losses") return rows_of(language::losses());
    if (what_ == "metrics") return rows_of(language::metrics());
    if (what_ == "optimizers") return rows_of(language::optimizers());
    if (what_ == "schedules") return rows_of(language::schedules());
    if (what_ == "inits") return rows_of(language::initialisers());
    if (what_ == "datasets") return rows_of(datasets());
    if (what_ == "sources") return rows_of(data_sources());
    std::vector<std::string> help;
    if (std::string hint = did_you_mean(what_, kinds()); !hint.empty()) help.push_back(hint);
    help.push_back("lists: " + join(kinds()));
    throw usage_error(fmt::format("there is no list of `{}`", what_), std::move(help));
  }

  std::string what_;
};

}  // namespace

std::unique_ptr<Verb> make_list() { return std::make_unique<ListVerb>(); }

}  // namespace limen::tools
