// The matrix product as an op; a header because the pass that fuses the bias looks at its flags.
#pragma once

#include <limen/graph.hpp>

namespace limen {

class MatmulOp final : public Op {
 public:
  MatmulOp(bool transpose_a, bool transpose_b, bool bias)
      : transpose_a_(transpose_a), transpose_b_(transpose_b), bias_(bias) {}

  std::string_view name() const override { return bias_ ? "matmul_bias" : "matmul"; }
  std::string attributes() const override;
  TensorType infer(std::span<const TensorType> in) const override;
  std::vector<Value> vjp(Value y, Value dy) const override;
  CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                     const Target& target) const override;
  double flops(std::span<const TensorType> in, const TensorType& out) const override;

  bool transpose_a() const { return transpose_a_; }
  bool transpose_b() const { return transpose_b_; }
  bool has_bias() const { return bias_; }

 private:
  bool transpose_a_, transpose_b_, bias_;
};

}  // namespace limen
