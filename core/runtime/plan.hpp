// Where each tensor of a graph lives: which nodes share one buffer, and the buffer's place in the
// arena.
#pragma once

#include <cstddef>
#include <vector>

#include <limen/graph.hpp>

namespace limen {

struct MemoryPlan {
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  // For each node, the node whose buffer it is: itself, or what it is a view of. Roots that are
  // leaves have their own memory, outside the arena.
  std::vector<NodeId> root;
  std::vector<std::size_t>
      offset;  // of roots in the arena, in bytes; kNowhere for leaves and views
  std::size_t arena_bytes = 0;
  // For each node, the one that its call writes too; kNobody for most. `shared` is true for that
  // one, which has no call of its own.
  static constexpr NodeId kNobody = static_cast<NodeId>(-1);
  std::vector<NodeId> partner;
  std::vector<bool> shared;
};

// Liveness by index: a buffer is free after its last reader (inputs with reads() == false do not
// count), outputs live to the end. With `reuse` dead buffers are given out again, best fit, and ops
// overwrite a dead input where their kernels for `isa` may; without, every node has a place of its
// own. O(n log n). Throws std::bad_alloc where the sizes add up to more than any memory has.
MemoryPlan plan_memory(const Graph& graph, bool reuse, std::uint32_t isa = 0);

}  // namespace limen
