// limen train: from a model file, or on from a run.
#include <csignal>

#include <fmt/format.h>

#include <limen/train.hpp>

#include "data.hpp"
#include "interrupt.hpp"
#include "train_report.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

class TrainVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "MODEL", path_, "a model file, or a run folder to begin anew from its model");
    add_text(app, "--out", out_, "DIR", "the run folder; default: runs/NAME/1, 2, ...");
    add_text(app, "--resume", resume_, "RUN", "go on with this run, in its folder");
    add_count(app, "--epochs", epochs_, "instead of the file's");
    add_count(app, "--steps", steps_, "end after so many steps");
    add_switch(app, "--watch-plugins", watch_,
               "load plugins again, between two steps, when their files change");
    add_text(app, "--weights", weights_, "FILE", "start from the weights of a .safetensors file");
  }

  Exit run(Context& context) override {
    check_usage();
    context.copy_plugins = watch_;
    const OpenedModel opened = open(context);
    const Model& model = opened.model;
    const DataSplit data = open_data(model);
    if (!weights_.empty()) check_weights(model);
    const std::optional<RunFolder> folder = make_folder(opened, context);

    TrainOptions options{.threads = context.threads(),
                         .epochs = epochs_,
                         .steps = steps_,
                         .weights = weights_,
                         .folder = folder ? &*folder : nullptr,
                         .resume = !resume_.empty(),
                         .interrupted = [] { return InterruptScope::signal() != 0; },
                         .watch = watch_ ? &context.registry() : nullptr};
    const auto report = make_train_report(context, folder ? folder->path() : "");
    const InterruptScope scope;
    const TrainResult result = train(model, data, options, *report);
    if (result.end != TrainEnd::interrupted) return Exit::ok;
    context.messages.raw(
        fmt::format("interrupted after step {}; saved {}\ngo on with: limen train --resume {}\n",
                    result.steps, result.checkpoint, folder->path()));
    return InterruptScope::signal() == SIGTERM ? Exit::terminated : Exit::interrupted;
  }

 private:
  void check_usage() const {
    if (path_.empty() == resume_.empty()) {
      throw usage_error("`limen train` needs a model file, or `--resume RUN`");
    }
    if (!resume_.empty() && !out_.empty()) {
      throw usage_error("`--resume` goes on in the same folder: `--out` means nothing with it");
    }
    if (!resume_.empty() && !weights_.empty()) {
      throw usage_error("`--resume` has its own weights: `--weights` means nothing with it");
    }
    if (epochs_ && steps_) throw usage_error("give `--epochs` or `--steps`, not both");
  }

  OpenedModel open(Context& context) const {
    if (resume_.empty()) return context.open(path_);
    if (!RunFolder::is_run(resume_)) RunFolder::open(resume_);  // says what is missing
    return context.open(resume_);
  }

  // Before the run folder is made: a wrong file should not leave one behind.
  void check_weights(const Model& model) const {
    const DType type = model.train() != nullptr ? model.train()->dtype : DType::f32;
    static_cast<void>(load_weights(weights_, parameter_specs(model, type)));
  }

  // Nothing where train() will refuse the model anyway.
  std::optional<RunFolder> make_folder(const OpenedModel& opened, const Context& context) const {
    if (!resume_.empty()) return opened.run;
    const TrainSpec* const train = opened.model.train();
    if (train == nullptr || !train->optimizer || !opened.model.has_loss()) return std::nullopt;
    return RunFolder::create(out_, opened.model, context.command, context.threads());
  }

  std::string path_, out_, resume_, weights_;
  std::optional<std::int64_t> epochs_, steps_;
  bool watch_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_train() { return std::make_unique<TrainVerb>(); }

}  // namespace limen::tools
