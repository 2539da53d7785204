// Graphs of 100,000 nodes: built, differentiated, optimised, planned and run.
#include <chrono>
#include <iostream>

#include <gtest/gtest.h>

#include "ops/pointwise.hpp"
#include "support/execute.hpp"
#include "support/networks.hpp"

namespace limen::test {
namespace {

class Clock {
 public:
  explicit Clock(const char* what) : what_(what) {}
  void lap(const char* name) {
    const auto now = std::chrono::steady_clock::now();
    std::cout << what_ << ": " << name << ' ' << std::chrono::duration<double>(now - last_).count()
              << " s\n";
    last_ = now;
  }
  double total() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - first_).count();
  }

 private:
  const char* what_;
  std::chrono::steady_clock::time_point first_ = std::chrono::steady_clock::now(), last_ = first_;
};

// Sanitized builds on busy machines are slow; a quadratic step would take hours.
constexpr double kPatience = 120;

TEST(LargeGraph, AChainOf100000NodesRuns) {
  Clock clock("chain");
  Graph g;
  const Value x = g.input("x", {{4}, DType::f64});
  Value y = x;
  for (int i = 0; i < 33334; ++i) y = clamp(add(scale(y, 0.5), x), -4, 4);
  ASSERT_GE(g.size(), 100000u);
  g.output("y", y);
  clock.lap("build");
  g.output("dx", differentiate(sum(y), std::array{x})[0]);
  clock.lap("differentiate");
  Executable exe = compile(g);
  clock.lap("optimise and compile");
  exe.bind("x", doubles({4}, {0.5, -1, 0, 2}));
  exe.run();
  clock.lap("run");
  EXPECT_LT(clock.total(), kPatience);
  // y = x + y / 2 settles at 2 x, inside the clamp.
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(exe.output("dx").as<double>()[i], 2, 1e-12);
  EXPECT_EQ(values(exe.output("y")), (std::vector<double>{1, -2, 0, 4}));
  EXPECT_LT(exe.stats().arena_bytes, 100000u * 64);
}

TEST(LargeGraph, AValueReadBy20000NodesRuns) {
  // One value with many readers, and a sum of many parts: neither may cost more than its edges.
  Clock clock("fan");
  Graph g;
  const Value x = g.input("x", {{1}, DType::f64});
  std::vector<Value> parts;
  for (int i = 0; i < 20000; ++i) parts.push_back(scale(x, 1.0 / (i + 1)));
  const Value y = sum(concat(parts, 0));
  g.output("dx", differentiate(y, std::array{x})[0]);
  clock.lap("build and differentiate");
  Executable exe = compile(g);
  clock.lap("optimise and compile");
  exe.bind("x", doubles({1}, {1}));
  exe.run();
  clock.lap("run");
  EXPECT_LT(clock.total(), kPatience);
  double expected = 0;
  for (int i = 0; i < 20000; ++i) expected += 1.0 / (i + 1);
  EXPECT_NEAR(exe.output("dx").as<double>()[0], expected, 1e-9);
}

}  // namespace
}  // namespace limen::test
