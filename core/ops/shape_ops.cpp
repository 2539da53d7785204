// Ops that move elements without computing: broadcast_to, reshape, transpose, concat, slice.
#include <cstring>
#include <numeric>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/ops.hpp>

#include "kernels/copy.hpp"
#include "ops/op_base.hpp"
#include "ops/shape_ops.hpp"

namespace limen {

TensorType BroadcastTo::infer(std::span<const TensorType> in) const {
  const Shape& from = in[0].shape;
  const int missing = shape_.rank() - from.rank();
  bool fits = missing >= 0;
  for (int i = 0; fits && i < from.rank(); ++i)
    fits = from[i] == shape_[i + missing] || from[i] == 1;
  if (!fits) {
    throw Error("E0602", fmt::format("`broadcast_to` cannot repeat {} to {}", to_string(in[0]),
                                     to_string(shape_)));
  }
  return {shape_, in[0].dtype};
}

std::vector<Value> BroadcastTo::vjp(Value y, Value dy) const {
  return {sum_to(dy, y.input(0).shape())};
}

CompiledOp BroadcastTo::compile(std::span<const TensorType> in, const TensorType& out,
                                const Target&) const {
  // Strides of the source seen with the result's axes: 0 where it repeats.
  const int missing = out.shape.rank() - in[0].shape.rank();
  std::vector<std::int64_t> strides(static_cast<std::size_t>(out.shape.rank()), 0);
  std::int64_t stride = 1;
  for (int i = in[0].shape.rank() - 1; i >= 0; --i) {
    if (in[0].shape[i] != 1) strides[static_cast<std::size_t>(i + missing)] = stride;
    stride *= in[0].shape[i];
  }
  return {make_strided_copy(out.shape, strides, size_of(out.dtype))};
}

TensorType Reshape::infer(std::span<const TensorType> in) const {
  if (in[0].elements() != shape_.elements()) {
    throw Error("E0602", fmt::format("`reshape` of {} to {}: {} and {} elements", to_string(in[0]),
                                     to_string(shape_), in[0].elements(), shape_.elements()));
  }
  return {shape_, in[0].dtype};
}

std::vector<Value> Reshape::vjp(Value y, Value dy) const {
  return {reshape(dy, y.input(0).shape())};
}

CompiledOp Reshape::compile(std::span<const TensorType>, const TensorType& out,
                            const Target&) const {
  return {
      [bytes = out.bytes()](const KernelArgs& args) { std::memcpy(args.out, args.in[0], bytes); }};
}

std::string Transpose::attributes() const { return fmt::format("[{}]", fmt::join(axes_, ", ")); }

TensorType Transpose::infer(std::span<const TensorType> in) const {
  const Shape& from = in[0].shape;
  std::vector<bool> seen(static_cast<std::size_t>(from.rank()));
  std::vector<std::int64_t> dims;
  for (const int axis : axes_) {
    if (axis < 0 || axis >= from.rank() || seen[static_cast<std::size_t>(axis)]) break;
    seen[static_cast<std::size_t>(axis)] = true;
    dims.push_back(from[axis]);
  }
  if (static_cast<int>(axes_.size()) != from.rank() || dims.size() != axes_.size()) {
    throw Error("E0605", fmt::format("`transpose` needs each axis of {} once, got [{}]",
                                     to_string(in[0]), fmt::join(axes_, ", ")));
  }
  return {Shape(std::span<const std::int64_t>(dims)), in[0].dtype};
}

std::vector<Value> Transpose::vjp(Value, Value dy) const {
  std::vector<int> inverse(axes_.size());
  for (std::size_t i = 0; i < axes_.size(); ++i)
    inverse[static_cast<std::size_t>(axes_[i])] = static_cast<int>(i);
  return {transpose(dy, inverse)};
}

CompiledOp Transpose::compile(std::span<const TensorType> in, const TensorType& out,
                              const Target&) const {
  std::vector<std::int64_t> source(axes_.size(), 1), strides;
  for (int i = in[0].shape.rank() - 2; i >= 0; --i) {
    source[static_cast<std::size_t>(i)] =
        source[static_cast<std::size_t>(i) + 1] * in[0].shape[i + 1];
  }
  for (const int axis : axes_) strides.push_back(source[static_cast<std::size_t>(axis)]);
  return {make_strided_copy(out.shape, strides, size_of(out.dtype))};
}

TensorType Concat::infer(std::span<const TensorType> in) const {
  const int axis = in[0].shape.axis(axis_);
  std::int64_t total = 0;
  for (const TensorType& type : in) {
    if (type.dtype != in[0].dtype || type.shape.rank() != in[0].shape.rank() ||
        type.shape.with(axis, 0) != in[0].shape.with(axis, 0)) {
      throw Error("E0607",
                  fmt::format("`concat` along axis {} needs tensors that differ in that axis "
                              "only, got {} and {}",
                              axis_, to_string(in[0]), to_string(type)));
    }
    total += type.shape[axis];
  }
  return {in[0].shape.with(axis, total), in[0].dtype};
}

std::vector<Value> Concat::vjp(Value y, Value dy) const {
  std::vector<Value> cotangents;
  std::int64_t begin = 0;
  for (int i = 0; i < y.arity(); ++i) {
    const std::int64_t size = y.input(i).shape()[y.shape().axis(axis_)];
    cotangents.push_back(slice(dy, axis_, begin, begin + size));
    begin += size;
  }
  return cotangents;
}

namespace {
// Bytes of the contiguous pieces of one index of the axes before `axis`, and how many such indices.
struct Rows {
  std::int64_t count = 1;
  std::size_t bytes = 0;
};
Rows rows_of(const TensorType& type, int axis) {
  Rows rows;
  for (int i = 0; i < axis; ++i) rows.count *= type.shape[i];
  rows.bytes = rows.count == 0 ? 0 : type.bytes() / static_cast<std::size_t>(rows.count);
  return rows;
}
}  // namespace

CompiledOp Concat::compile(std::span<const TensorType> in, const TensorType& out,
                           const Target&) const {
  const int axis = out.shape.axis(axis_);
  const Rows whole = rows_of(out, axis);
  std::vector<std::size_t> bytes;
  for (const TensorType& type : in) bytes.push_back(rows_of(type, axis).bytes);
  return {[whole, bytes](const KernelArgs& args) {
    std::byte* to = args.out;
    for (std::int64_t row = 0; row < whole.count; ++row) {
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::memcpy(to, args.in[i] + static_cast<std::size_t>(row) * bytes[i], bytes[i]);
        to += bytes[i];
      }
    }
  }};
}

