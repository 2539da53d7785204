// The part of Trainer that writes: checkpoints and the result.
#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/version.hpp"
#include "train/trainer.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNumbered = "step-";

// Where a resumed run finds what the model names by relative paths.
std::string absolute_file(const std::string& file) {
  std::error_code fault;
  const fs::path absolute = fs::absolute(file, fault);
  return file == "-" || fault ? file : absolute.string();
}

}  // namespace

Checkpoint Trainer::checkpoint() const {
  Checkpoint out{weights_, optimizer_->slots(), plan_.settings};
  Metadata& metadata = out.metadata;
  metadata["limen"] = version();
  metadata["model"] = model_.source();
  metadata["model.name"] = model_.name();
  metadata["model.file"] = absolute_file(model_.file());
  write_list(metadata, "set", model_.sets());
  write_list(metadata, "plugin", model_.plugins_used());
  TrainState state = state_;
  state.seconds = seconds();
  write_state(state, metadata);
  return out;
}

std::string Trainer::save(const std::string& name, bool best) {
  if (options_.folder == nullptr) return {};
  const std::string path = options_.folder->checkpoint(name);
  save_checkpoint(path, checkpoint());
  if (!best) {
    saved_at_ = Clock::now();
    last_checkpoint_ = path;
  }
  observer_.on_checkpoint({.path = path, .epoch = state_.epoch, .step = state_.step, .best = best});
  return path;
}

void Trainer::save_if_due(bool end_of_epoch) {
  if (options_.folder == nullptr) return;
  const bool numbered = due(plan_.spec->checkpoint_every, end_of_epoch, saved_at_);
  const std::chrono::duration<double> waited = Clock::now() - saved_at_;
  if (!end_of_epoch && !numbered && waited.count() < options_.checkpoint_seconds) return;
  if (numbered && plan_.spec->checkpoint_keep > 0) {
    save(fmt::format("{}{:09}", kNumbered, state_.step), false);
    prune();
  }
  save("last", false);
}

// Removes the oldest numbered checkpoints beyond those to keep.
void Trainer::prune() const {
  std::vector<fs::path> files;
  std::error_code fault;
  const fs::path folder = fs::path(options_.folder->checkpoint("last")).parent_path();
  for (fs::directory_iterator at(folder, fault), end; !fault && at != end; at.increment(fault)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(kNumbered) && name.ends_with(".safetensors")) files.push_back(at->path());
  }
  std::ranges::sort(files, [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string(), y = b.filename().string();
    return x.size() != y.size() ? x.size() < y.size() : x < y;  // more digits: a later step
  });
  const auto keep = static_cast<std::size_t>(plan_.spec->checkpoint_keep);
  for (std::size_t i = 0; i + keep < files.size(); ++i) fs::remove(files[i], fault);
}

TrainResult Trainer::finish(bool interrupted) {
  TrainResult result;
  result.end = interrupted       ? TrainEnd::interrupted
               : stopped_early() ? TrainEnd::early_stop
                                 : TrainEnd::completed;
  state_.finished = !interrupted;
  const bool inside = state_.examples > 0;
  Figures train = inside ? running_means() : state_.last_epoch;
  if (!train.empty()) result.figures.emplace_back("train", std::move(train));
  if (measured_at_ == state_.step) {
    for (const auto& set : last_figures_) {
      if (set.first != "train") result.figures.push_back(set);
    }
  } else if (!interrupted) {
    for (auto& set : measure_sets()) result.figures.push_back(std::move(set));
  }
  save("last", false);
  result.epochs = state_.epoch;
  result.steps = state_.step;
  result.seconds = seconds();
  result.best_metric = state_.best_metric;
  result.best_value = state_.best_value;
  result.best_epoch = state_.best_epoch;
  result.checkpoint = last_checkpoint_;
  result.weights = weights_;
  observer_.on_done(result);
  return result;
}

TrainResult train(const Model& model, const DataSplit& data, const TrainOptions& options,
                  TrainObserver& observer) {
  return Trainer(model, data, options, observer).run();
}

}  // namespace limen
