// The graphs that models become, and their values.
#include <cmath>
#include <fstream>

#include "model/reading.hpp"
#include "support/execute.hpp"

namespace limen::test {
namespace {

Tensors run(const BuiltModel& built, const Tensors& inputs) {
  return execute(built.graph, inputs, {.optimize = true, .reuse_memory = true});
}

TEST(Build, ANeuronWithThreeInputsGivesTheValueByHand) {
  const BuiltModel built = read(with_graph("  - dense: 1\n  - sigmoid\n")).build(sizes(1));
  // z = 0.5 * 1 - 1 * 2 + 0.25 * 4 + 0.1 = -0.4
  const Tensors out = run(built, {{"x", floats({1, 3}, {1, 2, 4})},
                                  {"dense1.weight", floats({1, 3}, {0.5, -1, 0.25})},
                                  {"dense1.bias", floats({1}, {0.1F})}});
  EXPECT_NEAR(values(out.at("sigmoid1"))[0], 1 / (1 + std::exp(0.4)), 1e-6);
}

TEST(Build, TwoDenseLayersWithoutActivationEqualOne) {
  const BuiltModel two =
      read(with_graph("  - dense: 4\n  - dense: 2\n", "f64[N, 3]")).build(sizes(5));
  const BuiltModel one = read(with_graph("  - dense: 2\n", "f64[N, 3]")).build(sizes(5));
  Tensors inputs = random_inputs(two.graph, 3);
  const auto w1 = inputs["dense1.weight"].as<double>(), b1 = inputs["dense1.bias"].as<double>();
  const auto w2 = inputs["dense2.weight"].as<double>(), b2 = inputs["dense2.bias"].as<double>();
  std::vector<double> weight(6), bias(2);
  for (std::size_t o = 0; o < 2; ++o) {
    bias[o] = b2[o];
    for (std::size_t h = 0; h < 4; ++h) {
      bias[o] += w2[o * 4 + h] * b1[h];
      for (std::size_t i = 0; i < 3; ++i) weight[o * 3 + i] += w2[o * 4 + h] * w1[h * 3 + i];
    }
  }
  const Tensors collapsed = {{"x", inputs["x"]},
                             {"dense1.weight", doubles({2, 3}, weight)},
                             {"dense1.bias", doubles({2}, bias)}};
  EXPECT_LT(distance(run(two, inputs).at("dense2"), run(one, collapsed).at("dense1")), 1e-13);
}

TEST(Build, ParametersHavePytorchsLayoutAndFans) {
  const BuiltModel built =
      read(with_graph("  - dense: {units: 5, bias: false}\n  - dense: 2\n")).build(sizes(1));
  ASSERT_EQ(built.parameters.size(), 3u);
  EXPECT_EQ(built.parameters[0].name, "dense1.weight");
  EXPECT_EQ(built.parameters[0].type.shape, (Shape{5, 3}));
  EXPECT_EQ(built.parameters[0].init.kind, "xavier_uniform");
  EXPECT_EQ(built.parameters[0].fan_in, 3);
  EXPECT_EQ(built.parameters[0].fan_out, 5);
  EXPECT_EQ(built.parameters[2].name, "dense2.bias");
  EXPECT_EQ(built.parameters[2].init.kind, "zeros");
}

TEST(Build, WidensEveryF32WhereAskedTo) {
  BuildOptions options = sizes(2);
  options.float_type = DType::f64;
  const BuiltModel built = read(with_graph("  - dense: 2\n  - tanh\n")).build(options);
  for (std::size_t i = 0; i < built.graph.size(); ++i) {
    EXPECT_NE(built.graph.node(static_cast<NodeId>(i)).dtype(), DType::f32);
  }
}

TEST(Build, TheLossIsTheWeightedSumOfItsTerms) {
  const Model model = read(R"(limen: 1
inputs:
  x: f32[N, 2]
  y: f32[N, 1]
graph:
  - dense: 1
    name: p
  - sub: [p, y]
    name: off
  - mul: [off, off]
  - reduce_mean:
    name: square
loss:
  - mse:
    from: [p, y]
    weight: 2
  - huber: 100
    from: [p, y]
    weight: 4
    name: robust
  - value:
    from: square
    weight: -1
metrics: [{mae: , from: [p, y]}, {mse: , from: [p, y], name: squares}]
)");
  BuildOptions options = sizes(3);
  options.loss = true;
  const BuiltModel built = model.build(options);
  EXPECT_EQ(built.metric_names, (std::vector<std::string>{"mae", "squares"}));
  const Tensors inputs = random_inputs(built.graph, 1);
  const Tensors out = run(built, inputs);
  // huber with a large delta is half the square: 2 m + 4 m / 2 - m = 3 m.
  const double squares = values(out.at("metric.squares"))[0];
  EXPECT_NEAR(values(out.at("loss"))[0], 3 * squares, 1e-5);
  EXPECT_GT(values(out.at("metric.mae"))[0], 0);
}

TEST(Build, MetricsOfClassesCountRows) {
  const Model model = read(
      "limen: 1\ninputs:\n  x: f32[N, 3]\n  label: u8[N]\ngraph: [identity]\nloss: "
      "{softmax_cross_entropy: 0.1}\nmetrics: [accuracy, {top_k: 2}]\n");
  BuildOptions options = sizes(2);
  options.loss = true;
  const Tensors out = run(model.build(options), {{"x", floats({2, 3}, {1, 2, 3, 3, 2, 1})},
                                                 {"label", integers({2}, {2, 1})}});
  EXPECT_DOUBLE_EQ(values(out.at("metric.accuracy"))[0], 0.5);
  EXPECT_DOUBLE_EQ(values(out.at("metric.top_k"))[0], 1);
}

TEST(Build, DropoutReadsTheStepInTrainingOnly) {
  const Model model =
      read(with_graph("  - dropout: 0.5\n  - dropout: 0.5\n    name: other\n  - dropout: 0\n"));
  EXPECT_EQ(model.build(sizes(2)).graph.inputs().size(), 1u);
  BuildOptions options = sizes(64);
  options.training = true;
  const BuiltModel built = model.build(options);
  ASSERT_EQ(built.graph.inputs().size(), 2u);
  EXPECT_EQ(built.graph.inputs()[1].name(), "step");
  EXPECT_EQ(built.graph.inputs()[1].type(), (TensorType{Shape{}, DType::i32}));
  const std::string text = print(built.graph);  // two layers, two streams
  const std::size_t first = text.find("seed="), second = text.find("seed=", first + 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_NE(text.substr(first, 15), text.substr(second, 15));
}

TEST(Build, ReshapeTransposeAndFlattenKeepTheElements) {
  const Model model = read(with_graph(R"(  - reshape: [2, -1]
    name: a
  - transpose: [0, 2, 1]
  - flatten:
    name: b
  - reduce_sum: {axes: [1], keep: true}
    name: c
  - concat: [c, b, c]
)",
                                      "f32[N, 6]", "outputs: [a, b, {tanh: , name: last}]\n"));
  const BuiltModel built = model.build(sizes(1));
  EXPECT_EQ(built.steps[4].type.shape, (Shape{1, 8}));
  const Tensors out = run(built, {{"x", floats({1, 6}, {1, 2, 3, 4, 5, 6})}});
  EXPECT_EQ(out.at("a").shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(values(out.at("b")), (std::vector<double>{1, 4, 2, 5, 3, 6}));
  EXPECT_NEAR(values(out.at("last"))[1], std::tanh(1), 1e-6);
  EXPECT_NEAR(values(out.at("last"))[7], std::tanh(21), 1e-6);
}

TEST(Build, ShapesAreKnownUpToTheFreeSizes) {
  const Model model = read(with_graph("  - flatten\n", "f32[N, T, 4]"));
  EXPECT_EQ(model.build({.sizes = {{"N", 2}, {"T", 3}}}).steps[0].symbolic, "f32[N, 4*T]");
}

TEST(Build, LeavesOutInputsThatNothingReads) {
  const Model model = read(
      "limen: 1\ninputs:\n  x: f32[N, 3]\n  label: i64[N]\ngraph: [dense: 2]\nloss: "
      "softmax_cross_entropy\n");
  EXPECT_EQ(model.build(sizes(2)).graph.inputs().size(), 1u);
  BuildOptions options = sizes(2);
  options.loss = true;
  EXPECT_EQ(model.build(options).graph.inputs().size(), 2u);
}

TEST(Build, NeedsASizeForEveryFreeName) {
  EXPECT_ERROR(read(with_graph("  - dense: 2\n")).build({}), "E0606", "`N`", "model.yaml:3:3");
}

TEST(Build, EveryShippedModelBuildsAndRuns) {
  for (const char* name :
       {"digits", "mnist_relu", "mnist_sigmoid", "moons", "regression", "spiral", "xor"}) {
    PluginRegistry registry = shipped_plugins();
    const Model model =
        Model::load(std::string(LIMEN_SOURCE_DIR "/models/") + name + ".yaml", registry);
    EXPECT_TRUE(model.warnings().empty()) << name;
    BuildOptions options = sizes(3);
    options.loss = true;
    options.training = true;
    const BuiltModel built = model.build(options);
    Tensors inputs = random_inputs(built.graph, 5, 0, 2);
    EXPECT_TRUE(std::isfinite(values(run(built, inputs).at("loss"))[0])) << name;
  }
}

TEST(Build, EveryModelOfTheReferenceBuilds) {
  std::ifstream file(LIMEN_SOURCE_DIR "/models/README.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::string fence = "```yaml\n";
  int models = 0;
  for (std::size_t at = text.find(fence); at != std::string::npos; at = text.find(fence, at + 1)) {
    const std::size_t begin = at + fence.size();
    const Model model = read(text.substr(begin, text.find("```", begin) - begin));
    BuildOptions options = sizes(2);
    options.loss = model.has_loss();
    EXPECT_FALSE(model.build(options).steps.empty());
    EXPECT_TRUE(model.warnings().empty());
    ++models;
  }
  EXPECT_EQ(models, 6);
}

}  // namespace
}  // namespace limen::test
