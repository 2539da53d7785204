// limen train, eval and bench: events, run folders, interruption, resuming.
#include <csignal>

#include "tools/support/program.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Train : public Program {
 protected:
  void SetUp() override { write("m.yaml", kSmallModel); }

  std::string checkpoint(const std::string& run) const {
    return Scratch::read(scratch_.path(run + "/ckpt/last.safetensors"));
  }

  // The weights and slots of a checkpoint: everything behind the header, where times stand.
  std::string tensors(const std::string& run) const {
    const std::string bytes = checkpoint(run);
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), 8);
    return bytes.substr(8 + header);
  }
};

TEST_F(Train, TheLastJsonLineIsTheResult) {
  const auto events = lines(good({"train", "m.yaml", "--out", "run", "--json"}));
  EXPECT_EQ(events.front()["event"], "start");
  EXPECT_EQ(events.front()["parameters"], 42);
  const Json& done = events.back();
  EXPECT_EQ(done["event"], "done");
  EXPECT_EQ(done["epochs"], 3);
  EXPECT_TRUE(done["seconds"].is_number());
  EXPECT_TRUE(done["train"]["loss"].is_number());
  EXPECT_TRUE(done["test"]["loss"].is_number());
  EXPECT_TRUE(done["test"]["accuracy"].is_number());
  EXPECT_FALSE(done.contains("val"));
  int steps = 0, evals = 0, checkpoints = 0;
  for (const Json& event : events) {
    steps += event["event"] == "step";
    evals += event["event"] == "eval";
    checkpoints += event["event"] == "checkpoint";
  }
  EXPECT_EQ(steps, 30);
  EXPECT_EQ(evals, 3);
  EXPECT_GE(checkpoints, 4);
}

TEST_F(Train, ARunFolderHoldsWhatItNeeds) {
  const std::string text = good({"train", "m.yaml", "--out", "run"});
  EXPECT_THAT(text, HasSubstr("done  3 epochs in "));
  EXPECT_THAT(text, HasSubstr("next: limen eval run"));
  for (const char* name : {"source.yaml", "command.txt", "env.json", "metrics.jsonl",
                           "ckpt/last.safetensors", "ckpt/best.safetensors"}) {
    EXPECT_TRUE(std::filesystem::exists(scratch_.path(std::string("run/") + name))) << name;
  }
  EXPECT_THAT(good({"summary", "run"}), HasSubstr("42 parameters"));
  const Outcome again = limen({"train", "m.yaml", "--out", "run"});
  EXPECT_EQ(again.exit, 4);
  EXPECT_THAT(again.err, HasSubstr("holds a run already"));
}

TEST_F(Train, WithoutOutRunsAreNumbered) {
  good({"train", "m.yaml", "--steps", "1", "-q"});
  good({"train", "m.yaml", "--steps", "1", "-q"});
  EXPECT_TRUE(std::filesystem::exists(scratch_.path("runs/small/1/source.yaml")));
  EXPECT_TRUE(std::filesystem::exists(scratch_.path("runs/small/2/source.yaml")));
}

TEST_F(Train, PlainLinesHoldNoControlCharacters) {
  const Outcome outcome = limen({"train", "m.yaml", "--out", "run"});
  EXPECT_THAT(outcome.err,
              StartsWith("small  42 parameters  200 train / 40 test  batch 20  sgd lr 0.1"
                         "  seed 5  1 thread\n"));
  EXPECT_THAT(outcome.err, HasSubstr("epoch=3/3 step=30 loss="));
  EXPECT_THAT(outcome.err, HasSubstr(" test.accuracy="));
  EXPECT_EQ(outcome.err.find('\r'), std::string::npos);
  EXPECT_EQ(outcome.err.find('\033'), std::string::npos);
  EXPECT_EQ(limen({"train", "m.yaml", "--out", "b", "-q"}).err, "");
}

TEST_F(Train, SettingsOfTheCommandLineHold) {
  const auto events =
      lines(good({"train", "m.yaml", "--out", "run", "--json", "--epochs", "2", "--set",
                  "train.seed=9", "-s", "train.optimizer={adam: 0.01}", "--threads", "2"}));
  EXPECT_EQ(events.front()["seed"], 9);
  EXPECT_EQ(events.front()["optimizer"], "adam");
  EXPECT_EQ(events.front()["threads"], 2);
  EXPECT_EQ(events.back()["epochs"], 2);
}

