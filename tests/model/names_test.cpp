#include "model/reading.hpp"

namespace limen::test {
namespace {

std::vector<std::string> step_names(const Model& model) {
  std::vector<std::string> names;
  for (const StepInfo& step : model.build(sizes(2)).steps) names.push_back(step.name);
  return names;
}

TEST(Names, CountTheUnnamedUsesOfEachOp) {
  const Model model =
      read(with_graph("  - dense: 4\n  - [tanh, dense: 4]\n  - dense: 4\n    name: body\n  - "
                      "tanh\n  - dense: 2\n"));
  EXPECT_EQ(step_names(model),
            (std::vector<std::string>{"dense1", "tanh1", "dense2", "body", "tanh2", "dense3"}));
}

TEST(Names, OfOutputsFollowThoseOfTheGraph) {
  const Model model =
      read(with_graph("  - dense: 4\n  - softmax\n  - dense: 4\n    name: logits\n", "f32[N, 3]",
                      "outputs: [logits, softmax, {tanh: , name: squashed}, x]\n"));
  EXPECT_EQ(model.build(sizes(2)).output_names,
            (std::vector<std::string>{"logits", "softmax2", "squashed", "x"}));
}

TEST(Names, TheLastStepIsTheOutputWhereNoneIsNamed) {
  EXPECT_EQ(read(with_graph("  - dense: 4\n")).build(sizes(2)).output_names,
            (std::vector<std::string>{"dense1"}));
}

TEST(Names, FromReadsAnyStepAbove) {
  const Model model = read(with_graph(R"(  - dense: 4
    name: a
  - dense: 4
    from: x
    name: b
  - tanh:
    from: a
    name: c
  - sub: [a, b]
    name: d
  - add:
    from: [a, c, d]
)"));
  const BuiltModel built = model.build(sizes(2));
  EXPECT_EQ(built.steps[1].reads, (std::vector<std::string>{"x"}));
  EXPECT_EQ(built.steps[3].reads, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(built.steps[4].reads, (std::vector<std::string>{"a", "c", "d"}));
}

TEST(Names, StepsThatNothingReadsAreNotBuilt) {
  const Model model = read(with_graph(
      "  - dense: 4\n    name: a\n  - dense: 4\n    name: lost\n  - tanh:\n    from: a\n"));
  EXPECT_EQ(step_names(model), (std::vector<std::string>{"a", "tanh1"}));
}

TEST(Names, APluginMayStandBeforeItsOp) {
  const Model model =
      read(with_graph("  - \"org.limen.tanh:tanh\"\n  - \"org.limen.tanh:tanh\":\n    name: b\n"));
  EXPECT_EQ(step_names(model), (std::vector<std::string>{"tanh1", "b"}));
  EXPECT_EQ(model.plugins_used(), (std::vector<std::string>{"tanh@org.limen.tanh/1.0.0"}));
}

TEST(Names, AliasesAreTheSameOp) {
  const BuiltModel built = read(with_graph("  - linear\n")).build(sizes(2));
  EXPECT_EQ(built.steps[0].name, "linear1");
  EXPECT_EQ(built.steps[0].op, "identity");
}

TEST(Names, OneFindingForOneMistake) {
  // The first step is wrong in its call; what reads it must not add to that.
  EXPECT_EQ(said(with_graph("  - dens: 4\n    name: a\n  - tanh:\n    from: a\n")).find("error["),
            said(with_graph("  - dens: 4\n    name: a\n  - tanh:\n    from: a\n")).rfind("error["));
}

TEST(Names, SeveralMistakesOfOneStageAreToldTogetherUpToTwenty) {
  std::string steps;
  for (int i = 0; i < 30; ++i) steps += "  - nope" + std::to_string(i) + "\n";
  try {
    read(with_graph(steps));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics().size(), 20u);
  }
}

}  // namespace
}  // namespace limen::test
