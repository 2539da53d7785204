// Why a loss is not finite: what the user is told.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.hpp"
#include "train/trainer.hpp"

namespace limen {
namespace {

struct Count {
  std::int64_t nan = 0, inf = 0;
  std::int64_t all() const { return nan + inf; }
  std::string text() const {
    if (inf == 0) return fmt::format("{} {} NaN", nan, nan == 1 ? "is" : "are");
    if (nan == 0) return fmt::format("{} {} inf", inf, inf == 1 ? "is" : "are");
    return fmt::format("{} are NaN and {} inf", nan, inf);
  }
};

template <class T>
Count count_as(std::span<const T> values) {
  Count count;
  for (const T value : values) {
    count.nan += std::isnan(value) ? 1 : 0;
    count.inf += std::isinf(value) ? 1 : 0;
  }
  return count;
}

Count count_nonfinite(const TensorView& view) {
  if (view.type.dtype == DType::f32) return count_as<float>(view.as<float>());
  if (view.type.dtype == DType::f64) return count_as<double>(view.as<double>());
  return {};
}

std::string probe_name(NodeId id) { return fmt::format("probe.{}", id); }

// Runs the forward pass once more with every value kept, and names the first that is not finite.
std::string first_nonfinite(const Model& model, const DataSplit& data, const Program& program,
                            std::span<const NamedTensor> weights, const Tensor& step,
                            DType float_type) {
  BuiltModel built = model.build({.sizes = sizes_for(model, &data.train, program.batch()),
                                  .float_type = float_type,
                                  .training = true,
                                  .loss = true,
                                  .outputs = false});
  const auto nodes = static_cast<NodeId>(built.graph.size());
  for (NodeId id = 0; id < nodes; ++id) {
    const Value node = built.graph.node(id);
    if (node.kind() == NodeKind::op) built.graph.output(probe_name(id), node);
  }
  Executable executable = compile(built.graph, {.optimize = false, .reuse_memory = false});
  for (const std::string& name : executable.input_names()) {
    const auto bind_from = [&](std::span<const NamedTensor> tensors) {
      for (const NamedTensor& t : tensors) {
        if (t.name == name) executable.bind(name, t.tensor);
      }
    };
    bind_from(weights);
    bind_from(program.inputs());
    if (name == "step") executable.bind(name, step);
  }
  executable.run();
  for (NodeId id = 0; id < nodes; ++id) {
    const Value node = built.graph.node(id);
    if (node.kind() != NodeKind::op) continue;
    const TensorView view = executable.output(probe_name(id));
    const Count count = count_nonfinite(view);
    if (count.all() == 0) continue;
    const std::string where = node.name().empty() ? std::string(node.op()->name()) : node.name();
    return fmt::format("first non-finite value: output of `{}`, {} of {} values {}", where,
                       count.all(), view.type.elements(), count.text());
  }
  return {};
}

std::vector<std::string> input_notes(const Program& program) {
  std::vector<std::string> notes;
  for (const NamedTensor& input : program.inputs()) {
    if (input.tensor.type().dtype == DType::i32) {
      const auto values = input.tensor.as<std::int32_t>();
      if (values.empty()) continue;
      const auto [low, high] = std::ranges::minmax(values);
      notes.push_back(fmt::format("`{}` holds {} to {} in this batch", input.name, low, high));
    } else if (const Count count = count_nonfinite(input.tensor.view()); count.all() > 0) {
      notes.push_back(fmt::format("input `{}`: {} of {} values of this batch {}", input.name,
                                  count.all(), input.tensor.type().elements(), count.text()));
    }
  }
  return notes;
}

}  // namespace

Error nonfinite_error(const Model& model, const DataSplit& data, Program& program,
                      const NonFinite& about, std::span<const NamedTensor> weights,
                      const Tensor& step, DType float_type) {
  Diagnostic found{.code = "E1101",
                   .message = fmt::format("loss is {} at epoch {}, step {}",
                                          std::isnan(about.loss) ? "NaN" : "infinite",
                                          about.state->epoch + 1, about.state->step + 1),
                   .spans = {},
                   .notes = {},
                   .help = {}};
  for (const NamedTensor& weight : weights) {
    const Count count = count_nonfinite(weight.tensor.view());
    if (count.all() == 0) continue;
    found.notes.push_back(fmt::format("parameter `{}`: {} of {} values {}", weight.name,
                                      count.all(), weight.tensor.type().elements(), count.text()));
    break;
  }
  if (std::string first = first_nonfinite(model, data, program, weights, step, float_type);
      !first.empty()) {
    found.notes.push_back(std::move(first));
  }
  for (std::string& note : input_notes(program)) found.notes.push_back(std::move(note));
  if (!about.norms.empty()) {
    std::vector<std::string> norms;
    for (const double norm : about.norms) norms.push_back(fmt::format("{:.3g}", norm));
    found.notes.push_back(
        fmt::format("gradient norm in the {} steps before: {}", norms.size(), join(norms, " ")));
    found.help.push_back(
        about.clipped
            ? fmt::format("lower the rate (now {}), or the norm of `clip`", about.lr)
            : fmt::format("lower the rate (now {}), or add `clip: {{norm: 1.0}}`", about.lr));
  } else {
    found.help.emplace_back("check that every label is below the number of classes, and the data");
  }
  if (!about.saved.empty()) found.help.push_back("state saved in " + about.saved);
  return Error(std::move(found));
}

}  // namespace limen
