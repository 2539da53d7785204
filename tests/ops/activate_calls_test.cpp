// How calls of plugins' kernels may differ from a function of their operands: random numbers, kept
// state, whole tensors, crashes.
#include <csignal>
#include <cstdlib>

#include <fmt/format.h>
#include <limen/passes.hpp>

#include "base/kernel_site.hpp"
#include "ops/forms.hpp"

namespace limen::test {
namespace {

using ActivateCalls = Forms;

TEST_F(ActivateCalls, RandomNumbersFollowSeedAndCounter) {
  Graph g;
  const Value x = g.input("x", {{5, 20001}}), n = g.input("n", {{}, DType::i32});
  const auto noisy = [&](std::uint64_t seed) {
    return activate(std::span(&x, 1), op("noisy"), {.counter = n, .seed = seed, .training = true});
  };
  const Value y = noisy(1);
  g.output("y", y);
  g.output("again", noisy(1));
  g.output("other", noisy(2));
  g.output("dx", differentiate(sum(y), std::array{x})[0]);
  g.output("eval", activate(x, op("noisy")));
  const Tensor ones = floats({5, 20001}, std::vector<float>(100005, 1.0f));
  const Tensors first{{"x", ones}, {"n", integers({}, {1})}};
  expect_same_everywhere(g, first);
  const Tensors out = execute(g, first),
                later = execute(g, {{"x", ones}, {"n", integers({}, {2})}});
  EXPECT_TRUE(same_bits(out.at("y"), out.at("again")));
  EXPECT_TRUE(same_bits(out.at("y"), out.at("dx")));  // of ones: both are the numbers themselves
  EXPECT_FALSE(same_bits(out.at("y"), out.at("other")));
  EXPECT_FALSE(same_bits(out.at("y"), later.at("y")));
  EXPECT_EQ(out.at("eval").as<float>()[7], 0.5f);
  double mean = 0;
  for (const float v : out.at("y").as<float>()) mean += v / 100005.0;
  EXPECT_NEAR(mean, 0.5, 0.01);
  EXPECT_ERROR(activate(std::span(&x, 1), op("noisy"), {.training = true}), "E0601", "counter");
}

TEST_F(ActivateCalls, RandomOpsHaveDerivativesForFixedNumbers) {
  expect_gradients(
      [&](Graph&, std::span<const Value> in) {
        return activate(in.first(1), op("noisy"), {.counter = in[1], .seed = 3, .training = true});
      },
      {random_tensor({{3, 5}, DType::f64}, 1), integers({}, {4})});
}

TEST_F(ActivateCalls, WorkInPlaceWhereTheChosenKernelSaysSo) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph g;
    const Value x = g.input("x", {{1000}, dtype});
    g.output("y", activate(activate(scale(x, 2), op("bend")), op("bend")));
    const std::size_t buffer = (x.type().bytes() + 63) / 64 * 64;
    EXPECT_EQ(compile(g).stats().arena_bytes, (dtype == DType::f32 ? 1 : 2) * buffer);
    expect_same_everywhere(g, {{"x", random_tensor(x.type(), 1)}});
  }
}

TEST_F(ActivateCalls, StateIsKeptWhereItIsNeededOrCheaper) {
  for (const char* name : {"sloped", "cheap"}) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      SCOPED_TRACE(name);
      Graph g;
      const Value x = g.input("x", {{13, 4099}, dtype});
      const Value h = scale(x, 2);
      const Value y = activate(h, op(name));
      g.output("dx", differentiate(weighed(y, 3), std::array{x})[0]);
      // `cheap` has a plain backward kernel, which costs less in f64 only.
      const bool kept = std::string(name) == "sloped" || dtype == DType::f32;
      EXPECT_EQ(print(g).find("activate.saved") != std::string::npos, kept);
      const Tensors at{{"x", random_tensor(x.type(), 1)}};
      expect_same_everywhere(g, at);
      const std::vector<double> dx = values(execute(g, at).at("dx")), xs = values(at.at("x"));
      const std::vector<double> c = values(random_tensor(x.type(), 3, 0.5, 1.5));
      for (std::size_t i = 0; i < dx.size(); ++i) {
        ASSERT_EQ(dx[i], (xs[i] < 0 ? -2 : 2) * c[i]) << i;
      }
    }
  }
}

