// limen summary: the steps of a model with shapes, parameters and cost.
#include <fmt/format.h>

#include <limen/executable.hpp>

#include "base/text.hpp"
#include "model_sizes.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

std::int64_t elements_of(const BuiltModel& built, const std::string& parameter) {
  for (const ParameterSpec& spec : built.parameters) {
    if (spec.name == parameter) return spec.type.elements();
  }
  return 0;
}

std::string scaled(double value, const char* unit) {
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P"};
  int prefix = 0;
  while (value >= 999.5 && prefix < 5) value /= 1000, ++prefix;
  return prefix == 0 ? fmt::format("{:.0f} {}", value, unit)
                     : fmt::format("{:.3g} {}{}", value, kPrefixes[prefix], unit);
}

class SummaryVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "MODEL", path_, "a model file or a run folder");
    add_count(app, "--batch", batch_, "examples to count operations and memory for (1)");
  }

  Exit run(Context& context) override {
    if (path_.empty()) throw usage_error("`limen summary` needs a model file or a run folder");
    const OpenedModel opened = context.open(path_);
    const Model& model = opened.model;
    const BuiltModel built =
        model.build({.sizes = sizes_with_batch(model, batch_.value_or(1)),
                     .float_type = model.train() != nullptr ? model.train()->dtype : DType::f32,
                     .training = false,
                     .loss = false,
                     .outputs = true});
    const Executable executable = compile(built.graph, {.threads = 1});
    if (context.globals.json) {
      context.out.json(as_json(model, built, executable.stats()));
    } else {
      context.out.write(as_text(model, built, executable.stats()));
    }
    return Exit::ok;
  }

 private:
  static std::int64_t total(const BuiltModel& built) {
    std::int64_t sum = 0;
    for (const ParameterSpec& spec : built.parameters) sum += spec.type.elements();
    return sum;
  }

  std::string as_text(const Model& model, const BuiltModel& built,
                      const ExecutableStats& stats) const {
    std::string text = model.name() + "\n";
    for (const InputSpec& input : model.inputs()) {
      text += fmt::format("  input {}: {}\n", input.name, type_text(input));
    }
    Table table({"step", "op", "reads", "gives", "parameters", "flops"},
                {false, false, false, false, true, true});
    for (const StepInfo& step : built.steps) {
      std::int64_t elements = 0;
      for (const std::string& name : step.parameters) elements += elements_of(built, name);
      table.add({step.name, step.op, join(step.reads), step.symbolic,
                 elements > 0 ? grouped(elements) : "",
                 step.flops > 0 ? scaled(step.flops, "") : ""});
    }
    text += table.text();
    text += fmt::format("{} parameters, {} and {} of working memory for {} {}\n",
                        grouped(total(built)), scaled(stats.flops, "flop"),
                        scaled(static_cast<double>(stats.arena_bytes + stats.scratch_bytes), "B"),
                        batch_.value_or(1), batch_.value_or(1) == 1 ? "example" : "examples");
    return text;
  }

  static Json step_json(const StepInfo& step, const BuiltModel& built) {
    Json params = Json::object();
    for (const std::string& name : step.parameters) {
      for (const ParameterSpec& spec : built.parameters) {
        if (spec.name != name) continue;
        const bool own = name.starts_with(step.name + ".");
        params[own ? name.substr(step.name.size() + 1) : name] = shape_json(spec.type.shape);
      }
    }
    return {
        {"name", step.name},
        {"op", step.op},
        {"reads", step.reads},
        {"dtype", name_of(step.type.dtype)},
        {"shape", shape_json(step.symbolic)},
        {"params", params},
        {"flops", step.flops},
        {"at", {{"file", step.where.file}, {"line", step.where.line}, {"col", step.where.column}}}};
  }

  Json as_json(const Model& model, const BuiltModel& built, const ExecutableStats& stats) const {
    Json inputs = Json::array(), steps = Json::array();
    for (const InputSpec& input : model.inputs()) {
      inputs.push_back({{"name", input.name},
                        {"dtype", input.declared},
                        {"shape", shape_json(type_text(input))}});
    }
    for (const StepInfo& step : built.steps) steps.push_back(step_json(step, built));
    return {{"limen", 1},
            {"kind", "summary"},
            {"model", model.name()},
            {"total_params", total(built)},
            {"batch", batch_.value_or(1)},
            {"flops", stats.flops},
            {"memory_bytes", stats.arena_bytes + stats.scratch_bytes},
            {"inputs", inputs},
            {"outputs", built.output_names},
            {"steps", steps}};
  }

  std::string path_;
  std::optional<std::int64_t> batch_;
};

}  // namespace

std::unique_ptr<Verb> make_summary() { return std::make_unique<SummaryVerb>(); }

}  // namespace limen::tools
