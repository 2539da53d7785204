#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>

#include <limen/error.hpp>
#include <limen/gradient_check.hpp>
#include <limen/ops.hpp>
#include <limen/plugin_registry.hpp>

#include "check/wrong_ops.hpp"

namespace limen {
namespace {

using test::find;
using test::Untracked;
using test::WrongBias;
using testing::HasSubstr;

class Registry : public testing::Test {
 protected:
  void SetUp() override { registry.load_directory(LIMEN_SHIPPED_PLUGINS); }
  PluginRegistry registry;

  // A network of two layers with an activation and cross entropy; the bias of the first is added by
  // `bias` if given.
  Graph network(const std::string& activation, std::int64_t hidden = 20,
                const std::shared_ptr<const Op>& bias = nullptr) {
    Graph g;
    const Value x = g.input("x", {{5, 12}, DType::f32});
    const Value label = g.input("label", {{5}, DType::i32});
    g.set_scope("dense1");
    Value y = matmul(x, g.parameter("dense1.weight", {{hidden, 12}, DType::f32}), false, true);
    const Value b = g.parameter("dense1.bias", {{hidden}, DType::f32});
    y = bias ? add_node(bias, {y, b}) : add(y, broadcast_to(b, y.shape()));
    g.set_scope("act1");
    y = activate(y, registry.find(activation));
    g.set_scope("dense2");
    y = matmul(y, g.parameter("dense2.weight", {{4, y.shape()[1]}, DType::f32}), false, true);
    y = add(y, broadcast_to(g.parameter("dense2.bias", {{4}, DType::f32}), y.shape()));
    g.set_scope("loss");
    g.output("loss", softmax_cross_entropy(y, label));
    return g;
  }
};

using CheckGraph = Registry;

TEST_F(CheckGraph, PassesRightNetworksWithEveryShippedActivation) {
  for (const Activation& activation : registry.activations()) {
    for (const std::uint64_t seed : {0u, 1u}) {
      GraphCheckOptions options;
      options.seed = seed;
      const CheckReport report = check_graph(network(std::string(activation.name())), options);
      EXPECT_EQ(report.verdict, Verdict::pass) << activation.name() << '\n'
                                               << to_text(report, true);
      // Four parameters and the input; the steps alone: three, one and three leaves, and the loss.
      EXPECT_EQ(report.checks.size(), 13u);
    }
  }
}

TEST_F(CheckGraph, FailsADenseLayerWhoseBiasGradientIsMissing) {
  const CheckReport report = check_graph(network("tanh", 20, std::make_shared<WrongBias>(0.0)), {});
  ASSERT_EQ(report.verdict, Verdict::fail);
  const CheckResult* bias = find(report, "dense1.bias", "every element");
  ASSERT_NE(bias, nullptr) << to_text(report);
  EXPECT_EQ(bias->failed, 20);
  EXPECT_THAT(bias->likely, HasSubstr("0"));
  const CheckFailure& f = bias->failures.front();
  EXPECT_EQ(f.tensor, "dense1.bias");
  EXPECT_EQ(f.element, 0);
  EXPECT_EQ(f.got, 0);
  EXPECT_GT(std::abs(f.expected), f.bound);
  // Everything else is right, and the layer at fault is named.
  EXPECT_EQ(find(report, "dense1.weight", "random directions")->verdict, Verdict::pass);
  EXPECT_NE(find(report, "step dense1", "every element"), nullptr) << to_text(report);
  EXPECT_THAT(report.notes, testing::Contains(HasSubstr("right when checked alone: act1, dense2")));
}

TEST_F(CheckGraph, FindsTheOneWrongElementOfALargeTensorByHalving) {
  const CheckReport report =
      check_graph(network("tanh", 300, std::make_shared<WrongBias>(1.0, 217)), {});
  ASSERT_EQ(report.verdict, Verdict::fail);
  const CheckResult* named = find(report, "dense1.bias", "elements behind a failed direction");
  ASSERT_NE(named, nullptr) << to_text(report);
  EXPECT_EQ(named->failed, 1);
  EXPECT_EQ(named->failures.front().element, 217);
  EXPECT_NEAR(named->failures.front().got, -named->failures.front().expected,
              named->failures.front().bound);
}

// A parameter that two layers share, whose second use does not count.
TEST_F(CheckGraph, FailsASharedParameterWhoseGradientIsCountedOnce) {
  for (const bool wrong : {false, true}) {
    Graph g;
    const Value x = g.input("x", {{5, 12}, DType::f64}),
                w = g.parameter("w", {{12, 12}, DType::f64});
    g.set_scope("first");
    Value y = activate(matmul(x, w, false, true), registry.find("tanh"));
    g.set_scope("second");
    y = matmul(y, wrong ? add_node(std::make_shared<Untracked>(), {w}) : w, false, true);
    g.set_scope("loss");
    g.output("loss", mean(square(y)));
    const CheckReport report = check_graph(g, {});
    ASSERT_EQ(report.verdict, wrong ? Verdict::fail : Verdict::pass) << to_text(report, true);
    if (!wrong) continue;
    EXPECT_EQ(find(report, "w", "random directions")->verdict, Verdict::fail);
    EXPECT_EQ(find(report, "x", "every element")->verdict, Verdict::pass);
    EXPECT_THAT(report.notes,
                testing::Contains(HasSubstr("right when checked alone: first, loss")));
    for (const CheckResult& check : report.checks) {
      if (check.op == "step first") {
        EXPECT_EQ(check.verdict, Verdict::pass);
      }
      if (check.op == "step second" && check.subject == "f64 w") {
        EXPECT_EQ(check.verdict, Verdict::fail);
      }
    }
  }
}

// Steps are checked at the cotangents that reach them: here one that is 0 but for a column.
TEST_F(CheckGraph, ChecksAStepAtItsRealCotangent) {
  for (const double weight : {0.0, 1.0}) {
    Tensor column({{4}, DType::f64});
    column.as<double>()[0] = 1;
    column.as<double>()[2] = weight;
    Graph g;
    const Value x = g.input("x", {{3, 4}, DType::f64}), p = g.parameter("p", {{4}, DType::f64});
    g.set_scope("shift");
    Value y = add_node(std::make_shared<WrongBias>(1.0, 2), {x, p});
    g.set_scope("pick");
    y = mul(square(y), broadcast_to(g.constant(column), y.shape()));
    g.set_scope("loss");
    g.output("loss", mean(y));
    const CheckReport report = check_graph(g, {});
    EXPECT_EQ(report.verdict, weight == 0 ? Verdict::pass : Verdict::fail) << to_text(report, true);
  }
}

// Nothing comes back through a step without a surrogate: what is in front of it is checked all the
// same.
TEST_F(CheckGraph, ChecksAStepThatNoCotangentReaches) {
  for (const double factor : {1.0, 1.5}) {
    Graph g;
    const Value x = g.input("x", {{3, 4}, DType::f64}), p = g.parameter("p", {{4}, DType::f64});
    g.set_scope("shift");
    Value y = add_node(std::make_shared<WrongBias>(factor), {x, p});
    g.set_scope("cut");
    y = activate(y, registry.find("hard_max"));
    g.set_scope("loss");
    g.output("loss", mean(y));
    const CheckReport report = check_graph(g, {});
    EXPECT_EQ(report.verdict, factor == 1 ? Verdict::pass : Verdict::fail) << to_text(report, true);
  }
}

TEST_F(CheckGraph, SeesAnErrorOfOneInAMillion) {
  const CheckReport report =
      check_graph(network("tanh", 300, std::make_shared<WrongBias>(1.000001)), {});
  EXPECT_EQ(report.verdict, Verdict::fail) << to_text(report, true);
}

TEST_F(CheckGraph, IsNotAlarmedByManyKinksAlongADirection) {
  for (const std::uint64_t seed : {0u, 1u, 2u, 3u}) {
    GraphCheckOptions options;
    options.seed = seed;
    options.small = 0;  // directions only
    const CheckReport report = check_graph(network("relu", 400), options);
    EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report, true);
  }
}

TEST_F(CheckGraph, HoldsDropoutFixedByItsCounter) {
  Graph g;
  const Value x = g.input("x", {{4, 6}, DType::f64});
  const Value step = g.input("step", {{}, DType::i32});
  g.output("loss", mean(square(dropout(x, step, 0.5, 3))));
  EXPECT_EQ(check_graph(g).verdict, Verdict::pass);
}

TEST_F(CheckGraph, HoldsFixedWhatActivationsDrawAndChecksWhatTheyLearn) {
  PluginRegistry plugins;
  plugins.load(LIMEN_BINARY_DIR "/tests/plugins/engine_ops.so");
  Graph g;
  const Value x = g.input("x", {{3, 4}, DType::f32}), w = g.parameter("w", {{4}, DType::f32});
  const Value step = g.input("step", {{}, DType::i32});
  Value y = activate(std::span(&x, 1), plugins.find("bend"), {.learned = {{"alpha", w}}});
  y = activate(std::span(&y, 1), plugins.find("noisy"), {.counter = step, .training = true});
  g.output("loss", mean(square(activate(y, plugins.find("gated")))));
  const CheckReport report = check_graph(g);
  EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report);
  EXPECT_EQ(report.checks.size(), 2u);  // x and w
}

