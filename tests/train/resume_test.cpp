// Interrupting, killing and resuming: the result must equal that of a run never stopped.
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/train_support.hpp"

namespace limen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using ResumeTest = TrainFolderTest;

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// Stops after this many steps of the process.
std::function<bool()> after(int steps) {
  return [left = steps]() mutable { return --left == 0; };
}

const char* const kEverything =
    "epochs: 4\n  schedule: {cosine: {warmup: 5 steps}}\n  clip: {norm: 1.0}\n"
    "  eval: 3 steps\n  early_stop: {watch: test.loss, patience: 50}";

TEST_F(ResumeTest, EqualsTheRunNeverStoppedBitForBitWhereverItStopped) {
  const DataSplit data = small_split();
  for (const char* const optimizer :
       {"{adam: 0.01}", "{sgd: {lr: 0.05, momentum: 0.9, nesterov: true}}",
        "{rmsprop: {centered: true, momentum: 0.5}}", "{adamw: 0.01}"}) {
    const Model model =
        model_of(small_model(kEverything), {std::string("train.optimizer=") + optimizer});
    Recorder whole;
    const TrainResult expected = train(model, data, {}, whole);
    // 7 steps are an epoch: in its middle, before its short batch, at its end, and at an
    // evaluation.
    for (const int stop : {1, 6, 7, 9, 17}) {
      const RunFolder run = new_run(std::to_string(stop) + optimizer, model);
      Recorder first, second;
      const TrainResult stopped =
          train(model, data, {.folder = &run, .interrupted = after(stop)}, first);
      EXPECT_EQ(stopped.end, TrainEnd::interrupted);
      EXPECT_EQ(stopped.steps, stop);
      const TrainResult resumed =
          train(model, data, {.threads = 2, .folder = &run, .resume = true}, second);
      EXPECT_TRUE(bytes_of(resumed.weights) == bytes_of(expected.weights)) << optimizer << stop;
      EXPECT_EQ(resumed.figures, expected.figures) << optimizer << stop;
      EXPECT_EQ(resumed.best_value, expected.best_value) << optimizer << stop;
      EXPECT_EQ(resumed.best_epoch, expected.best_epoch) << optimizer << stop;
      std::vector<double> losses = first.losses;
      losses.insert(losses.end(), second.losses.begin(), second.losses.end());
      EXPECT_EQ(losses, whole.losses) << optimizer << stop;
      EXPECT_EQ(second.start.resumed->step, stop);
      EXPECT_THAT(second.start.changes, ElementsAre());
    }
  }
}

TEST_F(ResumeTest, LeavesMetricsAsTheRunNeverStoppedWould) {
  const DataSplit data = small_split();
  const Model model = model_of(small_model(kEverything));
  const auto figures_of = [](const RunFolder& run) {
    std::ifstream file(run.path() + "/metrics.jsonl");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      const std::size_t from = line.find("\"seconds\""), to = line.find("\"train\"");
      lines.push_back(line.erase(from, to - from));
    }
    return lines;
  };
  const RunFolder whole = new_run("whole", model), parts = new_run("parts", model);
  Recorder seen;
  train(model, data, {.folder = &whole}, seen);
  train(model, data, {.folder = &parts, .interrupted = after(10)}, seen);
  // What a killed process may leave: a line of a later step, and half a line.
  parts.add_metrics(R"({"step":11,"epoch":9,"train":{}})");
  std::ofstream(parts.path() + "/metrics.jsonl", std::ios::app) << "{\"step\":1";
  train(model, data, {.folder = &parts, .resume = true}, seen);
  EXPECT_EQ(figures_of(parts), figures_of(whole));
  EXPECT_EQ(figures_of(whole).size(), 12u);  // 4 ends of epochs, and every third step: one is both
}

