// limen gradcheck: plugins, ops and models, each in a process of its own.
#include <algorithm>

#include <fmt/format.h>

#include <limen/gradient_check.hpp>
#include <limen/train.hpp>

#include "base/isa.hpp"
#include "base/text.hpp"
#include "gradcheck_case.hpp"
#include "gradcheck_exhaustive.hpp"
#include "gradcheck_library.hpp"
#include "gradcheck_many.hpp"
#include "gradcheck_message.hpp"
#include "isolated_verb.hpp"
#include "model_sizes.hpp"
#include "selftest.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr std::int64_t kExamples = 4;        // of a model that is checked
constexpr std::int64_t kPluginSeconds = 10;  // of silence, then a test of a library hangs

class GradcheckVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_words(app, "SUBJECT", words_, -1,
              "FILE.so, a folder of them, op:NAME, a model file or a run folder");
    add_count(app, "--seed", seed_, "of the random points (0)", 0);
    add_count(app, "--points", points_, "random points for each kernel (160)");
    add_switch(app, "--exhaustive", request_.exhaustive,
               "every float through an op of one input, too");
    add_text(app, "--case", request_.case_id, "ID", "one failure again, by the id in a report");
    add_text(app, "--junit", junit_, "FILE", "write the results for a build server");
    add_count(app, "--timeout", timeout_, "seconds before a silent test is given up (10)");
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
    if (words_.empty()) {
      throw usage_error("`limen gradcheck` needs a FILE.so, op:NAME, or a model file");
    }
    detect_isa();  // a wrong LIMEN_ISA is no fault of a plugin
    read_options(context.globals);
    const std::vector<std::string> subjects = gradcheck_subjects(words_);
    if (subjects.size() > 1 && !request_.case_id.empty()) {
      throw usage_error("`--case` looks at one subject");
    }
    std::vector<Collected> parts;
    if (!request_.exhaustive && request_.case_id.empty()) {
      request_.children = context.threads() / static_cast<int>(subjects.size());
    }
    if (subjects.size() == 1) {
      parts.push_back(check(context, subjects[0]));
    } else {
      parts = check_side_by_side(
          context, subjects, [&](const std::string& subject) { return check(context, subject); });
    }
    if (!junit_.empty()) {
      const CheckReport report = merged(parts);
      write_junit(junit_, report.subject, junit_cases(report));
    }
    // Without a report the child has said why.
    const bool empty = parts.size() == 1 && parts[0].report.checks.empty() &&
                       parts[0].report.notes.empty() && parts[0].failed != Exit::ok;
    if (empty) return parts[0].failed;
    if (context.globals.json) context.out.write(json_of(parts));
    if (!context.globals.json && !context.globals.quiet) {
      context.out.write(text_of(parts, context.globals.verbose || !request_.case_id.empty()));
    }
    return exit_of(parts);
  }

 private:
  GradcheckRequest request_;
  std::vector<std::string> words_;
  std::string weights_, junit_, only_;
  bool selftest_ = false;
  std::optional<std::int64_t> seed_, points_, timeout_, mutants_;

  void read_options(const Globals& globals) {
    CheckOptions& options = request_.options;
    options.seed = static_cast<std::uint64_t>(seed_.value_or(0));
    if (points_) options.points = static_cast<int>(std::min<std::int64_t>(*points_, 1'000'000));
    if (seed_) request_.arguments += fmt::format(" --seed {}", *seed_);
    if (points_) request_.arguments += fmt::format(" --points {}", *points_);
    if (request_.exhaustive) request_.arguments += " --exhaustive";
    for (const auto& [flag, values] : {std::pair{"--plugin", globals.plugins},
                                       {"--allow-plugin", globals.allowed_plugins},
                                       {"--set", globals.sets}}) {
      for (const std::string& value : values) {
        request_.arguments += fmt::format(" {} {}", flag, shell_quote(value));
      }
    }
    if (!weights_.empty()) request_.arguments += " --weights " + shell_quote(weights_);
  }

  Collected check(Context& context, const std::string& subject) const {
    GradcheckRequest request = request_;
    const bool library = subject.ends_with(".so");
    request.seconds = timeout_.value_or(library ? kPluginSeconds : 0);
    return library ? check_library(context, subject, request) : check_one(context, subject);
  }

  // A model, or an op by its name, in one child.
  Collected check_one(Context& context, const std::string& subject) const {
    Collected all;
    all.report.subject = subject;
    all.report.seed = request_.options.seed;
    const IsolatedResult result = run_isolated(
        [&] {
          return answer_of(context, [&]() -> IsolatedAnswer {
            return {Exit::ok, packed(check_here(context, subject))};
          });
        },
        static_cast<int>(std::min<std::int64_t>(timeout_.value_or(0), 1'000'000)));
    if (!result.completed) {
      all.add_death(subject, "", std::string(kSurvives), result.death);
    } else if (!result.payload.empty()) {
      all.add(unpacked_report(result.payload));
    } else {
      all.failed = result.exit;
      if (result.exit == Exit::plugin) {
        all.add_death(subject, "", "load", "could not be loaded");
      }
    }
    add_repros(all.report, subject, request_);
    return all;
  }

  CheckReport check_here(Context& context, const std::string& subject) const {
    CaseFilter filter(request_.case_id);
    CheckOptions options = request_.options;
    filter.apply_to(options);
    CheckReport report = subject.starts_with("op:")
                             ? check_named(context, subject.substr(3), options)
                             : check_model(context, subject, options);
    report.environment = environment_of_checks();
    if (!filter.any()) return report;
    if (!filter.found()) throw unknown_case(request_.case_id, subject, filter.suggestion());
    CheckReport chosen = chosen_checks(report);
    if (chosen.checks.empty()) {  // of a search for an element that is right now
      chosen.add(property_result(request_.case_id, "", "case", true, ""));
    }
    return chosen;
  }

  CheckReport check_named(Context& context, const std::string& name,
                          const CheckOptions& options) const {
    CheckReport report = check_op(name, context.registry(), options);
    if (!request_.exhaustive) return report;
    const std::vector<std::string> core = checkable_ops();
    if (std::find(core.begin(), core.end(), name) != core.end()) {
      throw no_exhaustive("op:" + name,
                          "is an op of the engine, which has no f32 kernels of its own");
    }
    report.merge(check_every_float(context, context.registry().find(name).op(), options,
                                   request_.case_id, [] {}));
    return report;
  }

  CheckReport check_model(Context& context, const std::string& subject,
                          const CheckOptions& options) const {
    if (request_.exhaustive) throw no_exhaustive(subject, "is a model");
    const OpenedModel opened = context.open(subject);
    const Model& model = opened.model;
    const BuiltModel built = model.build({.sizes = sizes_with_batch(model, kExamples),
                                          .float_type = DType::f64,
                                          .training = true,
                                          .loss = model.has_loss(),
                                          .outputs = !model.has_loss()});
    GraphCheckOptions graph_options;
    static_cast<CheckOptions&>(graph_options) = options;
    const std::uint64_t seed = model.train() != nullptr ? model.train()->seed : 0;
    const auto file =
        opened.run || !weights_.empty() ? opened.weights_file(weights_) : std::nullopt;
    for (const NamedTensor& weight :
         file ? load_weights(*file, built.parameters) : initial_weights(built.parameters, seed)) {
      graph_options.values.emplace(weight.name, weight.tensor);
    }
    CheckReport report = check_graph(built.graph, graph_options);
    report.subject = subject;
    return report;
  }
};

}  // namespace

std::unique_ptr<Verb> make_gradcheck() { return std::make_unique<GradcheckVerb>(); }

}  // namespace limen::tools
