// `loss` and `metrics`: what is compared with what.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/graph_reader.hpp"
#include "model/substitute.hpp"
#include "model/suggest.hpp"

namespace limen::language {
namespace {

constexpr auto kSmoothingArgs = std::to_array<ArgInfo>({
    {.name = "label_smoothing",
     .type = ArgType::number,
     .standard = "0",
     .help = "share spread over all classes",
     .required = false,
     .low = 0,
     .high = 1,
     .above_low = false,
     .below_high = true},
});
constexpr auto kHuberArgs = std::to_array<ArgInfo>({
    {.name = "delta",
     .type = ArgType::number,
     .standard = "1",
     .help = "where the square turns into a line",
     .required = false,
     .low = 0,
     .high = std::numeric_limits<double>::infinity(),
     .above_low = true},
});
constexpr auto kTopArgs = std::to_array<ArgInfo>({
    {.name = "k",
     .type = ArgType::count,
     .standard = "5",
     .help = "how many guesses count",
     .required = false,
     .low = 1,
     .high = 1e6},
});
constexpr auto kLosses = std::to_array<CallInfo>({
    {"softmax_cross_entropy",
     "label_smoothing",
     "classes: logits [N, C] against labels i64[N]",
     kSmoothingArgs,
     {}},
    {"mse", "", "mean of (prediction - target)^2", {}, {}},
    {"huber", "delta", "square near 0, a line beyond delta", kHuberArgs, {}},
    {"binary_cross_entropy", "", "logits against targets in [0, 1]", {}, {}},
    {"value", "", "a scalar step itself", {}, {}},
});
constexpr auto kMetrics = std::to_array<CallInfo>({
    {"accuracy", "", "share of labels that have the largest score", {}, {}},
    {"top_k", "k", "share of labels among the k largest scores", kTopArgs, {}},
    {"mse", "", "mean of (prediction - target)^2", {}, {}},
    {"mae", "", "mean of |prediction - target|", {}, {}},
});
constexpr auto kTermKeys = std::to_array<std::string_view>({"from", "weight", "name", "doc"});
constexpr auto kMetricKeys = std::to_array<std::string_view>({"from", "name", "doc"});

bool takes_labels(std::string_view kind) {
  return kind == "softmax_cross_entropy" || kind == "accuracy" || kind == "top_k";
}

}  // namespace

std::span<const CallInfo> losses() { return kLosses; }
std::span<const CallInfo> metrics() { return kMetrics; }

void GraphReader::draft_terms(const Node& node, bool metric) {
  if (node.kind != Node::Kind::list) return draft_term(node, metric);
  if (node.items.empty() && !metric) {
    add_help(findings_.error("E0701", "`loss` is an empty list", node),
             "name a loss, or remove the key");
  }
  for (const Node& item : node.items) draft_term(item, metric);
}

void GraphReader::draft_term(const Node& node, bool metric) {
  const std::span<const std::string_view> reserved =
      metric ? std::span<const std::string_view>(kMetricKeys) : kTermKeys;
  const std::string_view kind = metric ? "metric" : "loss";
  std::optional<Call> call = read_call(node, metric ? "a metric" : "a loss", reserved, findings_);
  if (!call) return;
  if (metric && (call->name == "rmse" || call->name == "perplexity")) {
    add_help(
        findings_.error(
            "E0110",
            fmt::format("the metric `{}` is not available in this version of limen", call->name),
            call->named),
        call->name == "rmse" ? "use `mse`: its square root is the same figure"
                             : "use the loss: its exponential is the same figure");
    return;
  }
  const CallInfo* info = look_up(metric ? metrics() : losses(), *call, kind, findings_);
  if (info == nullptr) return;
  TermDraft draft{
      .call = std::move(*call), .name = nullptr, .from = nullptr, .plan = {}, .metric = metric};
  LossPlan& plan = draft.plan;
  plan.kind = info->name;
  plan.name = plan.kind;
  plan.named = draft.call.named;
  plan.args = Args::read(*info, draft.call, findings_);
  if (node.kind == Node::Kind::map) {
    if (const Entry* entry = node.find("from")) draft.from = &entry->value;
    if (const Entry* entry = node.find("name")) draft.name = &entry->value;
    if (const Entry* entry = node.find("doc")) read_text(entry->value, "doc", findings_);
    if (const Entry* entry = node.find("weight"); entry != nullptr && !metric) {
      const ArgInfo any{.name = "weight", .type = ArgType::number, .standard = {}, .help = {}};
      plan.weight = read_number(entry->value, "weight", any, findings_).value_or(1);
    }
  }
  terms_.push_back(std::move(draft));
}

// The one input that no step reads; findings if there is none or a choice.
std::optional<std::size_t> GraphReader::only_target(const TermDraft& draft, std::size_t) {
  std::vector<std::string> unread;
  std::size_t target = 0;
  for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
    const bool read =
        std::any_of(program_.steps.begin(), program_.steps.end(), [i](const Step& step) {
          return std::find(step.reads.begin(), step.reads.end(), i) != step.reads.end();
        });
    if (read) continue;
    unread.push_back(program_.inputs[i].spec.name);
    target = i;
  }
  if (unread.size() == 1) return target;
  Diagnostic& found = findings_.error(
      "E0701",
      unread.empty()
          ? fmt::format("`{}` has no target: the graph reads every input", draft.call.name)
          : fmt::format("`{}` could compare with several inputs: {}", draft.call.name,
                        join(unread)),
      draft.call.named);
  const std::string target_name = unread.empty() ? "label" : unread.front();
  add_help(found, unread.empty()
                      ? "declare an input for the target, as in `label: i64[N]`"
                      : fmt::format("write `from: [prediction, {}]` beside it", target_name));
  return std::nullopt;
}

