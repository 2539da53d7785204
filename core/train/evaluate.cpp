#include "train/evaluate.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace limen {

std::optional<double> find_figure(const SetFigures& figures, std::string_view path) {
  for (const auto& [set, values] : figures) {
    if (!path.starts_with(set) || path.size() <= set.size() || path[set.size()] != '.') continue;
    for (const auto& [name, value] : values) {
      if (path.substr(set.size() + 1) == name) return value;
    }
  }
  return std::nullopt;
}

Figures measure(Programs& programs, const Dataset& data, std::int64_t batch) {
  if (data.size() == 0) throw Error("E0806", "a data set has no examples");
  std::vector<std::int64_t> rows;
  Figures sums;
  for (std::int64_t first = 0; first < data.size(); first += batch) {
    const std::int64_t count = std::min(batch, data.size() - first);
    Program& program = programs.of(count);
    rows.resize(static_cast<std::size_t>(count));
    std::iota(rows.begin(), rows.end(), first);
    program.load(data, rows);
    program.run();
    if (sums.empty()) {
      for (const std::string& name : program.figure_names()) sums.emplace_back(name, 0.0);
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i].second += program.figure(i) * static_cast<double>(count);
    }
  }
  for (auto& [name, value] : sums) value /= static_cast<double>(data.size());
  return sums;
}

std::int64_t evaluation_batch(const Model& model, std::int64_t wanted) {
  if (wanted > 0) return wanted;
  return model.train() != nullptr ? std::max<std::int64_t>(1, model.train()->eval_batch) : 1000;
}

DType float_type_of(const Model& model) {
  return model.train() != nullptr ? model.train()->dtype : DType::f32;
}

Figures evaluate(const Model& model, std::span<const NamedTensor> weights, const Dataset& data,
                 const EvaluateOptions& options) {
  const DType float_type =
      weights.empty() ? float_type_of(model) : weights.front().tensor.type().dtype;
  Programs programs(model, &data, false, float_type, {weights.begin(), weights.end()},
                    Tensor::scalar(0, DType::i32),
                    {.threads = options.threads, .isa = options.isa});
  return measure(programs, data, evaluation_batch(model, options.batch));
}

std::vector<ParameterSpec> parameter_specs(const Model& model, DType float_type) {
  return model
      .build({.sizes = sizes_for(model, nullptr, 1),
              .float_type = float_type,
              .training = false,
              .loss = model.has_loss(),
              .outputs = true})
      .parameters;
}

std::vector<DataInput> data_inputs(const Model& model) {
  std::vector<DataInput> inputs;
  for (const InputSpec& input : model.inputs()) {
    DataInput wanted{.name = input.name, .dtype = input.dtype, .dims = {}, .at = input.at};
    if (wanted.dtype == DType::f32) wanted.dtype = float_type_of(model);
    for (const Dim& dim : input.dims) wanted.dims.push_back(dim.symbol.empty() ? dim.size : -1);
    inputs.push_back(std::move(wanted));
  }
  return inputs;
}

}  // namespace limen
