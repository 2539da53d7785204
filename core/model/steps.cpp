// `graph` and `outputs`: steps as written, their arguments checked.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/graph_reader.hpp"
#include "model/suggest.hpp"
#include "model/yaml_hints.hpp"

namespace limen::language {
namespace {

constexpr auto kReserved =
    std::to_array<std::string_view>({"name", "from", "doc", "if", "params", "share", "freeze"});
constexpr auto kLaterKeys = std::to_array<std::string_view>({"if", "params", "share", "freeze"});
constexpr auto kLaterOps = std::to_array<std::string_view>(
    {"conv2d", "max_pool2d", "avg_pool2d", "global_avg_pool2d", "batch_norm", "layer_norm",
     "embedding", "position", "sdpa", "broadcast_add", "repeat"});

}  // namespace

bool later_op(std::string_view name) {
  return std::find(kLaterOps.begin(), kLaterOps.end(), name) != kLaterOps.end();
}

void GraphReader::draft_graph(const Node& node) {
  if (node.kind != Node::Kind::list || node.items.empty()) {
    Diagnostic& found = findings_.error(
        "E0205",
        fmt::format(
            "`graph` must be a list of steps, found {}",
            node.items.empty() && node.kind == Node::Kind::list ? "an empty list" : describe(node)),
        node);
    if (node.kind == Node::Kind::text) add_help(found, missing_space_help(node.text));
    add_help(found, "write each step on a line of its own, as in `- dense: 10`");
    return;
  }
  draft_step(node, steps_);
}

// A list stands for the steps in it. Nesting is bounded by kMaxDepth.
void GraphReader::draft_step(const Node& node, std::vector<StepDraft>& into) {
  if (node.kind == Node::Kind::list) {
    for (const Node& item : node.items) draft_step(item, into);
    return;
  }
  if (node.find("repeat") != nullptr) {
    add_help(findings_.error("E0110", "`repeat` is not available in this version of limen",
                             node.find("repeat")->key_at),
             "write the steps out");
    return;
  }
  std::optional<Call> call = read_call(node, "a step", kReserved, findings_);
  if (!call) return;
  StepDraft draft{.call = std::move(*call), .name = nullptr, .from = nullptr, .step = {}};
  if (node.kind == Node::Kind::map) {
    for (const Entry& entry : node.entries) {
      if (entry.key == "name") draft.name = &entry.value;
      if (entry.key == "from") draft.from = &entry.value;
      if (entry.key == "doc") read_text(entry.value, "doc", findings_);
      if (std::find(kLaterKeys.begin(), kLaterKeys.end(), entry.key) == kLaterKeys.end()) continue;
      add_help(
          findings_.error(
              "E0110",
              fmt::format("`{}` on a step is not available in this version of limen", entry.key),
              entry.key_at),
          "remove the key");
    }
  }
  draft.step.op = draft.call.name;
  draft.step.named = draft.call.named;
  draft_call(draft);
  into.push_back(std::move(draft));
}

void GraphReader::draft_call(StepDraft& draft) {
  const Layer* layer = find_layer(draft.call.name);
  if (layer == nullptr) return draft_activation(draft);
  draft.step.layer = layer;
  if (layer->most != 1) read_list_as_from(draft);
  draft.step.args = Args::read(layer->info, draft.call, findings_);
}

void GraphReader::unknown_op(const Call& call) {
  if (later_op(call.name)) {
    add_help(findings_.error(
                 "E0110",
                 fmt::format("the op `{}` is not available in this version of limen", call.name),
                 call.named),
             "`limen list ops` shows what there is");
    return;
  }
  std::vector<std::string> names = {"formula"};
  for (const Layer& layer : layers()) names.emplace_back(layer.info.name);
  for (const Activation& activation : registry_.activations()) {
    names.emplace_back(activation.name());
    for (const std::string_view alias : activation.aliases()) names.emplace_back(alias);
  }
  Diagnostic& found =
      findings_.error("E0201", fmt::format("unknown op `{}`", call.name), call.named);
  add_help(found, suggest(call.name, names));
  add_help(found, missing_space_help(call.name));
  add_help(found,
           fmt::format("`limen list ops` shows all {}; a plugin can add more", names.size()));
  for (const Diagnostic& problem : registry_.problems()) {
    if (!problem.warning && found.notes.size() < 3) found.notes.push_back(problem.message);
  }
}

void GraphReader::draft_outputs(const Node& node) {
  outputs_node_ = &node;
  const bool single = node.kind != Node::Kind::list;
  std::vector<const Node*> items;
  if (single) items.push_back(&node);
  for (const Node& item : node.items) items.push_back(&item);
  if (items.empty()) {
    add_help(findings_.error("E0705", "`outputs` is an empty list", node),
             "name a step, or remove the key");
  }
  // Whether a word is a step or an op is seen when the names are known.
  std::vector<std::string> names;
  for (const StepDraft& draft : steps_) {
    if (draft.name != nullptr) names.push_back(draft.name->text);
  }
  for (const InputPlan& input : program_.inputs) names.push_back(input.spec.name);
  for (const Node* item : items) {
    const bool word = item->kind == Node::Kind::text;
    if (word && std::find(names.begin(), names.end(), item->text) != names.end()) {
      outputs_.push_back({item, std::nullopt});
      continue;
    }
    if (item->kind == Node::Kind::list) {
      add_help(findings_.error("E0206", "an output is one step, found a list", *item),
               "write the steps in `graph`, and name the last one here");
      continue;
    }
    std::vector<StepDraft> drafts;
    draft_step(*item, drafts);
    if (!drafts.empty()) outputs_.push_back({item, std::move(drafts.front())});
  }
}

}  // namespace limen::language
