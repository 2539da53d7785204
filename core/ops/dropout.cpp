#include <cmath>

#include <fmt/format.h>
#include <limen/error.hpp>
#include <limen/ops.hpp>

#include "base/parallel.hpp"
#include "base/philox.hpp"
#include "kernels/elementwise.hpp"
#include "ops/op_base.hpp"
#include "tensor/dispatch.hpp"

namespace limen {
namespace {

// The mask is a function of (seed, counter, index): the vector-Jacobian product is the op itself on
// the cotangent, and sharing equal nodes is legal.
class Dropout final : public Op {
 public:
  Dropout(double rate, std::uint64_t seed) : rate_(rate), seed_(seed) {}
  std::string_view name() const override { return "dropout"; }
  std::string attributes() const override { return fmt::format("rate={}, seed={}", rate_, seed_); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(name(), in.first(1));
    require_equal("dropout counter", {Shape{}, DType::i32}, in[1]);
    if (!(rate_ >= 0 && rate_ < 1)) {
      throw Error("E0208", fmt::format("`dropout.rate` must be in [0, 1), found {}", rate_));
    }
    return in[0];
  }
  std::vector<Value> vjp(Value y, Value dy) const override {
    return {add_node(y.shared_op(), {dy, y.input(1)}), Value()};
  }
  CompiledOp compile(std::span<const TensorType>, const TensorType& out,
                     const Target& target) const override {
    return dispatch_float(out.dtype, [&]<class T>(T) {
      const auto threshold = static_cast<std::uint32_t>(std::ldexp(rate_, 32));
      return CompiledOp{[n = out.elements(), keep = static_cast<T>(1 / (1 - rate_)), threshold,
                         seed = seed_, threads = target.threads,
                         isa = target.isa](const KernelArgs& args) {
        const RandomKey key =
            random_key(RandomKey{seed}, static_cast<std::uint64_t>(*args.input<std::int32_t>(1)));
        const T* x = args.input<T>(0);
        T* y = args.output<T>();
        parallel_ranges(threads, n, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
          vectorised(isa, [=] { apply_mask(x, y, begin, end, key, threshold, keep); });
        });
      }};
    });
  }
  bool may_overwrite(int input, const TensorType&, std::uint32_t) const override {
    return input == 0;
  }

 private:
  // Element i uses word i % 4 of random block i / 4; pieces start at multiples of 4.
  template <class T>
  static void apply_mask(const T* x, T* y, std::int64_t begin, std::int64_t end, RandomKey key,
                         std::uint32_t threshold, T keep) {
    for (std::int64_t i = begin; i < end; i += 4) {
      const PhiloxBlock block = random_block(key, static_cast<std::uint64_t>(i) / 4);
      const std::int64_t here = std::min<std::int64_t>(4, end - i);
      for (std::int64_t j = 0; j < here; ++j) {
        y[i + j] = block[static_cast<std::size_t>(j)] >= threshold ? x[i + j] * keep : T(0);
      }
    }
  }

  double rate_;
  std::uint64_t seed_;
};

}  // namespace

Value dropout(Value x, Value counter, double rate, std::uint64_t seed) {
  return add_node(std::make_shared<Dropout>(rate, seed), {x, counter});
}

}  // namespace limen
