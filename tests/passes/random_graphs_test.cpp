// The passes on graphs that nobody thought of.
#include <limen/passes.hpp>

#include "support/execute.hpp"
#include "support/expect_error.hpp"
#include "support/random_graph.hpp"

namespace limen::test {
namespace {

constexpr std::uint64_t kGraphs = 150;

TEST(RandomGraphs, AreGoodBeforeAndAfterEveryPass) {
  for (std::uint64_t seed = 0; seed < kGraphs; ++seed) {
    const Graph g = random_graph(seed);
    EXPECT_EQ(error_of([&] { verify(g); }), "") << seed;
    EXPECT_EQ(error_of([&] { optimize(g, {.verify = true}); }), "") << seed;
  }
}

TEST(RandomGraphs, ComputeTheSamePlainAndOptimised) {
  for (std::uint64_t seed = 0; seed < kGraphs; ++seed) {
    const Graph g = random_graph(seed, {.dtype = DType::f64});
    const Tensors inputs = random_inputs(g, seed);
    const Tensors plain = execute(g, inputs, {.optimize = false, .reference = true});
    for (const auto& [name, tensor] : execute(g, inputs)) {
      EXPECT_LE(distance(tensor, plain.at(name)), 1e-11) << name << " of graph " << seed << '\n'
                                                         << print(g);
    }
  }
}

TEST(RandomGraphs, GiveFiniteNumbers) {  // or the test above compares little
  int finite = 0, all = 0;
  for (std::uint64_t seed = 0; seed < kGraphs; ++seed) {
    const Graph g = random_graph(seed, {.dtype = DType::f64});
    for (const auto& [name, tensor] : execute(g, random_inputs(g, seed))) {
      for (const double v : values(tensor)) {
        ++all;
        finite += std::isfinite(v) ? 1 : 0;
      }
    }
  }
  EXPECT_GE(finite, all * 99 / 100);
}

TEST(RandomGraphs, GetNoLargerAndChangeNoMoreAfterwards) {
  for (std::uint64_t seed = 0; seed < kGraphs; ++seed) {
    const Graph g = random_graph(seed);
    const Graph once = optimize(g);
    EXPECT_LE(once.size(), g.size()) << seed;
    EXPECT_EQ(print(optimize(once)), print(once)) << seed;
  }
}

}  // namespace
}  // namespace limen::test
