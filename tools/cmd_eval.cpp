// limen eval: loss and metrics on a data set, and whether they are good enough.
#include <charconv>

#include <fmt/format.h>

#include <limen/train.hpp>

#include "base/text.hpp"
#include "data.hpp"
#include "train_report.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

// "accuracy >= 0.97", "loss<0.1".
struct Requirement {
  std::string text, figure, relation;
  double bound = 0;

  bool met(double value) const {
    if (relation == ">=") return value >= bound;
    if (relation == "<=") return value <= bound;
    if (relation == ">") return value > bound;
    return value < bound;
  }
};

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

Requirement read_requirement(const std::string& text, const std::string& set) {
  const std::size_t at = text.find_first_of("<>");
  Requirement wanted{.text = text, .figure = {}, .relation = {}};
  if (at != std::string::npos) {
    const std::size_t length = text.compare(at + 1, 1, "=") == 0 ? 2 : 1;
    wanted.figure = trimmed(text.substr(0, at));
    wanted.relation = text.substr(at, length);
    const std::string number = trimmed(text.substr(at + length));
    const char* const end = number.data() + number.size();
    const auto [stop, fault] = std::from_chars(number.data(), end, wanted.bound);
    if (wanted.figure.starts_with(set + ".")) wanted.figure.erase(0, set.size() + 1);
    if (fault == std::errc{} && stop == end && !wanted.figure.empty()) return wanted;
  }
  throw usage_error(fmt::format("`--require {}` is no requirement", text),
                    {"write a figure, one of < <= > >=, and a number: `accuracy>=0.97`"});
}

class EvalVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "MODEL", path_, "a run folder, or a model file with --weights");
    add_choice(app, "--set-name", set_, {"test", "val", "train"},
               "the set to measure on; default: test");
    add_text(app, "--weights", weights_, "FILE", "a .safetensors file; default: the run's best");
    add_list(app, "--require", required_, "EXPR", "exit 1 unless it holds: \"accuracy>=0.97\"");
    add_count(app, "--batch", batch_, "examples at a time; default: train.eval_batch");
  }

  Exit run(Context& context) override {
    if (path_.empty()) throw usage_error("`limen eval` needs a run folder or a model file");
    if (set_.empty()) set_ = "test";
    std::vector<Requirement> requirements;
    for (const std::string& text : required_) requirements.push_back(read_requirement(text, set_));
    const OpenedModel opened = context.open(path_);
    const Model& model = opened.model;
    if (!model.has_loss()) {
      throw Error(
          "E0701",
          fmt::format("{}: the model has no `loss`, so there is nothing to measure", model.file()));
    }
    const DType type = model.train() != nullptr ? model.train()->dtype : DType::f32;
    const auto weights = context.weights(opened, weights_, parameter_specs(model, type));
    const DataSplit split = open_data(model);
    const Dataset& data = find_set(split, set_);
    const Figures figures =
        evaluate(model, weights, data, {.threads = context.threads(), .batch = batch_.value_or(0)});
    return report(context, model, data.size(), figures, requirements);
  }

 private:
  static const double& find(const Figures& figures, const Requirement& wanted) {
    std::vector<std::string> names;
    for (const auto& [name, value] : figures) {
      if (name == wanted.figure) return value;
      names.push_back(name);
    }
    throw usage_error(
        fmt::format("`--require {}`: there is no figure `{}`", wanted.text, wanted.figure),
        {"figures: " + join(names)});
  }

  Exit report(Context& context, const Model& model, std::int64_t examples, const Figures& figures,
              const std::vector<Requirement>& requirements) const {
    bool all = true;
    Json results = Json::array();
    std::string lines;
    for (const Requirement& wanted : requirements) {
      const double value = find(figures, wanted);
      const bool met = wanted.met(value);
      all = all && met;
      results.push_back({{"require", wanted.text}, {"value", value}, {"met", met}});
      if (!met) lines += fmt::format("not met: {} ({} is {})\n", wanted.text, wanted.figure, value);
    }
    if (context.globals.json) {
      Json json{{"limen", 1},
                {"kind", "eval"},
                {"model", model.name()},
                {"set", set_},
                {"examples", examples}};
      json[set_] = figures_json(figures);
      if (!requirements.empty()) json["requirements"] = results;
      context.out.json(json);
    } else {
      std::string text = fmt::format("{}  {} examples", set_, grouped(examples));
      for (const auto& [name, value] : figures)
        text += fmt::format("  {} {}", name, figure_text(value));
      context.out.write(text + "\n");
    }
    context.messages.raw(lines);
    return all ? Exit::ok : Exit::no;
  }

  std::string path_, set_, weights_;
  std::vector<std::string> required_;
  std::optional<std::int64_t> batch_;
};

}  // namespace

std::unique_ptr<Verb> make_eval() { return std::make_unique<EvalVerb>(); }

}  // namespace limen::tools
