// Ops for graphs whose gradient is a mistake.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <limen/gradient_check.hpp>
#include <limen/ops.hpp>

namespace limen::test {

// x + bias in every row, whose gradient by the bias is a mistake: `factor` times the right one, and
// the element `wrong` (if it is one) replaced by its negative.
class WrongBias final : public Op {
 public:
  explicit WrongBias(double factor, std::int64_t wrong = -1) : factor_(factor), wrong_(wrong) {}
  std::string_view name() const override { return "wrong_bias"; }
  std::string attributes() const override {
    return std::to_string(factor_) + " " + std::to_string(wrong_);
  }
  TensorType infer(std::span<const TensorType> in) const override { return in[0]; }
  std::vector<Value> vjp(Value y, Value dy) const override {
    const Value bias = y.input(1);
    Value grad = scale(sum_to(dy, bias.shape()), factor_);
    if (wrong_ >= 0) {
      Tensor mask({bias.shape(), bias.dtype()});
      for (double& m : mask.as<double>()) m = 1;
      mask.as<double>()[static_cast<std::size_t>(wrong_)] = -1;
      grad = mul(grad, y.make_constant(mask));
    }
    return {dy, grad};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target&) const override {
    const auto n = static_cast<std::size_t>(in[0].elements());
    const auto width = static_cast<std::size_t>(in[1].elements());
    return {[n, width](const KernelArgs& args) {
      for (std::size_t i = 0; i < n; ++i) {
        args.output<double>()[i] = args.input<double>(0)[i] + args.input<double>(1)[i % width];
      }
    }};
  }

 private:
  double factor_;
  std::int64_t wrong_;
};

// x itself, whose gradient is wrong: by `error` in element `wrong`; or, for `wrong` = -1, missing.
class Untracked final : public Op {
 public:
  explicit Untracked(std::int64_t wrong = -1, double error = 0) : wrong_(wrong), error_(error) {}
  std::string_view name() const override { return "untracked"; }
  std::string attributes() const override {
    return std::to_string(wrong_) + " " + std::to_string(error_);
  }
  TensorType infer(std::span<const TensorType> in) const override { return in[0]; }
  std::vector<Value> vjp(Value y, Value dy) const override {
    if (wrong_ < 0) return {scale(dy, 0)};
    Tensor planted({y.shape(), DType::f64});
    planted.as<double>()[static_cast<std::size_t>(wrong_)] = error_;
    return {add(dy, y.make_constant(planted))};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target&) const override {
    const auto n = static_cast<std::size_t>(in[0].elements());
    return {[n](const KernelArgs& args) {
      for (std::size_t i = 0; i < n; ++i) args.output<double>()[i] = args.input<double>(0)[i];
    }};
  }

 private:
  std::int64_t wrong_;
  double error_;
};

inline const CheckResult* find(const CheckReport& report, std::string_view op,
                               std::string_view check) {
  for (const CheckResult& c : report.checks) {
    if (c.op == op && c.check == check) return &c;
  }
  return nullptr;
}

}  // namespace limen::test
