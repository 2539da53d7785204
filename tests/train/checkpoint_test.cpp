#include <limen/checkpoint.hpp>

#include <filesystem>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/file.hpp"
#include "train/state.hpp"

namespace limen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A folder of this test's own, removed at the end.
class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() {
    const auto* const info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        std::filesystem::temp_directory_path() / ("limen-" + std::string(info->test_suite_name()) +
                                                  info->name() + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~CheckpointTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

NamedTensor tensor(std::string name, Shape shape, double first, DType dtype = DType::f32) {
  NamedTensor out{std::move(name), Tensor({shape, dtype})};
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    const double value = first + 0.1 * static_cast<double>(i);
    if (dtype == DType::f64) {
      out.tensor.as<double>()[k] = value;
    } else {
      out.tensor.as<float>()[k] = static_cast<float>(value);
    }
  }
  return out;
}

ParameterSpec parameter(std::string name, Shape shape, DType dtype = DType::f32) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.type = {shape, dtype};
  spec.where = {.file = "m.yaml", .line = 13, .column = 12, .length = 1, .text = "", .label = ""};
  return spec;
}

Checkpoint sample() {
  return {{tensor("fc.weight", {2, 3}, 1), tensor("fc.bias", {2}, -1)},
          {tensor("exp_avg.fc.bias", {2}, 5), tensor("exp_avg_sq.fc.bias", {2}, 7)},
          {{"position.step", "12"}, {"model", "limen: 1\nname: \"ä\"\n"}}};
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what() + ("\n" + ::testing::PrintToString(error.diagnostics()[0].notes));
  }
  return "no error";
}

TEST_F(CheckpointTest, ComesBackAsItWasWritten) {
  save_checkpoint(path("a"), sample());
  const Checkpoint back = load_checkpoint(path("a"));
  ASSERT_EQ(back.weights.size(), 2u);
  ASSERT_EQ(back.slots.size(), 2u);
  EXPECT_EQ(back.weights[0].name, "fc.bias");
  EXPECT_EQ(back.slots[1].name, "exp_avg_sq.fc.bias");
  EXPECT_TRUE(std::ranges::equal(back.weights[1].tensor.as<float>(),
                                 sample().weights[0].tensor.as<float>()));
  EXPECT_EQ(back.metadata, sample().metadata);
}

TEST_F(CheckpointTest, KeepsWeightsOfAStepThatIsCalledOptimizer) {
  save_checkpoint(path("a"), {{tensor("optimizer.weight", {1}, 1)}, {}, {}});
  const Checkpoint back = load_checkpoint(path("a"));
  EXPECT_EQ(back.weights.size(), 1u);
  const std::vector<ParameterSpec> specs = {parameter("optimizer.weight", {1})};
  EXPECT_EQ(load_weights(path("a"), specs).size(), 1u);
}

TEST_F(CheckpointTest, GivesWeightsInTheOrderOfTheModelWithoutTheOptimizersState) {
  save_checkpoint(path("a"), sample());
  const std::vector<ParameterSpec> specs = {parameter("fc.weight", {2, 3}),
                                            parameter("fc.bias", {2}, DType::f64)};
  const std::vector<NamedTensor> weights = load_weights(path("a"), specs);
  ASSERT_EQ(weights.size(), 2u);
  EXPECT_EQ(weights[0].name, "fc.weight");
  EXPECT_EQ(weights[1].tensor.type().dtype, DType::f64);
  EXPECT_EQ(weights[1].tensor.as<double>()[0], -1.0);
}

TEST_F(CheckpointTest, NamesEveryWeightThatDoesNotFit) {
  save_checkpoint(path("a"), sample());
  const std::vector<ParameterSpec> specs = {parameter("fc.weight", {4, 3}),
                                            parameter("out.bias", {2})};
  const std::string message = message_of([&] { load_weights(path("a"), specs); });
  EXPECT_THAT(message, HasSubstr("E1002"));
  EXPECT_THAT(message, HasSubstr("fc.weight is f32[2, 3] in the file, f32[4, 3] in the model "
                                 "(m.yaml:13:12)"));
  EXPECT_THAT(message, HasSubstr("out.bias is missing in the file"));
  EXPECT_THAT(message, HasSubstr("fc.bias is f32[2] in the file, the model has none"));
  EXPECT_THAT(message, Not(HasSubstr("exp_avg")));
}

