// Graphs that nobody thought of: random ops on small matrices.
#pragma once

#include <cstdint>

#include <limen/graph.hpp>

namespace limen::test {

struct RandomGraphOptions {
  int nodes = 40;
  DType dtype = DType::f32;
  bool gradients = true;  // also outputs of the sum's gradient, for every parameter
};

// A graph over inputs a [3, 4], b [4, 3], v [4], s [] and parameter w [4, 4] whose values stay
// finite for inputs in [-1, 1]. Its outputs include leaves, constants, views, and one node under
// two names.
Graph random_graph(std::uint64_t seed, const RandomGraphOptions& options = {});

}  // namespace limen::test
