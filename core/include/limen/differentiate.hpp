// Reverse-mode automatic differentiation: appends the gradient to the graph as ordinary nodes.
#pragma once

#include <span>
#include <vector>

#include <limen/graph.hpp>

namespace limen {

// The cotangents dy/dx for each x in `wrt`, times `seed` (ones if not given; same type as y). Where
// y does not depend on x the result is a constant of zeros. Appended nodes are differentiable again
// where their ops have a rule; otherwise throws Error E0610 naming the op. Each belongs to the
// scope of the node whose gradient it is; further nodes belong to that of y. Linear in the number
// of nodes; nothing recurses.
std::vector<Value> differentiate(Value y, std::span<const Value> wrt, Value seed = {});

}  // namespace limen
