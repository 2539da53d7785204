#include <limen/executable.hpp>

#include <thread>

#include "support/execute.hpp"
#include "support/expect_error.hpp"
#include "support/networks.hpp"
#include "support/plugins.hpp"
#include "support/random_graph.hpp"

namespace limen::test {
namespace {

TEST(Executable, ComputesRandomGraphsToTheSameBitsWithAndWithoutReuse) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Graph g =
        random_graph(seed, {.nodes = 50, .dtype = seed % 2 == 0 ? DType::f32 : DType::f64});
    const Tensors inputs = random_inputs(g, seed);
    for (const bool optimised : {false, true}) {
      const Tensors expected = execute(g, inputs, {.optimize = optimised, .reuse_memory = false});
      for (const auto& [name, tensor] : execute(g, inputs, {.optimize = optimised}, 2)) {
        EXPECT_TRUE(same_bits(tensor, expected.at(name))) << name << " of graph " << seed << '\n'
                                                          << print(g);
      }
    }
  }
}

TEST(Executable, LeavesInputsAndConstantsAlone) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Graph g = random_graph(seed);
    const Tensors inputs = random_inputs(g, seed);
    Tensors before;
    for (const auto& [name, tensor] : inputs) before[name] = tensor.clone();
    const Tensor constant = g.node(5).constant().clone();
    execute(g, inputs, {}, 2);
    for (const auto& [name, tensor] : inputs) EXPECT_TRUE(same_bits(tensor, before[name])) << name;
    EXPECT_TRUE(same_bits(g.node(5).constant(), constant));
  }
}

TEST(Executable, GivesTheSameBitsForAnyNumberOfThreads) {
  const PluginRegistry plugins = shipped_plugins();
  for (const char* name : {"tanh", "relu", "softmax"}) {
    // Products of several pieces, and batches of one.
    for (const auto& [batch, hidden] : {std::pair{300, 200}, {64, 128}, {1, 7}}) {
      const Graph g = mlp_step(batch, {300, hidden, hidden, 10}, plugins.find(name), true);
      Tensors inputs = random_inputs(g, 1, -0.2, 0.2);
      inputs["label"] = random_tensor({{batch}, DType::i32}, 2, 0, 10);
      for (const bool reference : {false, true}) {
        const Tensors one = execute(g, inputs, {.threads = 1, .reference = reference});
        for (const int threads : {2, 3}) {
          for (const auto& [key, tensor] :
               execute(g, inputs, {.threads = threads, .reference = reference}, 2)) {
            EXPECT_TRUE(same_bits(tensor, one.at(key)))
                << name << " " << key << ", threads " << threads;
          }
        }
      }
    }
  }
}

TEST(Executable, ReadsTheBoundTensorsAtEachRun) {
  Graph g;
  g.output("y", square(g.input("x", {{2}})));
  Executable exe = compile(g);
  const Tensor x = floats({2}, {1, 2});
  exe.bind("x", x);
  exe.run();
  EXPECT_EQ(values(exe.output("y")), (std::vector<double>{1, 4}));
  x.as<float>()[0] = 3;
  exe.run();
  EXPECT_EQ(values(exe.output("y")), (std::vector<double>{9, 4}));
  exe.bind("x", floats({2}, {5, 6}));  // keeps the temporary alive
  exe.run();
  EXPECT_EQ(values(exe.output("y")), (std::vector<double>{25, 36}));
}

TEST(Executable, TakesOneTensorUnderTwoNames) {
  Graph g;
  g.output("y", add(g.input("a", {{2}}), g.input("b", {{2}})));
  const Tensor x = floats({2}, {1, 2});
  EXPECT_EQ(values(execute(g, {{"a", x}, {"b", x}}).at("y")), (std::vector<double>{2, 4}));
}

TEST(Executable, GivesOutLeavesConstantsViewsAndTheSameNodeTwice) {
  Graph g;
  const Value x = g.input("x", {{2, 3}}), y = exp(x);
  g.output("leaf", x);
  g.output("view of the leaf", reshape(x, {6}));
  g.output("constant", g.constant(floats({2}, {7, 8})));
  g.output("view of a constant", reshape(g.constant(floats({2}, {7, 9})), {2, 1}));
  g.output("y", y);
  g.output("y again", y);
  g.output("view of y", reshape(reshape(y, {6}), {3, 2}));
  g.output("from a view", neg(reshape(y, {6})));
  const Tensor in = random_tensor({{2, 3}, DType::f32}, 1);
  for_each_config([&](CompileOptions o) {
    Executable exe = compile(g, o);
    exe.bind("x", in);
    exe.run();
    EXPECT_EQ(exe.output("leaf").data, in.data());
    EXPECT_EQ(exe.output("view of the leaf").data, in.data());
    EXPECT_EQ(exe.output("view of the leaf").type.shape, Shape{6});
    EXPECT_EQ(values(exe.output("constant")), (std::vector<double>{7, 8}));
    EXPECT_EQ(values(exe.output("view of a constant")), (std::vector<double>{7, 9}));
    EXPECT_EQ(exe.output("y").data, exe.output("y again").data);
    EXPECT_EQ(exe.output("y").data, exe.output("view of y").data);
    EXPECT_EQ(exe.output("view of y").type.shape, (Shape{3, 2}));
    EXPECT_EQ(exe.output("from a view").as<float>()[5], -exe.output("y").as<float>()[5]);
  });
}