void GraphReader::resolve_term(TermDraft& draft, std::size_t last,
                               std::map<std::string, Place>& names) {
  LossPlan& plan = draft.plan;
  if (draft.name != nullptr) {
    plan.name = draft.name->text;
    if (draft.name->kind != Node::Kind::text || !is_name(plan.name)) {
      add_help(
          findings_.error("E0406",
                          fmt::format("a {} cannot be called {}", draft.metric ? "metric" : "loss",
                                      name_text(*draft.name)),
                          *draft.name),
          "names are lower-case letters, digits and `_`, and do not begin with a digit");
    }
  }
  if (draft.metric) {
    const auto [known, fresh] = names.emplace(plan.name, plan.named.at);
    if (!fresh) {
      Diagnostic& found = findings_.error(
          "E0706", fmt::format("two metrics are called `{}`", plan.name), plan.named);
      found.spans.push_back(known->second.span("first here"));
      add_help(found, "give one of them a `name`");
    }
  }
  const bool pair = plan.kind != "value";
  std::vector<const Node*> from;
  if (draft.from != nullptr && draft.from->kind != Node::Kind::list) from.push_back(draft.from);
  if (draft.from != nullptr) {
    for (const Node& item : draft.from->items) from.push_back(&item);
    if (from.size() != (pair ? 2u : 1u)) {
      add_help(findings_.error(
                   "E0701",
                   fmt::format("`{}` needs {}, `from` names {}", plan.kind,
                               pair ? "a prediction and a target" : "one scalar step", from.size()),
                   *draft.from),
               pair ? "write `from: [prediction, target]`" : "write `from: name`");
      return;
    }
  }
  plan.prediction = last;
  if (!from.empty()) {
    plan.prediction = scope_.find(*from[0], program_, findings_).value_or(last);
    if (pair) plan.target = scope_.find(*from[1], program_, findings_).value_or(0);
  } else if (pair) {
    const auto target = only_target(draft, last);
    if (!target) return;
    plan.target = *target;
  }
  (draft.metric ? program_.metrics : program_.losses).push_back(plan);
}

