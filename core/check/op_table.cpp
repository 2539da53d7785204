#include "check/op_table.hpp"

#include <utility>

#include <limen/ops.hpp>

namespace limen::check {
namespace {

using In = std::span<const Value>;

OpRow unary(std::string name, Value (*f)(Value), double low, double high) {
  return {std::move(name), "", {{{3, 4}, low, high}}, [f](In in) { return f(in[0]); }};
}

OpRow binary(std::string name, Value (*f)(Value, Value), double low = -2, double high = 2) {
  return {std::move(name), "", {{{3, 4}, low, high}, {{3, 4}, low, high}}, [f](In in) {
            return f(in[0], in[1]);
          }};
}

void add_elementwise(std::vector<OpRow>& rows) {
  rows.push_back(binary("add", add));
  rows.push_back(binary("sub", sub));
  rows.push_back(binary("mul", mul));
  rows.push_back(binary("div", div, 0.5, 2));
  rows.push_back(unary("neg", neg, -2, 2));
  rows.push_back(unary("exp", exp, -2, 2));
  rows.push_back(unary("log", log, 0.3, 3));
  rows.push_back(unary("sqrt", sqrt, 0.3, 3));
  rows.push_back(unary("square", square, -2, 2));
  rows.push_back({"scale", "", {{{3, 4}}}, [](In in) { return scale(in[0], -2.5); }});
}

void add_products(std::vector<OpRow>& rows) {
  for (int flags = 0; flags < 4; ++flags) {
    const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
    const Shape a = ta ? Shape{4, 3} : Shape{3, 4}, b = tb ? Shape{5, 4} : Shape{4, 5};
    const std::string form = std::string(ta ? "a^T" : "a") + (tb ? " b^T" : " b");
    rows.push_back(
        {"matmul", form, {{a}, {b}}, [=](In in) { return matmul(in[0], in[1], ta, tb); }});
    rows.push_back({"matmul_bias", form + " + bias", {{a}, {b}, {{5}}}, [=](In in) {
                      return matmul_bias(in[0], in[1], in[2], ta, tb);
                    }});
  }
}

void add_shapes(std::vector<OpRow>& rows) {
  rows.push_back({"broadcast_to", "leading axis", {{{3}}}, [](In in) {
                    return broadcast_to(in[0], {4, 3});
                  }});
  rows.push_back({"broadcast_to", "inner axis", {{{3, 1, 2}}}, [](In in) {
                    return broadcast_to(in[0], {3, 4, 2});
                  }});
  rows.push_back({"sum_to", "leading axis", {{{4, 3}}}, [](In in) { return sum_to(in[0], {3}); }});
  rows.push_back({"sum_to", "inner axis", {{{3, 4, 2}}}, [](In in) {
                    return sum_to(in[0], {3, 1, 2});
                  }});
  rows.push_back({"reshape", "", {{{3, 4}}}, [](In in) { return reshape(in[0], {2, 6}); }});
  rows.push_back({"transpose", "matrix", {{{3, 4}}}, [](In in) {
                    return transpose(in[0], {1, 0});
                  }});
  rows.push_back({"transpose", "rank 3", {{{2, 3, 4}}}, [](In in) {
                    return transpose(in[0], {2, 0, 1});
                  }});
  for (const int axis : {0, 1}) {
    const Shape other = axis == 0 ? Shape{1, 4} : Shape{3, 2};
    rows.push_back({"concat", "axis " + std::to_string(axis), {{{3, 4}}, {other}}, [axis](In in) {
                      return concat(in, axis);
                    }});
    rows.push_back({"slice", "axis " + std::to_string(axis), {{{3, 4}}}, [axis](In in) {
                      return slice(in[0], axis, 1, 3);
                    }});
  }
}

void add_reductions(std::vector<OpRow>& rows) {
  using Reduce = Value (*)(Value, std::vector<int>, bool);
  const std::pair<const char*, Reduce> reductions[] = {
      {"reduce_sum", reduce_sum}, {"reduce_mean", reduce_mean}, {"reduce_max", reduce_max}};
  for (const auto& [name, f] : reductions) {
    rows.push_back({name, "all", {{{3, 4}}}, [f = f](In in) { return f(in[0], {}, false); }});
    rows.push_back({name, "axis 0", {{{3, 4}}}, [f = f](In in) { return f(in[0], {0}, false); }});
    rows.push_back(
        {name, "axis 1, kept", {{{3, 4, 2}}}, [f = f](In in) { return f(in[0], {1}, true); }});
  }
}

void add_losses(std::vector<OpRow>& rows) {
  const std::vector<OperandRow> classified{{{4, 5}, -3, 3}, {{4}, 0, 0, 5}};
  rows.push_back({"softmax_cross_entropy", "", classified,
                  [](In in) { return softmax_cross_entropy(in[0], in[1]); }});
  rows.push_back({"softmax_cross_entropy", "label smoothing", classified,
                  [](In in) { return softmax_cross_entropy(in[0], in[1], 0.2); }});
  rows.push_back(
      {"softmax_cross_entropy", "large logits", {{{4, 5}, -60, 60}, {{4}, 0, 0, 5}}, [](In in) {
         return softmax_cross_entropy(in[0], in[1]);
       }});
  rows.push_back(binary("mse", mse));
  for (const double delta : {0.3, 1.0, 10.0}) {
    rows.push_back(
        {"huber", "delta " + std::to_string(delta), {{{3, 4}}, {{3, 4}}}, [delta](In in) {
           return huber(in[0], in[1], delta);
         }});
  }
  rows.push_back({"binary_cross_entropy", "", {{{3, 4}, -4, 4}, {{3, 4}, 0, 1}}, [](In in) {
                    return binary_cross_entropy(in[0], in[1]);
                  }});
  rows.push_back({"dropout", "", {{{4, 8}}, {{}, 0, 0, 1000}}, [](In in) {
                    return dropout(in[0], in[1], 0.4, 7);
                  }});
}

}  // namespace

std::vector<OpRow> op_table() {
  std::vector<OpRow> rows;
  add_elementwise(rows);
  add_products(rows);
  add_shapes(rows);
  add_reductions(rows);
  add_losses(rows);
  return rows;
}

}  // namespace limen::check
