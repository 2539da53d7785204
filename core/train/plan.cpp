#include "train/plan.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.hpp"
#include "train/evaluate.hpp"

namespace limen {
namespace {

constexpr std::int64_t kMostSteps = 1'000'000'000'000'000;

[[noreturn]] void refuse(const char* code, std::string message, const Span& at,
                         std::vector<std::string> help = {}) {
  throw Error(Diagnostic{.code = code,
                         .message = std::move(message),
                         .spans = {at},
                         .notes = {},
                         .help = std::move(help)});
}

// The watched figure must be one that evaluations give.
void check_figure(const TrainPlan& plan, const std::string& path, const char* key) {
  std::vector<std::string> known;
  for (const std::string& set : plan.sets) {
    for (const std::string& figure : plan.figures) known.push_back(set + "." + figure);
  }
  if (std::ranges::find(known, path) != known.end()) return;
  std::vector<std::string> help = {"there are: " + join(known)};
  if (const std::string near = did_you_mean(path, known); !near.empty())
    help.insert(help.begin(), near);
  refuse("E0707", fmt::format("`{}` is `{}`, which this training does not measure", key, path),
         plan.spec->where, std::move(help));
}

std::string text_of(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "none";
}

std::string text_of(const Duration& duration) {
  const char* const unit = duration.unit == Duration::Unit::steps    ? "steps"
                           : duration.unit == Duration::Unit::epochs ? "epochs"
                                                                     : "s";
  return fmt::format("{} {}", duration.amount, unit);
}

void add_call(Metadata& settings, const std::string& key, const std::optional<NumericCall>& call) {
  settings[key] = call ? call->name : "none";
  if (!call) return;
  for (const auto& [name, value] : call->args) settings[key + "." + name] = exact_text(value);
  for (const auto& [name, value] : call->durations) settings[key + "." + name] = text_of(value);
}

void read_length(TrainPlan& plan, const TrainOptions& options, const Metadata* resumed) {
  std::optional<std::int64_t> epochs = plan.spec->epochs, steps = plan.spec->steps;
  const std::string written = text_of(epochs) + " " + text_of(steps);
  plan.settings["written_length"] = written;
  if (options.epochs) {
    epochs = options.epochs;
    steps.reset();
  } else if (options.steps) {
    steps = options.steps;
    epochs.reset();
  } else if (resumed != nullptr && resumed->contains("written_length") &&
             resumed->at("written_length") == written) {
    // The length may have come from the command line; it holds until the model says another.
    const auto count = [&](const char* key) -> std::optional<std::int64_t> {
      const auto at = resumed->find(key);
      std::int64_t value = 0;
      if (at == resumed->end()) return std::nullopt;
      const std::string& text = at->second;
      const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (fault != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
      return value;
    };
    const auto old_epochs = count("train.epochs"), old_steps = count("train.steps");
    if (old_epochs || old_steps) {
      epochs = old_epochs;
      steps = old_epochs ? std::nullopt : old_steps;
    }
  }
  if (!epochs && !steps) {
    refuse("E0101", "`train` says neither `epochs` nor `steps`", plan.spec->where,
           {"add one, as in `epochs: 10`"});
  }
  for (const auto& [name, value] : {std::pair{"epochs", epochs}, std::pair{"steps", steps}}) {
    if (value && (*value < 0 || *value > kMostSteps / plan.batches)) {
      refuse("E0208",
             fmt::format("`train.{}` must be in [0, {}], found `{}`", name,
                         kMostSteps / plan.batches, *value),
             plan.spec->where);
    }
  }
  plan.by_steps = steps.has_value();
  plan.epochs = plan.by_steps ? (*steps + plan.batches - 1) / plan.batches : *epochs;
  plan.steps = plan.by_steps ? *steps : *epochs * plan.batches;
  plan.settings["train.epochs"] = text_of(epochs);
  plan.settings["train.steps"] = text_of(steps);
}

void read_settings(TrainPlan& plan) {
  const TrainSpec& spec = *plan.spec;
  Metadata& settings = plan.settings;
  settings["train.batch"] = std::to_string(spec.batch);
  settings["train.seed"] = std::to_string(spec.seed);
  settings["train.shuffle"] = spec.shuffle ? "true" : "false";
  settings["train.dtype"] = name_of(spec.dtype);
  settings["train.clip"] = spec.clip_norm ? exact_text(*spec.clip_norm) : "none";
  settings["train.figures"] = join(plan.figures);
  settings["train.examples"] = std::to_string(plan.examples);
  add_call(settings, "train.optimizer", spec.optimizer);
  add_call(settings, "train.schedule", spec.schedule);
}

std::string best_of(const TrainPlan& plan) {
  if (!plan.spec->checkpoint_best.empty()) return plan.spec->checkpoint_best;
  for (const char* set : {"val", "test"}) {
    if (std::ranges::find(plan.sets, set) != plan.sets.end()) return std::string(set) + ".loss";
  }
  return "train.loss";
}

std::string value_of(const Metadata& metadata, const std::string& key) {
  const auto at = metadata.find(key);
  return at == metadata.end() ? "none" : at->second;
}

}  // namespace

const TrainSpec& trainable(const Model& model) {
  const TrainSpec* spec = model.train();
  const Span file{
      .file = model.file(), .line = 0, .column = 0, .length = 1, .text = "", .label = ""};
  if (spec == nullptr) {
    refuse("E0101", "the model has no `train` section", file,
           {"add one, for example `train: {epochs: 10, batch: 100, optimizer: {sgd: 0.1}}`"});
  }
  if (!model.has_loss()) {
    refuse("E0701", "the model has no `loss`", file,
           {"add one, for example `loss: softmax_cross_entropy`"});
  }
  if (!spec->optimizer) {
    refuse("E0101", "`train` has no `optimizer`", spec->where,
           {"add one, as in `optimizer: {sgd: 0.1}`"});
  }
  if (spec->batch < 1) {
    refuse("E0208", fmt::format("`train.batch` must be at least 1, found `{}`", spec->batch),
           spec->where);
  }
  return *spec;
}

bool larger_is_better(std::string_view figure) {
  const std::size_t dot = figure.rfind('.');
  const std::string_view name = dot == std::string_view::npos ? figure : figure.substr(dot + 1);
  return name.starts_with("accuracy") || name.starts_with("top_");
}

TrainPlan make_plan(const Model& model, const DataSplit& data, const TrainOptions& options,
                    const std::vector<std::string>& metrics, const Metadata* resumed) {
  TrainPlan plan;
  plan.spec = &trainable(model);
  plan.optimizer = OptimizerSettings::from(*plan.spec->optimizer);
  plan.float_type = float_type_of(model);
  plan.examples = data.train.size();
  plan.sets = {"train"};
  if (data.val) plan.sets.emplace_back("val");
  if (data.test) plan.sets.emplace_back("test");
  for (const auto& [name, size] : {std::pair{"training", data.train.size()},
                                   std::pair{"validation", data.val ? data.val->size() : 1},
                                   std::pair{"test", data.test ? data.test->size() : 1}}) {
    if (size == 0) throw Error("E0806", fmt::format("the {} set has no examples", name));
  }
  plan.batch = std::min(plan.spec->batch, plan.examples);
  plan.batches = (plan.examples + plan.batch - 1) / plan.batch;
  plan.figures = {"loss"};
  plan.figures.insert(plan.figures.end(), metrics.begin(), metrics.end());
  read_length(plan, options, resumed);
  read_settings(plan);
  plan.best = best_of(plan);
  check_figure(plan, plan.best, "checkpoint.best");
  if (plan.spec->early_stop) check_figure(plan, plan.spec->early_stop->watch, "early_stop.watch");
  if (const auto clip = plan.spec->clip_norm; clip && !(*clip > 0)) {
    refuse("E0208", fmt::format("`clip.norm` must be above 0, found `{}`", *clip),
           plan.spec->where);
  }
  return plan;
}

std::vector<std::string> changes_between(const Metadata& old, const Metadata& now) {
  std::vector<std::string> changes;
  Metadata keys = now;
  keys.insert(old.begin(), old.end());
  for (const auto& [key, ignored] : keys) {
    if (!key.starts_with("train.")) continue;
    const std::string before = value_of(old, key), after = value_of(now, key);
    if (before != after) changes.push_back(fmt::format("{}: {} → {}", key, before, after));
  }
  return changes;
}

void check_changes(const Metadata& old, const TrainPlan& plan, const TrainState& state) {
  const auto differs = [&](const char* key) {
    return value_of(old, key) != value_of(plan.settings, key);
  };
  const auto fail = [&](const char* key, const char* reason) {
    throw Error("E1005",
                fmt::format("cannot resume with `{}` changed from {} to {}: {}", key,
                            value_of(old, key), value_of(plan.settings, key), reason),
                {"drop the change, or start afresh with `--weights` on the checkpoint"});
  };
  if (differs("train.optimizer")) {
    fail("train.optimizer", "the state of one optimizer means nothing to another");
  }
  if (differs("train.dtype")) fail("train.dtype", "the weights have another element type");
  if (state.examples == 0) return;
  for (const char* key : {"train.seed", "train.shuffle", "train.examples", "train.figures"}) {
    if (differs(key)) fail(key, "the run stopped inside an epoch, which must end as it began");
  }
}

}  // namespace limen
