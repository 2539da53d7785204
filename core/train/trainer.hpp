// The training loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <limen/dataset.hpp>
#include <limen/optimizer.hpp>
#include <limen/train.hpp>

#include "plugin/plugin_watch.hpp"
#include "train/plan.hpp"
#include "train/program.hpp"
#include "train/schedule.hpp"
#include "train/state.hpp"

namespace limen {

// The weights of a checkpoint or safetensors file, fitted to a model (see load_weights).
std::vector<NamedTensor> fit_weights(const std::string& path, std::span<const NamedTensor> found,
                                     std::span<const ParameterSpec> parameters);

// What happened around a loss that is not finite; for the error message.
struct NonFinite {
  double loss = 0;
  const TrainState* state = nullptr;
  std::span<const double> norms;  // gradient norms of the steps before
  double lr = 0;
  bool clipped = false;
  std::string saved;  // the checkpoint written; may be empty
};
// Error E1101 with the first value of the forward pass that is not finite.
Error nonfinite_error(const Model& model, const DataSplit& data, Program& program,
                      const NonFinite& about, std::span<const NamedTensor> weights,
                      const Tensor& step, DType float_type);

class Trainer {
 public:
  Trainer(const Model& model, const DataSplit& data, const TrainOptions& options,
          TrainObserver& observer);
  TrainResult run();

 private:
  using Clock = std::chrono::steady_clock;

  // Before the loop.
  void restore(const Checkpoint& from);
  void announce(const Metadata* resumed);
  void make_programs();

  // The loop.
  void follow_plugins();
  void begin_epoch();
  void step();
  void update(Program& program);
  void report_step(std::int64_t count, double loss);
  void end_epoch();
  bool evaluation_due(bool end_of_epoch) const;
  void evaluate_and_report(bool end_of_epoch, bool due);
  bool follow_best(const SetFigures& figures);
  void follow_early_stop(const SetFigures& figures);
  bool stopped_early() const;
  TrainResult finish(bool interrupted);

  // Checkpoints.
  bool due(const Duration& every, bool end_of_epoch, Clock::time_point since) const;
  Checkpoint checkpoint() const;
  std::string save(const std::string& name, bool best);
  void save_if_due(bool end_of_epoch);
  void prune() const;

  Figures running_means() const;
  SetFigures measure_sets();
  double seconds() const;

  const Model& model_;
  const DataSplit& data_;
  const TrainOptions& options_;
  TrainObserver& observer_;

  TrainPlan plan_;
  TrainState state_;
  std::vector<NamedTensor> weights_;
  Tensor counter_;  // the step, as dropout reads it
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Programs> training_, evaluation_;
  std::unique_ptr<PluginWatch> watch_;  // null: plugins stay as they are

  std::vector<std::int64_t> order_;          // of the epoch under way
  std::deque<double> norms_;                 // of the last gradients
  Figures running_;                          // reused by report_step
  std::optional<std::int64_t> measured_at_;  // the step of last_figures_
  SetFigures last_figures_;
  std::string last_checkpoint_;
  double seconds_before_ = 0;
  std::int64_t examples_timed_ = 0;  // of this epoch, in this process
  double busy_ = 0;                  // seconds of those steps
  Clock::time_point began_, epoch_began_, step_began_, saved_at_, evaluated_at_;
};

}  // namespace limen
