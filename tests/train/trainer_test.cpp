#include <limen/train.hpp>

#include <algorithm>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/train_support.hpp"

namespace limen {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TrainResult train_with(const Model& model, const DataSplit& data, Recorder& recorder,
                       TrainOptions options = {}) {
  return train(model, data, options, recorder);
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    std::string text = std::to_string(static_cast<int>(error.exit())) + " " + error.what();
    for (const Diagnostic& found : error.diagnostics()) {
      for (const std::string& note : found.notes) text += "\n" + note;
      for (const std::string& help : found.help) text += "\n" + help;
    }
    return text;
  }
  return "no error";
}

TEST(Train, CountsStepsBatchesAndEpochs) {
  const Model model = model_of(small_model());
  const DataSplit data = small_split();
  Recorder seen;
  const TrainResult result = train_with(model, data, seen);
  EXPECT_EQ(seen.start.parameters, 6 * 16 + 16 + 16 * 3 + 3);
  EXPECT_EQ(seen.start.batches, 7);
  EXPECT_EQ(seen.start.steps, 21);
  EXPECT_EQ(seen.start.train_examples, 100);
  EXPECT_EQ(seen.start.test_examples, 50);
  EXPECT_EQ(seen.losses.size(), 21u);
  EXPECT_EQ(seen.batches[6], 7);
  EXPECT_EQ(seen.batches[7], 1);
  ASSERT_EQ(seen.evals.size(), 3u);
  EXPECT_EQ(seen.evals[1].epoch, 2);
  EXPECT_EQ(seen.evals[1].step, 14);
  EXPECT_TRUE(seen.evals[1].end_of_epoch);
  EXPECT_EQ(result.end, TrainEnd::completed);
  EXPECT_EQ(result.epochs, 3);
  EXPECT_EQ(result.steps, 21);
}

TEST(Train, LearnsAndReportsMeansOverTheEpochWeightedByExamples) {
  const Model model = model_of(small_model("epochs: 20"));
  const DataSplit data = small_split();
  Recorder seen;
  const TrainResult result = train_with(model, data, seen);
  EXPECT_LT(seen.evals.back().figures[0].second[0].second, 0.6 * seen.losses[0]);
  EXPECT_GT(*find_figure(result.figures, "test.accuracy"), 0.8);
  double sum = 0;
  for (std::size_t i = 0; i < 7; ++i) sum += seen.losses[i] * (i < 6 ? 16 : 4);
  EXPECT_NEAR(*find_figure(seen.evals[0].figures, "train.loss"), sum / 100, 1e-12);
  EXPECT_NEAR(seen.running[1][0].second, (seen.losses[0] + seen.losses[1]) / 2, 1e-12);
}

TEST(Train, EndsAtTheStepWhereStepsAreGivenAndMeasuresThere) {
  const Model model = model_of(small_model("steps: 10"));
  const DataSplit data = small_split();
  Recorder seen;
  const TrainResult result = train_with(model, data, seen);
  EXPECT_EQ(seen.losses.size(), 10u);
  EXPECT_EQ(result.epochs, 1);
  ASSERT_EQ(seen.evals.size(), 2u);
  EXPECT_FALSE(seen.evals[1].end_of_epoch);
  EXPECT_EQ(seen.evals[1].step, 10);
  EXPECT_TRUE(find_figure(result.figures, "test.loss").has_value());
}

TEST(Train, TakesTheLengthFromTheOptionsFirst) {
  const DataSplit data = small_split();
  for (const char* const written : {"epochs: 9", "steps: 99"}) {
    const Model model = model_of(small_model(written));
    Recorder seen;
    train_with(model, data, seen, {.epochs = 2});
    EXPECT_EQ(seen.losses.size(), 14u) << written;
  }
}

TEST(Train, EvaluatesAsOftenAsAsked) {
  const DataSplit data = small_split();
  Recorder by_steps, rarely;
  train_with(model_of(small_model("eval: 5 steps\n  epochs: 2")), data, by_steps);
  std::vector<std::int64_t> measured;
  for (const TrainEval& eval : by_steps.evals) {
    if (eval.figures.size() == 2) measured.push_back(eval.step);
  }
  EXPECT_THAT(measured, ElementsAre(5, 10, 14));
  train_with(model_of(small_model("eval: 2 epochs\n  epochs: 5")), data, rarely);
  measured.clear();
  for (const TrainEval& eval : rarely.evals) {
    if (eval.figures.size() == 2) measured.push_back(eval.epoch);
  }
  EXPECT_EQ(rarely.evals.size(), 5u);
  EXPECT_THAT(measured, ElementsAre(2, 4, 5));
}

