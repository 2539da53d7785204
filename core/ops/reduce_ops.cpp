// Reductions: sums and maxima over axes, and sum_to, the adjoint of broadcast_to.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/ops.hpp>

#include "kernels/reduce.hpp"
#include "ops/op_base.hpp"
#include "tensor/dispatch.hpp"

namespace limen {
namespace {

// The reduced axes of a shape, as runs of neighbours; each run is one [outer, count, inner] pass.
std::vector<ReduceSizes> passes_over(const Shape& shape, const std::vector<bool>& reduced) {
  std::vector<ReduceSizes> passes;
  std::vector<std::int64_t> dims(shape.begin(), shape.end());
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (!reduced[static_cast<std::size_t>(i)] || dims[static_cast<std::size_t>(i)] == 1) continue;
    int first = i;
    while (first > 0 && reduced[static_cast<std::size_t>(first) - 1]) --first;
    ReduceSizes pass;
    for (int a = 0; a < shape.rank(); ++a) {
      std::int64_t& size = dims[static_cast<std::size_t>(a)];
      (a < first ? pass.outer : a > i ? pass.inner : pass.count) *= size;
      if (a >= first && a <= i) size = 1;
    }
    passes.push_back(pass);
    i = first;
  }
  return passes;
}

CompiledOp compile_reduction(Reduction kind, const TensorType& in, const std::vector<bool>& reduced,
                             const Target& target) {
  const std::vector<ReduceSizes> passes = passes_over(in.shape, reduced);
  const std::size_t element = size_of(in.dtype);
  std::size_t scratch = 0;  // results of all passes but the last
  for (std::size_t i = 0; i + 1 < passes.size(); ++i) {
    scratch += static_cast<std::size_t>(passes[i].outer * passes[i].inner) * element;
  }
  const auto bytes = static_cast<std::size_t>(in.elements()) * element;
  return {
      [=, dtype = in.dtype, threads = target.threads, isa = target.isa](const KernelArgs& args) {
        if (passes.empty()) {
          std::copy_n(args.in[0], bytes, args.out);
          return;
        }
        const std::byte* from = args.in[0];
        std::byte* spare = args.scratch;
        for (std::size_t i = 0; i < passes.size(); ++i) {
          std::byte* to = i + 1 < passes.size() ? spare : args.out;
          reduce(kind, dtype, passes[i], from, to, threads, isa);
          from = to;
          spare += static_cast<std::size_t>(passes[i].outer * passes[i].inner) * element;
        }
      },
      scratch};
}

class SumTo final : public Op {
 public:
  explicit SumTo(Shape shape) : shape_(shape) {}
  std::string_view name() const override { return "sum_to"; }
  std::string attributes() const override { return to_string(shape_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(name(), in);
    const Shape& from = in[0].shape;
    const int extra = from.rank() - shape_.rank();
    bool fits = extra >= 0;
    for (int i = 0; fits && i < shape_.rank(); ++i) {
      fits = shape_[i] == from[i + extra] || shape_[i] == 1;
    }
    if (!fits) {
      throw Error("E0602", fmt::format("`sum_to` cannot add up {} to {}", to_string(in[0]),
                                       to_string(shape_)));
    }
    return {shape_, in[0].dtype};
  }
  std::vector<Value> vjp(Value y, Value dy) const override {
    return {broadcast_to(dy, y.input(0).shape())};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target& target) const override {
    const Shape& from = in[0].shape;
    const int extra = from.rank() - shape_.rank();
    std::vector<bool> reduced(static_cast<std::size_t>(from.rank()), true);
    for (int i = 0; i < shape_.rank(); ++i) {
      reduced[static_cast<std::size_t>(i + extra)] = shape_[i] != from[i + extra];
    }
    return compile_reduction(Reduction::sum, in[0], reduced, target);
  }

 private:
  Shape shape_;
};

// Which position of each reduced group holds the first maximum gets dy: dx of reduce_max.
class ReduceMaxVjp final : public Op {
 public:
  explicit ReduceMaxVjp(int axis) : axis_(axis) {}
  std::string_view name() const override { return "reduce_max'"; }
  std::string attributes() const override { return fmt::format("axis={}", axis_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(name(), in);
    require_equal(name(), {in[0].shape.with(axis_, 1), in[0].dtype}, in[1]);
    return in[0];
  }
  std::vector<Value> vjp(Value y, Value g) const override {
    // Linear in dy with a 0/1 mask that does not move: the mask is this op on ones.
    const Value ones = broadcast_to(g.make_constant(1.0), y.input(1).shape());
    const Value mask = add_node(y.shared_op(), {y.input(0), ones});
    return {Value(), reduce_sum(mul(g, mask), {axis_}, true)};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target&) const override {
    ReduceSizes s;
    for (int a = 0; a < in[0].shape.rank(); ++a) {
      (a < axis_ ? s.outer : a > axis_ ? s.inner : s.count) *= in[0].shape[a];
    }
    return dispatch_float(in[0].dtype, [&]<class T>(T) {
      return CompiledOp{[s](const KernelArgs& args) { run<T>(s, args); }};
    });
  }

 private:
  template <class T>
  static void run(const ReduceSizes& s, const KernelArgs& args) {
    const T* x = args.input<T>(0);
    const T* dy = args.input<T>(1);
    T* dx = args.output<T>();
    std::fill_n(dx, s.outer * s.count * s.inner, T(0));
    for (std::int64_t o = 0; o < s.outer; ++o) {
      for (std::int64_t i = 0; i < s.inner; ++i) {
        const T* group = x + o * s.count * s.inner + i;
        std::int64_t best = 0;
        for (std::int64_t c = 1; c < s.count; ++c) {
          const T value = group[c * s.inner], leader = group[best * s.inner];
          if (value > leader || (value != value && leader == leader)) best = c;
        }
        if (s.count > 0) dx[(o * s.count + best) * s.inner + i] = dy[o * s.inner + i];
      }
    }
  }

  int axis_;
};

class ReduceMax final : public Op {  // over one axis, kept with size 1
 public:
  explicit ReduceMax(int axis) : axis_(axis) {}
  std::string_view name() const override { return "reduce_max"; }
  std::string attributes() const override { return fmt::format("axis={}", axis_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(name(), in);
    return {in[0].shape.with(in[0].shape.axis(axis_), 1), in[0].dtype};
  }
  std::vector<Value> vjp(Value y, Value dy) const override {
    return {add_node(std::make_shared<ReduceMaxVjp>(axis_), {y.input(0), dy})};
  }
  CompiledOp compile(std::span<const TensorType> in, const TensorType&,
                     const Target& target) const override {
    std::vector<bool> reduced(static_cast<std::size_t>(in[0].shape.rank()));
    reduced[static_cast<std::size_t>(axis_)] = true;
    return compile_reduction(Reduction::max, in[0], reduced, target);
  }

 private:
  int axis_;
};

std::vector<int> sorted_axes(const Shape& shape, std::vector<int> axes) {
  if (axes.empty()) {
    axes.resize(static_cast<std::size_t>(shape.rank()));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (int& axis : axes) axis = shape.axis(axis);
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return axes;
}

Value drop_axes(Value kept, const std::vector<int>& axes, bool keep) {
  if (keep) return kept;
  Shape shape = kept.shape();
  for (std::size_t i = axes.size(); i-- > 0;) shape = shape.without(axes[i]);
  return reshape(kept, shape);
}

}  // namespace

Value sum_to(Value x, const Shape& shape) {
  return x.shape() == shape ? x : add_node(std::make_shared<SumTo>(shape), {x});
}

Value reduce_sum(Value x, std::vector<int> axes, bool keep) {
  axes = sorted_axes(x.shape(), std::move(axes));
  Shape kept = x.shape();
  for (const int axis : axes) kept = kept.with(axis, 1);
  return drop_axes(sum_to(x, kept), axes, keep);
}

Value reduce_mean(Value x, std::vector<int> axes, bool keep) {
  axes = sorted_axes(x.shape(), std::move(axes));
  std::int64_t count = 1;
  for (const int axis : axes) count *= x.shape()[axis];
  return scale(reduce_sum(x, axes, keep), 1.0 / static_cast<double>(count));
}

Value reduce_max(Value x, std::vector<int> axes, bool keep) {
  axes = sorted_axes(x.shape(), std::move(axes));
  Value reduced = x;
  for (const int axis : axes) reduced = add_node(std::make_shared<ReduceMax>(axis), {reduced});
  return drop_axes(reduced, axes, keep);
}

}  // namespace limen