TEST_F(ResumeTest, GoesOnAfterAKillAtAnyMoment) {
  const DataSplit data = small_split();
  const Model model = model_of(small_model("epochs: 400\n  shuffle: true"));
  Recorder whole;
  const TrainResult expected = train(model, data, {}, whole);
  const RunFolder run = new_run("run", model);
  bool resume = false;
  for (const int milliseconds : {150, 90, 210}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      // A checkpoint after every step or so, and only _exit: nothing of the parent is touched.
      Recorder quiet;
      try {
        train(model, data, {.folder = &run, .resume = resume, .checkpoint_seconds = 0}, quiet);
      } catch (const std::exception&) {
        _exit(1);
      }
      _exit(0);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    resume = std::filesystem::exists(run.checkpoint("last"));
    if (resume) {
      EXPECT_NO_THROW(load_checkpoint(run.checkpoint("last")));
    }
  }
  ASSERT_TRUE(resume) << "killed before the first checkpoint";
  Recorder seen;
  const TrainResult resumed = train(model, data, {.folder = &run, .resume = true}, seen);
  EXPECT_TRUE(bytes_of(resumed.weights) == bytes_of(expected.weights));
  EXPECT_EQ(resumed.figures, expected.figures);
}

TEST_F(ResumeTest, SavesAtTheStartAfterEveryEpochAndAtTheEnd) {
  const Model model = model_of(small_model());
  const RunFolder run = new_run("run", model);
  Recorder seen;
  train(model, small_split(), {.folder = &run}, seen);
  std::vector<std::int64_t> last;
  for (const TrainCheckpoint& saved : seen.checkpoints) {
    if (!saved.best) last.push_back(saved.step);
  }
  EXPECT_THAT(last, ElementsAre(0, 7, 14, 21, 21));
  EXPECT_TRUE(summarize(load_checkpoint(run.checkpoint("last"))).finished);
  EXPECT_TRUE(std::filesystem::exists(run.checkpoint("best")));
}

TEST_F(ResumeTest, SavesInsideAnEpochWhenTimeHasPassed) {
  const Model model = model_of(small_model("epochs: 1"));
  const RunFolder run = new_run("run", model);
  Recorder seen;
  train(model, small_split(), {.folder = &run, .checkpoint_seconds = 0}, seen);
  EXPECT_EQ(std::ranges::count(seen.checkpoints, 3, &TrainCheckpoint::step), 1);
}

TEST_F(ResumeTest, KeepsTheNewestNumberedCheckpoints) {
  const Model model = model_of(small_model("epochs: 2\n  checkpoint: {every: 3 steps, keep: 2}"));
  const RunFolder run = new_run("run", model);
  Recorder seen;
  train(model, small_split(), {.folder = &run}, seen);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(run.path() + "/ckpt")) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("best.safetensors", "last.safetensors",
                                                     "step-000000009.safetensors",
                                                     "step-000000012.safetensors"));
}

TEST_F(ResumeTest, BestHoldsTheWeightsOfTheBestEvaluation) {
  const Model model = model_of(small_model("epochs: 12\n  checkpoint: {best: test.accuracy}"));
  const RunFolder run = new_run("run", model);
  const DataSplit data = small_split();
  Recorder seen;
  const TrainResult result = train(model, data, {.folder = &run}, seen);
  const std::vector<NamedTensor> best =
      load_weights(run.checkpoint("best"), parameter_specs(model));
  EXPECT_EQ(evaluate(model, best, *data.test, {})[1].second, result.best_value);
}

TEST_F(ResumeTest, TrainsOnWithMoreEpochsAndSaysWhatChanged) {
  const DataSplit data = small_split();
  const Model few = model_of(small_model("epochs: 2")), more = model_of(small_model("epochs: 5"));
  Recorder seen;
  const TrainResult expected = train(more, data, {}, seen);
  const RunFolder run = new_run("run", few);
  train(few, data, {.folder = &run}, seen);
  const TrainResult resumed = train(more, data, {.folder = &run, .resume = true}, seen);
  EXPECT_THAT(seen.start.changes, ElementsAre("train.epochs: 2 → 5"));
  EXPECT_TRUE(bytes_of(resumed.weights) == bytes_of(expected.weights));
}

TEST_F(ResumeTest, RemembersALengthGivenOnTheCommandLine) {
  const DataSplit data = small_split();
  const Model model = model_of(small_model("epochs: 9"));
  const RunFolder run = new_run("run", model);
  Recorder seen;
  train(model, data, {.epochs = 3, .folder = &run, .interrupted = after(4)}, seen);
  EXPECT_EQ(train(model, data, {.folder = &run, .resume = true}, seen).epochs, 3);
  const Model changed = model_of(small_model("epochs: 4"));
  EXPECT_EQ(train(changed, data, {.folder = &run, .resume = true}, seen).epochs, 4);
}

