// What the tests of training share: models from text, small data, and an observer that remembers.
#pragma once

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <limen/dataset.hpp>
#include <limen/model.hpp>
#include <limen/plugin_registry.hpp>
#include <limen/train.hpp>

#include "base/philox.hpp"
#include "io/file.hpp"

namespace limen {

inline Model model_of(const std::string& text, std::vector<std::string> sets = {}) {
  PluginRegistry registry;
  registry.load_default();
  ModelOptions options;
  options.sets = std::move(sets);
  return Model::parse(text, "test.yaml", registry, options);
}

// A small classifier with dropout: everything that takes part in a resume.
inline std::string small_model(const std::string& train = "epochs: 3") {
  return R"(limen: 1
name: small
vars: {drop: 0.25}
inputs:
  x: f32[N, 6]
  label: i64[N]
graph:
  - dense: 16
    name: fc
  - relu
  - dropout: $drop
  - dense: 3
    name: out
loss: softmax_cross_entropy
metrics: [accuracy]
train:
  batch: 16
  seed: 4
  optimizer: {adam: 0.01}
  )" + train +
         "\n";
}

// Three noisy classes. 100 examples leave a short last batch of 4.
inline Dataset small_data(std::int64_t n, std::uint64_t seed) {
  Tensor x({{n, 6}, DType::f32}), label({{n}, DType::i32});
  const RandomKey key = random_key(seed, "test data");
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    label.as<std::int32_t>()[at] = static_cast<std::int32_t>(i % 3);
    for (std::size_t j = 0; j < 6; ++j) {
      const double centre = std::sin(static_cast<double>(i % 3) * 2 + static_cast<double>(j));
      x.as<float>()[at * 6 + j] = static_cast<float>(centre + 0.8 * random_normal(key, at * 6 + j));
    }
  }
  return Dataset({{"x", x}, {"label", label}});
}

inline DataSplit small_split() {
  DataSplit split;
  split.train = small_data(100, 1);
  split.test = small_data(50, 2);
  return split;
}

class Recorder : public TrainObserver {
 public:
  void on_start(const TrainStart& event) override { start = event; }
  void on_step(const TrainStep& event) override {
    losses.push_back(event.loss);
    rates.push_back(event.lr);
    batches.push_back(event.batch);
    running.push_back(*event.running);
  }
  void on_eval(const TrainEval& event) override { evals.push_back(event); }
  void on_checkpoint(const TrainCheckpoint& event) override { checkpoints.push_back(event); }
  void on_done(const TrainResult& event) override { done = event; }

  TrainStart start;
  std::vector<double> losses, rates;
  std::vector<std::int64_t> batches;
  std::vector<Figures> running;
  std::vector<TrainEval> evals;
  std::vector<TrainCheckpoint> checkpoints;
  TrainResult done;
};

// The bytes of all weights, one after the other.
inline std::string bytes_of(const std::vector<NamedTensor>& weights) {
  std::string bytes;
  for (const NamedTensor& weight : weights) {
    bytes.append(reinterpret_cast<const char*>(weight.tensor.data()), weight.tensor.type().bytes());
  }
  return bytes;
}

inline std::string bytes_of_file(const std::string& path) {
  const Checkpoint checkpoint = load_checkpoint(path);
  return bytes_of(checkpoint.weights) + bytes_of(checkpoint.slots);
}

// A folder of the running test's own, removed at the end.
class TrainFolderTest : public ::testing::Test {
 protected:
  TrainFolderTest() {
    const auto* const info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("limen-" + std::string(info->name()) + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~TrainFolderTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  RunFolder new_run(const std::string& name, const Model& model) const {
    const std::vector<std::string> command = {"limen", "train", "test.yaml"};
    return RunFolder::create(path(name), model, command, 1);
  }

  std::filesystem::path folder_;
};

}  // namespace limen
