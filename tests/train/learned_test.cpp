// Activations that learn and draw random numbers, in training and across an interruption.
#include <algorithm>

#include <gtest/gtest.h>

#include "train/train_support.hpp"

namespace limen {
namespace {

using LearnedTest = TrainFolderTest;

TEST_F(LearnedTest, ParametersOfActivationsAreTrainedSavedAndResumed) {
  PluginRegistry registry;
  registry.load(LIMEN_BINARY_DIR "/tests/plugins/engine_ops.so");
  const Model model = Model::parse(R"(limen: 1
inputs:
  x: f32[N, 6]
  label: i64[N]
graph:
  - dense: 8
  - bend: {alpha: 0.1, per_channel: true}
    name: act
  - noisy
  - gated
  - bend: {alpha: 0.1}
    name: last
  - dense: 3
loss: softmax_cross_entropy
metrics: [accuracy]
train:
  epochs: 4
  batch: 16
  optimizer: {adam: 0.01}
)",
                                   "test.yaml", registry);
  const DataSplit data = small_split();
  Recorder seen, first, second;
  const TrainResult expected = train(model, data, {}, seen);
  const RunFolder run = new_run("run", model);
  train(model, data, {.folder = &run, .interrupted = [left = 10]() mutable { return --left == 0; }},
        first);
  const Checkpoint half = load_checkpoint(run.checkpoint("last"));
  const auto named = [](const std::vector<NamedTensor>& list, const std::string& name) {
    const auto at = std::find_if(list.begin(), list.end(),
                                 [&](const NamedTensor& t) { return t.name == name; });
    return at == list.end() ? Tensor() : at->tensor;
  };
  const Tensor act = named(half.weights, "act.alpha"), last = named(half.weights, "last.alpha");
  ASSERT_TRUE(act.valid() && last.valid());
  EXPECT_EQ(act.shape(), Shape{8});
  for (const float v : act.as<float>()) EXPECT_NE(v, 0.1f);  // each has moved
  EXPECT_NE(last.as<float>()[0], 0.1f);
  const auto slots = std::count_if(half.slots.begin(), half.slots.end(), [](const NamedTensor& t) {
    return t.name.find("act.alpha") != std::string::npos;
  });
  EXPECT_EQ(slots, 2);  // both moments of adam
  const TrainResult resumed =
      train(model, data, {.threads = 2, .folder = &run, .resume = true}, second);
  EXPECT_TRUE(bytes_of(resumed.weights) == bytes_of(expected.weights));
  EXPECT_EQ(resumed.figures, expected.figures);
}

}  // namespace
}  // namespace limen
