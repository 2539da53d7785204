// A small network with the op in it must learn.
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include <limen/dataset.hpp>
#include <limen/train.hpp>

#include "plugin_suite.hpp"

namespace limen::tools {
namespace {

class Losses : public TrainObserver {
 public:
  void on_step(const TrainStep& step) override { all.push_back(step.loss); }
  std::vector<double> all;
};

std::string model_text(const std::string& file, const std::string& op) {
  return fmt::format(
      "limen: 1\n"
      "plugins: [\"{}\"]\n"
      "inputs:\n"
      "  x: f32[N, 2]\n"
      "  label: i64[N]\n"
      "graph:\n"
      "  - dense: 24\n"
      "  - \"{}\"\n"
      "  - dense: 2\n"
      "loss: softmax_cross_entropy\n"
      "data: {{moons: {{n: 320}}}}\n"
      "train: {{steps: 200, batch: 32, seed: 1, optimizer: {{adam: 0.01}}}}\n",
      file, op);
}

double mean(const std::vector<double>& values, std::size_t begin, std::size_t end) {
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += values[i];
  return sum / static_cast<double>(end - begin);
}

bool same_weights(const TrainResult& a, const TrainResult& b) {
  for (std::size_t i = 0; i < a.weights.size(); ++i) {
    const Tensor &x = a.weights[i].tensor, &y = b.weights[i].tensor;
    if (std::memcmp(x.data(), y.data(), x.type().bytes()) != 0) return false;
  }
  return true;
}

}  // namespace

void test_training(const Suite& suite, const limen_op& op, SuiteListener& listener) {
  bool fits = op.kind != LIMEN_GENERAL && op.arity == 1 && op.outputs == 1 &&
              (op.flags & LIMEN_OP_STOCHASTIC) == 0 && (op.dtypes & LIMEN_F32) != 0;
  bool backward = false;
  for (std::uint32_t i = 0; i < op.n_kernels; ++i) {
    const limen_kernel& k = *LIMEN_AT(limen_kernel, op.kernels, i);
    backward = backward || (k.role == LIMEN_BACKWARD && k.dtype == LIMEN_F32);
  }
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    fits = fits && (LIMEN_AT(limen_param, op.params, p)->flags & LIMEN_PF_REQUIRED) == 0;
  }
  if (!fits || !backward || !listener.begin("train-smoke", op.name)) return;
  Finding finding{"train-smoke", op.name, true, {}};
  try {
    PluginRegistry registry;
    const auto plugin = registry.load(suite.file);
    const Model model =
        Model::parse(model_text(suite.file, fmt::format("{}:{}", plugin->name(), op.name)),
                     "smoke.yaml", registry, {.sets = {}, .allow_plugins = {suite.file}});
    const std::vector<DataInput> inputs = data_inputs(model);
    const DataSplit data = load_data(*model.data(), inputs, {});
    Losses first, second;
    const TrainResult once = train(model, data, {}, first), twice = train(model, data, {}, second);
    const std::size_t n = first.all.size();
    const double before = mean(first.all, 0, 10), after = mean(first.all, n - 20, n);
    finding.good = after < before && first.all == second.all && same_weights(once, twice);
    if (!finding.good) {
      finding.text = after < before
                         ? "a second run with the same seed gave other weights"
                         : fmt::format("two moons, 200 steps: the loss was {:.4g} and is {:.4g}",
                                       before, after);
    }
  } catch (const Error& error) {
    finding.good = false;
    finding.text = "two moons: " + error.diagnostics()[0].message;
  }
  listener.add(std::move(finding));
}

}  // namespace limen::tools
