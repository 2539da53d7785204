// Checkpoints (one safetensors file holds everything) and run folders.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/model.hpp>
#include <limen/tensor.hpp>

namespace limen {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Everything a run needs to go on. In the file a weight is `<step>.<param>`, a slot of the
// optimizer `optimizer.<slot>.<step>.<param>`, and `metadata` is the safetensors `__metadata__`.
struct Checkpoint {
  std::vector<NamedTensor> weights;
  std::vector<NamedTensor> slots;  // names without "optimizer."
  std::map<std::string, std::string> metadata;
};

// Writes a whole file or none: at every moment `path` is the old checkpoint or the new one. Throws
// Error E0903 (exit code 7 if the disk is full).
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

// Throws Error E0901 where the file is missing, unreadable or not whole safetensors.
Checkpoint load_checkpoint(const std::string& path);

// The weights of a file, checkpoint or not, in the order and with the element types of
// `parameters` (f32 and f64 are converted into each other); `optimizer.*` is ignored. Throws Error
// E1002 naming the parameters that the file lacks, those it has too many, and those of another
// shape.
std::vector<NamedTensor> load_weights(const std::string& path,
                                      std::span<const ParameterSpec> parameters);

// Where a training stands, as a checkpoint remembers it.
struct PositionSummary {
  std::int64_t epoch = 0;     // finished
  std::int64_t examples = 0;  // of the epoch under way, 0 at its start
  std::int64_t step = 0;
  double seconds = 0;
  std::string best_metric{};  // "test.accuracy"; empty before the first evaluation
  double best_value = 0;
  std::int64_t best_epoch = 0;
  bool finished = false;  // the training came to its end
};
PositionSummary summarize(const Checkpoint& checkpoint);
std::string describe(
    const PositionSummary& position);  // "3 epochs and 1,200 examples (step 1,407)"

// A folder with source.yaml, command.txt, env.json, metrics.jsonl and ckpt/.
class RunFolder {
 public:
  // A new run with source.yaml, command.txt and env.json. `out` empty: runs/<model name>/<k>, the
  // smallest free k from 1. Throws Error E1003 where `out` holds a run already, E0903 where it
  // cannot be written.
  static RunFolder create(const std::string& out, const Model& model,
                          std::span<const std::string> command, int threads);
  // An existing run. Throws Error E1004 where there is none.
  static RunFolder open(const std::string& path);
  // Whether `path` is a folder with source.yaml.
  static bool is_run(const std::string& path);

  const std::string& path() const { return path_; }
  std::string checkpoint(std::string_view name) const;  // "last" -> "<path>/ckpt/last.safetensors"
  // The model of the run, as it was started (source.yaml and the --set list of the checkpoint),
  // with `sets` after it. Relative paths in it are sought beside the original model file.
  Model load_model(PluginRegistry& registry, std::span<const std::string> sets = {},
                   std::span<const std::string> allow_plugins = {}) const;

  // Adds one line to metrics.jsonl; the line starts with {"step":N, and holds no line break.
  void add_metrics(const std::string& line) const;
  // Drops the lines of steps after `step`, and a last line cut short.
  void trim_metrics(std::int64_t step) const;

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace limen
