#include "ops/op_table.hpp"

#include "ops/pointwise.hpp"

namespace limen::test {
namespace {

using In = std::span<const Value>;
using Types = std::vector<std::vector<TensorType>>;

Types one(std::vector<Shape> shapes) {
  Types types;
  for (const Shape& s : shapes) types.push_back({{s}});
  return types;
}
Types two(std::vector<Shape> shapes) {
  Types types;
  for (const Shape& s : shapes) types.push_back({{s}, {s}});
  return types;
}
const std::vector<Shape> kLengths{{}, {0}, {1}, {7}, {3, 5}, {2, 0, 3}};

Build unary(Value (*f)(Value)) {
  return [f](Graph&, In in) { return f(in[0]); };
}
Build binary(Value (*f)(Value, Value)) {
  return [f](Graph&, In in) { return f(in[0], in[1]); };
}

std::vector<OpRow> elementwise_rows() {
  return {
      {"add", binary(add), two(kLengths)},
      {"sub", binary(sub), two(kLengths)},
      {"mul", binary(mul), two(kLengths)},
      {"div", binary(div), two(kLengths), 0.5, 2},
      {"neg", unary(neg), one(kLengths)},
      {"exp", unary(exp), one(kLengths)},
      {"log", unary(log), one(kLengths), 0.3, 3},
      {"sqrt", unary(sqrt), one(kLengths), 0.3, 3},
      {"square", unary(square), one(kLengths)},
      {"sigmoid", unary(sigmoid), one(kLengths)},
      {"softplus", unary(softplus), one(kLengths)},
      {"scale", [](Graph&, In in) { return scale(in[0], -2.5); }, one(kLengths)},
      {"clamp inside", [](Graph&, In in) { return clamp(in[0], -3, 3); }, one(kLengths)},
      {"clamp outside", [](Graph&, In in) { return clamp(in[0], -7, -4); }, one(kLengths)},
      {"huber_of near", [](Graph&, In in) { return huber_of(in[0], 2.5); }, one(kLengths)},
      {"huber_of far", [](Graph&, In in) { return huber_of(in[0], 0.5); }, one(kLengths), 0.6, 2},
      {"mul with itself", [](Graph&, In in) { return mul(in[0], in[0]); }, one(kLengths)},
      {"a chain", [](Graph&, In in) { return div(exp(in[0]), add(square(in[0]), exp(in[0]))); },
       one(kLengths)},
  };
}

std::vector<OpRow> product_rows() {
  std::vector<OpRow> rows;
  for (int flags = 0; flags < 4; ++flags) {
    const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
    Types plain, biased;
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{3, 4, 2},
                                  {1, 1, 1},
                                  {2, 3, 5},
                                  {0, 3, 2},
                                  {2, 3, 0},
                                  {17, 3, 2}}) {
      const TensorType a{ta ? Shape{k, m} : Shape{m, k}}, b{tb ? Shape{n, k} : Shape{k, n}};
      plain.push_back({a, b});
      biased.push_back({a, b, {{n}}});
    }
    const std::string name = std::string(ta ? " T" : " N") + (tb ? "T" : "N");
    rows.push_back(
        {"matmul" + name, [=](Graph&, In in) { return matmul(in[0], in[1], ta, tb); }, plain});
    rows.push_back({"matmul_bias" + name,
                    [=](Graph&, In in) { return matmul_bias(in[0], in[1], in[2], ta, tb); },
                    biased});
  }
  return rows;
}

