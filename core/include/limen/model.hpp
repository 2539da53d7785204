// Models: the YAML language read, checked and turned into graphs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <limen/data_spec.hpp>
#include <limen/error.hpp>
#include <limen/graph.hpp>
#include <limen/plugin_registry.hpp>
#include <limen/tensor.hpp>

namespace limen {

// A size that is fixed, or free under a name (`N`).
struct Dim {
  std::int64_t size = 0;
  std::string symbol;  // not empty: free
};

struct InputSpec {
  std::string name;
  std::string declared;  // the dtype as written: f32, f64, i32, i64, u8
  DType dtype;           // how it is held
  std::vector<Dim> dims;
  Span at;
  Shape shape(const std::map<std::string, std::int64_t>& sizes) const;
};

// `500 steps`, `1 epoch`, `10 min`; a bare integer is steps.
struct Duration {
  enum class Unit { steps, epochs, seconds };
  double amount = 0;
  Unit unit = Unit::steps;
};

// A call with its arguments as numbers: optimizers and schedules.
struct NumericCall {
  std::string name;
  std::map<std::string, double> args;  // every argument, defaults filled in
  std::map<std::string, Duration> durations;
  std::vector<Duration> at;  // milestones
  Span where;
};

struct TrainSpec {
  std::optional<std::int64_t> epochs, steps;  // at most one
  std::int64_t batch = 32;
  std::int64_t eval_batch = 1000;
  std::uint64_t seed = 0;
  DType dtype = DType::f32;
  bool shuffle = true;
  std::optional<NumericCall> optimizer;
  std::optional<NumericCall> schedule;  // constant, step, cosine, exponential
  std::optional<double> clip_norm;
  Duration eval{1, Duration::Unit::epochs};
  struct EarlyStop {
    std::string watch;  // "val.loss"
    std::int64_t patience = 1;
    double min_delta = 0;
  };
  std::optional<EarlyStop> early_stop;
  Duration checkpoint_every{1, Duration::Unit::epochs};
  std::int64_t checkpoint_keep = 0;  // numbered ones besides last and best
  std::string checkpoint_best;       // empty: the default rule
  Span where;
};

// How a parameter starts. `kind` is an initialiser's name, its arguments in args.
struct InitSpec {
  std::string kind = "zeros";
  std::map<std::string, double> args;
};

struct ParameterSpec {
  std::string name;  // "<step>.weight"
  TensorType type;
  InitSpec init;
  std::int64_t fan_in = 0, fan_out = 0;
  Span where;
};

struct StepInfo {  // a row of the summary
  std::string name, op;
  std::vector<std::string> reads;
  TensorType type;       // with the sizes of the build
  std::string symbolic;  // "f32[N, 128]"
  std::vector<std::string> parameters;
  double flops = 0;
  Span where;
};

struct BuildOptions {
  std::map<std::string, std::int64_t> sizes;  // free sizes; all must be given
  DType float_type = DType::f32;              // f64: every f32 of the model becomes f64
  bool training = false;                      // dropout on; needs the input "step" (i32[])
  bool loss = false;                          // outputs "loss" and "metric.<name>"
  bool outputs = true;                        // the model's outputs by name
};

// A model's graph. Inputs are the model's inputs that something reads (and "step" if dropout is
// on); parameters carry the names of `parameters`.
struct BuiltModel {
  Graph graph;
  std::vector<ParameterSpec> parameters;
  std::vector<StepInfo> steps;
  std::vector<std::string> output_names;  // in the order of the file
  std::vector<std::string> metric_names;
};

struct ModelOptions {
  std::vector<std::string> sets = {};  // --set PATH=VALUE, left to right
  // Files or folders that `plugins` may name besides the model's own folder.
  std::vector<std::string> allow_plugins = {};
};

class Model {
 public:
  // Reads, checks everything that needs no data, and loads the plugins the file names (into
  // `registry`, which is also where ops are found). Throws Error with up to 20 located findings.
  static Model parse(std::string text, std::string file, PluginRegistry& registry,
                     const ModelOptions& options = {});
  static Model load(const std::string& path, PluginRegistry& registry,
                    const ModelOptions& options = {});  // "-" is stdin

  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const std::string& name() const;    // of the file if not written
  const std::string& file() const;    // as given
  const std::string& source() const;  // the text as written
  const std::vector<std::string>& sets() const;
  const std::vector<InputSpec>& inputs() const;
  const TrainSpec* train() const;  // null if the file has none
  const DataSpec* data() const;    // likewise
  bool has_loss() const;
  const std::vector<Diagnostic>& warnings() const;
  std::vector<std::string> plugins_used() const;  // "sigmoid@org.limen.sigmoid/1.0.0", sorted
  std::vector<std::string> plugin_files() const;  // their libraries, sorted

  BuiltModel build(const BuildOptions& options) const;
  // From now on build() uses the newest generation of each plugin (PluginRegistry::reload). Not
  // while another thread uses the model.
  void follow_reloads() const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace limen
