// Functions that build nodes. Each appends to the graph of its operands, checks types through the
// op's infer() (Error E06xx) and returns the new value. Operands of one op have one element type.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <limen/graph.hpp>

namespace limen {

class Activation;  // limen/plugin_registry.hpp

// Products. a[m, k] b[k, n] -> [m, n]; the flags read an operand transposed.
Value matmul(Value a, Value b, bool transpose_a = false, bool transpose_b = false);
// matmul plus bias[n] in every row; what the optimiser makes of matmul + broadcast + add.
Value matmul_bias(Value a, Value b, Value bias, bool transpose_a = false, bool transpose_b = false);

// Element by element; equal types, no broadcasting.
Value add(Value a, Value b);
Value sub(Value a, Value b);
Value mul(Value a, Value b);
Value div(Value a, Value b);
Value neg(Value x);
Value exp(Value x);
Value log(Value x);
Value sqrt(Value x);
Value square(Value x);
Value scale(Value x, double factor);  // x * factor

// Shapes. broadcast_to repeats along missing leading axes and axes of size 1; sum_to is its
// adjoint.
Value broadcast_to(Value x, const Shape& shape);
Value sum_to(Value x, const Shape& shape);
Value reshape(Value x, const Shape& shape);
Value transpose(Value x, std::vector<int> axes);  // axis i of the result is axis axes[i] of x
Value concat(std::span<const Value> parts, int axis);
Value slice(Value x, int axis, std::int64_t begin, std::int64_t end);

// Reductions over the given axes (all of them if empty); reduced axes are dropped unless kept with
// size 1. reduce_max sends its cotangent to the first largest element.
Value reduce_sum(Value x, std::vector<int> axes = {}, bool keep = false);
Value reduce_mean(Value x, std::vector<int> axes = {}, bool keep = false);
Value reduce_max(Value x, std::vector<int> axes = {}, bool keep = false);
inline Value sum(Value x) { return reduce_sum(x); }
inline Value mean(Value x) { return reduce_mean(x); }

// An activation plugin. One tensor given to an op that reads k is cut into k equal pieces along the
// activation's axis; k tensors of equal type are one piece each; several results are joined along
// that axis, and row functions work along it.
struct ActivateOptions {
  // Parameters that are tensors, by name: [1], or [C] with C the size of the channel axis of a
  // piece. The others are numbers of the activation. Their gradients have one order.
  std::map<std::string, Value> learned = {};
  Value counter = {};      // i32[]; what random numbers depend on, for stochastic ops in training
  std::uint64_t seed = 0;  // likewise
  bool training = false;   // false: stochastic ops compute what they do in evaluation
  int channel_axis = 1;
};
Value activate(std::span<const Value> inputs, const Activation& activation,
               const ActivateOptions& options = {});
Value activate(Value x, const Activation& activation);

// Losses: scalars. Means over all targets (cross entropy) or all elements (the others).
// logits[..., classes]; labels i32[...] with values in [0, classes): a label outside makes the loss
// NaN. label_smoothing s mixes in the uniform distribution: (1 - s) onehot + s / classes.
Value softmax_cross_entropy(Value logits, Value labels, double label_smoothing = 0);
Value mse(Value prediction, Value target);                      // mean (p - t)^2
Value huber(Value prediction, Value target, double delta = 1);  // PyTorch's HuberLoss
Value binary_cross_entropy(Value logits, Value target);         // with logits; target in [0, 1]

// The share of rows of scores[..., classes] whose label is among the k largest scores; among equal
// scores the lower index counts as larger. Not differentiable.
Value top_k_accuracy(Value scores, Value labels, int k = 1);

// x scaled by 1 / (1 - rate) where kept, 0 where dropped, as a pure function of (seed, counter[0]
// and the element's index): the counter is an i32[] node that changes from step to step.
Value dropout(Value x, Value counter, double rate, std::uint64_t seed);

}  // namespace limen
