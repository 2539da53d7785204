// Reports between processes.
#include "gradcheck_message.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <limen/error.hpp>

namespace limen::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// One with every field set to something of its own.
tools::Collected example() {
  CheckFailure failure{"dx[1]", 3, 17, 0.1, -2, kInfinity, 1e-300, std::nan(""), "a note\n"};
  failure.kind = "kink";
  failure.left = -1;
  failure.right = 0.3;
  failure.step = 0x1p-20;
  failure.noise = 1e-17;
  failure.evaluations = 185;
  failure.point = "x=0x1p+0";
  failure.repro = "limen gradcheck 'a b.so'";
  CheckResult result;
  result.op = "mish";
  result.test = "derivative-fd";
  result.check = "pointwise derivative";
  result.subject = "f64 backward, base, reads x";
  result.verdict = Verdict::fail;
  result.severity = Severity::inexact;
  result.passed = 5;
  result.failed = 6;
  result.undecided = 7;
  result.bound_median = 1.0 / 3;
  result.bound_max = 2.0 / 3;
  result.evaluations = 12345678901;
  result.failures = {failure, CheckFailure{}};
  result.where = "x > 3";
  result.likely = "a factor \u00bd is missing";
  tools::Collected collected;
  collected.broken = true;
  collected.failed = Exit::plugin;
  collected.report.subject = "mish.so";
  collected.report.plugin = "/plugins/mish.so";
  collected.report.sha256 = std::string(64, 'a');
  collected.report.abi = "1.0";
  collected.report.environment = {{"cpu", "one"}, {"isa", ""}};
  collected.report.seed = ~std::uint64_t{0};
  collected.report.add(result);
  collected.report.add(CheckResult{});
  collected.report.notes = {"first", ""};
  return collected;
}

TEST(GradcheckMessage, NothingIsLostOnTheWay) {
  const tools::Collected sent = example();
  const tools::Collected got = tools::unpacked(tools::packed(sent));
  EXPECT_EQ(to_json(got.report), to_json(sent.report));
  EXPECT_EQ(to_text(got.report, true), to_text(sent.report, true));
  EXPECT_TRUE(got.broken);
  EXPECT_EQ(got.failed, Exit::plugin);
  EXPECT_EQ(to_json(tools::unpacked_report(tools::packed(sent.report))), to_json(sent.report));
}

TEST(GradcheckMessage, ReportsHaveOneZeroAndOneNaN) {
  tools::Collected sent = example();
  sent.report.checks[0].failures[0].x = -0.0;
  sent.report.checks[0].failures[0].got = -std::nan("");
  const CheckReport got = tools::unpacked_report(tools::packed(sent.report));
  EXPECT_FALSE(std::signbit(got.checks[0].failures[0].x));
  EXPECT_TRUE(std::isnan(got.checks[0].failures[0].got));
  EXPECT_FALSE(std::signbit(got.checks[0].failures[0].got));
}

// A plugin may have written into the memory of the process that sent it.
TEST(GradcheckMessage, DamageIsNoticed) {
  const std::string bytes = tools::packed(example());
  for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 8) {
    EXPECT_THROW(tools::unpacked(std::string_view(bytes).substr(0, size)), Error);
  }
  EXPECT_THROW(tools::unpacked(bytes + "x"), Error);
  std::string huge = bytes;
  huge.replace(5, 8, 8, '\xff');  // the length of the first text
  EXPECT_THROW(tools::unpacked(huge), Error);
  tools::Collected odd = example();
  odd.report.checks[0].verdict = static_cast<Verdict>(57);
  EXPECT_THROW(tools::unpacked(tools::packed(odd)), Error);
}

}  // namespace
}  // namespace limen::test
