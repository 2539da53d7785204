// limen gradcheck: plugins, ops and models, each in a process of its own.
#include <filesystem>

#include <fmt/format.h>

#include <limen/gradient_check.hpp>
#include <limen/train.hpp>

#include "base/text.hpp"
#include "isolated_verb.hpp"
#include "model_sizes.hpp"
#include "selftest.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr std::int64_t kExamples = 3;        // of a model that is checked
constexpr std::int64_t kPluginSeconds = 60;  // for one op of a library

// What a child sends back: both forms of its report.
std::string pack(const CheckReport& report, bool verbose) {
  return to_line({{"json", to_json(report)}, {"text", to_text(report, verbose)}});
}

struct Collected {
  Json json;  // null: nothing yet
  std::string text;
  Exit exit = Exit::ok;

  void add(const std::string& report_json, const std::string& report_text) {
    text += report_text;
    Json report = parse_json(report_json);
    if (json.is_null()) {
      json = std::move(report);
      return;
    }
    for (Json& check : report["checks"]) json["checks"].push_back(std::move(check));
    const auto badness = [](const Json& j) {
      const std::string verdict = j["verdict"];
      return verdict == "fail" ? 2 : verdict == "undecidable" ? 1 : 0;
    };
    if (badness(report) > badness(json)) json["verdict"] = report["verdict"];
  }

  // The plugin is at fault: exit 5 outranks 1.
  void raise(Exit other) {
    if (exit == Exit::ok || other == Exit::plugin) exit = other;
  }
};

Exit exit_of(Verdict verdict) { return verdict == Verdict::pass ? Exit::ok : Exit::no; }

class GradcheckVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "SUBJECT", subject_, "FILE.so, op:NAME, a model file or a run folder");
    add_count(app, "--seed", seed_, "of the random points (0)", 0);
    add_count(app, "--points", points_, "random points for each kernel (160)");
    add_count(app, "--timeout", timeout_, "seconds before a hung plugin is given up (60 an op)");
    add_switch(app, "--selftest", selftest_, "run planted mistakes and right ops, print the score");
    add_count(app, "--mutants", mutants_, "of --selftest: make up N more wrong and N right ops (0)",
              0);
    add_text(app, "--only", only_, "OP", "of --selftest: ops whose name begins with this");
    add_text(app, "--weights", weights_, "FILE", "check a model at the weights of this file");
  }

  Exit run(Context& context) override {
    if (selftest_) {
      return run_selftest(context, {.generated = mutants_.value_or(0),
                                    .seed = static_cast<std::uint64_t>(seed_.value_or(0)),
                                    .only = only_});
    }
    if (subject_.empty()) {
      throw usage_error("`limen gradcheck` needs a FILE.so, op:NAME, or a model file");
    }
    Collected all;
    const bool library = subject_.ends_with(".so");
    if (library) {
      check_library(context, all);
    } else {
      check_one(context, subject_, timeout_.value_or(0), all, [&] {
        return subject_.starts_with("op:") ? check_named(context) : check_model(context);
      });
    }
    if (context.globals.json && !all.json.is_null()) context.out.json(all.json);
    if (!context.globals.json && !context.globals.quiet) context.out.write(all.text);
    return all.exit;
  }

 private:
  CheckOptions options() const {
    CheckOptions options;
    options.seed = static_cast<std::uint64_t>(seed_.value_or(0));
    if (points_) options.points = static_cast<int>(std::min<std::int64_t>(*points_, 1'000'000));
    return options;
  }

  // Runs `body` in a child and adds its report, or the report of its death.
  template <class Body>
  void check_one(Context& context, const std::string& name, std::int64_t seconds, Collected& all,
                 const Body& body) const {
    const IsolatedResult result = run_isolated(
        [&] {
          return answer_of(context, [&]() -> IsolatedAnswer {
            const CheckReport report = body();
            return {exit_of(report.verdict), pack(report, context.globals.verbose)};
          });
        },
        static_cast<int>(std::min<std::int64_t>(seconds, 1'000'000)));
    if (result.completed && !result.payload.empty()) {
      const Json packed = parse_json(result.payload);
      all.add(packed["json"], packed["text"]);
      all.raise(result.exit);
    } else if (result.completed) {
      all.raise(result.exit);
      if (result.exit == Exit::plugin) add_failure(name, "load", "could not be loaded", all);
    } else {
      add_failure(name, "survives", result.death, all);
      all.raise(Exit::plugin);
    }
  }

  void add_failure(const std::string& op, const std::string& check, const std::string& what,
                   Collected& all) const {
    CheckReport report;
    report.subject = subject_;
    report.seed = static_cast<std::uint64_t>(seed_.value_or(0));
    CheckResult result;
    result.op = op;
    result.check = check;
    result.verdict = Verdict::fail;
    result.failed = 1;
    result.where = what;
    report.add(std::move(result));
    all.add(to_json(report), to_text(report));
  }

  // First the names of its ops, then each op, always in a child: loading can crash too.
  void check_library(Context& context, Collected& all) const {
    const std::int64_t seconds = timeout_.value_or(kPluginSeconds);
    std::vector<std::string> names;
    const IsolatedResult listed = run_isolated(
        [&]() -> IsolatedAnswer {
          try {
            PluginRegistry registry;
            const auto plugin = registry.load(subject_);
            Json list = Json::array();
            for (std::uint32_t i = 0; i < plugin->descriptor->n_ops; ++i) {
              list.push_back(plugin->descriptor->ops[i]->name);
            }
            return {Exit::ok, to_line(list)};
          } catch (const Error& error) {
            context.messages.show(error);
            return {error.exit(), ""};
          }
        },
        static_cast<int>(seconds));
    if (!listed.completed || listed.payload.empty()) {
      add_failure(subject_, "load", listed.completed ? "could not be loaded" : listed.death, all);
      all.raise(listed.completed ? listed.exit : Exit::plugin);
      return;
    }
    const Json ops = parse_json(listed.payload);
    for (std::uint32_t i = 0; i < ops.size(); ++i) {
      check_one(context, ops[i], seconds, all, [&] {
        PluginRegistry registry;
        CheckReport report =
            check_activation(*registry.load(subject_)->descriptor->ops[i], options());
        report.subject = subject_;
        return report;
      });
    }
  }

  CheckReport check_named(Context& context) const {
    return check_op(std::string_view(subject_).substr(3), context.registry(), options());
  }

  CheckReport check_model(Context& context) const {
    const OpenedModel opened = context.open(subject_);
    const Model& model = opened.model;
    const BuiltModel built = model.build({.sizes = sizes_with_batch(model, kExamples),
                                          .float_type = DType::f64,
                                          .training = true,
                                          .loss = model.has_loss(),
                                          .outputs = !model.has_loss()});
    GraphCheckOptions graph_options;
    static_cast<CheckOptions&>(graph_options) = options();
    const std::uint64_t seed = model.train() != nullptr ? model.train()->seed : 0;
    const auto file =
        opened.run || !weights_.empty() ? opened.weights_file(weights_) : std::nullopt;
    for (const NamedTensor& weight :
         file ? load_weights(*file, built.parameters) : initial_weights(built.parameters, seed)) {
      graph_options.values.emplace(weight.name, weight.tensor);
    }
    CheckReport report = check_graph(built.graph, graph_options);
    report.subject = subject_;
    return report;
  }

  std::string subject_, weights_;
  std::string only_;
  bool selftest_ = false;
  std::optional<std::int64_t> mutants_;
  std::optional<std::int64_t> seed_, points_, timeout_;
};

}  // namespace

std::unique_ptr<Verb> make_gradcheck() { return std::make_unique<GradcheckVerb>(); }

}  // namespace limen::tools