TEST_F(CheckGraph, ChecksAWeightedSumOfTheOutputsWithoutALoss) {
  Graph g;
  const Value x = g.input("x", {{3, 2}, DType::f32});
  g.output("a", exp(x));
  g.output("b", add_node(std::make_shared<WrongBias>(1.0),
                         {mul(x, x), g.parameter("p", {{2}, DType::f32})}));
  const CheckReport report = check_graph(g);
  EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report);
  EXPECT_EQ(report.checks.size(), 2u);
}

TEST_F(CheckGraph, UsesGivenValuesAndSkipsWhatItIsTold) {
  Graph g;
  const Value x = g.input("x", {{2}, DType::f64});
  const Value p = g.parameter("p", {{2}, DType::f64});
  g.output("loss", sum(mul(log(x), p)));
  Tensor positive({{2}, DType::f64});
  positive.as<double>()[0] = 0.5;
  positive.as<double>()[1] = 2;
  GraphCheckOptions options;
  options.values["x"] = positive;
  options.skip = {"p"};
  const CheckReport report = check_graph(g, options);
  EXPECT_EQ(report.verdict, Verdict::pass);
  EXPECT_EQ(report.checks.size(), 1u);
}

TEST_F(CheckGraph, CannotDecideWhereTheLossIsNotFinite) {
  Graph g;
  const Value x = g.input("x", {{2}, DType::f64});
  g.output("loss", sum(log(scale(square(x), -1))));
  const CheckReport report = check_graph(g);
  EXPECT_EQ(report.verdict, Verdict::undecidable);
  EXPECT_THAT(to_text(report), HasSubstr("nan"));
}

TEST_F(CheckGraph, RefusesNamesAndShapesThatTheGraphDoesNotHave) {
  Graph g;
  g.output("loss", sum(g.input("x", {{2}, DType::f64})));
  GraphCheckOptions options;
  options.skip = {"y"};
  EXPECT_THROW(check_graph(g, options), Error);
  options.skip.clear();
  options.values["x"] = Tensor({{3}, DType::f64});
  EXPECT_THROW(check_graph(g, options), Error);
}

TEST_F(CheckGraph, RefusesALossThatIsNotAScalar) {
  Graph g;
  g.output("loss", g.input("x", {{2}, DType::f64}));
  EXPECT_THROW(check_graph(g), Error);
}

}  // namespace
}  // namespace limen
