#include <limen/checkpoint.hpp>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "io/safetensors.hpp"
#include "train/state.hpp"

namespace limen {
namespace {

constexpr std::string_view kOptimizer = "optimizer.";
constexpr std::string_view kSlotNames[] = {"momentum_buffer.", "square_avg.", "grad_avg.",
                                           "exp_avg.", "exp_avg_sq."};
constexpr std::size_t kMostNotes = 8;

// A step may itself be called `optimizer`, hence the look at the slot's name too.
bool is_slot(std::string_view name) {
  if (!name.starts_with(kOptimizer)) return false;
  name.remove_prefix(kOptimizer.size());
  return std::ranges::any_of(kSlotNames, [&](std::string_view s) { return name.starts_with(s); });
}

std::string place_of(const ParameterSpec& parameter) {
  if (parameter.where.line == 0) return "";
  return fmt::format(" ({}:{}:{})", parameter.where.file, parameter.where.line,
                     parameter.where.column);
}

[[noreturn]] void refuse(const std::string& path, std::vector<std::string> notes) {
  if (notes.size() > kMostNotes) {
    const std::size_t rest = notes.size() - kMostNotes;
    notes.resize(kMostNotes);
    notes.push_back(fmt::format("and {} more", rest));
  }
  throw Error(Diagnostic{
      .code = "E1002",
      .message = "checkpoint does not fit the model",
      .spans = {Span{.file = path, .line = 0, .column = 0, .length = 1, .text = "", .label = ""}},
      .notes = std::move(notes),
      .help = {"use the model and the --set list the weights were made with, or start afresh"}});
}

// Floating types are converted into each other; anything else must agree.
bool fits(const TensorType& file, const TensorType& model) {
  return file.shape == model.shape && is_float(file.dtype) && is_float(model.dtype);
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  SafeTensors content;
  content.metadata = checkpoint.metadata;
  for (const NamedTensor& weight : checkpoint.weights) content.tensors[weight.name] = weight.tensor;
  for (const NamedTensor& slot : checkpoint.slots) {
    content.tensors[std::string(kOptimizer) + slot.name] = slot.tensor;
  }
  write_safetensors(path, content);
}

Checkpoint load_checkpoint(const std::string& path) {
  SafeTensors content = read_safetensors(path);
  Checkpoint checkpoint;
  checkpoint.metadata = std::move(content.metadata);
  for (auto& [name, tensor] : content.tensors) {
    if (is_slot(name)) {
      checkpoint.slots.push_back({name.substr(kOptimizer.size()), tensor});
    } else {
      checkpoint.weights.push_back({name, tensor});
    }
  }
  return checkpoint;
}

std::vector<NamedTensor> fit_weights(const std::string& path, std::span<const NamedTensor> found,
                                     std::span<const ParameterSpec> parameters) {
  std::map<std::string_view, const Tensor*> by_name;
  for (const NamedTensor& weight : found) by_name[weight.name] = &weight.tensor;
  std::vector<NamedTensor> weights;
  std::vector<std::string> notes;
  for (const ParameterSpec& parameter : parameters) {
    const auto at = by_name.find(parameter.name);
    if (at == by_name.end()) {
      notes.push_back(fmt::format("{} is missing in the file, {} in the model{}", parameter.name,
                                  to_string(parameter.type), place_of(parameter)));
      continue;
    }
    const Tensor& tensor = *at->second;
    if (!fits(tensor.type(), parameter.type)) {
      notes.push_back(fmt::format("{} is {} in the file, {} in the model{}", parameter.name,
                                  to_string(tensor.type()), to_string(parameter.type),
                                  place_of(parameter)));
    } else {
      weights.push_back({parameter.name, tensor.type() == parameter.type
                                             ? tensor.clone()
                                             : convert(tensor, parameter.type.dtype)});
    }
    by_name.erase(at);
  }
  for (const auto& [name, tensor] : by_name) {
    if (is_slot(name)) continue;
    notes.push_back(
        fmt::format("{} is {} in the file, the model has none", name, to_string(tensor->type())));
  }
  if (!notes.empty()) refuse(path, std::move(notes));
  return weights;
}

std::vector<NamedTensor> load_weights(const std::string& path,
                                      std::span<const ParameterSpec> parameters) {
  std::vector<NamedTensor> found;
  for (auto& [name, tensor] : read_safetensors(path).tensors) found.push_back({name, tensor});
  return fit_weights(path, found, parameters);
}

PositionSummary summarize(const Checkpoint& checkpoint) {
  const TrainState state = read_state(checkpoint.metadata, "checkpoint");
  return {.epoch = state.epoch,
          .examples = state.examples,
          .step = state.step,
          .seconds = state.seconds,
          .best_metric = state.best_metric,
          .best_value = state.best_value,
          .best_epoch = state.best_epoch,
          .finished = state.finished};
}

std::string describe(const PositionSummary& position) {
  std::string text =
      fmt::format("{} epoch{}", grouped(position.epoch), position.epoch == 1 ? "" : "s");
  if (position.examples > 0) text += fmt::format(" and {} examples", grouped(position.examples));
  return text + fmt::format(" (step {})", grouped(position.step));
}

}  // namespace limen
