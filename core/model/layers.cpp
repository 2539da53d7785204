#include "model/layers.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

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

const SymType& operand(const Step& step, const Program& program, std::size_t i = 0) {
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

std::optional<SymType> too_large(const Step& step, const Program& program, Findings& findings) {
  add_help(shape_error("E0606", fmt::format("`{}` gives a size beyond 64 bits", step.op), step,
                       program, findings),
           "use smaller sizes");
  return std::nullopt;
}

std::optional<SymType> infer_flatten(Step& step, const Program& program, Findings& findings) {
  const SymType& in = operand(step, program);
  if (in.rank() < 2) {
    add_help(shape_error("E0601",
                         fmt::format("`flatten` keeps the first axis and joins the others, got {}",
                                     to_string(in)),
                         step, program, findings),
             "remove this step: there is nothing to join");
    return std::nullopt;
  }
  const auto joined = product(in.dims, 1, in.rank());
  if (!joined) return too_large(step, program, findings);
  return SymType{in.declared, in.dtype, {in.dims[0], *joined}};
}

std::optional<SymType> infer_reshape(Step& step, const Program& program, Findings& findings) {
  const SymType& in = operand(step, program);
  const Arg& shape = *step.args.find("shape");
  const auto refuse = [&](std::string code, std::string message, std::string help) {
    Diagnostic& found = shape_error(std::move(code), std::move(message), step, program, findings);
    add_help(found, std::move(help));
    return std::nullopt;
  };
  if (in.rank() < 1 || shape.sizes.size() + 1 > static_cast<std::size_t>(Shape::kMaxRank)) {
    return refuse(
        "E0601",
        fmt::format("`reshape` cannot make {} sizes from {}", shape.sizes.size(), to_string(in)),
        fmt::format("a tensor has 1 to {} axes", Shape::kMaxRank));
  }
  SymType out{in.declared, in.dtype, {in.dims[0]}};
  const auto have = product(in.dims, 1, in.rank());
  std::optional<SymDim> known = SymDim{};
  std::size_t free = 0;
  for (const std::int64_t size : shape.sizes) {
    if (size < -1 || size == 0) {
      return refuse("E0606", fmt::format("`reshape.shape` has the size {}", size),
                    "sizes are positive; one may be -1");
    }
    if (size == -1) ++free;
    if (known && size > 0) known = product(*known, SymDim{size, {}});
    out.dims.push_back(SymDim{size, {}});
  }
  if (!have || !known) return too_large(step, program, findings);
  if (free > 1)
    return refuse("E0606", "`reshape.shape` has more than one -1", "leave one size open at most");
  const auto rest = quotient(*have, *known);
  if (!rest || (free == 0 && !(*rest == SymDim{}))) {
    return refuse(
        "E0607",
        fmt::format("`reshape` needs {} elements for each example, got {} in {}", to_string(*known),
                    to_string(*have), to_string(in)),
        fmt::format("the sizes behind the first must multiply to {}; the first axis stays",
                    to_string(*have)));
  }
  for (SymDim& dim : out.dims) {
    if (dim.fixed() && dim.factor == -1) dim = *rest;
  }
  return out;
}

Value build_reshape(const Step& step, std::span<const Value> in, LayerBuilder& builder) {
  return reshape(in[0], builder.shape(step.type.dims));
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

Value fold(std::span<const Value> in, Value (*op)(Value, Value)) {
  Value out = in[0];
  for (std::size_t i = 1; i < in.size(); ++i) out = op(out, in[i]);
  return out;
}

// The axis in [0, rank); findings: E0605.
std::optional<std::size_t> axis_of(std::int64_t axis, const SymType& in, const Step& step,
                                   const Program& program, Findings& findings) {
  const auto rank = static_cast<std::int64_t>(in.rank());
  if (axis >= -rank && axis < rank) return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  add_help(
      shape_error("E0605", fmt::format("`{}` has no axis {}: {}", step.op, axis, to_string(in)),
                  step, program, findings),
      rank == 0 ? "a scalar has no axes"
                : fmt::format("axes are 0 to {}, or -{} to -1", rank - 1, rank));
  return std::nullopt;
}

std::optional<SymType> infer_concat(Step& step, const Program& program, Findings& findings) {
  if (!floats(step, program, findings)) return std::nullopt;
  SymType out = operand(step, program);
  const auto axis = axis_of(step.args.count("axis"), out, step, program, findings);
  if (!axis) return std::nullopt;
  for (std::size_t i = 1; i < step.reads.size(); ++i) {
    const SymType& other = operand(step, program, i);
    bool fits = other.rank() == out.rank() && other.dtype == out.dtype;
    for (std::size_t k = 0; fits && k < out.rank(); ++k) {
      fits =
          k == *axis ? other.dims[k].symbols == out.dims[k].symbols : other.dims[k] == out.dims[k];
    }
    if (!fits) {
      add_help(shape_error(
                   "E0607",
                   fmt::format("`concat` along axis {} needs all other sizes equal, got {} and {}",
                               *axis, to_string(operand(step, program)), to_string(other)),
                   step, program, findings),
               "bring them to equal sizes first, or choose another `axis`");
      return std::nullopt;
    }
    if (__builtin_add_overflow(out.dims[*axis].factor, other.dims[*axis].factor,
                               &out.dims[*axis].factor)) {
      return too_large(step, program, findings);
    }
  }
  return out;
}

Value build_concat(const Step& step, std::span<const Value> in, LayerBuilder&) {
  return concat(in, in[0].shape().axis(static_cast<int>(step.args.count("axis"))));
}

std::optional<std::vector<std::size_t>> axes_of(const Step& step, const Program& program,
                                                Findings& findings) {
  const SymType& in = operand(step, program);
  std::vector<std::size_t> axes;
  if (const Arg* arg = step.args.find("axes")) {
    for (const std::int64_t size : arg->sizes) {
      const auto axis = axis_of(size, in, step, program, findings);
      if (!axis) return std::nullopt;
      if (std::find(axes.begin(), axes.end(), *axis) != axes.end()) {
        add_help(shape_error("E0605", fmt::format("`{}.axes` names axis {} twice", step.op, size),
                             step, program, findings),
                 "name every axis once");
        return std::nullopt;
      }
      axes.push_back(*axis);
    }
  }
  return axes;
}

std::optional<SymType> infer_transpose(Step& step, const Program& program, Findings& findings) {
  const SymType& in = operand(step, program);
  const auto axes = axes_of(step, program, findings);
  if (!axes) return std::nullopt;
  if (axes->size() != in.rank()) {
    add_help(shape_error("E0605",
                         fmt::format("`transpose.axes` has {} axes, {} has {}", axes->size(),
                                     to_string(in), in.rank()),
                         step, program, findings),
             "name every axis once, the first one too");
    return std::nullopt;
  }
  SymType out{in.declared, in.dtype, {}};
  for (const std::size_t axis : *axes) out.dims.push_back(in.dims[axis]);
  return out;
}

// The axes as written, now that they are known to be right.
std::vector<int> plain_axes(const Step& step, const Shape& shape) {
  std::vector<int> axes;
  if (const Arg* arg = step.args.find("axes")) {
    for (const std::int64_t axis : arg->sizes) axes.push_back(shape.axis(static_cast<int>(axis)));
  }
  return axes;
}

std::optional<SymType> infer_reduce(Step& step, const Program& program, Findings& findings) {
  if (!floats(step, program, findings)) return std::nullopt;
  const SymType& in = operand(step, program);
  const auto axes = axes_of(step, program, findings);
  if (!axes) return std::nullopt;
  SymType out{in.declared, in.dtype, {}};
  for (std::size_t i = 0; i < in.rank(); ++i) {
    const bool reduced = axes->empty() || std::find(axes->begin(), axes->end(), i) != axes->end();
    if (!reduced) out.dims.push_back(in.dims[i]);
    if (reduced && step.args.flag("keep")) out.dims.push_back(SymDim{});
  }
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
     [](const Step& step, std::span<const Value> in, LayerBuilder&) {
       return transpose(in[0], plain_axes(step, in[0].shape()));
     }},
    {{"reduce_mean", "axes", "mean over axes", kReduceArgs, {}},
     1,
     1,
     infer_reduce,
     [](const Step& step, std::span<const Value> in, LayerBuilder&) {
       return reduce_mean(in[0], plain_axes(step, in[0].shape()), step.args.flag("keep"));
     }},
    {{"reduce_sum", "axes", "sum over axes", kReduceArgs, {}},
     1,
     1,
     infer_reduce,
     [](const Step& step, std::span<const Value> in, LayerBuilder&) {
       return reduce_sum(in[0], plain_axes(step, in[0].shape()), step.args.flag("keep"));
     }},
});

}  // namespace

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

std::optional<SymType> infer_activation(const Step& step, const Program& program,
                                        Findings& findings) {
  if (!floats(step, program, findings)) return std::nullopt;
  const SymType& in = operand(step, program);
  if (!step.activation->rows()) return in;
  return axis_of(step.activation->axis(), in, step, program, findings) ? std::optional(in)
                                                                       : std::nullopt;
}

}  // namespace limen::language
