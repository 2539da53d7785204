// Networks that several tests run.
#pragma once

#include <string>
#include <vector>

#include <limen/differentiate.hpp>
#include <limen/ops.hpp>
#include <limen/plugin_registry.hpp>

namespace limen::test {

// One training step of a multi-layer perceptron: inputs x [batch, sizes[0]], label, and if `drop` a
// counter; parameters w1, b1, ...; outputs loss, accuracy and a gradient per parameter.
inline Graph mlp_step(std::int64_t batch, const std::vector<std::int64_t>& sizes,
                      const Activation& activation, bool drop = false, DType dtype = DType::f32) {
  Graph g;
  Value h = g.input("x", {{batch, sizes[0]}, dtype});
  const Value label = g.input("label", {{batch}, DType::i32});
  const Value counter = drop ? g.input("counter", {{}, DType::i32}) : Value();
  std::vector<Value> parameters;
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    const std::string k = std::to_string(i);
    const Value w = g.parameter("w" + k, {{sizes[i], sizes[i - 1]}, dtype});
    const Value b = g.parameter("b" + k, {{sizes[i]}, dtype});
    parameters.insert(parameters.end(), {w, b});
    const Value product = matmul(h, w, false, true);
    h = add(product, broadcast_to(b, product.shape()));
    if (i + 1 < sizes.size()) h = activate(h, activation);
    if (drop && i + 1 < sizes.size()) h = dropout(h, counter, 0.2, i);
  }
  const Value loss = softmax_cross_entropy(h, label);
  g.output("loss", loss);
  g.output("accuracy", top_k_accuracy(h, label));
  const std::vector<Value> gradients = differentiate(loss, parameters);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    g.output("grad." + parameters[i].name(), gradients[i]);
  }
  return g;
}

}  // namespace limen::test
