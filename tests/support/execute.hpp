// Compiling and running graphs in every configuration.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <limen/executable.hpp>

#include "support/tensors.hpp"

namespace limen::test {

using Tensors = std::map<std::string, Tensor>;

// Binds `inputs`, runs once (or `runs` times) and copies every output.
inline Tensors execute(const Graph& graph, const Tensors& inputs,
                       const CompileOptions& options = {}, int runs = 1) {
  Executable exe = compile(graph, options);
  for (const auto& [name, tensor] : inputs) exe.bind(name, tensor);
  for (int i = 0; i < runs; ++i) exe.run();
  Tensors outputs;
  for (const std::string& name : exe.output_names()) {
    const TensorView view = exe.output(name);
    Tensor copy(view.type);
    if (view.type.bytes() != 0) std::memcpy(copy.data(), view.data, view.type.bytes());
    outputs.emplace(name, copy);
  }
  return outputs;
}

// Random values for every input and parameter.
inline Tensors random_inputs(const Graph& graph, std::uint64_t seed, double low = -1,
                             double high = 1) {
  Tensors inputs;
  for (const auto& leaves : {graph.inputs(), graph.parameters()}) {
    for (const Value leaf : leaves) {
      inputs[leaf.name()] = random_tensor(leaf.type(), seed++, low, high);
    }
  }
  return inputs;
}

// All of {optimize, reuse_memory, reference} x {1, 2 threads}.
template <class F>
void for_each_config(const F& body) {
  for (int bits = 0; bits < 16; ++bits) {
    CompileOptions options;
    options.optimize = (bits & 1) == 0;
    options.reuse_memory = (bits & 2) == 0;
    options.reference = (bits & 4) != 0;
    options.threads = (bits & 8) == 0 ? 1 : 2;
    body(options);
  }
}

inline std::string describe(const CompileOptions& o) {
  return std::string(o.optimize ? "optimised" : "plain") + (o.reuse_memory ? ", reuse" : "") +
         (o.reference ? ", reference" : "") + ", threads " + std::to_string(o.threads);
}

}  // namespace limen::test
