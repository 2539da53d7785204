// Element-by-element ops: a row each, with its kernel and its vector-Jacobian product.
#include "kernels/elementwise.hpp"

#include <cmath>

#include <limen/math_scalar.hpp>
#include <limen/ops.hpp>

#include "ops/op_base.hpp"
#include "ops/pointwise.hpp"
#include "tensor/dispatch.hpp"

namespace limen {
namespace {

struct Row {
  std::string_view name;
  int arity;
  CompiledOp (*compile)(const TensorType& out, const Target& target);
  std::vector<Value> (*vjp)(Value y, Value dy);
};

class Elementwise final : public Op {
 public:
  explicit Elementwise(const Row& row) : row_(row) {}

  std::string_view name() const override { return row_.name; }
  TensorType infer(std::span<const TensorType> in) const override {
    require_float(row_.name, in);
    if (row_.arity == 2) require_equal(row_.name, in[0], in[1]);
    return in[0];
  }
  std::vector<Value> vjp(Value y, Value dy) const override { return row_.vjp(y, dy); }
  CompiledOp compile(std::span<const TensorType>, const TensorType& out,
                     const Target& target) const override {
    return row_.compile(out, target);
  }
  bool may_overwrite(int, const TensorType&, std::uint32_t) const override { return true; }

 private:
  const Row& row_;
};

template <int Arity, class F>
CompiledOp compile_as(const TensorType& out, const Target& target, F f) {
  return dispatch_float(
      out.dtype, [&]<class T>(T) { return map_elements<T, Arity>(out.elements(), target, f); });
}

// A row from a generic function of one or two arguments.
template <auto F>
CompiledOp unary(const TensorType& out, const Target& target) {
  return compile_as<1>(out, target, [](auto x) { return F(x); });
}
template <auto F>
CompiledOp binary(const TensorType& out, const Target& target) {
  return compile_as<2>(out, target, [](auto a, auto b) { return F(a, b); });
}

using Values = std::vector<Value>;

constexpr Row kAdd{"add", 2, binary<[](auto a, auto b) { return a + b; }>, [](Value, Value dy) {
                     return Values{dy, dy};
                   }};
constexpr Row kSub{"sub", 2, binary<[](auto a, auto b) { return a - b; }>, [](Value, Value dy) {
                     return Values{dy, neg(dy)};
                   }};
constexpr Row kMul{"mul", 2, binary<[](auto a, auto b) { return a * b; }>, [](Value y, Value dy) {
                     return Values{mul(dy, y.input(1)), mul(dy, y.input(0))};
                   }};
constexpr Row kDiv{"div", 2, binary<[](auto a, auto b) { return a / b; }>, [](Value y, Value dy) {
                     const Value da = div(dy, y.input(1));
                     return Values{da, neg(mul(da, y))};
                   }};
constexpr Row kNeg{"neg", 1, unary<[](auto x) { return -x; }>,
                   [](Value, Value dy) { return Values{neg(dy)}; }};
constexpr Row kExp{"exp", 1, unary<[](auto x) { return limen::exp(x); }>,
                   [](Value y, Value dy) { return Values{mul(dy, y)}; }};
constexpr Row kLog{"log", 1, unary<[](auto x) { return limen::log(x); }>,
                   [](Value y, Value dy) { return Values{div(dy, y.input(0))}; }};
constexpr Row kSqrt{"sqrt", 1, unary<[](auto x) { return limen::sqrt(x); }>,
                    [](Value y, Value dy) { return Values{div(scale(dy, 0.5), y)}; }};
constexpr Row kSquare{"square", 1, unary<[](auto x) { return x * x; }>,
                      [](Value y, Value dy) { return Values{mul(dy, scale(y.input(0), 2))}; }};
// Parts of binary cross entropy; activations proper are plugins.
constexpr Row kSigmoid{"sigmoid", 1, unary<[](auto x) { return limen::sigmoid(x); }>,
                       [](Value y, Value dy) {
                         // sigmoid(-x), not 1 - y: no cancellation where y is near 1
                         return Values{mul(dy, mul(y, sigmoid(neg(y.input(0)))))};
                       }};
constexpr Row kSoftplus{"softplus", 1, unary<[](auto x) { return limen::softplus(x); }>,
                        [](Value y, Value dy) { return Values{mul(dy, sigmoid(y.input(0)))}; }};

Value make(const Row& row, std::initializer_list<Value> inputs) {
  return add_node(std::make_shared<Elementwise>(row), inputs);
}

}  // namespace

Value add(Value a, Value b) { return make(kAdd, {a, b}); }
Value sub(Value a, Value b) { return make(kSub, {a, b}); }
Value mul(Value a, Value b) { return make(kMul, {a, b}); }
Value div(Value a, Value b) { return make(kDiv, {a, b}); }
Value neg(Value x) { return make(kNeg, {x}); }
Value exp(Value x) { return make(kExp, {x}); }
Value log(Value x) { return make(kLog, {x}); }
Value sqrt(Value x) { return make(kSqrt, {x}); }
Value square(Value x) { return make(kSquare, {x}); }
Value sigmoid(Value x) { return make(kSigmoid, {x}); }
Value softplus(Value x) { return make(kSoftplus, {x}); }

}  // namespace limen
