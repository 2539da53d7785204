// Training a model, and measuring one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <limen/checkpoint.hpp>
#include <limen/executable.hpp>
#include <limen/model.hpp>
#include <limen/tensor.hpp>

namespace limen {

class Dataset;     // limen/dataset.hpp
struct DataSplit;  // limen/dataset.hpp

// Named figures in a fixed order: "loss" first, then the metrics in the order of the file.
using Figures = std::vector<std::pair<std::string, double>>;
// Figures by set, in the order train, val, test; sets that do not exist are left out.
using SetFigures = std::vector<std::pair<std::string, Figures>>;
// The figure of "val.loss"; nothing if there is no such set or name.
std::optional<double> find_figure(const SetFigures& figures, std::string_view path);

// What is known before the first step.
struct TrainStart {
  std::string model;
  std::int64_t parameters = 0;  // elements of all parameter tensors
  std::int64_t train_examples = 0, val_examples = 0, test_examples = 0;  // 0: there is no such set
  std::int64_t batch = 0, batches = 0;                                   // batches of an epoch
  std::int64_t epochs = 0;  // planned; the last one may be cut short by `steps`
  std::int64_t steps = 0;   // planned in all
  std::string optimizer;    // "sgd"
  double lr = 0;
  std::uint64_t seed = 0;
  int threads = 1;
  std::optional<PositionSummary> resumed;
  std::vector<std::string> changes;  // of a resumed run: "train.epochs: 20 → 40"
};

// After a step. Valid during the call only.
struct TrainStep {
  std::int64_t epoch = 0;  // the one under way, from 1
  std::int64_t epochs = 0;
  std::int64_t batch = 0, batches = 0;  // done in this epoch, of how many
  std::int64_t step = 0, steps = 0;     // done in all, of how many
  double loss = 0;                      // of this batch
  double lr = 0;
  double examples_per_second = 0;    // of this epoch, evaluations left out
  double eta_seconds = 0;            // to the end of this epoch
  const Figures* running = nullptr;  // means over this epoch so far, loss first
};

// After an evaluation (train holds the means over the epoch so far).
struct TrainEval {
  std::int64_t epoch = 0, epochs = 0;
  std::int64_t step = 0;
  bool end_of_epoch = false;
  SetFigures figures;
  double lr = 0;
  double examples_per_second = 0;
  double epoch_seconds = 0;  // since the epoch began, evaluations with it
  double seconds = 0;        // of the whole run, with what was before a resume
  bool best = false;         // the best so far
};

struct TrainCheckpoint {
  std::string path;
  std::int64_t epoch = 0;  // finished
  std::int64_t step = 0;
  bool best = false;  // best.safetensors
};

enum class TrainEnd { completed, early_stop, interrupted };

struct TrainResult {
  TrainEnd end = TrainEnd::completed;
  std::int64_t epochs = 0;  // finished
  std::int64_t steps = 0;
  double seconds = 0;
  // train: means over the last epoch under training; val and test: with the last weights (left out
  // when interrupted).
  SetFigures figures;
  std::string best_metric;  // "test.accuracy"; empty if nothing was evaluated
  double best_value = 0;
  std::int64_t best_epoch = 0;
  std::string checkpoint;  // the last one written; empty without a folder
  std::vector<NamedTensor> weights;
};

// Told what happens, from the thread that trains. Exceptions end the training.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void on_start(const TrainStart&) {}
  virtual void on_step(const TrainStep&) {}
  virtual void on_eval(const TrainEval&) {}
  virtual void on_checkpoint(const TrainCheckpoint&) {}
  virtual void on_warning(const Diagnostic&) {}
  virtual void on_plugin(const LoadedPlugin&) {}  // a new generation is in use from now on
  virtual void on_done(const TrainResult&) {}
};

struct TrainOptions {
  int threads = 1;
  std::optional<std::int64_t> epochs{}, steps{};  // instead of what the file says; at most one
  std::string weights{};                          // safetensors to start from; empty: the seed's
  const RunFolder* folder = nullptr;              // where checkpoints go; null: nothing is written
  bool resume = false;                            // go on from the folder's last checkpoint
  std::function<bool()> interrupted{};            // asked after every step; may be empty
  double checkpoint_seconds = 30;                 // the longest time without a checkpoint
  std::uint32_t isa = 0;                          // as CompileOptions::isa
  // Not null: plugins of this registry whose files change are loaded again between two steps, once
  // they have been left alone for so long. A new version that does not fit is a warning.
  PluginRegistry* watch = nullptr;
  std::chrono::milliseconds watch_quiet{50};
};

// Trains. The same bits for any number of threads, and for a run that was interrupted and resumed.
// Throws Error: E0101 the model has no `train` section or no optimizer, E0701 no loss, E0806 a data
// set without examples, E1002 weights that do not fit, E1005 a resume with changes that make the
// state meaningless, E1101 (exit code 6) where the loss is not finite; its state is then saved as
// nan.safetensors.
TrainResult train(const Model& model, const DataSplit& data, const TrainOptions& options,
                  TrainObserver& observer);

// The parameters of a model as they start: a pure function of (seed, name).
std::vector<NamedTensor> initial_weights(std::span<const ParameterSpec> parameters,
                                         std::uint64_t seed);
// What the data of a model must feed, with the element types that training wants (train.dtype).
std::vector<DataInput> data_inputs(const Model& model);
// The parameters of a model with free sizes set to 1: names and shapes do not depend on them.
std::vector<ParameterSpec> parameter_specs(const Model& model, DType float_type = DType::f32);

struct EvaluateOptions {
  int threads = 1;
  std::int64_t batch = 0;  // 0: train.eval_batch of the model, else 1000
  std::uint32_t isa = 0;
};

// Loss and metrics over every example once, each a mean weighted by the examples of its batch.
Figures evaluate(const Model& model, std::span<const NamedTensor> weights, const Dataset& data,
                 const EvaluateOptions& options);

// One compiled step (forward, loss, backward, update) on inputs that stay as they are: for
// measuring. Inputs are filled with deterministic values (0 and 1 in turn for i32, numbers in [0,
// 1) for the others); free sizes but the batch are 1.
class StepBenchmark {
 public:
  StepBenchmark(const Model& model, std::int64_t batch, int threads, std::uint32_t isa = 0);
  ~StepBenchmark();
  StepBenchmark(StepBenchmark&&) noexcept;
  StepBenchmark& operator=(StepBenchmark&&) noexcept;

  void run();            // one step
  double flops() const;  // of one step
  double loss() const;   // of the last step
  Executable& executable();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limen
