// A file from top to bottom, in the stages in which mistakes are told: text, keys, variables,
// plugins, calls, names, shapes, data.
#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/graph_reader.hpp"
#include "model/program.hpp"
#include "model/schema.hpp"
#include "model/substitute.hpp"
#include "model/suggest.hpp"
#include "model/yaml_hints.hpp"

namespace limen::language {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr auto kTopLevel =
    std::to_array<std::string_view>({"limen", "name", "doc", "vars", "plugins", "inputs", "graph",
                                     "outputs", "loss", "metrics", "data", "train"});

class FileReader {
 public:
  FileReader(Reading& out, std::string text, const std::string& file, PluginRegistry& registry,
             const ModelOptions& options)
      : out_(out), program_(out.program), registry_(registry), options_(options), file_(file) {
    out_.sources.emplace_back(file == "-" ? "<stdin>" : file, std::move(text));
  }

  void run() {
    Node root = read_yaml(out_.sources.front(), findings_.warnings());
    if (root.kind != Node::Kind::map) {
      Diagnostic& found = findings_.error(
          "E0100", fmt::format("a model is a map of keys, found {}", describe(root)), root);
      if (root.kind == Node::Kind::text) add_help(found, missing_space_help(root.text));
      add_help(found, "begin with `limen: 1`, then `inputs` and `graph`");
      findings_.end_stage();
    }
    check_version(root);
    for (const std::string& set : options_.sets) {
      out_.sources.emplace_back("--set", set);
      apply_set(root, out_.sources.back(), main_argument(), findings_);
    }
    findings_.end_stage();
    check_version(root);
    check_top_level(root);
    findings_.end_stage();
    out_.tree = substitute(root, findings_);
    findings_.end_stage();
    sections();
    out_.warnings = findings_.take_warnings();
  }

 private:
  const Node* find(std::string_view key) const {
    const Entry* entry = out_.tree.find(key);
    return entry == nullptr ? nullptr : &entry->value;
  }

  void check_version(const Node& root) {
    const Entry* version = root.find("limen");
    if (version == nullptr) {
      add_help(findings_.error(
                   "E0101", "the file does not say which version of the language it uses", root.at),
               "write `limen: 1` as its first line");
      add_missing(root);
    } else if (version->value.kind != Node::Kind::integer || version->value.integer != kVersion) {
      Diagnostic& found = findings_.error(
          "E0102",
          version->value.kind == Node::Kind::integer
              ? fmt::format("this file wants model language {}; this limen knows {}",
                            version->value.integer, kVersion)
              : fmt::format("`limen` is the version of the language, found {}",
                            describe(version->value)),
          version->value);
      add_help(found, "use `limen: 1`, or a newer limen");
    } else if (&root.entries.front() != version) {
      add_help(
          findings_.error("E0107", "`limen` must be the first key of the file", version->key_at),
          "move the line to the top");
    }
    findings_.end_stage();
  }

  void add_missing(const Node& root) {
    for (const char* key : {"inputs", "graph"}) {
      if (root.find(key) != nullptr) continue;
      add_help(findings_.error("E0101", fmt::format("the file has no `{}`", key), root.at),
               key == std::string_view("inputs")
                   ? "write `inputs:` and below it a line such as `image: f32[N, 784]`"
                   : "write `graph:` and below it a line such as `- dense: 10`");
    }
  }

  void check_top_level(const Node& root) {
    check_keys(root, "", top_level_keys(), {"blocks", "include"}, findings_);
    if (!findings_.any()) add_missing(root);
  }

  static MainArgument main_argument_of(const PluginRegistry& registry) {
    return [&registry](const std::string& call) -> std::string {
      std::vector<std::span<const CallInfo>> tables = {optimizers(), schedules(), losses(),
                                                       metrics(), initialisers()};
      if (const Layer* layer = find_layer(call)) return std::string(layer->info.main);
      for (const auto table : tables) {
        if (const CallInfo* info = find_call(table, call)) return std::string(info->main);
      }
      for (const auto table : {datasets(), data_sources()}) {
        for (const DataKindInfo& kind : table) {
          if (kind.name == call) return std::string(kind.main);
        }
      }
      if (call == "clip") return "norm";
      if (call == "early_stop") return "patience";
      if (call == "checkpoint") return "every";
      for (const Activation& activation : registry.activations()) {
        const std::vector<ParamInfo> params = activation.params();
        if (activation.name() == call && !params.empty()) return std::string(params.front().name);
      }
      return {};
    };
  }
  MainArgument main_argument() const { return main_argument_of(registry_); }

