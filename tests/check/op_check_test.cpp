#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <limen/error.hpp>
#include <limen/gradient_check.hpp>
#include <limen/plugin_registry.hpp>

namespace limen {
namespace {

class CheckOp : public testing::TestWithParam<std::string> {};

TEST_P(CheckOp, PassesInFirstAndSecondOrder) {
  PluginRegistry registry;
  for (const std::uint64_t seed : {0u, 1u}) {
    CheckOptions options;
    options.seed = seed;
    const CheckReport report = check_op(GetParam(), registry, options);
    EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report);
    EXPECT_THAT(report.notes, testing::IsEmpty());
  }
}
INSTANTIATE_TEST_SUITE_P(All, CheckOp, testing::ValuesIn(checkable_ops()),
                         [](const auto& row) { return row.param; });

TEST(CheckOpByName, FindsActivationsToo) {
  PluginRegistry registry;
  registry.load_directory(LIMEN_SHIPPED_PLUGINS);
  for (const char* name : {"tanh", "relu", "softmax"}) {
    const CheckReport report = check_op(name, registry);
    EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report);
    EXPECT_EQ(report.subject, "op:" + std::string(name));
    EXPECT_TRUE(report.checks.back().op.ends_with("in a graph), second order"))
        << report.checks.back().op;
  }
}

TEST(CheckOpByName, SuggestsTheNearestName) {
  PluginRegistry registry;
  try {
    check_op("matmull", registry);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    EXPECT_THAT(error.diagnostics()[0].help[0], testing::HasSubstr("matmul"));
  }
}

}  // namespace
}  // namespace limen