TensorType Slice::infer(std::span<const TensorType> in) const {
  const int axis = in[0].shape.axis(axis_);
  if (begin_ < 0 || end_ < begin_ || end_ > in[0].shape[axis]) {
    throw Error("E0602", fmt::format("`slice` [{}, {}) leaves axis {} of {}", begin_, end_, axis_,
                                     to_string(in[0])));
  }
  return {in[0].shape.with(axis, end_ - begin_), in[0].dtype};
}

std::vector<Value> Slice::vjp(Value y, Value dy) const {
  // The adjoint of cutting out is padding with zeros.
  const TensorType& whole = y.input(0).type();
  const int axis = whole.shape.axis(axis_);
  std::vector<Value> parts;
  const auto pad = [&](std::int64_t size) {
    if (size > 0)
      parts.push_back(dy.make_constant(Tensor({whole.shape.with(axis, size), whole.dtype})));
  };
  pad(begin_);
  parts.push_back(dy);
  pad(whole.shape[axis] - end_);
  return {parts.size() == 1 ? dy : concat(parts, axis)};
}

CompiledOp Slice::compile(std::span<const TensorType> in, const TensorType& out,
                          const Target&) const {
  const int axis = in[0].shape.axis(axis_);
  const Rows from = rows_of(in[0], axis), to = rows_of(out, axis);
  const std::size_t offset = in[0].shape[axis] == 0
                                 ? 0
                                 : from.bytes / static_cast<std::size_t>(in[0].shape[axis]) *
                                       static_cast<std::size_t>(begin_);
  return {[from, to, offset](const KernelArgs& args) {
    for (std::int64_t row = 0; row < to.count; ++row) {
      const auto r = static_cast<std::size_t>(row);
      std::memcpy(args.out + r * to.bytes, args.in[0] + r * from.bytes + offset, to.bytes);
    }
  }};
}

Value broadcast_to(Value x, const Shape& shape) {
  return x.shape() == shape ? x : add_node(std::make_shared<BroadcastTo>(shape), {x});
}
Value reshape(Value x, const Shape& shape) {
  return x.shape() == shape ? x : add_node(std::make_shared<Reshape>(shape), {x});
}
Value transpose(Value x, std::vector<int> axes) {
  return add_node(std::make_shared<Transpose>(std::move(axes)), {x});
}
Value concat(std::span<const Value> parts, int axis) {
  if (parts.empty()) throw Error("E0607", "`concat` needs at least one tensor, got none");
  return add_node(std::make_shared<Concat>(axis), parts);
}
Value slice(Value x, int axis, std::int64_t begin, std::int64_t end) {
  return add_node(std::make_shared<Slice>(axis, begin, end), {x});
}

}  // namespace limen