TEST(Executable, RunsGraphsWithNothingToDo) {
  Graph empty;
  Executable nothing = compile(empty);
  nothing.run();
  EXPECT_TRUE(nothing.output_names().empty());
  Graph g;
  g.output("y", exp(g.input("x", {{0, 3}})));
  EXPECT_EQ(execute(g, {{"x", Tensor({{0, 3}})}}).at("y").shape(), (Shape{0, 3}));
}

TEST(Executable, RefusesWrongNamesAndTypes) {
  Graph g;
  g.output("y", add(g.input("image", {{2}}), g.parameter("w", {{2}})));
  Executable exe = compile(g);
  EXPECT_ERROR(exe.bind("imag", Tensor({{2}})), "E0405", "`imag`", "did you mean `image`?",
               "image, w");
  EXPECT_ERROR(exe.bind("image", Tensor({{3}})), "E0602", "`image`", "f32[2]", "f32[3]");
  EXPECT_ERROR(exe.bind("image", Tensor({{2}, DType::f64})), "E0602", "f64[2]");
  EXPECT_ERROR(exe.bind("image", Tensor()), "E0602", "nothing");
  EXPECT_ERROR(exe.output("z"), "E0405", "`z`", "there are: y");
}

TEST(Executable, WantsEverythingBoundBeforeItRuns) {
  Graph g;
  g.output("y", add(g.input("a", {{2}}), g.parameter("b", {{2}})));
  g.output("a", g.leaf("a"));
  Executable exe = compile(g);
  EXPECT_ERROR(exe.run(), "E0408", "a, b");
  EXPECT_ERROR(exe.profile(1), "E0408");
  EXPECT_ERROR(exe.output("a"), "E0408", "a");
  exe.bind("a", Tensor({{2}}));
  exe.bind("a", Tensor({{2}}));
  EXPECT_ERROR(exe.run(), "E0408", "nothing is bound to b");
  exe.bind("b", Tensor({{2}}));
  exe.run();
}

TEST(Executable, OutlivesItsGraphAndItsRegistryAndMoves) {
  const auto make = [] { return compile(mlp_step(4, {3, 5, 2}, shipped_plugins().find("tanh"))); };
  Executable made = make();
  Executable exe = std::move(made);
  for (const std::string& name : exe.input_names()) {
    const bool label = name == "label";
    const Shape shape = name == "x"    ? Shape{4, 3}
                        : name == "w1" ? Shape{5, 3}
                        : name == "w2" ? Shape{2, 5}
                        : name == "b1" ? Shape{5}
                        : name == "b2" ? Shape{2}
                                       : Shape{4};
    exe.bind(name, Tensor({shape, label ? DType::i32 : DType::f32}));
  }
  exe.run();
  EXPECT_FLOAT_EQ(exe.output("loss").as<float>()[0], std::log(2.0f));
}

TEST(Executable, CountsItsSteps) {
  const Graph g = mlp_step(64, {784, 128, 10}, shipped_plugins().find("sigmoid"));
  Executable exe = compile(g);
  const double products = 2.0 * 64 * (784 * 128 * 2 + 128 * 10 * 3);  // no gradient of the input
  EXPECT_EQ(exe.stats().flops, products);
  EXPECT_GT(exe.stats().steps, 5u);
  EXPECT_GT(exe.stats().arena_bytes, 64u * 128 * 4);
  for (const auto& [name, tensor] : random_inputs(g, 1, 0, 1)) exe.bind(name, tensor);
  const auto profile = exe.profile(3);
  std::size_t calls = 0;
  double last = 1e9;
  for (const auto& op : profile) {
    calls += static_cast<std::size_t>(op.calls);
    EXPECT_LE(op.seconds, last);
    last = op.seconds;
  }
  EXPECT_EQ(calls, exe.stats().steps);
}

TEST(Executable, RunsBesideOthersOnOtherThreads) {
  const PluginRegistry plugins = shipped_plugins();
  const Graph g = mlp_step(70, {100, 90, 10}, plugins.find("tanh"), true);
  Tensors inputs = random_inputs(g, 1, -0.3, 0.3);
  inputs["label"] = random_tensor({{70}, DType::i32}, 2, 0, 10);
  const Tensors expected = execute(g, inputs);
  const auto work = [&](int threads, bool& good) {
    for (int i = 0; i < 30; ++i) {
      for (const auto& [name, tensor] : execute(g, inputs, {.threads = threads}, 3)) {
        good = good && same_bits(tensor, expected.at(name));
      }
    }
  };
  bool first = true, second = true;
  std::thread other([&] { work(2, first); });
  work(1, second);
  other.join();
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
}

}  // namespace
}  // namespace limen::test
