// Element-by-element ops with constants in them: scale, clamp and its mask, the Huber function.
#include "ops/pointwise.hpp"

#include <fmt/format.h>
#include <limen/ops.hpp>

#include "kernels/elementwise.hpp"
#include "ops/op_base.hpp"
#include "tensor/dispatch.hpp"

namespace limen {
namespace {

// A one-argument op whose function is made from constants: F{...}.template operator()<T>(x).
template <class F>
class Pointwise final : public Op {
 public:
  explicit Pointwise(F function) : function_(function) {}
  std::string_view name() const override { return F::kName; }
  std::string attributes() const override { return function_.attributes(); }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(F::kName, in);
    return in[0];
  }
  std::vector<Value> vjp(Value y, Value dy) const override { return {function_.vjp(y, dy)}; }
  CompiledOp compile(std::span<const TensorType>, const TensorType& out,
                     const Target& target) const override {
    return dispatch_float(out.dtype, [&]<class T>(T) {
      return map_elements<T, 1>(out.elements(), target, function_.template at<T>());
    });
  }
  bool may_overwrite(int, const TensorType&, std::uint32_t) const override { return true; }

 private:
  F function_;
};

template <class F>
Value make(F function, Value x) {
  return add_node(std::make_shared<Pointwise<F>>(function), {x});
}

struct ScaleBy {
  static constexpr std::string_view kName = "scale";
  double factor;
  std::string attributes() const { return fmt::format("{}", factor); }
  Value vjp(Value, Value dy) const { return scale(dy, factor); }
  template <class T>
  auto at() const {
    return [f = static_cast<T>(factor)](T x) { return x * f; };
  }
};

struct Inside {
  static constexpr std::string_view kName = "inside";
  double low, high;
  std::string attributes() const { return fmt::format("{}, {}", low, high); }
  Value vjp(Value, Value) const { return {}; }  // constant almost everywhere
  template <class T>
  auto at() const {
    return [l = static_cast<T>(low), h = static_cast<T>(high)](T x) {
      return x >= l && x <= h ? T(1) : T(0);
    };
  }
};

struct Clamp {
  static constexpr std::string_view kName = "clamp";
  double low, high;
  std::string attributes() const { return fmt::format("{}, {}", low, high); }
  Value vjp(Value y, Value dy) const { return mul(dy, make(Inside{low, high}, y.input(0))); }
  template <class T>
  auto at() const {
    return [l = static_cast<T>(low), h = static_cast<T>(high)](T x) {
      const T raised = x < l ? l : x;  // a NaN stays
      return raised > h ? h : raised;
    };
  }
};

struct Huber {
  static constexpr std::string_view kName = "huber";
  double delta;
  std::string attributes() const { return fmt::format("{}", delta); }
  Value vjp(Value y, Value dy) const { return mul(dy, clamp(y.input(0), -delta, delta)); }
  template <class T>
  auto at() const {
    return [d = static_cast<T>(delta)](T r) {
      const T size = r < 0 ? -r : r;
      return size > d ? d * (size - d / 2) : r * r / 2;
    };
  }
};

}  // namespace

Value scale(Value x, double factor) { return make(ScaleBy{factor}, x); }
Value clamp(Value x, double low, double high) { return make(Clamp{low, high}, x); }
Value huber_of(Value residual, double delta) { return make(Huber{delta}, residual); }

}  // namespace limen