std::vector<OpRow> shape_rows() {
  return {
      {"broadcast_to",
       [](Graph&, In in) {
         return broadcast_to(in[0], {2, 3, 4});
       },
       one({{}, {4}, {3, 1}, {1, 1, 1}, {2, 1, 4}, {2, 3, 4}})},
      {"broadcast_to nothing",
       [](Graph&, In in) {
         return broadcast_to(in[0], {0, 4});
       },
       one({{}, {4}, {1, 4}, {0, 1}})},
      {"sum_to",
       [](Graph&, In in) {
         return sum_to(in[0], {3, 1});
       },
       one({{3, 1}, {3, 4}, {2, 3, 4}, {3, 0}, {2, 2, 3, 2}})},
      {"reshape",
       [](Graph&, In in) {
         return reshape(in[0], {2, 6});
       },
       one({{12}, {3, 4}, {2, 6}})},
      {"transpose",
       [](Graph&, In in) {
         return transpose(in[0], {2, 0, 1});
       },
       one({{2, 3, 4}, {1, 3, 1}, {2, 0, 4}})},
      {"concat",
       [](Graph&, In in) { return concat(in, 1); },
       {{{{2, 3}}, {{2, 1}}},
        {{{2, 0}}, {{2, 2}}, {{2, 1}}},
        {{{3, 2, 2}}, {{3, 1, 2}}},
        {{{2, 5}}},
        {{{0, 1}}, {{0, 2}}}}},
      {"concat from the end", [](Graph&, In in) { return concat(in, -1); }, {{{{2, 3}}, {{2, 1}}}}},
      {"concat with itself",
       [](Graph&, In in) {
         return concat(std::vector<Value>{in[0], in[0]}, 0);
       },
       one({{2, 3}})},
      {"slice", [](Graph&, In in) { return slice(in[0], 1, 1, 3); },
       one({{2, 3}, {2, 4, 2}, {0, 3}})},
      {"slice all", [](Graph&, In in) { return slice(in[0], -1, 0, 3); }, one({{2, 3}})},
      {"slice nothing", [](Graph&, In in) { return slice(in[0], 0, 1, 1); }, one({{2, 3}})},
      {"reduce_sum", [](Graph&, In in) { return reduce_sum(in[0]); }, one(kLengths)},
      {"reduce_sum ends",
       [](Graph&, In in) {
         return reduce_sum(in[0], {0, -1});
       },
       one({{2, 3, 4}, {2, 3}, {3, 2, 2, 2}})},
      {"reduce_sum kept", [](Graph&, In in) { return reduce_sum(in[0], {1}, true); },
       one({{2, 3, 4}, {2, 1, 2}, {2, 0, 2}})},
      {"reduce_mean", [](Graph&, In in) { return reduce_mean(in[0], {1}); },
       one({{2, 3, 4}, {2, 1}})},
      {"reduce_max", [](Graph&, In in) { return reduce_max(in[0], {1}); },
       one({{2, 3, 4}, {2, 1}})},
      {"reduce_max all", [](Graph&, In in) { return reduce_max(in[0], {}, true); }, one({{3, 4}})},
      {"softmax_rows", unary(softmax_rows), one({{1, 1}, {3, 4}, {5}, {2, 3, 2}, {0, 3}})},
  };
}

std::vector<OpRow> loss_rows() {
  const Types labelled{{{{4, 3}}, {{4}, DType::i32}},
                       {{{3}}, {{}, DType::i32}},
                       {{{2, 2, 3}}, {{2, 2}, DType::i32}},
                       {{{1, 5}}, {{1}, DType::i32}}};
  const std::vector<Shape> sizes{{1}, {7}, {3, 5}};
  return {
      {"softmax_cross_entropy", [](Graph&, In in) { return softmax_cross_entropy(in[0], in[1]); },
       labelled},
      {"softmax_cross_entropy smoothed",
       [](Graph&, In in) { return softmax_cross_entropy(in[0], in[1], 0.2); }, labelled},
      {"mse", binary(mse), two(sizes)},
      {"huber", [](Graph&, In in) { return huber(in[0], scale(in[1], 3), 1.3); }, two(sizes)},
      {"binary_cross_entropy", binary(binary_cross_entropy), two(sizes)},
      {"dropout",
       [](Graph&, In in) { return dropout(in[0], in[1], 0.4, 11); },
       {{{{7}}, {{}, DType::i32}}, {{{3, 5}}, {{}, DType::i32}}, {{{0}}, {{}, DType::i32}}}},
  };
}

}  // namespace

const std::vector<OpRow>& op_table() {
  static const std::vector<OpRow> table = [] {
    std::vector<OpRow> rows;
    for (auto part : {elementwise_rows(), product_rows(), shape_rows(), loss_rows()}) {
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }();
  return table;
}

std::vector<Tensor> operands_of(const OpRow& row, const std::vector<TensorType>& types,
                                DType dtype) {
  std::vector<Tensor> tensors;
  for (const TensorType& type : types) {
    const bool real = is_float(type.dtype);
    const Tensor t = random_tensor({type.shape, real ? DType::f64 : DType::i32},
                                   7 * tensors.size() + 1, real ? row.low : 0, real ? row.high : 3);
    tensors.push_back(real ? convert(t, dtype) : t);
  }
  return tensors;
}

}  // namespace limen::test
