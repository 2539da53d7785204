#include "model/layers.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "model/shape_layers.hpp"

namespace limen::language {
namespace {

constexpr double kMostUnits = 1e9;

constexpr auto kDenseArgs = std::to_array<ArgInfo>({
    {.name = "units",
     .type = ArgType::count,
     .standard = {},
     .help = "how many outputs",
     .required = true,
     .low = 1,
     .high = kMostUnits},
    {.name = "bias", .type = ArgType::flag, .standard = "true", .help = "add a bias"},
    {.name = "init",
     .type = ArgType::init,
     .standard = "xavier_uniform",
     .help = "how the weight starts"},
    {.name = "bias_init",
     .type = ArgType::init,
     .standard = "zeros",
     .help = "how the bias starts"},
});
constexpr auto kReshapeArgs = std::to_array<ArgInfo>({
    {.name = "shape",
     .type = ArgType::sizes,
     .standard = {},
     .help = "sizes behind the first; one may be -1",
     .required = true},
});
constexpr auto kDropoutArgs = std::to_array<ArgInfo>({
    {.name = "rate",
     .type = ArgType::number,
     .standard = {},
     .help = "share of elements that become 0",
     .required = true,
     .low = 0,
     .high = 1,
     .above_low = false,
     .below_high = true},
});
constexpr auto kConcatArgs = std::to_array<ArgInfo>({
    {.name = "axis",
     .type = ArgType::count,
     .standard = "1",
     .help = "axis to join along; negative counts from the end"},
});
constexpr auto kTransposeArgs = std::to_array<ArgInfo>({
    {.name = "axes",
     .type = ArgType::sizes,
     .standard = {},
     .help = "which axis goes where",
     .required = true},
});
constexpr auto kReduceArgs = std::to_array<ArgInfo>({
    {.name = "axes",
     .type = ArgType::sizes,
     .standard = {},
     .help = "axes to reduce; all if left out"},
    {.name = "keep",
     .type = ArgType::flag,
     .standard = "false",
     .help = "keep reduced axes with size 1"},
});

std::optional<SymType> infer_dense(Step& step, const Program& program, Findings& findings) {
  if (!floats(step, program, findings)) return std::nullopt;
  const SymType& in = operand(step, program);
  if (in.rank() > 2) {
    add_help(shape_error("E0601",
                         fmt::format("`dense` on a tensor {} would act on its last axis only",
                                     to_string(in)),
                         step, program, findings),
             "put `- flatten` before it");
    return std::nullopt;
  }
  if (in.rank() < 2) {
    add_help(shape_error(
                 "E0601",
                 fmt::format("`dense` needs examples with features [N, K], got {}", to_string(in)),
                 step, program, findings),
             fmt::format("declare the input as {}[N, K], with K features for each example",
                         in.declared));
    return std::nullopt;
  }
  if (!in.dims[1].fixed()) {
    add_help(
        shape_error("E0602",
                    fmt::format("`dense` needs a fixed number of features, got {}", to_string(in)),
                    step, program, findings),
        fmt::format("write a number instead of `{}`", to_string(in.dims[1])));
    return std::nullopt;
  }
  const std::int64_t units = step.args.count("units"), features = in.dims[1].factor;
  step.parameters = {{"weight", {units, features}, step.args.find("init")->init, features, units}};
  if (step.args.flag("bias")) {
    step.parameters.push_back(
        {"bias", {units}, step.args.find("bias_init")->init, features, units});
  }
  return SymType{in.declared, in.dtype, {in.dims[0], SymDim{units, {}}}};
}

// y = x weight^T + bias, PyTorch's layout of the weight.
Value build_dense(const Step& step, std::span<const Value> in, LayerBuilder& builder) {
  const Value product = matmul(in[0], builder.parameter(step, "weight"), false, true);
  if (!step.args.flag("bias")) return product;
  return add(product, broadcast_to(builder.parameter(step, "bias"), product.shape()));
}

std::optional<SymType> infer_dropout(Step& step, const Program& program, Findings& findings) {
  if (!floats(step, program, findings)) return std::nullopt;
  return operand(step, program);
}

Value build_dropout(const Step& step, std::span<const Value> in, LayerBuilder& builder) {
  const double rate = step.args.number("rate");
  if (!builder.training() || rate == 0) return in[0];
  return dropout(in[0], builder.counter(), rate, builder.seed("dropout", step.name));
}

Value fold(std::span<const Value> in, Value (*op)(Value, Value)) {
  Value out = in[0];
  for (std::size_t i = 1; i < in.size(); ++i) out = op(out, in[i]);
  return out;
}

constexpr auto kLayers = std::to_array<Layer>({
    {{"dense", "units", "x weight^T + bias", kDenseArgs, {}}, 1, 1, infer_dense, build_dense},
    {{"flatten", "", "join all axes but the first", {}, {}}, 1, 1, infer_flatten, build_reshape},
    {{"reshape", "shape", "other sizes behind the first", kReshapeArgs, {}},
     1,
     1,
     infer_reshape,
     build_reshape},
    {{"dropout", "rate", "drop elements at random while training", kDropoutArgs, {}},
     1,
     1,
     infer_dropout,
     build_dropout},
    {{"add", "", "sum of equal shapes", {}, {}},
     2,
     -1,
     infer_equal,
     [](const Step&, std::span<const Value> in, LayerBuilder&) { return fold(in, add); }},
    {{"sub", "", "difference of equal shapes", {}, {}},
     2,
     2,
     infer_equal,
     [](const Step&, std::span<const Value> in, LayerBuilder&) { return sub(in[0], in[1]); }},
    {{"mul", "", "product of equal shapes", {}, {}},
     2,
     -1,
     infer_equal,
     [](const Step&, std::span<const Value> in, LayerBuilder&) { return fold(in, mul); }},
    {{"concat", "", "join along an axis", kConcatArgs, {}}, 2, -1, infer_concat, build_concat},
    {{"transpose", "axes", "axes in another order", kTransposeArgs, {}},
     1,
     1,
     infer_transpose,
     build_transpose},
    {{"reduce_mean", "axes", "mean over axes", kReduceArgs, {}},
     1,
     1,
     infer_reduce,
     build_reduce_mean},
    {{"reduce_sum", "axes", "sum over axes", kReduceArgs, {}},
     1,
     1,
     infer_reduce,
     build_reduce_sum},
});

}  // namespace

std::optional<SymType> infer_equal(Step& step, const Program& program, Findings& findings) {
  if (!floats(step, program, findings)) return std::nullopt;
  const SymType& first = operand(step, program);
  for (std::size_t i = 1; i < step.reads.size(); ++i) {
    const SymType& other = operand(step, program, i);
    if (other.dims == first.dims && other.dtype == first.dtype) continue;
    const bool dtypes = other.dtype != first.dtype;
    Diagnostic& found = shape_error(
        dtypes ? "E0603" : "E0607",
        fmt::format("`{}` needs equal {}, got {} and {}", step.op, dtypes ? "dtypes" : "shapes",
                    dtypes ? to_string(first) : to_string(first.dims),
                    dtypes ? to_string(other) : to_string(other.dims)),
        step, program, findings);
    add_help(found,
             dtypes ? "declare both inputs with the same dtype"
                    : "nothing broadcasts silently: bring one of them to the other's shape first");
    return std::nullopt;
  }
  return first;
}

const SymType& operand(const Step& step, const Program& program, std::size_t i) {
  return program.type_of(step.reads[i]);
}

bool floats(const Step& step, const Program& program, Findings& findings) {
  for (const std::size_t value : step.reads) {
    const SymType& type = program.type_of(value);
    if (is_float(type.dtype)) continue;
    Diagnostic& found = shape_error(
        "E0603", fmt::format("`{}` works on f32 or f64, got {}", step.op, to_string(type)), step,
        program, findings);
    add_help(found,
             value < program.inputs.size()
                 ? fmt::format(
                       "declare `{0}` as f32{1}, or let this step read another input with `from`",
                       program.name_of(value), to_string(type.dims))
                 : "read a step that gives f32");
    return false;
  }
  return true;
}

std::span<const Layer> layers() { return kLayers; }

const Layer* find_layer(std::string_view name) {
  for (const Layer& layer : kLayers) {
    if (layer.info.name == name) return &layer;
  }
  return nullptr;
}

Diagnostic& shape_error(std::string code, std::string message, const Step& step,
                        const Program& program, Findings& findings) {
  Diagnostic& found = findings.error(std::move(code), std::move(message), step.named);
  if (step.reads.size() == 1) {
    found.spans.front().label = fmt::format("reads `{}`", program.name_of(step.reads[0]));
  }
  for (const std::size_t value : step.reads) {
    found.spans.push_back(program.made_at(
        value,
        fmt::format("`{}` gives {}", program.name_of(value), to_string(program.type_of(value)))));
  }
  return found;
}

}  // namespace limen::language
