#include "model/reading.hpp"

namespace limen::test {
namespace {

const char* const kModel = R"yaml(limen: 1
vars: {hidden: 4, act: tanh, twice: $(2 * hidden), dims: [3, 1]}
inputs:
  x: f32[N, $hidden]
  y: f32[N, 1]
graph:
  - dense: $twice
    name: first
  - $act
  - dense: {units: "$(max(1, hidden - 9))", init: {normal: $(hidden / 100)}}
    name: last
outputs: [first, last]
loss: mse
train:
  batch: $(hidden * 2)
  optimizer: {sgd: 0.1}
x-note: costs $5
doc: $ signs stay here
)yaml";

TEST(Variables, StandForValuesWithTheirTypes) {
  const Model model = read(kModel);
  EXPECT_EQ(model.train()->batch, 8);
  const BuiltModel built = model.build(sizes(2));
  ASSERT_EQ(built.parameters.size(), 4u);
  EXPECT_EQ(built.parameters[0].name, "first.weight");
  EXPECT_EQ(built.parameters[0].type.shape, (Shape{8, 4}));
  EXPECT_EQ(built.parameters[2].type.shape, (Shape{1, 8}));
  EXPECT_EQ(built.parameters[2].init.kind, "normal");
  EXPECT_DOUBLE_EQ(built.parameters[2].init.args.at("std"), 0.04);
}

TEST(Variables, WarnWhereNothingUsesThem) {
  const Model model = read(kModel);
  ASSERT_EQ(model.warnings().size(), 1u);
  EXPECT_EQ(model.warnings()[0].code, "W0401");
  EXPECT_THAT(model.warnings()[0].message, testing::HasSubstr("dims"));
}

TEST(Variables, MayHoldCallsWithArguments) {
  const Model model = read(
      "limen: 1\nvars: {act: {leaky_relu: 0.25}}\ninputs:\n  x: f32[N, 2]\ngraph: [$act, "
      "$act]\n");
  EXPECT_THAT(print(model.build(sizes(1)).graph), testing::HasSubstr("leaky_relu{alpha=0.25}"));
}

TEST(Variables, MayBeTheKeyOfAStepWithMoreKeys) {
  const Model model = read(
      "limen: 1\nvars: {act: tanh}\ninputs:\n  x: f32[N, 2]\ngraph:\n  - $act:\n    name: a\n  "
      "- add: [a, x]\n");
  EXPECT_EQ(model.build(sizes(1)).steps[0].op, "tanh");
  EXPECT_THAT(said("limen: 1\nvars: {act: 3}\ninputs:\n  x: f32[N, 2]\ngraph:\n  - $act:\n    "
                   "name: a\n"),
              testing::HasSubstr("E0304"));
}

TEST(Variables, WriteADollarSignAsTwo) {
  const Model model =
      read(with_graph("  - tanh\n", "f32[N, 3]", "data: {csv: {file: a$$b.csv}}\n"));
  EXPECT_EQ(model.data()->dataset->text("file"), "a$b.csv");
  EXPECT_THAT(said(with_graph("  - tanh\n", "f32[N, 3]", "data: {csv: {file: a$.csv}}\n")),
              testing::HasSubstr("E0302"));
}

TEST(Variables, ShowUseAndDefinition) {
  const std::string text =
      said("limen: 1\nvars: {width: wide}\ninputs:\n  x: f32[N, 3]\ngraph:\n  - dense: $width\n");
  EXPECT_THAT(text, testing::HasSubstr("--> model.yaml:6:12"));
  EXPECT_THAT(text, testing::HasSubstr("::: model.yaml:2:15"));
  EXPECT_THAT(text, testing::HasSubstr("---- `$width` is set here"));
}

TEST(Set, ReplacesVariablesAndIsQuotedAsTheSource) {
  EXPECT_EQ(read(kModel, {.sets = {"hidden=6"}}).build(sizes(1)).parameters[0].type.shape,
            (Shape{12, 6}));
  const std::string text = said(kModel, {.sets = {"act=rellu"}});
  EXPECT_THAT(text, testing::HasSubstr("error[E0201]: unknown op `rellu`\n --> model.yaml:9:5"));
  EXPECT_THAT(text,
              testing::HasSubstr("::: --set:1:5\n1 | act=rellu\n  |     ----- `$act` is set here"));
  EXPECT_THAT(text, testing::HasSubstr("did you mean `relu`?"));
}

TEST(Set, ReachesArgumentsThroughNamesOfSteps) {
  const auto shape = [](const char* set) {
    return read(kModel, {.sets = {set}}).build(sizes(1)).parameters[0].type.shape;
  };
  EXPECT_EQ(shape("graph.first.units=5"), (Shape{5, 4}));
  EXPECT_EQ(shape("graph.first.dense.units=6"), (Shape{6, 4}));
  EXPECT_EQ(shape("graph.first.dense=7"), (Shape{7, 4}));
  EXPECT_EQ(read(kModel, {.sets = {"graph.first.bias=false"}}).build(sizes(1)).parameters.size(),
            3u);
}

TEST(Set, ReachesKeysThatAreNotWritten) {
  const Model model =
      read(kModel, {.sets = {"train.epochs=3", "train.clip.norm=2", "train.optimizer.lr=0.7",
                             "train.optimizer.sgd.momentum=0.5", "train.checkpoint.keep=2",
                             "train.seed=9", "loss.name=fit", "name=other"}});
  EXPECT_EQ(model.train()->epochs, 3);
  EXPECT_EQ(model.train()->clip_norm, 2.0);
  EXPECT_EQ(model.train()->optimizer->args.at("lr"), 0.7);
  EXPECT_EQ(model.train()->optimizer->args.at("momentum"), 0.5);
  EXPECT_EQ(model.train()->checkpoint_keep, 2);
  EXPECT_EQ(model.name(), "other");
}

TEST(Set, WorksFromLeftToRight) {
  EXPECT_EQ(read(kModel, {.sets = {"train.batch=3", "train.batch=5"}}).train()->batch, 5);
  EXPECT_EQ(read(kModel, {.sets = {"train.optimizer=adam", "train.optimizer.lr=0.5"}})
                .train()
                ->optimizer->args.at("lr"),
            0.5);
}

TEST(Set, IsWrongUsageWhereThePathIsUnknown) {
  for (const char* set : {"hiden=3", "train.batsh=3", "graph.frist.units=3", "train", "=3",
                          "train..batch=3", "train.batch=", "train.batch={",
                          "train.optimizer.lear=3", "graph.first.unit=3", "nothing.at.all=1"}) {
    try {
      read(kModel, {.sets = {set}});
      ADD_FAILURE() << set;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::usage) << set << "\n" << error.what();
      EXPECT_EQ(error.diagnostics().front().spans.front().file, "--set") << set;
    }
  }
}

}  // namespace
}  // namespace limen::test