TEST(Train, KeepsTheOrderOfTheDataWithoutShuffleAndMixesItWith) {
  // One batch an epoch holds the same examples in any order; two do not.
  const DataSplit data = small_split();
  Recorder fixed, again, shuffled;
  train_with(model_of(small_model("epochs: 2\n  shuffle: false")), data, fixed);
  train_with(model_of(small_model("epochs: 2\n  shuffle: false")), data, again);
  train_with(model_of(small_model("epochs: 2")), data, shuffled);
  EXPECT_EQ(fixed.losses, again.losses);
  EXPECT_NE(fixed.losses[0], shuffled.losses[0]);
}

TEST(Train, GivesTheSameBitsForOneAndTwoThreads) {
  const std::string wide = "epochs: 2\n  clip: {norm: 0.5}";
  const Model model = model_of(small_model(wide), {"graph.fc.units=700"});
  const DataSplit data = small_split();
  Recorder one, two;
  const TrainResult a = train_with(model, data, one, {.threads = 1});
  const TrainResult b = train_with(model, data, two, {.threads = 2});
  EXPECT_EQ(one.losses, two.losses);
  EXPECT_TRUE(bytes_of(a.weights) == bytes_of(b.weights));
  EXPECT_EQ(a.figures, b.figures);
}

TEST(Train, FollowsTheScheduleStepByStep) {
  Recorder seen;
  train_with(model_of(small_model("epochs: 2\n  schedule: {cosine: {warmup: 4 steps}}")),
             small_split(), seen);
  EXPECT_THAT(seen.rates[0], DoubleNear(0.0025, 1e-12));
  EXPECT_THAT(seen.rates[3], DoubleNear(0.01, 1e-12));
  EXPECT_THAT(seen.rates[9], DoubleNear(0.005, 1e-12));
}

TEST(Train, ShortensGradientsToTheNorm) {
  // With plain sgd the length of a step is rate x norm of the clipped gradient.
  const std::string rest = "steps: 1\n  clip: {norm: 0.001}";
  const Model model = model_of(small_model(rest), {"train.optimizer={sgd: 1.0}"});
  Recorder seen;
  const TrainResult result = train_with(model, small_split(), seen);
  const std::vector<NamedTensor> start =
      initial_weights(parameter_specs(model), model.train()->seed);
  double squares = 0;
  for (std::size_t i = 0; i < start.size(); ++i) {
    const auto a = start[i].tensor.as<float>(), b = result.weights[i].tensor.as<float>();
    for (std::size_t k = 0; k < a.size(); ++k) squares += std::pow(a[k] - b[k], 2);
  }
  EXPECT_NEAR(std::sqrt(squares), 0.001, 2e-6);
}

TEST(Train, StopsEarlyWhenTheWatchedFigureStays) {
  const std::string rest =
      "epochs: 50\n  early_stop: {watch: test.loss, patience: 3, min_delta: 1000}";
  Recorder seen;
  const TrainResult result = train_with(model_of(small_model(rest)), small_split(), seen);
  EXPECT_EQ(result.end, TrainEnd::early_stop);
  EXPECT_EQ(result.epochs, 4);  // the first sets the mark, three do not beat it
}

TEST(Train, KnowsThatAccuracyIsBetterWhenLarger) {
  const std::string rest = "epochs: 15\n  checkpoint: {best: test.accuracy}";
  Recorder seen;
  const TrainResult result = train_with(model_of(small_model(rest)), small_split(), seen);
  double best = 0;
  std::int64_t epoch = 0;
  for (const TrainEval& eval : seen.evals) {
    const double value = *find_figure(eval.figures, "test.accuracy");
    EXPECT_EQ(eval.best, value > best) << eval.epoch;
    if (value > best) epoch = eval.epoch;
    best = std::max(best, value);
  }
  EXPECT_EQ(result.best_metric, "test.accuracy");
  EXPECT_EQ(result.best_value, best);
  EXPECT_EQ(result.best_epoch, epoch);
}

TEST(Train, RunsInDoubleWhereTheModelAsks) {
  const Model model = model_of(small_model("epochs: 1\n  dtype: f64"));
  DataSplit data = small_split();
  for (Dataset* set : {&data.train, &*data.test}) {
    *set = Dataset({{"x", convert(set->field("x"), DType::f64)}, {"label", set->field("label")}});
  }
  Recorder seen;
  const TrainResult result = train_with(model, data, seen);
  EXPECT_EQ(result.weights[0].tensor.type().dtype, DType::f64);
  EXPECT_EQ(data_inputs(model)[0].dtype, DType::f64);
}

