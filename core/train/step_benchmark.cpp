#include <fmt/format.h>

#include <limen/optimizer.hpp>
#include <limen/train.hpp>

#include "base/isa.hpp"
#include "base/philox.hpp"
#include "train/evaluate.hpp"
#include "train/program.hpp"

namespace limen {
namespace {

void fill(const NamedTensor& input) {
  const RandomKey key = random_key(0, "bench", input.name);
  const auto uniform = [&]<class T>(std::span<T> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<T>(random_uniform(key, i));
    }
  };
  switch (input.tensor.type().dtype) {
    case DType::f32:
      return uniform(input.tensor.as<float>());
    case DType::f64:
      return uniform(input.tensor.as<double>());
    case DType::i32:
      break;
  }
  std::int32_t next = 0;
  for (std::int32_t& value : input.tensor.as<std::int32_t>()) value = next ^= 1;
}

const NumericCall& optimizer_of(const Model& model) {
  const TrainSpec* spec = model.train();
  if (spec == nullptr || !spec->optimizer) {
    throw Error("E0101", fmt::format("{}: the model has no `train.optimizer`", model.file()),
                {"add one, as in `train: {epochs: 1, optimizer: {sgd: 0.1}}`"});
  }
  return *spec->optimizer;
}

}  // namespace

struct StepBenchmark::Impl {
  Impl(const Model& model, std::int64_t batch, int threads, std::uint32_t isa)
      : settings(OptimizerSettings::from(optimizer_of(model))),
        weights(initial_weights(parameter_specs_for(model, batch), model.train()->seed)),
        program(model, nullptr, batch, true, float_type_of(model), weights,
                Tensor::scalar(0, DType::i32), {.threads = threads, .isa = isa}),
        optimizer(settings, weights, threads, isa) {
    for (const NamedTensor& input : program.inputs()) fill(input);
  }

  static std::vector<ParameterSpec> parameter_specs_for(const Model& model, std::int64_t batch) {
    return model
        .build({.sizes = sizes_for(model, nullptr, batch),
                .float_type = float_type_of(model),
                .training = false,
                .loss = model.has_loss(),
                .outputs = false})
        .parameters;
  }

  OptimizerSettings settings;
  std::vector<NamedTensor> weights;
  Program program;
  Optimizer optimizer;
};

StepBenchmark::StepBenchmark(const Model& model, std::int64_t batch, int threads, std::uint32_t isa)
    : impl_(std::make_unique<Impl>(model, batch, threads, isa != 0 ? isa : detect_isa())) {}
StepBenchmark::~StepBenchmark() = default;
StepBenchmark::StepBenchmark(StepBenchmark&&) noexcept = default;
StepBenchmark& StepBenchmark::operator=(StepBenchmark&&) noexcept = default;

void StepBenchmark::run() {
  impl_->program.run();
  // The rate 0 costs what any other does, and the numbers stay as they are however often this runs.
  impl_->optimizer.begin_step(0);
  for (std::size_t i = 0; i < impl_->weights.size(); ++i) {
    if (impl_->program.gradient(i).data != nullptr) {
      impl_->optimizer.update(i, impl_->program.gradient(i));
    }
  }
}

double StepBenchmark::flops() const { return impl_->program.executable().stats().flops; }
double StepBenchmark::loss() const { return impl_->program.figure(0); }
Executable& StepBenchmark::executable() { return impl_->program.executable(); }

}  // namespace limen