TEST_F(ActivateCalls, StateIsWrittenByTheForwardCall) {
  Graph g;
  const Value x = g.input("x", {{13, 4099}});
  const Value y = activate(scale(x, 2), op("sloped"));
  const Value dx = differentiate(weighed(y, 3), std::array{x})[0];
  g.output("dx", dx);
  const Graph best = optimize(g);
  std::size_t ops = 0;
  for (NodeId id = 0; id < best.size(); ++id) ops += best.node(id).kind() == NodeKind::op ? 1 : 0;
  EXPECT_EQ(compile(g).stats().steps + 1, ops);
  // Where y is known beforehand, the state is computed alone.
  Graph constant;
  const Value c = constant.constant(random_tensor({{5, 7}, DType::f32}, 1));
  const Value dy = constant.input("dy", {{5, 7}});
  constant.output("dc", differentiate(activate(c, op("sloped")), std::array{c}, dy)[0]);
  expect_same_everywhere(constant, {{"dy", random_tensor(dy.type(), 2)}});
}

TEST_F(ActivateCalls, ADerivedGraphMayChangeItsFloatType) {
  Graph g;
  const Value x = g.input("x", {{3, 4}}), w = g.parameter("w", {{4}});
  Value y = activate(std::span(&x, 1), op("bend"), {.learned = {{"alpha", w}}});
  for (const char* name : {"gated", "powers", "rowmix", "cheap", "sloped", "pairs"}) {
    y = activate(y, op(name));
  }
  const std::vector<Value> d = differentiate(sum(y), std::array{x, w});
  g.output("dx", d[0]);
  g.output("dw", d[1]);
  const Tensors at = random_inputs(g, 1);
  const Tensors f64 =
      execute(with_float_type(g, DType::f64),
              {{"x", convert(at.at("x"), DType::f64)}, {"w", convert(at.at("w"), DType::f64)}});
  for (const auto& [name, tensor] : execute(g, at)) {
    EXPECT_LE(distance(tensor, f64.at(name)), 2e-6) << name;
  }
}

TEST_F(ActivateCalls, AWholeTensorOpGivesItsOwnShape) {
  expect_gradients([&](Graph&, std::span<const Value> in) { return activate(in[0], op("pairs")); },
                   {random_tensor({{3, 8}, DType::f64}, 1)}, false);
  Graph g;
  const Value x = g.input("x", {{101, 2006}});
  const Value y = activate(x, op("pairs"));
  EXPECT_EQ(y.shape(), (Shape{101, 1003}));
  g.output("y", y);
  g.output("dx", differentiate(sum(y), std::array{x})[0]);
  expect_same_everywhere(g, {{"x", random_tensor(x.type(), 1)}});
  const Value odd = g.input("odd", {{3, 5}});
  EXPECT_ERROR(activate(odd, op("pairs")), "E0601", "`pairs`", "f32[3, 5]", "the last axis is odd");
  EXPECT_ERROR(differentiate(sum(g.output("dx")), std::array{x}), "E0610", "second-order");
}

TEST_F(ActivateCalls, AWholeTensorOpMayFailAndTheProgramGoesOn) {
  Graph g;
  const Value x = g.input("x", {{2, 4}});
  g.set_scope("mix");
  g.output("y", activate(x, op("pairs").with({{"fail", 1}})));
  Executable exe = compile(g);
  exe.bind("x", floats({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_ERROR(exe.run(), "E0513", "`mix`", "told to", "engine_ops.so");
  }
  Graph good;
  good.output("y", activate(good.input("x", {{2, 4}}), op("pairs")));
  EXPECT_EQ(values(execute(good, {{"x", floats({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})}}).at("y")),
            (std::vector<double>{2, 12, 30, 56}));
}

// What a signal handler can tell of the kernel its thread is in.
extern "C" void tell_site(int) {
  const KernelSite* site = current_kernel_site;
  if (site != nullptr) {
    fmt::print(stderr, "{}:{} {} of {} at {}..{}\n", site->plugin, site->op, site->kernel,
               site->node, site->begin, site->end);
  }
  std::_Exit(7);
}

TEST_F(ActivateCalls, ACrashKnowsItsKernel) {
  EXPECT_EXIT(
      {
        Graph g;
        g.set_scope("layer3.act");
        const Value x = g.input("x", {{20000}});
        g.output("dx", differentiate(sum(activate(x, op("crash"))), std::array{x})[0]);
        std::signal(SIGILL, tell_site);
        std::signal(SIGTRAP, tell_site);
        execute(g, {{"x", random_tensor(x.type(), 1)}});
      },
      testing::ExitedWithCode(7),
      "org.example.engine:crash backward f32 base of layer3.act at 0..16384");
}

}  // namespace
}  // namespace limen::test