  void read_name() {
    program_.name = file_ == "-" ? "model" : std::filesystem::path(file_).stem().string();
    const Node* node = find("name");
    if (node == nullptr) return;
    const auto good = [](char c) {
      return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_' || c == '-' || c == '.';
    };
    const std::string& text = node->text;
    if (!node->is_scalar() || text.empty() || text[0] == '.' ||
        !std::all_of(text.begin(), text.end(), good)) {
      add_help(findings_.error("E0406",
                               fmt::format("a model cannot be called {}", name_text(*node)), *node),
               "the name is also that of a folder: letters, digits, `_`, `-` and `.`");
      return;
    }
    program_.name = text;
  }

  void sections() {
    read_name();
    if (const Node* doc = find("doc")) read_text(*doc, "doc", findings_);
    if (const Node* plugins = find("plugins"))
      read_plugins(*plugins, file_, options_, registry_, findings_);
    findings_.end_stage();

    read_inputs(*find("inputs"), program_, findings_);
    GraphReader graph(program_, registry_, findings_);
    graph.draft_graph(*find("graph"));
    if (const Node* outputs = find("outputs")) graph.draft_outputs(*outputs);
    if (const Node* loss = find("loss")) graph.draft_terms(*loss, false);
    if (const Node* metrics = find("metrics")) graph.draft_terms(*metrics, true);
    if (const Node* train = find("train")) read_train(*train, program_, findings_);
    findings_.end_stage();

    graph.resolve_names();
    check_figures();
    findings_.end_stage();

    graph.infer_shapes();
    findings_.end_stage();

    if (const Node* data = find("data")) read_data(*data, program_, findings_);
    check_data(program_, findings_);
    findings_.end_stage();
  }

  // `val.accuracy` needs the metric `accuracy`.
  void check_figures() {
    std::vector<std::string> names = {"loss"};
    for (const LossPlan& metric : program_.metrics) names.push_back(metric.name);
    for (const Node* figure : program_.figures) {
      const std::string name = figure->text.substr(figure->text.find('.') + 1);
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      Diagnostic& found =
          findings_.error("E0707", fmt::format("no metric is called `{}`", name), *figure);
      add_help(found, suggest(name, names));
      add_help(found, fmt::format("figures: {}; further ones come from `metrics`", join(names)));
    }
  }

  Reading& out_;
  Program& program_;
  PluginRegistry& registry_;
  const ModelOptions& options_;
  std::string file_;
  Findings findings_;
};

}  // namespace

std::vector<std::string> top_level_keys() { return {kTopLevel.begin(), kTopLevel.end()}; }

void check_keys(const Node& map, std::string_view what, const std::vector<std::string>& known,
                const std::vector<std::string>& later, Findings& findings) {
  const auto has = [](const std::vector<std::string>& list, const std::string& key) {
    return std::find(list.begin(), list.end(), key) != list.end();
  };
  const std::string where = what.empty() ? std::string("this file") : fmt::format("`{}`", what);
  for (const Entry& entry : map.entries) {
    if (has(known, entry.key) || (what.empty() && entry.key.starts_with("x-"))) continue;
    if (has(later, entry.key)) {
      add_help(
          findings.error("E0110",
                         fmt::format("`{}` is not available in this version of limen", entry.key),
                         entry.key_at),
          "remove the key");
      continue;
    }
    std::vector<std::string> all = known;
    all.insert(all.end(), later.begin(), later.end());
    Diagnostic& found = findings.error(
        "E0103", fmt::format("unknown key `{}` in {}", entry.key, where), entry.key_at);
    add_help(found, suggest(entry.key, all));
    add_help(found, missing_space_help(entry.key));
    add_help(found, known_list("known", known));
  }
}

std::unique_ptr<Reading> read_model(std::string text, const std::string& file,
                                    PluginRegistry& registry, const ModelOptions& options) {
  auto reading = std::make_unique<Reading>();
  FileReader(*reading, std::move(text), file, registry, options).run();
  return reading;
}

}  // namespace limen::language
