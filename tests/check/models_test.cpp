#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include <limen/gradient_check.hpp>
#include <limen/model.hpp>
#include <limen/plugin_registry.hpp>

namespace limen {
namespace {

// Every model that ships, as `limen gradcheck MODEL` checks it.
TEST(CheckModel, PassesEveryModelOfTheModelsFolder) {
  PluginRegistry registry;
  registry.load_directory(LIMEN_SHIPPED_PLUGINS);
  int models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(LIMEN_SOURCE_DIR "/models")) {
    if (entry.path().extension() != ".yaml") continue;
    const Model model = Model::load(entry.path().string(), registry);
    BuildOptions build;
    build.float_type = DType::f64;
    build.training = build.loss = model.has_loss();
    for (const InputSpec& input : model.inputs()) {
      for (const Dim& dim : input.dims) {
        if (!dim.symbol.empty()) build.sizes[dim.symbol] = 4;
      }
    }
    const CheckReport report = check_graph(model.build(build).graph);
    EXPECT_EQ(report.verdict, Verdict::pass) << entry.path() << '\n' << to_text(report, true);
    EXPECT_GE(report.checks.size(), 4u) << entry.path();
    ++models;
  }
  EXPECT_GE(models, 5);
}

}  // namespace
}  // namespace limen