TEST_F(ResumeTest, RefusesChangesThatMakeTheStateMeaningless) {
  const DataSplit data = small_split();
  const std::string text = small_model("epochs: 3");
  const Model model = model_of(text);
  const RunFolder run = new_run("run", model);
  Recorder seen;
  train(model, data, {.folder = &run, .interrupted = after(10)}, seen);
  const auto message = [&](const std::string& set) {
    const Model changed = model_of(text, {set});
    return error_of([&] { train(changed, data, {.folder = &run, .resume = true}, seen); });
  };
  EXPECT_THAT(message("train.optimizer={sgd: 0.1}"), HasSubstr("E1005"));
  EXPECT_THAT(message("train.optimizer={sgd: 0.1}"), HasSubstr("from adam to sgd"));
  EXPECT_THAT(message("graph.fc.units=17"), HasSubstr("E1002"));
  EXPECT_THAT(message("train.seed=5"), HasSubstr("inside an epoch"));
  EXPECT_THAT(message("train.shuffle=false"), HasSubstr("E1005"));
  EXPECT_EQ(message("train.optimizer={adam: 0.001}"), "no error");
}

TEST_F(ResumeTest, RefusesACheckpointOfWeightsAlone) {
  const Model model = model_of(small_model());
  const RunFolder run = new_run("run", model);
  save_checkpoint(run.checkpoint("last"), {initial_weights(parameter_specs(model), 1), {}, {}});
  Recorder seen;
  EXPECT_THAT(
      error_of([&] { train(model, small_split(), {.folder = &run, .resume = true}, seen); }),
      HasSubstr("E1001"));
}

TEST_F(ResumeTest, SurvivesPositionsThatNoTrainingWrote) {
  const DataSplit data = small_split();
  const Model model = model_of(small_model("epochs: 2"));
  const RunFolder run = new_run("run", model);
  Recorder seen;
  train(model, data, {.folder = &run, .interrupted = after(3)}, seen);
  const Checkpoint good = load_checkpoint(run.checkpoint("last"));
  const auto resumed_with = [&](const std::string& key, const std::string& value) {
    Checkpoint bad = good;
    bad.metadata[key] = value;
    save_checkpoint(run.checkpoint("last"), bad);
    return error_of([&] { train(model, data, {.folder = &run, .resume = true}, seen); });
  };
  EXPECT_THAT(resumed_with("position.examples", "100"), HasSubstr("at example 100 of 100"));
  EXPECT_THAT(resumed_with("position.examples", "1000000000000"), HasSubstr("E1001"));
  EXPECT_THAT(resumed_with("position.step", "-3"), HasSubstr("E1001"));
  EXPECT_EQ(resumed_with("position.epoch", "1000000000000000000"), "no error");
  EXPECT_EQ(resumed_with("position.step", "1000000000000000000"), "no error");
  EXPECT_EQ(resumed_with("position.examples", "0"), "no error");
  EXPECT_EQ(resumed_with("running.2.more", "1"), "no error");
  EXPECT_EQ(resumed_with("running.0.loss", "nan"), "no error");
  EXPECT_THAT(resumed_with("best.metric", "no.such"), HasSubstr("no `best.value` in it"));
  EXPECT_EQ(resumed_with("train.epochs", "many"), "no error");
}

TEST_F(ResumeTest, StartsFromGivenWeightsWithoutTheirOptimizerState) {
  const DataSplit data = small_split();
  const Model model = model_of(small_model("epochs: 1"));
  const RunFolder run = new_run("run", model);
  Recorder seen, from_seed, from_file;
  train(model, data, {.folder = &run}, seen);
  save_checkpoint(path("start.safetensors"), {initial_weights(parameter_specs(model), 4),
                                              load_checkpoint(run.checkpoint("last")).slots,
                                              {}});
  train(model, data, {}, from_seed);
  train(model, data, {.weights = path("start.safetensors")}, from_file);
  EXPECT_EQ(from_seed.losses, from_file.losses);
}

TEST_F(ResumeTest, SavesTheStateBeforeALossThatIsNotFinite) {
  const Model model = model_of(small_model(), {"train.optimizer={sgd: 1e30}"});
  const RunFolder run = new_run("run", model);
  Recorder seen;
  EXPECT_THAT(error_of([&] { train(model, small_split(), {.folder = &run}, seen); }),
              HasSubstr("E1101"));
  EXPECT_EQ(summarize(load_checkpoint(run.checkpoint("nan"))).step,
            static_cast<std::int64_t>(seen.losses.size()));
}