TEST_F(Train, CtrlCSavesAndTheResumedRunEqualsTheWholeOne) {
  const std::string epochs = "400";
  good({"train", "m.yaml", "--out", "whole", "--epochs", epochs, "-q"});
  Command wanted = command({"train", "m.yaml", "--out", "cut", "--epochs", epochs});
  wanted.folder = scratch_.folder();
  Child child(wanted);
  ASSERT_TRUE(child.wait_for("epoch=2/"));
  child.send(SIGINT);
  const Outcome cut = child.wait();
  ASSERT_EQ(cut.exit, 130) << cut.err;
  EXPECT_THAT(cut.err, HasSubstr("interrupted after step "));
  EXPECT_THAT(cut.err, HasSubstr("go on with: limen train --resume cut\n"));
  EXPECT_NE(tensors("cut"), tensors("whole"));
  good({"train", "--resume", "cut", "-q"});
  EXPECT_EQ(tensors("cut"), tensors("whole"));
}

TEST_F(Train, SigtermSavesToo) {
  Command wanted = command({"train", "m.yaml", "--out", "cut", "--epochs", "100000"});
  wanted.folder = scratch_.folder();
  Child child(wanted);
  ASSERT_TRUE(child.wait_for("epoch=1/"));
  child.send(SIGTERM);
  EXPECT_EQ(child.wait().exit, 143);
  EXPECT_EQ(limen({"eval", "cut"}).exit, 0);
}

TEST_F(Train, AKilledRunLeavesACheckpointThatLoads) {
  Command wanted = command({"train", "m.yaml", "--out", "cut", "--epochs", "100000"});
  wanted.folder = scratch_.folder();
  Child child(wanted);
  ASSERT_TRUE(child.wait_for("epoch=3/"));
  child.send(SIGKILL);
  EXPECT_EQ(child.wait().signal, SIGKILL);
  EXPECT_EQ(limen({"eval", "cut"}).exit, 0);
  EXPECT_EQ(limen({"train", "--resume", "cut", "--epochs", "4"}).exit, 0);
}

TEST_F(Train, EvaluationSaysWhetherARequirementIsMet) {
  good({"train", "m.yaml", "--out", "run", "-q"});
  EXPECT_EQ(limen({"eval", "run", "--require", "accuracy>=0"}).exit, 0);
  const Outcome unmet =
      limen({"eval", "run", "--require", "test.accuracy > 1", "--require", "loss<9"});
  EXPECT_EQ(unmet.exit, 1);
  EXPECT_THAT(unmet.err, StartsWith("not met: test.accuracy > 1 (accuracy is "));
  const Json json = good_json({"eval", "run", "--set-name", "train", "--json"});
  EXPECT_EQ(json["set"], "train");
  EXPECT_EQ(json["examples"], 200);
  EXPECT_TRUE(json["train"]["accuracy"].is_number());
  EXPECT_EQ(limen({"eval", "run", "--require", "accuracy"}).exit, 2);
  EXPECT_EQ(limen({"eval", "run", "--require", "precision>0"}).exit, 2);
  EXPECT_EQ(limen({"eval", "run", "--set-name", "val"}).exit, 3);
  EXPECT_EQ(limen({"eval", "nowhere"}).exit, 4);
}

TEST_F(Train, EvaluationAgreesWithTheTraining) {
  const auto events = lines(good({"train", "m.yaml", "--out", "run", "--json"}));
  const Json json = good_json({"eval", "run", "--weights", "run/ckpt/last.safetensors", "--json"});
  EXPECT_EQ(json["test"], events.back()["test"]);
}

TEST_F(Train, ALossThatIsNotFiniteEndsWithExitCode6) {
  const Outcome outcome =
      limen({"train", "m.yaml", "--out", "run", "--set", "train.optimizer={sgd: 1e39}"});
  EXPECT_EQ(outcome.exit, 6) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("E1101"));
}

TEST_F(Train, BenchmarksBothModes) {
  for (const char* mode : {"train", "run"}) {
    const Json json = good_json({"bench", "m.yaml", "--mode", mode, "--batch", "16", "--threads",
                                 "1", "--repeat", "20", "--json", "--per-op"});
    EXPECT_EQ(json["mode"], mode);
    EXPECT_EQ(json["batch"], 16);
    EXPECT_GT(json["median_us"].get<double>(), 0);
    EXPECT_GE(json["mad_us"].get<double>(), 0);
    EXPECT_GT(json["gflops"].get<double>(), 0);
    EXPECT_FALSE(json["ops"].empty());
  }
}

TEST_F(Train, SummaryCountsParametersAndKeepsFreeSizes) {
  const Json json = good_json({"summary", "m.yaml", "--json"});
  EXPECT_EQ(json["kind"], "summary");
  EXPECT_EQ(json["total_params"], 42);
  EXPECT_EQ(json["steps"][0]["name"], "dense1");
  EXPECT_EQ(json["steps"][0]["shape"], Json::parse(R"(["N", 8])"));
  EXPECT_EQ(json["steps"][0]["params"], Json::parse(R"({"weight": [8, 2], "bias": [8]})"));
  EXPECT_EQ(json["steps"][2]["name"], "scores");
  EXPECT_EQ(json["steps"][2]["at"]["line"], 9);
}

}  // namespace
}  // namespace limen::test
