#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include <limen/gradient_check.hpp>
#include <limen/plugin_registry.hpp>

#include "mutants/element.hpp"

namespace limen {
namespace {

using testing::HasSubstr;

const limen_plugin& load(PluginRegistry& registry, const char* folder, const std::string& name) {
  return *registry.load(std::filesystem::path(folder) / (name + ".so"))->descriptor;
}

CheckReport check_faulty(const std::string& name, const CheckOptions& options = {}) {
  PluginRegistry registry;
  return check_plugin(load(registry, LIMEN_FAULTY_PLUGINS, "check_" + name), options);
}

const CheckResult& failed(const CheckReport& report, std::string_view check) {
  const auto at = std::find_if(report.checks.begin(), report.checks.end(), [&](const auto& c) {
    return c.check == check && c.verdict == Verdict::fail;
  });
  if (at == report.checks.end()) {
    ADD_FAILURE() << "no failed check \"" << check << "\"\n" << to_text(report, true);
    static const CheckResult none{};
    return none;
  }
  return *at;
}

// That all shipped plugins pass is tested with `limen plugin check`, which asks for more.

TEST(CheckPlugin, NamesTheElementWhereLeakyReluReturnsItsInput) {
  const CheckReport report = check_faulty("leaky_relu_input");
  ASSERT_EQ(report.verdict, Verdict::fail);
  const CheckResult& check = failed(report, "pointwise derivative");
  ASSERT_FALSE(check.failures.empty());
  const CheckFailure& f = check.failures.front();
  EXPECT_EQ(f.tensor, "dx");
  EXPECT_GT(f.x, 0);
  EXPECT_NEAR(f.expected, 1, f.bound);
  EXPECT_LT(f.bound, 1e-9);
  EXPECT_EQ(f.got, f.x);
  EXPECT_THAT(check.where, HasSubstr("all with x >= 0"));
  EXPECT_THAT(check.likely, HasSubstr("returns x"));
}

TEST(CheckPlugin, SaysThatASignIsFlipped) {
  const CheckReport report = check_faulty("sign_flipped");
  ASSERT_EQ(report.verdict, Verdict::fail);
  EXPECT_THAT(failed(report, "pointwise derivative").likely, HasSubstr("sign"));
}

TEST(CheckPlugin, FindsTheMissingOffDiagonalOfSoftmax) {
  const CheckReport report = check_faulty("softmax_diagonal");
  ASSERT_EQ(report.verdict, Verdict::fail);
  const CheckResult& check = failed(report, "jacobian");
  ASSERT_FALSE(check.failures.empty());
  EXPECT_THAT(check.failures.front().tensor, HasSubstr("jacobian[0, 1]"));
  EXPECT_LT(check.failures.front().expected, 0);
  EXPECT_EQ(check.failures.front().got, 0);
}

TEST(CheckPlugin, SeesThatASecondBackwardDiffers) {
  const CheckReport report = check_faulty("state_overwritten");
  ASSERT_EQ(report.verdict, Verdict::fail);
  const CheckResult& check = failed(report, "repeat");
  EXPECT_THAT(check.failures.front().note, HasSubstr("second backward"));
}

TEST(CheckPlugin, FailsEveryMutant) {
  PluginRegistry registry;
  const limen_plugin& plugin = load(registry, LIMEN_FAULTY_PLUGINS, "check_mutants");
  ASSERT_GE(plugin.n_ops, 35u);
  for (std::uint32_t i = 0; i < plugin.n_ops; ++i) {
    const CheckReport report = check_activation(*plugin.ops[i]);
    EXPECT_EQ(report.verdict, Verdict::fail) << to_text(report, true);
  }
}

TEST(CheckPlugin, FindsEachMutantForItsOwnReason) {
  PluginRegistry registry;
  const limen_plugin& plugin = load(registry, LIMEN_FAULTY_PLUGINS, "check_mutants");
  const auto report_of = [&](std::string_view name) {
    for (std::uint32_t i = 0; i < plugin.n_ops; ++i) {
      if (name == plugin.ops[i]->name) return check_activation(*plugin.ops[i]);
    }
    ADD_FAILURE() << "no op " << name;
    return CheckReport{};
  };
  failed(report_of("no_upstream"), "upstream linearity");
  EXPECT_THAT(failed(report_of("constant_factor"), "pointwise derivative").likely,
              HasSubstr("times 1/2: a factor 2 is missing"));
  const CheckReport two_at_zero = report_of("relu_two_at_zero");
  const CheckResult& kink = failed(two_at_zero, "pointwise derivative");
  EXPECT_EQ(kink.failures.front().x, 0);
  EXPECT_EQ(kink.failures.front().got, 2);
  EXPECT_THAT(kink.failures.front().note, HasSubstr("slope 0 on the left, 1 on the right"));
  const CheckReport overflow = report_of("sigmoid_overflow");
  const CheckResult& point = failed(overflow, "pointwise derivative");
  EXPECT_TRUE(std::isnan(point.failures.front().got));
  EXPECT_THAT(point.where, HasSubstr("x <= -1000"));
  failed(report_of("float_only_coarse"), "f32 against f64");
  failed(report_of("clipped"), "upstream linearity");
}

TEST(CheckPlugin, PassesRightOpsThatAreHardToCheck) {
  PluginRegistry registry;
  const limen_plugin& plugin = load(registry, LIMEN_FAULTY_PLUGINS, "check_tricky");
  for (std::uint32_t i = 0; i < plugin.n_ops; ++i) {
    for (const std::uint64_t seed : {0u, 1u, 2u}) {
      CheckOptions options;
      options.seed = seed;
      const CheckReport report = check_activation(*plugin.ops[i], options);
      EXPECT_EQ(report.verdict, Verdict::pass) << to_text(report);
    }
  }
}

TEST(CheckPlugin, RunsEveryBackwardKernelInTheTable) {
  PluginRegistry registry;
  const limen_plugin& plugin = load(registry, LIMEN_SHIPPED_PLUGINS, "sigmoid");
  const CheckReport report = check_plugin(plugin);
  const auto any = [&](std::string_view check, std::string_view part) {
    return std::any_of(report.checks.begin(), report.checks.end(), [&](const CheckResult& c) {
      return c.check == check && c.subject.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(any("pointwise derivative", "f64 backward, base, reads x"));
  EXPECT_TRUE(any("pointwise derivative", "f64 backward, base, reads y"));
  EXPECT_TRUE(any("f32 against f64", "f32 backward, base"));
  EXPECT_TRUE(any("second order, d/dx", "f64 backward2"));
}

TEST(CheckPlugin, ChecksParametersAwayFromTheirDefaults) {
  PluginRegistry registry;
  const CheckReport report = check_plugin(load(registry, LIMEN_SHIPPED_PLUGINS, "leaky_relu"));
  EXPECT_TRUE(std::any_of(report.checks.begin(), report.checks.end(), [](const CheckResult& c) {
    return c.op.starts_with("leaky_relu{alpha=");
  }));
}

TEST(CheckPlugin, SaysWhatItCannotJudgeAndDoesNotPassIt) {
  PluginRegistry registry;
  limen_op op = *load(registry, LIMEN_SHIPPED_PLUGINS, "relu").ops[0];
  op.kind = 9;
  const CheckReport report = check_activation(op);
  EXPECT_EQ(report.verdict, Verdict::undecidable);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_THAT(report.notes[0], HasSubstr("unknown kind"));
}

double& shared_slope() {
  static double slope = 1;
  return slope;
}
struct Victim {
  static constexpr auto name = "victim";
  template <class T>
  static T f(T x) {
    return x;
  }
  template <class T>
  static T b(T, T, T g) {
    return g * static_cast<T>(shared_slope());
  }
};
struct Culprit {
  static constexpr auto name = "culprit";
  template <class T>
  static T f(T x) {
    shared_slope() = 0.5;
    return x / 2;
  }
  template <class T>
  static T b(T, T, T g) {
    return g / 2;
  }
};

TEST(CheckPlugin, FindsAnOpThatDisturbsAnother) {
  CheckOptions options;
  options.peer = &limen_test::kOp<Culprit>;
  const CheckReport report = check_activation(limen_test::kOp<Victim>, options);
  ASSERT_EQ(report.verdict, Verdict::fail);
  const CheckResult& check = failed(report, "beside another op of the library");
  ASSERT_FALSE(check.failures.empty());
  EXPECT_THAT(check.failures[0].note, HasSubstr("when kernels of culprit run between"));
  options.peer = &limen_test::kOp<Victim>;
  EXPECT_EQ(check_activation(limen_test::kOp<Culprit>, options).verdict, Verdict::pass);
}

TEST(CheckPlugin, GivesTheSameBytesForTheSameSeed) {
  EXPECT_EQ(to_json(check_faulty("leaky_relu_input")), to_json(check_faulty("leaky_relu_input")));
  CheckOptions other;
  other.seed = 9;
  EXPECT_NE(to_json(check_faulty("leaky_relu_input")),
            to_json(check_faulty("leaky_relu_input", other)));
}

}  // namespace
}  // namespace limen
