#include "kernels/matmul.hpp"

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/ops.hpp>

#include "ops/matmul_op.hpp"
#include "ops/op_base.hpp"

namespace limen {

std::string MatmulOp::attributes() const {
  if (!transpose_a_ && !transpose_b_) return {};
  return fmt::format("{}{}", transpose_a_ ? 'T' : 'N', transpose_b_ ? 'T' : 'N');
}

TensorType MatmulOp::infer(std::span<const TensorType> in) const {
  require_float(name(), in);
  require_rank(name(), in[0], 2, "a left matrix");
  require_rank(name(), in[1], 2, "a right matrix");
  const std::int64_t inner_a = in[0].shape[transpose_a_ ? 0 : 1];
  const std::int64_t inner_b = in[1].shape[transpose_b_ ? 1 : 0];
  if (inner_a != inner_b) {
    throw Error("E0602",
                fmt::format("`{}` of {}{} and {}{}: the inner sizes {} and {} differ", name(),
                            to_string(in[0]), transpose_a_ ? " transposed" : "", to_string(in[1]),
                            transpose_b_ ? " transposed" : "", inner_a, inner_b));
  }
  const std::int64_t columns = in[1].shape[transpose_b_ ? 0 : 1];
  if (bias_ && in[2].shape != Shape{columns}) {
    throw Error("E0602", fmt::format("`{}` with {} columns needs a bias [{}], got {}", name(),
                                     columns, columns, to_string(in[2])));
  }
  return {{in[0].shape[transpose_a_ ? 1 : 0], columns}, in[0].dtype};
}

std::vector<Value> MatmulOp::vjp(Value y, Value dy) const {
  const Value a = y.input(0), b = y.input(1);
  std::vector<Value> cotangents{
      transpose_a_ ? matmul(b, dy, transpose_b_, true) : matmul(dy, b, false, !transpose_b_),
      transpose_b_ ? matmul(dy, a, true, transpose_a_) : matmul(a, dy, !transpose_a_, false)};
  if (bias_) cotangents.push_back(sum_to(dy, y.input(2).shape()));
  return cotangents;
}

double MatmulOp::flops(std::span<const TensorType> in, const TensorType& out) const {
  return 2.0 * static_cast<double>(out.elements()) *
         static_cast<double>(in[0].shape[transpose_a_ ? 0 : 1]);
}

CompiledOp MatmulOp::compile(std::span<const TensorType> in, const TensorType& out,
                             const Target& target) const {
  const MatmulSpec spec{.m = out.shape[0],
                        .n = out.shape[1],
                        .k = in[0].shape[transpose_a_ ? 0 : 1],
                        .transpose_a = transpose_a_,
                        .transpose_b = transpose_b_,
                        .bias = bias_};
  MatmulKernel kernel = make_matmul(spec, out.dtype, target);
  return {[run = std::move(kernel.run), bias = bias_](const KernelArgs& args) {
            run(args.in[0], args.in[1], bias ? args.in[2] : nullptr, args.out, args.scratch);
          },
          kernel.scratch_bytes};
}

Value matmul(Value a, Value b, bool transpose_a, bool transpose_b) {
  return add_node(std::make_shared<MatmulOp>(transpose_a, transpose_b, false), {a, b});
}

Value matmul_bias(Value a, Value b, Value bias, bool transpose_a, bool transpose_b) {
  return add_node(std::make_shared<MatmulOp>(transpose_a, transpose_b, true), {a, b, bias});
}

}  // namespace limen