TEST(Train, SaysWhereALossStoppedBeingFinite) {
  const Model model = model_of(small_model("epochs: 30"), {"train.optimizer={sgd: 1e30}"});
  const DataSplit data = small_split();
  const std::string message = error_of([&] {
    Recorder seen;
    train_with(model, data, seen);
  });
  EXPECT_THAT(message, HasSubstr("6 error[E1101]: loss is"));
  EXPECT_THAT(message, HasSubstr("at epoch 1, step"));
  EXPECT_THAT(message, HasSubstr("first non-finite value: output of `"));
  EXPECT_THAT(message, HasSubstr("gradient norm in the "));
  EXPECT_THAT(message, HasSubstr("lower the rate (now 1e+30)"));
}

TEST(Train, PointsAtLabelsThatAreNoClasses) {
  DataSplit data = small_split();
  data.train.field("label").as<std::int32_t>()[5] = 7;
  const Model model = model_of(small_model("epochs: 1\n  shuffle: false"));
  const std::string message = error_of([&] {
    Recorder seen;
    train_with(model, data, seen);
  });
  EXPECT_THAT(message, HasSubstr("loss is NaN at epoch 1, step 1"));
  EXPECT_THAT(message, HasSubstr("`label` holds 0 to 7 in this batch"));
  EXPECT_THAT(message, HasSubstr("check that every label"));
}

TEST(Train, RefusesModelsThatCannotBeTrained) {
  const DataSplit data = small_split();
  const auto message = [&](const std::string& text) {
    return error_of([&] {
      Recorder seen;
      train_with(model_of(text), data, seen);
    });
  };
  const std::string whole = small_model();
  EXPECT_THAT(message(whole.substr(0, whole.find("train:"))), HasSubstr("no `train` section"));
  EXPECT_THAT(message(small_model("early_stop: {watch: val.loss, patience: 2}\n  epochs: 3")),
              HasSubstr("there are: train.loss, train.accuracy, test.loss, test.accuracy"));
  EXPECT_THAT(message(small_model("")), HasSubstr("neither `epochs` nor `steps`"));
}

TEST(Train, RefusesASetWithoutExamples) {
  DataSplit data = small_split();
  data.test = data.test->slice(0, 0);
  EXPECT_THAT(error_of([&] {
                Recorder seen;
                train_with(model_of(small_model()), data, seen);
              }),
              HasSubstr("the test set has no examples"));
}

TEST(Train, ChecksFiguresOfNoEpochsAtAll) {
  Recorder seen;
  const TrainResult result = train_with(model_of(small_model("epochs: 0")), small_split(), seen);
  EXPECT_TRUE(seen.losses.empty());
  EXPECT_FALSE(find_figure(result.figures, "train.loss").has_value());
  EXPECT_TRUE(find_figure(result.figures, "test.loss").has_value());
}

TEST(Evaluate, CoversEveryExampleOnceWhateverTheBatch) {
  const Model model = model_of(small_model());
  const std::vector<NamedTensor> weights = initial_weights(parameter_specs(model), 1);
  const Dataset data = small_data(50, 3);
  const Figures whole = evaluate(model, weights, data, {.batch = 50});
  const Figures parts = evaluate(model, weights, data, {.batch = 7});
  ASSERT_EQ(whole.size(), 2u);
  EXPECT_EQ(whole[0].first, "loss");
  EXPECT_EQ(whole[1].first, "accuracy");
  EXPECT_NEAR(whole[0].second, parts[0].second, 1e-6);
  EXPECT_NEAR(whole[1].second, parts[1].second, 1e-6);
}

TEST(Evaluate, LeavesDropoutOut) {
  const Model with = model_of(small_model());
  const Model without = model_of(small_model(), {"drop=0"});
  const std::vector<NamedTensor> weights = initial_weights(parameter_specs(with), 1);
  const Dataset data = small_data(50, 3);
  EXPECT_EQ(evaluate(with, weights, data, {}), evaluate(without, weights, data, {}));
}

TEST(FindFigure, ReadsPathsOfSetAndName) {
  const SetFigures figures = {{"train", {{"loss", 1}}}, {"test", {{"loss", 2}, {"accuracy", 3}}}};
  EXPECT_EQ(find_figure(figures, "test.accuracy"), 3);
  EXPECT_EQ(find_figure(figures, "train.loss"), 1);
  EXPECT_FALSE(find_figure(figures, "val.loss").has_value());
  EXPECT_FALSE(find_figure(figures, "test").has_value());
  EXPECT_FALSE(find_figure(figures, "test.").has_value());
}

TEST(StepBenchmark, RunsStepsWithoutDataAndLeavesTheNumbersAsTheyAre) {
  StepBenchmark bench(model_of(small_model()), 32, 1);
  bench.run();
  const double first = bench.loss();
  bench.run();
  EXPECT_EQ(bench.loss(), first);
  EXPECT_TRUE(std::isfinite(first));
  // Two products forward, two backward for the weights and one for the hidden values.
  EXPECT_EQ(bench.flops(), 2.0 * 32 * (2 * 6 * 16 + 3 * 16 * 3));
}

}  // namespace
}  // namespace limen
