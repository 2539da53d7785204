#include "support/random_graph.hpp"

#include <random>
#include <vector>

#include <limen/differentiate.hpp>
#include <limen/ops.hpp>

#include "ops/pointwise.hpp"
#include "support/tensors.hpp"

namespace limen::test {
namespace {

class Maker {
 public:
  Maker(std::uint64_t seed, const RandomGraphOptions& options)
      : random_(seed), options_(options), dtype_(options.dtype) {
    for (const auto& [name, shape] :
         {std::pair<const char*, Shape>{"a", {3, 4}}, {"b", {4, 3}}, {"v", {4}}, {"s", {}}}) {
      values_.push_back(graph_.input(name, {shape, dtype_}));
    }
    values_.push_back(graph_.parameter("w", {{4, 4}, dtype_}));
    values_.push_back(graph_.constant(random_tensor({{3, 4}, dtype_}, seed)));
    values_.push_back(graph_.constant(Tensor::scalar(1, dtype_)));
    values_.push_back(graph_.constant(Tensor({{4}, dtype_})));
  }

  Graph run() {
    while (static_cast<int>(graph_.size()) < options_.nodes) {
      Value made = step();
      if (made && made.type().elements() <= 200) values_.push_back(made);
    }
    name_outputs();
    return std::move(graph_);
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  Value any() {  // recent values more often, so that chains form
    const int size = static_cast<int>(values_.size());
    const int back = below(3) != 0 ? below(std::min(size, 6)) : below(size);
    return values_[static_cast<std::size_t>(size - 1 - back)];
  }
  // A value like x: x itself, an equal-typed one, or something broadcast.
  Value like(Value x) {
    for (int attempt = 0; attempt < 6; ++attempt) {
      const Value y = any();
      if (y.type() == x.type()) return y;
      if (y.shape().rank() == 0) return broadcast_to(y, x.shape());
    }
    return x;
  }

  Value step() {
    const Value x = any();
    switch (below(3)) {
      case 0:
        return elementwise(x);
      case 1:
        return shaped(x);
      default:
        return combined(x);
    }
  }

  Value elementwise(Value x) {
    switch (below(9)) {
      case 0:
        return neg(x);
      case 1:
        return sigmoid(x);
      case 2:
        return square(clamp(x, -2, 2));
      case 3:
        return exp(clamp(x, -3, 1));
      case 4:
        return log(softplus(clamp(x, -20, 20)));
      case 5:
        return sqrt(softplus(clamp(x, -20, 20)));
      case 6:
        return scale(x, below(2) == 0 ? 1.0 : -0.75);
      case 7:
        return huber_of(x, 0.5);
      default:
        return clamp(x, -1, 1);
    }
  }

  Value shaped(Value x) {
    const int rank = x.shape().rank();
    switch (below(6)) {
      case 0:
        return reshape(x, {x.type().elements()});
      case 1:
        return rank == 2 ? transpose(x, {1, 0}) : Value();
      case 2:
        return rank > 0 ? reduce_sum(x, {below(rank)}, below(2) == 0) : Value();
      case 3:
        return rank > 0 ? reduce_mean(x, {-1 - below(rank)}) : Value();
      case 4:
        return rank > 0 ? reduce_max(x, {below(rank)}) : Value();
      default: {
        if (rank == 0) return {};
        const int axis = below(rank);
        const auto size = static_cast<int>(x.shape()[axis]);
        const int begin = below(size + 1);
        return slice(x, axis, begin, begin + below(size - begin + 1));
      }
    }
  }

  Value combined(Value x) {
    const int rank = x.shape().rank();
    switch (below(6)) {
      case 0:
        return clamp(add(x, like(x)), -8, 8);
      case 1:
        return sub(sigmoid(x), like(x));
      case 2:
        return clamp(mul(x, like(x)), -8, 8);
      case 3:
        return div(x, add(softplus(like(x)), broadcast_to(x.make_constant(1.0), x.shape())));
      case 4:
        return rank > 0 ? concat(std::vector<Value>{x, like(x)}, below(rank)) : Value();
      default: {
        if (rank != 2) return {};
        const Value w = values_[4];
        if (x.shape()[1] == 4) return add_bias(matmul(x, w, false, below(2) == 0));
        if (x.shape()[0] == 4) return matmul(x, w, true, below(2) == 0);
        return x.type().elements() < 20 ? clamp(matmul(x, x, false, true), -4, 4) : Value();
      }
    }
  }
  Value add_bias(Value product) {
    const Value v = broadcast_to(values_[2], product.shape());
    return sigmoid(below(2) == 0 ? add(product, v) : add(v, product));
  }

  void name_outputs() {
    graph_.output("last", values_.back());
    graph_.output("last again", values_.back());
    graph_.output("leaf", values_[0]);
    graph_.output("constant", values_[5]);
    graph_.output("view", reshape(values_[1], {12}));
    for (int i = 0; i < 3; ++i) graph_.output("some" + std::to_string(i), any());
    if (!options_.gradients) return;
    Value total;
    for (std::size_t i = values_.size() - 3; i < values_.size(); ++i) {
      const Value part = sum(sigmoid(values_[i]));
      total = total ? add(total, part) : part;
    }
    const std::vector<Value> wrt{values_[0], values_[2], values_[4]};
    const std::vector<Value> gradients = differentiate(total, wrt);
    graph_.output("da", gradients[0]);
    graph_.output("dv", gradients[1]);
    graph_.output("dw", gradients[2]);
  }

  std::mt19937_64 random_;
  RandomGraphOptions options_;
  DType dtype_;
  Graph graph_;
  std::vector<Value> values_;
};

}  // namespace

Graph random_graph(std::uint64_t seed, const RandomGraphOptions& options) {
  return Maker(seed, options).run();
}

}  // namespace limen::test
