#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>

#include <limen/error.hpp>
#include <limen/gradient_check.hpp>
#include <limen/plugin_registry.hpp>

namespace limen {
namespace {

using testing::HasSubstr;

class Exhaustive : public testing::Test {
 protected:
  PluginRegistry registry;

  const limen_op& shipped(const std::string& name) {
    return *registry.load(LIMEN_SHIPPED_PLUGINS "/" + name + ".so")->descriptor->ops[0];
  }
  const limen_op& planted(const std::string& name) {
    const auto plugin = registry.load(LIMEN_FAULTY_PLUGINS "/check_one_float.so");
    for (std::uint32_t i = 0; i < plugin->descriptor->n_ops; ++i) {
      if (plugin->descriptor->ops[i]->name == name) return *plugin->descriptor->ops[i];
    }
    throw std::runtime_error("no op " + name);
  }
};

// Floats [from, to), all positive.
ExhaustiveOptions range(float from, float to) {
  ExhaustiveOptions options;
  options.first = std::bit_cast<std::uint32_t>(from);
  options.last = std::bit_cast<std::uint32_t>(to) - 1;
  return options;
}

TEST_F(Exhaustive, AShippedOpIsRightWhereverOneLooks) {
  for (const char* name : {"sigmoid", "gelu", "relu", "hard_shrink"}) {
    const limen_op& op = shipped(name);
    std::vector<ExhaustiveOptions> ranges{range(0, 1e-42F), range(0.499F, 0.501F),
                                          range(88, 88.03F), range(3e38F, INFINITY)};
    ranges.push_back({});  // infinity and NaN of either sign
    ranges.back().first = 0x7f800000 - 2;
    ranges.back().last = 0x7f800000 + 1000;
    ranges.push_back({});
    ranges.back().first = 0xff800000 - 2;
    for (ExhaustiveOptions& options : ranges) {
      options.last = std::min(options.last, options.first + 20'000);
      const CheckReport report = check_exhaustive(op, options);
      EXPECT_EQ(report.verdict, Verdict::pass)
          << name << std::hex << " from " << options.first << '\n'
          << to_text(report, true);
      EXPECT_GE(report.checks.size(), 2U);
    }
  }
}

// What no sample finds: one float in four thousand million.
TEST_F(Exhaustive, NamesTheOneFloatWhoseGradientIsWrong) {
  const limen_op& op = planted("one_float");
  EXPECT_EQ(check_activation(op).verdict, Verdict::pass);
  const CheckReport report = check_exhaustive(op, range(1, 2));
  ASSERT_EQ(report.verdict, Verdict::fail) << to_text(report, true);
  bool found = false;
  for (const CheckResult& check : report.checks) {
    if (check.verdict != Verdict::fail) continue;
    found = true;
    EXPECT_EQ(check.test, "exhaustive");
    EXPECT_EQ(check.failed, 1);
    EXPECT_EQ(check.failures[0].x, static_cast<double>(1.2345679F));
    EXPECT_THAT(check.failures[0].point, HasSubstr("x=0x1.3c0ca4"));
    EXPECT_THAT(check.subject, HasSubstr("backward"));
  }
  EXPECT_TRUE(found);
}

TEST_F(Exhaustive, NamesTheOneFloatWhoseValueIsWrong) {
  const CheckReport report = check_exhaustive(planted("one_value"), range(1, 2));
  ASSERT_EQ(report.verdict, Verdict::fail);
  for (const CheckResult& check : report.checks) {
    if (check.verdict != Verdict::fail) continue;
    EXPECT_EQ(check.failures[0].tensor, "y");
    EXPECT_EQ(check.failures[0].x, static_cast<double>(1.2345679F));
  }
}

TEST_F(Exhaustive, DoesNotDependOnTheNumberOfThreads) {
  const limen_op& op = planted("one_float");
  ExhaustiveOptions options = range(1, 1.5F);
  std::string texts[2];
  for (const int threads : {1, 3}) {
    options.threads = threads;
    texts[threads == 1 ? 0 : 1] = to_json(check_exhaustive(op, options));
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST_F(Exhaustive, ReportsHowFarOffTheWorstIsAndHowFarItHasCome) {
  ExhaustiveOptions options = range(0.5F, 1);
  double last = 0;
  options.progress = [&](double part) { last = part; };
  const CheckReport report = check_exhaustive(shipped("tanh"), options);
  EXPECT_EQ(last, 1);
  EXPECT_THAT(report.notes, testing::Contains(HasSubstr("ulp (x = 0x1.")));
}

TEST_F(Exhaustive, SaysWhatItCannotLookAt) {
  EXPECT_EQ(obstacle_to_exhaustive(shipped("sigmoid")), "");
  EXPECT_THAT(obstacle_to_exhaustive(shipped("softmax")), HasSubstr("rows"));
  EXPECT_THAT(obstacle_to_exhaustive(shipped("glu")), HasSubstr("2 inputs"));
  EXPECT_THAT(obstacle_to_exhaustive(shipped("rrelu")), HasSubstr("random"));
  EXPECT_THROW(check_exhaustive(shipped("softmax")), Error);
}

}  // namespace
}  // namespace limen
