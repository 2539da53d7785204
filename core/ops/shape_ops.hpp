// Ops that move elements without computing. Their builders in limen/ops.hpp say what they do.
#pragma once

#include <vector>

#include <fmt/format.h>
#include <limen/graph.hpp>

namespace limen {

class BroadcastTo final : public Op {
 public:
  explicit BroadcastTo(Shape shape) : shape_(shape) {}
  std::string_view name() const override { return "broadcast_to"; }
  std::string attributes() const override { return to_string(shape_); }
  TensorType infer(std::span<const TensorType> in) const override;
  std::vector<Value> vjp(Value y, Value dy) const override;
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override;

 private:
  Shape shape_;
};

class Reshape final : public Op {
 public:
  explicit Reshape(Shape shape) : shape_(shape) {}
  std::string_view name() const override { return "reshape"; }
  std::string attributes() const override { return to_string(shape_); }
  TensorType infer(std::span<const TensorType> in) const override;
  std::vector<Value> vjp(Value y, Value dy) const override;
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override;
  bool is_view() const override { return true; }

 private:
  Shape shape_;
};

class Transpose final : public Op {
 public:
  explicit Transpose(std::vector<int> axes) : axes_(std::move(axes)) {}
  std::string_view name() const override { return "transpose"; }
  std::string attributes() const override;
  TensorType infer(std::span<const TensorType> in) const override;
  std::vector<Value> vjp(Value y, Value dy) const override;
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override;

 private:
  std::vector<int> axes_;
};

class Concat final : public Op {
 public:
  explicit Concat(int axis) : axis_(axis) {}
  std::string_view name() const override { return "concat"; }
  std::string attributes() const override { return fmt::format("axis={}", axis_); }
  TensorType infer(std::span<const TensorType> in) const override;
  std::vector<Value> vjp(Value y, Value dy) const override;
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override;

 private:
  int axis_;
};

class Slice final : public Op {
 public:
  Slice(int axis, std::int64_t begin, std::int64_t end) : axis_(axis), begin_(begin), end_(end) {}
  std::string_view name() const override { return "slice"; }
  std::string attributes() const override {
    return fmt::format("axis={}, {}:{}", axis_, begin_, end_);
  }
  TensorType infer(std::span<const TensorType> in) const override;
  std::vector<Value> vjp(Value y, Value dy) const override;
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override;

 private:
  int axis_;
  std::int64_t begin_, end_;
};

}  // namespace limen