TEST_F(CheckpointTest, ListsAFewOfManyMisfits) {
  save_checkpoint(path("a"), sample());
  std::vector<ParameterSpec> specs;
  for (int i = 0; i < 100; ++i) specs.push_back(parameter("p" + std::to_string(i), {1}));
  EXPECT_THAT(message_of([&] { load_weights(path("a"), specs); }), HasSubstr("and 94 more"));
}

TEST_F(CheckpointTest, RefusesAFileCutAtAnyPlace) {
  save_checkpoint(path("whole"), sample());
  const std::string bytes = read_file(path("whole"));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    std::ofstream(path("cut"), std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(length));
    EXPECT_THROW(load_checkpoint(path("cut")), Error) << length;
  }
}

TEST_F(CheckpointTest, KeepsTheOldFileWhereTheNewOneCannotBeWritten) {
  EXPECT_THROW(save_checkpoint(path("no/such/folder/a"), sample()), Error);
  EXPECT_THROW(load_checkpoint(path("missing")), Error);
}

TrainState busy_state() {
  TrainState state;
  state.epoch = 3;
  state.examples = 640;
  state.step = 1407;
  state.seconds = 1.25;
  state.sums = {{"loss", 0.1 + 0.2}, {"accuracy", 1e-300}};
  state.last_epoch = {{"loss", std::numeric_limits<double>::quiet_NaN()}, {"top_k(3)", 0.5}};
  state.best_metric = "val.accuracy";
  state.best_value = 1.0 / 3;
  state.best_epoch = 2;
  state.watched = true;
  state.watched_best = -std::numeric_limits<double>::infinity();
  state.watched_since = 2;
  return state;
}

TEST(TrainState, ComesBackFromItsTextBitForBit) {
  Metadata metadata;
  write_state(busy_state(), metadata);
  const TrainState back = read_state(metadata, "f");
  EXPECT_EQ(back.epoch, 3);
  EXPECT_EQ(back.examples, 640);
  EXPECT_EQ(back.step, 1407);
  EXPECT_EQ(back.sums, busy_state().sums);
  ASSERT_EQ(back.last_epoch.size(), 2u);
  EXPECT_TRUE(std::isnan(back.last_epoch[0].second));
  EXPECT_EQ(back.last_epoch[1], busy_state().last_epoch[1]);
  EXPECT_EQ(back.best_metric, "val.accuracy");
  EXPECT_EQ(back.best_value, 1.0 / 3);
  EXPECT_EQ(back.watched_best, busy_state().watched_best);
  EXPECT_EQ(back.watched_since, 2);
  EXPECT_FALSE(back.finished);
}

TEST(TrainState, RefusesMissingAndMeaninglessEntries) {
  Metadata metadata;
  write_state(busy_state(), metadata);
  for (const std::string key : {"position.epoch", "position.step", "early_stop.since"}) {
    Metadata broken = metadata;
    broken.erase(key);
    EXPECT_THAT(message_of([&] { read_state(broken, "f"); }), HasSubstr("no `" + key + "`"));
    for (const std::string value : {"-1", "", "1x", "99999999999999999999", "9e9"}) {
      broken[key] = value;
      EXPECT_THAT(message_of([&] { read_state(broken, "f"); }), HasSubstr("E1001")) << value;
    }
  }
}

TEST(TrainState, IsSummedUpInWords) {
  Checkpoint checkpoint;
  write_state(busy_state(), checkpoint.metadata);
  const PositionSummary position = summarize(checkpoint);
  EXPECT_EQ(describe(position), "3 epochs and 640 examples (step 1,407)");
  PositionSummary one;
  one.epoch = 1;
  one.step = 1'234'567;
  EXPECT_EQ(describe(one), "1 epoch (step 1,234,567)");
}

TEST(Metadata, KeepsListsInOrder) {
  Metadata metadata;
  const std::vector<std::string> sets = {"a=1", "", "b=x\ny"};
  write_list(metadata, "set", sets);
  EXPECT_EQ(read_list(metadata, "set"), sets);
  EXPECT_THAT(read_list(metadata, "other"), ElementsAre());
}

}  // namespace
}  // namespace limen