namespace {

// What a loss or metric compares, with the places where both are made.
Diagnostic& term_error(std::string code, std::string message, const LossPlan& plan,
                       const Program& program, Findings& findings) {
  Diagnostic& found = findings.error(std::move(code), std::move(message), plan.named);
  if (plan.kind != "value") {
    found.spans.push_back(program.made_at(
        plan.target, fmt::format("target `{}` is declared here", program.name_of(plan.target))));
  }
  found.spans.push_back(program.made_at(
      plan.prediction,
      fmt::format("prediction `{}` is made here", program.name_of(plan.prediction))));
  return found;
}

void check_labels(const LossPlan& plan, const Program& program, Findings& findings) {
  const SymType& scores = program.type_of(plan.prediction);
  const SymType& labels = program.type_of(plan.target);
  if (scores.rank() < 2) {
    add_help(term_error("E0702",
                        fmt::format("`{}` needs scores [N, classes], got {}", plan.kind,
                                    to_string(scores)),
                        plan, program, findings),
             "end the graph with `- dense: 10` for ten classes");
    return;
  }
  std::vector<SymDim> rows = scores.dims;
  rows.pop_back();
  if (is_float(labels.dtype)) {
    add_help(term_error("E0703",
                        fmt::format("`{}` needs whole-number labels, target is {}", plan.kind,
                                    to_string(labels)),
                        plan, program, findings),
             fmt::format("declare the target as i64{}", to_string(rows)));
  } else if (labels.dims != rows) {
    add_help(term_error("E0702",
                        fmt::format("`{}` needs one label for each row of scores {}, target is {}",
                                    plan.kind, to_string(scores.dims), to_string(labels.dims)),
                        plan, program, findings),
             fmt::format("declare the target as i64{}", to_string(rows)));
  }
}

void check_softmax_twice(const LossPlan& plan, const Program& program, Findings& findings) {
  if (plan.prediction < program.inputs.size()) return;
  const Step& step = program.steps[plan.prediction - program.inputs.size()];
  if (!step.activation) return;
  const std::string_view op = step.activation->name();
  const std::string_view inside = plan.kind == "softmax_cross_entropy"  ? "softmax"
                                  : plan.kind == "binary_cross_entropy" ? "sigmoid"
                                                                        : "";
  if (op != inside) return;
  Diagnostic& found = findings.error(
      "E0704", fmt::format("{} is applied twice: `{}` already contains it", inside, plan.kind),
      step.named);
  found.spans.front().label = "this step";
  found.spans.push_back(plan.named.at.span("and again here"));
  add_help(found, fmt::format("delete the `{}` step; for probabilities at run time use `outputs`",
                              step.op));
}

}  // namespace

void GraphReader::check_term(const LossPlan& plan) {
  const SymType& prediction = program_.type_of(plan.prediction);
  if (!is_float(prediction.dtype)) {
    add_help(term_error("E0703",
                        fmt::format("`{}` needs a prediction in f32 or f64, got {}", plan.kind,
                                    to_string(prediction)),
                        plan, program_, findings_),
             "`from` is [prediction, target], in this order");
    return;
  }
  if (plan.kind == "value") {
    if (prediction.rank() == 0) return;
    add_help(term_error("E0702",
                        fmt::format("`value` needs a scalar, `{}` is {}",
                                    program_.name_of(plan.prediction), to_string(prediction)),
                        plan, program_, findings_),
             "put `- reduce_mean` before it");
    return;
  }
  if (takes_labels(plan.kind)) {
    check_labels(plan, program_, findings_);
    return check_softmax_twice(plan, program_, findings_);
  }
  const SymType& target = program_.type_of(plan.target);
  if (target.dtype != prediction.dtype) {
    add_help(term_error("E0703",
                        fmt::format("`{}` needs equal dtypes, prediction is {}, target is {}",
                                    plan.kind, to_string(prediction), to_string(target)),
                        plan, program_, findings_),
             fmt::format("declare the target as {}", to_string(prediction)));
  } else if (target.dims != prediction.dims) {
    add_help(term_error("E0702",
                        fmt::format("`{}` needs equal shapes, prediction is {}, target is {}",
                                    plan.kind, to_string(prediction.dims), to_string(target.dims)),
                        plan, program_, findings_),
             fmt::format("declare the target as {}", to_string(prediction)));
  }
  check_softmax_twice(plan, program_, findings_);
}

}  // namespace limen::language
