// Plugins that compute in one element type only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include <limen/gradient_check.hpp>
#include <limen/plugin_registry.hpp>

namespace limen {
namespace {

// The ops of tests/check/faults have two kernels in f64 and the same two in f32.
limen_op only(const limen_op& op, std::uint32_t dtype) {
  limen_op one = op;
  one.dtypes = dtype;
  one.n_kernels = 2;
  if (dtype == LIMEN_F32) one.kernels = op.kernels + 2;
  return one;
}

std::vector<limen_op> ops(PluginRegistry& registry, const char* name, std::uint32_t dtype) {
  const limen_plugin& plugin =
      *registry.load(std::filesystem::path(LIMEN_FAULTY_PLUGINS) / name)->descriptor;
  std::vector<limen_op> result;
  for (std::uint32_t i = 0; i < plugin.n_ops; ++i) result.push_back(only(*plugin.ops[i], dtype));
  return result;
}

TEST(OneDType, CatchesMutantsInF64Alone) {
  PluginRegistry registry;
  for (const limen_op& op : ops(registry, "check_mutants.so", LIMEN_F64)) {
    const CheckReport report = check_activation(op);
    const bool right = std::string(op.name).starts_with("float_only");
    EXPECT_EQ(report.verdict, right ? Verdict::pass : Verdict::fail) << to_text(report, true);
  }
}

// Errors of 1e-4 and less are nothing in f32.
TEST(OneDType, CatchesWhatF32CanShowInF32Alone) {
  const std::set<std::string> invisible{"float_literal", "relative_1e7", "gelu_rough_constant"};
  PluginRegistry registry;
  for (const limen_op& op : ops(registry, "check_mutants.so", LIMEN_F32)) {
    const CheckReport report = check_activation(op);
    EXPECT_EQ(report.verdict == Verdict::fail, !invisible.contains(op.name)) << to_text(report);
  }
}

TEST(OneDType, RejectsNoRightOpInF32OrF64Alone) {
  PluginRegistry registry;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_op& op : ops(registry, "check_tricky.so", dtype)) {
      const CheckReport report = check_activation(op);
      EXPECT_NE(report.verdict, Verdict::fail) << to_text(report);
      if (dtype == LIMEN_F64) {
        EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report);
      }
    }
  }
}

TEST(OneDType, SaysThatF32AloneShowsLess) {
  PluginRegistry registry;
  const auto narrow = check_activation(ops(registry, "check_tricky.so", LIMEN_F32)[0]);
  ASSERT_EQ(narrow.notes.size(), 1u);
  EXPECT_THAT(narrow.notes[0], testing::HasSubstr("no f64"));
  EXPECT_TRUE(check_activation(ops(registry, "check_tricky.so", LIMEN_F64)[0]).notes.empty());
}

}  // namespace
}  // namespace limen
