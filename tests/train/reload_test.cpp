// Plugins whose files change while a model is trained with them.
#include <limen/train.hpp>

#include <filesystem>
#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/environment.hpp"
#include "support/scratch.hpp"
#include "train/train_support.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;
using test::Scratch;
using ::testing::HasSubstr;

class ReloadRecorder : public Recorder {
 public:
  void on_step(const TrainStep& step) override {
    Recorder::on_step(step);
    if (after_step) after_step(step.step);
  }
  void on_plugin(const LoadedPlugin& plugin) override {
    versions.emplace_back(plugin.version());
    generation = plugin.generation;
  }
  void on_warning(const Diagnostic& warning) override {
    warnings.push_back(warning.code + " " + warning.message);
  }

  std::function<void(std::int64_t)> after_step;
  std::vector<std::string> versions, warnings;
  int generation = 1;
};

class Reload : public TrainFolderTest {
 protected:
  // The plugin with other texts of the same length.
  static std::string variant(const std::string& from, const std::string& to) {
    std::string bytes = Scratch::read(LIMEN_TRAIN_PLUGIN);
    for (std::size_t at = 0; (at = bytes.find(from, at)) != std::string::npos; at += to.size()) {
      bytes.replace(at, to.size(), to);
    }
    return bytes;
  }
  void put(const std::string& bytes) const {  // as an installer would
    std::ofstream(path("new"), std::ios::binary) << bytes;
    fs::rename(path("new"), path("square.so"));
  }

  // Trains for some steps; after each the callback may change the plugin's file.
  TrainResult train_steps(std::int64_t steps, bool watch, ReloadRecorder& seen) const {
    put(variant("1.0.0", "1.0.0"));
    PluginRegistry registry;
    registry.load(path("square.so"));
    std::string text = small_model("steps: " + std::to_string(steps));
    text.replace(text.find("- relu"), 6, "- odd_square");
    text.replace(text.find("adam: 0.01"), 10, "sgd: 0.0001");
    registry.load_default();
    const Model model = Model::parse(text, "test.yaml", registry);
    TrainOptions options;
    options.watch = watch ? &registry : nullptr;
    options.watch_quiet = std::chrono::milliseconds(0);
    const DataSplit data = small_split();
    const TrainResult result = train(model, data, options, seen);
    used_ = model.plugins_used();
    return result;
  }

  test::Environment cache_{"LIMEN_CACHE", path("cache")};
  mutable std::vector<std::string> used_;
};

TEST_F(Reload, AThousandReloadsLoseNoStep) {
  constexpr int kSteps = 1001, kContents = 50;
  std::vector<std::string> files;
  for (int i = 0; i < kContents; ++i) {
    files.push_back(variant("1.0.0", "1." + std::to_string(100 + i)));
  }
  ReloadRecorder seen, plain;
  seen.after_step = [&](std::int64_t step) {
    put(files[static_cast<std::size_t>(step) % files.size()]);
  };
  const TrainResult reloaded = train_steps(kSteps, true, seen);
  EXPECT_THAT(used_, testing::Contains("odd_square@org.example.odd_square/1.100"));
  EXPECT_EQ(reloaded.steps, kSteps);
  EXPECT_EQ(seen.losses.size(), static_cast<std::size_t>(kSteps));
  EXPECT_EQ(seen.versions.size(), static_cast<std::size_t>(kSteps - 1));
  EXPECT_EQ(seen.generation, kSteps);
  EXPECT_THAT(seen.warnings, testing::IsEmpty());
  // The new code computes the same, so every number must be the same.
  const TrainResult unwatched = train_steps(kSteps, false, plain);
  EXPECT_EQ(seen.losses, plain.losses);
  EXPECT_EQ(bytes_of(reloaded.weights), bytes_of(unwatched.weights));
}

TEST_F(Reload, WhatDoesNotFitIsRefusedAndTrainingGoesOn) {
  ReloadRecorder seen;
  seen.after_step = [&](std::int64_t step) {
    if (step == 3) put(variant("odd_square", "odd_circle"));
    if (step == 6) put("no library");
    if (step == 9) put(variant("1.0.0", "1.0.9"));
  };
  EXPECT_EQ(train_steps(20, true, seen).steps, 20);
  ASSERT_EQ(seen.warnings.size(), 2u);
  EXPECT_THAT(seen.warnings[0], HasSubstr("E0511 cannot take the place of the loaded one: "));
  EXPECT_THAT(seen.warnings[0], HasSubstr("op \"odd_square\": is gone"));
  EXPECT_THAT(seen.warnings[1], HasSubstr("E0502 not an ELF file"));
  EXPECT_THAT(seen.versions, testing::ElementsAre("1.0.9"));
}

TEST_F(Reload, AFileOverwrittenInPlaceDoesNotEndTheProcess) {
  ReloadRecorder seen;
  seen.after_step = [&](std::int64_t step) {
    if (step == 3) std::ofstream(path("square.so"), std::ios::in) << std::string(30000, '\xff');
    if (step == 5) fs::resize_file(path("square.so"), 10);
    if (step == 8) std::ofstream(path("square.so")) << variant("1.0.0", "1.0.7");
  };
  EXPECT_EQ(train_steps(20, true, seen).steps, 20);
  EXPECT_THAT(seen.warnings, testing::SizeIs(1));
  EXPECT_THAT(seen.versions, testing::ElementsAre("1.0.7"));
}

}  // namespace
}  // namespace limen
