// Losses and the metric that needs labels.
#include <algorithm>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/ops.hpp>

#include "kernels/cross_entropy.hpp"
#include "ops/op_base.hpp"
#include "ops/pointwise.hpp"
#include "tensor/dispatch.hpp"

namespace limen {
namespace {

void require_labels(std::string_view op, const TensorType& scores, const TensorType& labels) {
  const TensorType one[] = {scores};
  require_float(op, one);
  if (scores.shape.rank() < 1) {
    throw Error("E0601", fmt::format("`{}` needs scores with an axis of classes, got {}", op,
                                     to_string(scores)));
  }
  const TensorType wanted{scores.shape.without(scores.shape.rank() - 1), DType::i32};
  if (labels != wanted) {
    throw Error("E0702", fmt::format("`{}` of scores {} needs labels {}, got {}", op,
                                     to_string(scores), to_string(wanted), to_string(labels)));
  }
}

CrossEntropySizes sizes_of(const TensorType& logits, double label_smoothing) {
  const std::int64_t classes = logits.shape[logits.shape.rank() - 1];
  return {classes == 0 ? 0 : logits.elements() / classes, classes, label_smoothing};
}

class CrossEntropyVjp final : public Op {
 public:
  explicit CrossEntropyVjp(double smoothing) : smoothing_(smoothing) {}
  std::string_view name() const override { return "softmax_cross_entropy'"; }
  std::string attributes() const override { return fmt::format("{}", smoothing_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_labels(name(), in[0], in[1]);
    require_equal(name(), {Shape{}, in[0].dtype}, in[2]);
    return in[0];
  }
  std::vector<Value> vjp(Value y, Value g) const override {
    // y = (s - t) d / N with s = softmax(z): dz = s (g - <g, s>) d / N row by row, dd = <g, y / d>.
    const Value z = y.input(0), labels = y.input(1), d = y.input(2);
    const CrossEntropySizes sizes = sizes_of(z.type(), smoothing_);
    const int last = z.shape().rank() - 1;
    const Value s = softmax_rows(z);
    const Value inner = broadcast_to(reduce_sum(mul(g, s), {last}, true), z.shape());
    const Value factor = broadcast_to(scale(d, 1.0 / static_cast<double>(sizes.rows)), z.shape());
    const Value unit = softmax_cross_entropy_vjp(z, labels, d.make_constant(1.0), smoothing_);
    return {mul(mul(s, sub(g, inner)), factor), Value(), sum(mul(g, unit))};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target& target) const override {
    return {[sizes = sizes_of(in[0], smoothing_), dtype = in[0].dtype, threads = target.threads,
             isa = target.isa](const KernelArgs& args) {
      cross_entropy_vjp(sizes, dtype, args.in[0], args.input<std::int32_t>(1), args.in[2], args.out,
                        threads, isa);
    }};
  }
  bool may_overwrite(int input, const TensorType&, std::uint32_t) const override {
    return input == 0;
  }

 private:
  double smoothing_;
};

class CrossEntropy final : public Op {
 public:
  explicit CrossEntropy(double smoothing) : smoothing_(smoothing) {}
  std::string_view name() const override { return "softmax_cross_entropy"; }
  std::string attributes() const override { return fmt::format("{}", smoothing_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_labels(name(), in[0], in[1]);
    return {Shape{}, in[0].dtype};
  }
  std::vector<Value> vjp(Value y, Value dy) const override {
    return {softmax_cross_entropy_vjp(y.input(0), y.input(1), dy, smoothing_), Value()};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target& target) const override {
    const CrossEntropySizes sizes = sizes_of(in[0], smoothing_);
    return {[sizes, dtype = in[0].dtype, threads = target.threads,
             isa = target.isa](const KernelArgs& args) {
              cross_entropy(sizes, dtype, args.in[0], args.input<std::int32_t>(1), args.out,
                            args.scratch, threads, isa);
            },
            cross_entropy_scratch(sizes, in[0].dtype)};
  }

 private:
  double smoothing_;
};

class SoftmaxRows final : public Op {
 public:
  std::string_view name() const override { return "softmax_rows"; }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(name(), in);
    return in[0];
  }
  std::vector<Value> vjp(Value y, Value dy) const override {
    const int last = y.shape().rank() - 1;
    const Value inner = broadcast_to(reduce_sum(mul(dy, y), {last}, true), y.shape());
    return {mul(y, sub(dy, inner))};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target& target) const override {
    const CrossEntropySizes sizes = sizes_of(in[0], 0);
    return {[sizes, dtype = in[0].dtype, threads = target.threads,
             isa = target.isa](const KernelArgs& args) {
      limen::softmax_rows(sizes.rows, sizes.classes, dtype, args.in[0], args.out, threads, isa);
    }};
  }
  bool may_overwrite(int, const TensorType&, std::uint32_t) const override { return true; }
};

class TopKAccuracy final : public Op {
 public:
  explicit TopKAccuracy(int k) : k_(k) {}
  std::string_view name() const override { return "top_k_accuracy"; }
  std::string attributes() const override { return fmt::format("{}", k_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_labels(name(), in[0], in[1]);
    return {Shape{}, in[0].dtype};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target&) const override {
    return dispatch_float(in[0].dtype, [&]<class T>(T) {
      return CompiledOp{[sizes = sizes_of(in[0], 0), k = k_](const KernelArgs& args) {
        const T* scores = args.input<T>(0);
        const std::int32_t* labels = args.input<std::int32_t>(1);
        std::int64_t hits = 0;
        for (std::int64_t r = 0; r < sizes.rows; ++r) {
          hits += among_largest(scores + r * sizes.classes, sizes.classes, labels[r], k) ? 1 : 0;
        }
        args.output<T>()[0] = static_cast<T>(hits) / static_cast<T>(sizes.rows);
      }};
    });
  }

 private:
  template <class T>
  static bool among_largest(const T* scores, std::int64_t classes, std::int32_t label, int k) {
    if (label < 0 || label >= classes || scores[label] != scores[label]) return false;
    std::int64_t before = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      before += scores[c] > scores[label] || (scores[c] == scores[label] && c < label) ? 1 : 0;
    }
    return before < k;
  }

  int k_;
};

}  // namespace

Value softmax_rows(Value x) { return add_node(std::make_shared<SoftmaxRows>(), {x}); }

Value softmax_cross_entropy_vjp(Value logits, Value labels, Value dloss, double label_smoothing) {
  return add_node(std::make_shared<CrossEntropyVjp>(label_smoothing), {logits, labels, dloss});
}

Value softmax_cross_entropy(Value logits, Value labels, double label_smoothing) {
  return add_node(std::make_shared<CrossEntropy>(label_smoothing), {logits, labels});
}

Value mse(Value prediction, Value target) { return mean(square(sub(prediction, target))); }

Value huber(Value prediction, Value target, double delta) {
  return mean(huber_of(sub(prediction, target), delta));
}

Value binary_cross_entropy(Value logits, Value target) {
  return mean(sub(softplus(logits), mul(logits, target)));
}

Value top_k_accuracy(Value scores, Value labels, int k) {
  return add_node(std::make_shared<TopKAccuracy>(k), {scores, labels});
}

}  // namespace limen
