#include "run_inputs.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model_sizes.hpp"

namespace limen::tools {
namespace {

const InputSpec* find_input(const Model& model, const std::string& name) {
  for (const InputSpec& input : model.inputs()) {
    if (input.name == name) return &input;
  }
  return nullptr;
}

[[noreturn]] void does_not_fit(const GivenArray& array, const InputSpec& input,
                               const std::string& why, std::vector<Span> more = {}) {
  std::vector<Span> spans{input.at};
  spans.front().label = fmt::format("declared as {}", type_text(input));
  spans.insert(spans.end(), more.begin(), more.end());
  throw Error(Diagnostic{
      .code = "E0904",
      .message = fmt::format("{} does not fit the input `{}`: {}", array.source, input.name, why),
      .spans = std::move(spans),
      .notes = {},
      .help = {fmt::format("give an array of shape {}",
                           type_text(input).substr(input.declared.size()))}});
}

void give_leading_axis(GivenArray& array, const InputSpec& input, const Messages& messages) {
  const auto rank = static_cast<int>(input.dims.size());
  if (array.tensor.shape().rank() + 1 != rank) return;
  if (input.dims[0].symbol.empty() && input.dims[0].size != 1) return;
  std::vector<std::int64_t> dims{1};
  for (const std::int64_t size : array.tensor.shape()) dims.push_back(size);
  array.tensor = array.tensor.reshaped(Shape(std::span<const std::int64_t>(dims)));
  messages.note(
      fmt::format("{}: one item, taken as {}", array.source, to_string(array.tensor.shape())));
}

// Checks the fixed sizes and records the free ones, with who set them.
void solve_sizes(const GivenArray& array, const InputSpec& input, const Model& model,
                 std::map<std::string, std::int64_t>& sizes,
                 std::map<std::string, std::string>& setters) {
  const Shape& shape = array.tensor.shape();
  if (shape.rank() != static_cast<int>(input.dims.size())) {
    does_not_fit(array, input,
                 fmt::format("it has shape {}, which has {} axes instead of {}", to_string(shape),
                             shape.rank(), input.dims.size()));
  }
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const Dim& dim = input.dims[static_cast<std::size_t>(axis)];
    if (dim.symbol.empty()) {
      if (dim.size == shape[axis]) continue;
      does_not_fit(array, input,
                   fmt::format("it has shape {}; axis {} is {}, expected {}", to_string(shape),
                               axis, shape[axis], dim.size));
    }
    if (shape[axis] == 0) {
      does_not_fit(array, input, fmt::format("its shape {} has no elements", to_string(shape)));
    }
    const auto [at, fresh] = sizes.emplace(dim.symbol, shape[axis]);
    if (fresh) {
      setters[dim.symbol] = input.name;
    } else if (at->second != shape[axis]) {
      Span other = find_input(model, setters[dim.symbol])->at;
      other.label = fmt::format("`{}` gives {} = {}", setters[dim.symbol], dim.symbol, at->second);
      does_not_fit(array, input,
                   fmt::format("it gives {} = {}, but `{}` gives {} = {}", dim.symbol, shape[axis],
                               setters[dim.symbol], dim.symbol, at->second),
                   {std::move(other)});
    }
  }
}

// Whole numbers must be in the range of the declared type.
void check_range(const GivenArray& array, const InputSpec& input) {
  if (input.declared != "u8" || array.tensor.type().dtype != DType::i32) return;
  const auto values = array.tensor.as<std::int32_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= 0 && values[i] <= 255) continue;
    does_not_fit(array, input, fmt::format("element {} is {}, outside [0, 255]", i, values[i]));
  }
}

Tensor converted(const GivenArray& array, const InputSpec& input, DType float_type,
                 const Messages& messages) {
  const DType wanted =
      is_float(input.dtype) && input.dtype == DType::f32 ? float_type : input.dtype;
  if (array.held == "f64" && wanted == DType::f32) {
    messages.note(
        fmt::format("{}: f64 values rounded to f32; `--dtype f64` keeps them", array.source));
  }
  try {
    GivenArray result = array;
    result.tensor = convert(array.tensor, wanted);
    check_range(result, input);
    return result.tensor;
  } catch (const Error& error) {
    if (error.diagnostics().empty() || error.diagnostics().front().code != "E0603") throw;
    does_not_fit(array, input, error.diagnostics().front().message);
  }
}

[[noreturn]] void missing(const std::vector<std::string>& names) {
  std::vector<std::string> help;
  for (const std::string& name : names) {
    help.push_back(fmt::format("give it with `--input {}=FILE.npy`", name));
  }
  throw usage_error(fmt::format("no value for the {} `{}`", names.size() == 1 ? "input" : "inputs",
                                join(names, "`, `")),
                    std::move(help));
}

// Gives every array its input.
void resolve_names(std::vector<GivenArray>& given, const std::vector<std::string>& needed) {
  std::vector<std::string> open = needed;
  for (const GivenArray& array : given) std::erase(open, array.input);
  for (GivenArray& array : given) {
    if (!array.input.empty()) continue;
    if (open.size() != 1) {
      throw usage_error(
          fmt::format("which input is {}?", array.source),
          {open.empty() ? "every input has its value already"
                        : fmt::format("write `NAME={}`; inputs: {}", array.source, join(open))});
    }
    array.input = open.front();
    open.clear();
  }
  if (!open.empty()) missing(open);
}

}  // namespace

BoundInputs bind_inputs(std::vector<GivenArray> given, const Model& model,
                        const std::vector<std::string>& needed, DType float_type,
                        const Messages& messages) {
  resolve_names(given, needed);
  BoundInputs bound;
  std::map<std::string, std::string> setters;
  for (GivenArray& array : given) {
    const InputSpec& input = *find_input(model, array.input);
    if (std::find(needed.begin(), needed.end(), array.input) == needed.end()) {
      messages.note(
          fmt::format("no output reads the input `{}`; {} is not used", array.input, array.source));
      continue;
    }
    if (bound.tensors.contains(array.input)) {
      throw usage_error(fmt::format("the input `{}` is given twice", array.input));
    }
    give_leading_axis(array, input, messages);
    solve_sizes(array, input, model, bound.sizes, setters);
    bound.tensors.emplace(array.input, converted(array, input, float_type, messages));
  }
  for (const auto& [symbol, size] : sizes_with_batch(model, 1)) bound.sizes.emplace(symbol, size);
  return bound;
}

}  // namespace limen::tools
