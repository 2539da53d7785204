#include "runtime/plan.hpp"

#include <gtest/gtest.h>
#include <limen/passes.hpp>

#include "support/networks.hpp"
#include "support/plugins.hpp"
#include "support/random_graph.hpp"

namespace limen::test {
namespace {

struct Buffer {
  NodeId from, to;  // written by `from`, read last by `to`
  std::size_t begin, end;
};

// Lifetimes worked out anew, from the graph alone.
std::vector<Buffer> buffers_of(const Graph& g, const MemoryPlan& plan) {
  std::vector<NodeId> root(g.size()), last(g.size());
  for (NodeId id = 0; id < g.size(); ++id) {
    const Value node = g.node(id);
    const bool view = node.op() != nullptr && node.op()->is_view();
    root[id] = view ? root[node.input(0).id()] : id;
    last[id] = id;
    EXPECT_EQ(plan.root[id], root[id]);
    for (int i = 0; i < node.arity(); ++i) {
      if (!view && node.op()->reads(i)) last[root[node.input(i).id()]] = id;
    }
  }
  for (const auto& [name, value] : g.outputs())
    last[root[value.id()]] = static_cast<NodeId>(g.size());
  std::vector<Buffer> buffers;
  for (NodeId id = 0; id < g.size(); ++id) {
    if (root[id] != id || g.node(id).op() == nullptr) {
      EXPECT_EQ(plan.offset[id], MemoryPlan::kNowhere);
      continue;
    }
    buffers.push_back({id, last[id], plan.offset[id], plan.offset[id] + g.node(id).type().bytes()});
  }
  return buffers;
}

// Whether `node` may lie in the memory of `dead`, which it reads last.
bool may_take_over(const Graph& g, const MemoryPlan& plan, NodeId node, NodeId dead) {
  bool allowed = false;
  for (int i = 0; i < g.node(node).arity(); ++i) {
    if (plan.root[g.node(node).input(i).id()] != dead) continue;
    if (!g.node(node).op()->may_overwrite(i, g.node(node).type(), 0)) return false;
    allowed = true;
  }
  return allowed;
}

void expect_no_clashes(const Graph& g, bool reuse) {
  const MemoryPlan plan = plan_memory(g, reuse);
  const std::vector<Buffer> buffers = buffers_of(g, plan);
  for (const Buffer& b : buffers) {
    EXPECT_EQ(b.begin % 64, 0u);
    EXPECT_LE(b.end, plan.arena_bytes);
  }
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    for (std::size_t j = i + 1; j < buffers.size(); ++j) {
      const Buffer &a = buffers[i], &b = buffers[j];
      if (a.end <= b.begin || b.end <= a.begin) continue;  // apart in memory
      EXPECT_TRUE(reuse);
      const bool apart_in_time = a.to < b.from;
      EXPECT_TRUE(apart_in_time || (a.to == b.from && may_take_over(g, plan, b.from, a.from)))
          << "%" << a.from << " and %" << b.from << '\n'
          << print(g);
    }
  }
}

TEST(PlanMemory, LetsNoTwoLiveBuffersOverlap) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Graph g = random_graph(seed, {.nodes = 60});
    for (const bool reuse : {false, true}) {
      expect_no_clashes(g, reuse);
      expect_no_clashes(optimize(g), reuse);
    }
  }
}

TEST(PlanMemory, LetsNoTwoLiveBuffersOfATrainingStepOverlap) {
  const PluginRegistry plugins = shipped_plugins();
  for (const char* name : {"tanh", "relu", "softmax"}) {
    const Graph g = mlp_step(8, {20, 16, 16, 12, 4}, plugins.find(name), true);
    expect_no_clashes(g, true);
    expect_no_clashes(optimize(g), true);
  }
}

TEST(PlanMemory, NeedsOneBufferForAChainInPlace) {
  Graph g;
  Value y = g.input("x", {{1000}});
  for (int i = 0; i < 10; ++i) y = square(y);
  g.output("y", y);
  EXPECT_EQ(plan_memory(g, true).arena_bytes, 4032u);
  EXPECT_EQ(plan_memory(g, false).arena_bytes, 10 * 4032u);
}

TEST(PlanMemory, KeepsOperandsThatAreReadAgain) {
  Graph g;
  const Value x = g.input("x", {{16}});
  const Value a = exp(x), b = square(a);  // a is read below
  g.output("y", add(b, a));
  const MemoryPlan plan = plan_memory(g, true);
  EXPECT_NE(plan.offset[a.id()], plan.offset[b.id()]);
}

TEST(PlanMemory, NeverWritesIntoLeavesConstantsOrOutputs) {
  Graph g;
  const Value x = g.input("x", {{16}});
  const Value c = g.constant(Tensor({{16}}));
  const Value a = exp(x), b = neg(a), d = neg(c);
  g.output("a", a);
  g.output("b", b);
  g.output("d", d);
  const MemoryPlan plan = plan_memory(g, true);
  EXPECT_EQ(plan.offset[x.id()], MemoryPlan::kNowhere);
  EXPECT_EQ(plan.offset[c.id()], MemoryPlan::kNowhere);
  EXPECT_NE(plan.offset[a.id()], plan.offset[b.id()]);
}

TEST(PlanMemory, SavesMemoryOfATrainingStep) {
  const Graph g =
      optimize(mlp_step(64, {100, 256, 256, 256, 256, 10}, shipped_plugins().find("tanh")));
  EXPECT_LT(plan_memory(g, true).arena_bytes * 3, plan_memory(g, false).arena_bytes * 2);
}

TEST(PlanMemory, RefusesArenasBeyondAddresses) {
  // Each tensor could be addressed alone; together their sizes wrap around.
  Graph g;
  const Value x = g.input("x", {{}, DType::f64});
  for (int i = 0; i < 8; ++i) {
    g.output(std::to_string(i), broadcast_to(scale(x, i), {std::int64_t{1} << 58}));
  }
  EXPECT_THROW(plan_memory(g, true), std::bad_alloc);
  EXPECT_THROW(plan_memory(g, false), std::bad_alloc);
}

}  // namespace
}  // namespace limen::test
