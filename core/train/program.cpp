#include "train/program.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <limen/differentiate.hpp>

namespace limen {
namespace {

constexpr std::string_view kCounter = "step";

std::string gradient_name(const std::string& parameter) { return "grad." + parameter; }

BuiltModel build_for(const Model& model, const Dataset* data, std::int64_t batch, bool gradients,
                     DType float_type) {
  if (!model.has_loss()) {
    throw Error("E0701", fmt::format("{}: the model has no `loss`", model.file()),
                {"add one, for example `loss: softmax_cross_entropy`"});
  }
  BuiltModel built = model.build({.sizes = sizes_for(model, data, batch),
                                  .float_type = float_type,
                                  .training = gradients,
                                  .loss = true,
                                  .outputs = false});
  if (!gradients) return built;
  const std::vector<Value> parameters = built.graph.parameters();
  const std::vector<Value> cotangents = differentiate(built.graph.output("loss"), parameters);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    built.graph.output(gradient_name(parameters[i].name()), cotangents[i]);
  }
  return built;
}

double scalar(const TensorView& view) {
  return view.type.dtype == DType::f64 ? view.as<double>()[0]
                                       : static_cast<double>(view.as<float>()[0]);
}

}  // namespace

std::map<std::string, std::int64_t> sizes_for(const Model& model, const Dataset* data,
                                              std::int64_t batch) {
  std::map<std::string, std::int64_t> sizes;
  for (const InputSpec& input : model.inputs()) {
    for (std::size_t axis = 0; axis < input.dims.size(); ++axis) {
      const Dim& dim = input.dims[axis];
      if (dim.symbol.empty()) {
        if (axis > 0 || dim.size == batch) continue;
        throw Error(Diagnostic{
            .code = "E0601",
            .message = fmt::format("`{}` holds {} examples at a time, a batch of {} does not fit",
                                   input.name, dim.size, batch),
            .spans = {input.at},
            .notes = {},
            .help = {"declare the leading size as free, as in `f32[N, ...]`"}});
      }
      std::int64_t size = axis == 0 ? batch : 1;
      if (axis > 0 && data != nullptr) {
        size = data->field(input.name).shape()[static_cast<int>(axis)];
      }
      const auto [at, fresh] = sizes.emplace(dim.symbol, size);
      if (!fresh && at->second != size) {
        throw Error(Diagnostic{.code = "E0904",
                               .message = fmt::format("`{}` is {} in one place and {} in `{}`",
                                                      dim.symbol, at->second, size, input.name),
                               .spans = {input.at},
                               .notes = {},
                               .help = {"give different sizes different names"}});
      }
    }
  }
  return sizes;
}

Program::Program(const Model& model, const Dataset* data, std::int64_t batch, bool gradients,
                 DType float_type, std::span<const NamedTensor> weights, const Tensor& step,
                 const CompileOptions& options)
    : batch_(batch), figure_names_{"loss"}, executable_([&] {
        BuiltModel built = build_for(model, data, batch, gradients, float_type);
        for (const std::string& name : built.metric_names) figure_names_.push_back(name);
        for (const Value input : built.graph.inputs()) {
          if (input.name() != kCounter) inputs_.push_back({input.name(), Tensor(input.type())});
        }
        return compile(built.graph, options);
      }()) {
  bind(weights, step);
  figures_.push_back(executable_.output("loss"));
  for (std::size_t i = 1; i < figure_names_.size(); ++i) {
    figures_.push_back(executable_.output("metric." + figure_names_[i]));
  }
  gradients_.resize(weights.size());
  if (!gradients) return;
  const std::vector<std::string> outputs = executable_.output_names();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::string name = gradient_name(weights[i].name);
    if (std::ranges::find(outputs, name) != outputs.end()) gradients_[i] = executable_.output(name);
  }
}

void Program::bind(std::span<const NamedTensor> weights, const Tensor& step) {
  // What nothing reads may have been optimised away, so ask the executable what there is.
  for (const std::string& name : executable_.input_names()) {
    const auto named = [&](const NamedTensor& tensor) { return tensor.name == name; };
    const auto weight = std::ranges::find_if(weights, named);
    const auto input = std::ranges::find_if(inputs_, named);
    if (weight != weights.end()) {
      executable_.bind(name, weight->tensor);
    } else if (input != inputs_.end()) {
      executable_.bind(name, input->tensor);
    } else if (name == kCounter) {
      executable_.bind(name, step);
    }
  }
}

void Program::load(const Dataset& data, std::span<const std::int64_t> rows) {
  for (const NamedTensor& input : inputs_) {
    gather_rows(data.field(input.name), rows, input.tensor.view());
  }
}

double Program::figure(std::size_t i) const { return scalar(figures_[i]); }

Program& Programs::of(std::int64_t batch) {
  std::unique_ptr<Program>& program = programs_[batch];
  if (!program) {
    program = std::make_unique<Program>(model_, data_, batch, gradients_, float_type_, weights_,
                                        step_, options_);
  }
  return *program;
}

}  // namespace limen