TEST_F(ResumeTest, HoldsWhatAnotherToolNeedsToKnow) {
  const Model model = model_of(small_model(), {"graph.fc.units=8"});
  const RunFolder run = new_run("run", model);
  Recorder seen;
  train(model, small_split(), {.folder = &run}, seen);
  const Checkpoint last = load_checkpoint(run.checkpoint("last"));
  EXPECT_EQ(last.metadata.at("model"), model.source());
  EXPECT_EQ(last.metadata.at("set.0"), "graph.fc.units=8");
  EXPECT_EQ(last.metadata.at("train.seed"), "4");
  EXPECT_THAT(last.metadata.at("plugin.0"), HasSubstr("relu"));
  EXPECT_TRUE(last.metadata.contains("limen"));
  std::vector<std::string> names;
  for (const NamedTensor& weight : last.weights) names.push_back(weight.name);
  EXPECT_THAT(names,
              ::testing::UnorderedElementsAre("fc.bias", "fc.weight", "out.bias", "out.weight"));
  EXPECT_EQ(last.slots.size(), 8u);
}

using RunFolderTest = TrainFolderTest;

TEST_F(RunFolderTest, HoldsTheSourceTheCommandAndTheSurroundings) {
  const Model model = model_of(small_model());
  const std::vector<std::string> command = {"limen", "train", "my model.yaml", "--set", "a='b'"};
  const RunFolder run = RunFolder::create(path("run"), model, command, 2);
  EXPECT_EQ(read_file(path("run/source.yaml")), small_model());
  EXPECT_EQ(read_file(path("run/command.txt")),
            "limen train 'my model.yaml' --set 'a='\\''b'\\'''\n");
  EXPECT_THAT(read_file(path("run/env.json")), HasSubstr("\"threads\": 2"));
  EXPECT_THAT(read_file(path("run/env.json")),
              testing::ContainsRegex("\"plugin_sha256\": .\"[^\"]*\\.so\": \"[0-9a-f]+\""));
  EXPECT_TRUE(RunFolder::is_run(path("run")));
  EXPECT_FALSE(RunFolder::is_run(path("")));
}

TEST_F(RunFolderTest, RefusesAFolderThatHoldsARunAndOneThatHoldsNone) {
  const Model model = model_of(small_model());
  new_run("run", model);
  EXPECT_THAT(error_of([&] { new_run("run", model); }), HasSubstr("E1003"));
  EXPECT_THAT(error_of([&] { RunFolder::open(path("elsewhere")); }), HasSubstr("E1004"));
  std::ofstream(path("file")) << "x";
  EXPECT_THAT(error_of([&] { new_run("file", model); }), HasSubstr("E0903"));
}

TEST_F(RunFolderTest, NumbersRunsByModelNameInsideTheRunsFolder) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  const Model model = model_of(small_model());
  std::string text = small_model();
  text.erase(text.find("name: small\n"), 12);
  PluginRegistry registry;
  registry.load_default();
  const Model odd = Model::parse(text, "/tmp/.. odd.yaml", registry);
  const std::vector<std::string> command;
  EXPECT_EQ(RunFolder::create("", model, command, 1).path(), "runs/small/1");
  EXPECT_EQ(RunFolder::create("", model, command, 1).path(), "runs/small/2");
  EXPECT_EQ(RunFolder::create("", odd, command, 1).path(), "runs/_.._odd/1");
  std::filesystem::current_path(before);
}

TEST_F(RunFolderTest, GivesBackTheModelWithItsChanges) {
  const Model model = model_of(small_model(), {"graph.fc.units=8"});
  const RunFolder run = new_run("run", model);
  Recorder seen;
  train(model, small_split(), {.folder = &run}, seen);
  PluginRegistry registry;
  registry.load_default();
  const Model back = RunFolder::open(path("run")).load_model(registry);
  EXPECT_EQ(parameter_specs(back)[0].type.shape, Shape({8, 6}));
  EXPECT_THAT(back.file(), ::testing::EndsWith("/test.yaml"));
  const std::vector<std::string> sets = {"graph.fc.units=9"};
  EXPECT_EQ(parameter_specs(run.load_model(registry, sets))[0].type.shape, Shape({9, 6}));
}

}  // namespace
}  // namespace limen
