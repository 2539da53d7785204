// run() allocates nothing: not by limen's code, at any setting.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "allocations/counting.hpp"
#include "support/execute.hpp"
#include "support/networks.hpp"
#include "support/plugins.hpp"

namespace limen::test {
namespace {

TEST(AllocationCounter, SeesWhatIsAllocated) {
  AllocationCounter counter;
  auto vector = std::make_unique<std::vector<int>>(100);
  const AllocationCounts counts = counter.counts();
  EXPECT_EQ(counts.limen, 2);
  EXPECT_EQ(vector->size(), 100u);
}

AllocationCounts counts_of_ten_runs(const Graph& g, std::int64_t classes,
                                    const CompileOptions& options) {
  Executable exe = compile(g, options);
  for (const auto& [name, tensor] : random_inputs(g, 1)) {
    exe.bind(name, name == "label"
                       ? random_tensor(tensor.type(), 2, 0, static_cast<double>(classes))
                       : tensor);
  }
  exe.run();  // libraries may set themselves up
  AllocationCounter counter;
  for (int i = 0; i < 10; ++i) exe.run();
  return counter.counts();
}

TEST(Run, OfATrainingStepAllocatesNothing) {
  const PluginRegistry plugins = shipped_plugins();
  AllocationCounts most;
  for (const char* name : {"leaky_relu", "softmax"}) {
    for (const auto& [batch, sizes] :
         {std::pair<std::int64_t, std::vector<std::int64_t>>{64, {784, 128, 10}},
          {32, {2, 16, 16, 2}},
          {200, {200, 160, 10}}}) {
      const Graph g = mlp_step(batch, sizes, plugins.find(name), true);
      for_each_config([&](CompileOptions o) {
        if (o.reference || !o.reuse_memory) return;  // Eigen packs large operands on the heap
        const AllocationCounts counts = counts_of_ten_runs(g, sizes.back(), o);
        EXPECT_EQ(counts.limen, 0) << name << ", batch " << batch << ": " << describe(o);
        most.onednn = std::max(most.onednn, counts.onednn);
        most.openmp = std::max(most.openmp, counts.openmp);
      });
    }
  }
  std::cout << "allocations in ten steps: limen 0, oneDNN at most " << most.onednn
            << ", OpenMP at most " << most.openmp << '\n';
}

TEST(Run, OfASmallStepAllocatesNothingInDoubleOrWithReferenceKernels) {
  const PluginRegistry plugins = shipped_plugins();
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Graph g = mlp_step(32, {20, 16, 16, 2}, plugins.find("tanh"), true, dtype);
    for_each_config(
        [&](CompileOptions o) { EXPECT_EQ(counts_of_ten_runs(g, 2, o).limen, 0) << describe(o); });
  }
}

TEST(Run, OfEveryMovingAndReducingOpAllocatesNothing) {
  Graph g;
  const Value x = g.input("x", {{30, 40, 50}});
  const Value y = transpose(x, {2, 0, 1});
  const Value z = concat(std::vector<Value>{slice(y, 1, 3, 20), reduce_max(y, {1}, true)}, 1);
  const Value w = broadcast_to(reduce_sum(x, {0, 1}), {40, 50});
  const Value loss = sum(mul(reduce_mean(z, {1}), transpose(w, {1, 0})));
  g.output("dx", differentiate(loss, std::array{x})[0]);
  for_each_config(
      [&](CompileOptions o) { EXPECT_EQ(counts_of_ten_runs(g, 2, o).limen, 0) << describe(o); });
}

TEST(Run, OfEveryFormOfActivationAllocatesNothing) {
  PluginRegistry plugins;
  plugins.load(LIMEN_BINARY_DIR "/tests/plugins/engine_ops.so");
  Graph g;
  const Value x = g.input("x", {{70, 512}}), counter = g.input("counter", {{}, DType::i32});
  const Value each = g.parameter("each", {{512}}), one = g.parameter("one", {{1}});
  Value y = activate(std::span(&x, 1), plugins.find("bend"), {.learned = {{"alpha", each}}});
  y = activate(std::span(&y, 1), plugins.find("bend"), {.learned = {{"alpha", one}}});
  y = activate(std::span(&y, 1), plugins.find("noisy"), {.counter = counter, .training = true});
  for (const char* name : {"powers", "gated", "rowmix", "sloped", "pairs"}) {
    y = activate(y, plugins.find(name));
  }
  const std::vector<Value> gradients = differentiate(sum(y), std::array{x, each, one});
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    g.output("d" + std::to_string(i), gradients[i]);
  }
  for_each_config(
      [&](CompileOptions o) { EXPECT_EQ(counts_of_ten_runs(g, 2, o).limen, 0) << describe(o); });
}

}  // namespace
}  // namespace limen::test
