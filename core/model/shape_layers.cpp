#include "model/shape_layers.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace limen::language {
namespace {

std::optional<SymType> too_large(const Step& step, const Program& program, Findings& findings) {
  add_help(shape_error("E0606", fmt::format("`{}` gives a size beyond 64 bits", step.op), step,
                       program, findings),
           "use smaller sizes");
  return std::nullopt;
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

// The axes as written, now that they are known to be right.
std::vector<int> plain_axes(const Step& step, const Shape& shape) {
  std::vector<int> axes;
  if (const Arg* arg = step.args.find("axes")) {
    for (const std::int64_t axis : arg->sizes) axes.push_back(shape.axis(static_cast<int>(axis)));
  }
  return axes;
}

}  // namespace

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

Value build_transpose(const Step& step, std::span<const Value> in, LayerBuilder&) {
  return transpose(in[0], plain_axes(step, in[0].shape()));
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

Value build_reduce_mean(const Step& step, std::span<const Value> in, LayerBuilder&) {
  return reduce_mean(in[0], plain_axes(step, in[0].shape()), step.args.flag("keep"));
}

Value build_reduce_sum(const Step& step, std::span<const Value> in, LayerBuilder&) {
  return reduce_sum(in[0], plain_axes(step, in[0].shape()), step.args.flag("keep"));
}

}  // namespace limen::language
