// Ops that losses are made of and that are no part of the public list.
#pragma once

#include <limen/graph.hpp>

namespace limen {

Value sigmoid(Value x);
Value softplus(Value x);                        // log(1 + e^x)
Value clamp(Value x, double low, double high);  // gradient 1 inside and at the ends, 0 outside
Value huber_of(Value residual, double delta);   // r^2 / 2 near 0, delta (|r| - delta / 2) beyond
Value softmax_rows(Value x);                    // along the last axis
// d mean-cross-entropy / d logits, times the scalar dloss.
Value softmax_cross_entropy_vjp(Value logits, Value labels, Value dloss, double label_smoothing);

}  // namespace limen
