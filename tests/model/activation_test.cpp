// Activations as steps: learned parameters, pieces, joined results, whole tensors.
#include <limen/differentiate.hpp>

#include "model/reading.hpp"
#include "support/execute.hpp"

namespace limen::test {
namespace {

PluginRegistry with_forms() {
  PluginRegistry registry = shipped_plugins();
  registry.load(LIMEN_BINARY_DIR "/tests/plugins/engine_ops.so");
  return registry;
}

BuiltModel built(const std::string& steps, const std::string& input = "f32[N, 6]",
                 const std::vector<std::string>& sets = {}, bool training = false) {
  PluginRegistry registry = with_forms();
  const Model model =
      Model::parse(with_graph(steps, input), "model.yaml", registry, {.sets = sets});
  BuildOptions options = sizes(4);
  options.training = training;
  return model.build(options);
}

std::string refusal(const std::string& steps, const std::string& input = "f32[N, 6]") {
  return error_of([&] { built(steps, input); });
}

TEST(ActivationStep, LearnsWhatTheOpSaysUnlessTheModelSaysOtherwise) {
  const auto parameters = [](const std::string& step) {
    std::string text;
    for (const ParameterSpec& p : built("  - " + step + "\n    name: act\n").parameters) {
      text += p.name + to_string(p.type) + p.init.kind +
              std::to_string(p.init.args.at("value")).substr(0, 4);
    }
    return text;
  };
  EXPECT_EQ(parameters("bend:"), "act.alphaf32[1]constant0.25");
  EXPECT_EQ(parameters("bend: 0.5"), "act.alphaf32[1]constant0.50");
  EXPECT_EQ(parameters("bend: {alpha: 0.5, learn: false}"), "");
  EXPECT_EQ(parameters("bend: {per_channel: true}"), "act.alphaf32[6]constant0.25");
  EXPECT_EQ(parameters("rowmix:"), "");
  EXPECT_EQ(parameters("rowmix: {learn: true}"), "act.weightf32[1]constant1.00");
  EXPECT_EQ(parameters("rowmix: {learn: true, per_channel: true}"),
            "act.weightf32[3]constant1.00");  // of a piece
}

TEST(ActivationStep, IsWrittenInASummaryAndChangedBySet) {
  const std::string steps = "  - bend: {per_channel: true}\n    name: act\n";
  const BuiltModel model = built(steps, "f32[N, 6]", {"graph.act.alpha=0.75"});
  ASSERT_EQ(model.steps.size(), 1u);
  EXPECT_EQ(model.steps[0].parameters, std::vector<std::string>{"act.alpha"});
  EXPECT_EQ(model.parameters[0].init.args.at("value"), 0.75);
  EXPECT_EQ(built(steps, "f32[N, 6]", {"graph.act.per_channel=false"}).parameters[0].type.shape,
            Shape{1});
}

TEST(ActivationStep, ComputesWithItsLearnedParameter) {
  const BuiltModel model = built("  - bend: {per_channel: true}\n    name: act\n", "f32[N, 2]");
  const Tensor y = execute(model.graph, {{"x", floats({4, 2}, {1, 1, 2, 2, 3, 3, 4, 4})},
                                         {"act.alpha", floats({2}, {1, -1})}})
                       .begin()
                       ->second;
  EXPECT_EQ(values(y), (std::vector<double>{2, 0, 6, -2, 12, -6, 20, -12}));
}

TEST(ActivationStep, HasAShapeOfItsOwn) {
  const auto shape = [](const std::string& steps, const std::string& input) {
    const BuiltModel model = built(steps, input);
    return model.steps.back().symbolic + " " + to_string(model.steps.back().type);
  };
  EXPECT_EQ(shape("  - gated\n", "f32[N, 6]"), "f32[N, 3] f32[4, 3]");
  EXPECT_EQ(shape("  - gated: {axis: 1}\n", "f32[N, 2, 5]"), "f32[N, 1, 5] f32[4, 1, 5]");
  EXPECT_EQ(shape("  - powers\n", "f32[N, 3]"), "f32[N, 6] f32[4, 6]");
  EXPECT_EQ(shape("  - powers: {axis: 0}\n  - gated: {axis: 0}\n", "f32[N, 3]"),
            "f32[N, 3] f32[4, 3]");
  EXPECT_EQ(shape("  - pairs\n", "f32[N, 6]"), "f32[N, 3] f32[4, 3]");
  EXPECT_EQ(shape("  - powers: {axis: 0}\n  - pairs\n", "f32[N, 6]"), "f32[2*N, 3] f32[8, 3]");
  EXPECT_EQ(shape("  - tanh:\n    name: a\n  - tanh:\n    name: b\n    from: x\n"
                  "  - gated: [a, b]\n",
                  "f32[N, 3]"),
            "f32[N, 3] f32[4, 3]");
  EXPECT_EQ(shape("  - tanh:\n    name: a\n  - gated:\n    from: [a, x]\n", "f32[N, 3]"),
            "f32[N, 3] f32[4, 3]");
}

TEST(ActivationStep, DrawsRandomNumbersInTrainingAlone) {
  const std::string steps = "  - noisy\n";
  const auto inputs = [](const BuiltModel& model) { return model.graph.inputs().size(); };
  EXPECT_EQ(inputs(built(steps)), 1u);
  EXPECT_EQ(inputs(built(steps, "f32[N, 6]", {}, true)), 2u);  // x and the step
}

TEST(ActivationStep, RefusesWhatDoesNotFit) {
  EXPECT_THAT(refusal("  - gated\n", "f32[N, 5]"),
              testing::AllOf(testing::HasSubstr("E0602"),
                             testing::HasSubstr("2 equal pieces, got f32[N, 5]")));
  EXPECT_THAT(refusal("  - gated: {axis: 0}\n"), testing::HasSubstr("cuts axis 0"));
  EXPECT_THAT(refusal("  - gated: {axis: 2}\n"), testing::HasSubstr("E0605"));
  EXPECT_THAT(refusal("  - gated: [x, x, x]\n"), testing::HasSubstr("or 2, here it gets 3"));
  EXPECT_THAT(refusal("  - bend:\n    from: [x, x]\n"), testing::HasSubstr("E0413"));
  EXPECT_THAT(refusal("  - bend: {per_channel: true}\n", "f32[N]"),
              testing::HasSubstr("needs an axis 1"));
  EXPECT_THAT(refusal("  - bend: {per_channel: true}\n", "f32[3, N]"),
              testing::HasSubstr("fixed size of axis 1"));
  EXPECT_THAT(refusal("  - pairs\n", "f32[N, 5]"), testing::HasSubstr("the last axis is odd"));
  EXPECT_THAT(refusal("  - relu: {learn: true}\n"), testing::HasSubstr("E0202"));
}

}  // namespace
}  // namespace limen::test
