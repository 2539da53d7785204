// The parts of check_graph().
#pragma once

#include <string>
#include <vector>

#include <limen/gradient_check.hpp>

#include "check/graph_function.hpp"

namespace limen::check {

// Checks all checked leaves: small ones element by element, others along random directions,
// bisecting where a direction fails until the element is named. Adds to `report`.
void check_leaves(GraphFunction& function, const GraphCheckOptions& options, CheckReport& report);

// Checks every scope (step of a model) of `forward` alone, at the values that reach it and with the
// cotangents that come back to it. If something is wrong, a note names the scopes that are right.
void check_scopes(const Graph& forward, const GraphCheckOptions& options, CheckReport& report);

}  // namespace limen::check
