#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include <limen/gradient_check.hpp>

namespace limen {
namespace {

using testing::HasSubstr;

CheckResult result(Verdict verdict) {
  CheckResult c;
  c.op = "leaky_relu";
  c.check = "pointwise derivative";
  c.subject = "f64 backward";
  c.verdict = verdict;
  return c;
}

CheckReport failing_report() {
  CheckResult c = result(Verdict::fail);
  c.passed = 457;
  c.failed = 443;
  c.failures.push_back({"dx", 7, 13, 2.5, 1, 1, 2.2e-14, 2.5, "4th order"});
  c.where = "all with x >= 0";
  c.likely = "it returns x";
  CheckReport report;
  report.subject = "leaky \"quoted\".so";
  report.add(c);
  return report;
}

TEST(CheckReport, TakesTheWorstVerdictOfItsChecks) {
  CheckReport report;
  report.add(result(Verdict::pass));
  EXPECT_EQ(report.verdict, Verdict::pass);
  report.add(result(Verdict::undecidable));
  EXPECT_EQ(report.verdict, Verdict::undecidable);
  report.add(result(Verdict::fail));
  report.add(result(Verdict::pass));
  EXPECT_EQ(report.verdict, Verdict::fail);
  CheckReport all;
  all.merge(CheckReport(report));
  EXPECT_EQ(all.verdict, Verdict::fail);
  EXPECT_EQ(all.checks.size(), 4u);
}

TEST(CheckReport, WritesTheJsonThatScriptsRelyOn) {
  const nlohmann::json json = nlohmann::json::parse(to_json(failing_report()));
  EXPECT_EQ(json["verdict"], "fail");
  EXPECT_EQ(json["kind"], "gradcheck");
  EXPECT_EQ(json["subject"], "leaky \"quoted\".so");
  ASSERT_EQ(json["checks"].size(), 1u);
  EXPECT_EQ(json["checks"][0]["op"], "leaky_relu");
  EXPECT_EQ(json["checks"][0]["check"], "pointwise derivative");
  EXPECT_EQ(json["checks"][0]["verdict"], "fail");
  const nlohmann::json& failure = json["checks"][0]["failures"][0];
  EXPECT_EQ(failure["index"], 7);
  EXPECT_EQ(failure["x"], 2.5);
  EXPECT_EQ(failure["got"], 2.5);
  EXPECT_EQ(failure["expected"], 1);
}

TEST(CheckReport, WritesNumbersThatJsonLacksAsText) {
  CheckReport report = failing_report();
  report.checks[0].failures[0].got = std::nan("");
  report.checks[0].failures[0].bound = -std::numeric_limits<double>::infinity();
  const nlohmann::json json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json["checks"][0]["failures"][0]["got"], "nan");
  EXPECT_EQ(json["checks"][0]["failures"][0]["bound"], "-inf");
}

TEST(CheckReport, TellsPeopleElementValueExpectedAndGot) {
  const std::string text = to_text(failing_report());
  EXPECT_THAT(text, HasSubstr("FAIL  leaky_relu   f64 backward   pointwise derivative"));
  EXPECT_THAT(text, HasSubstr("dx[7] of 13     x = 2.5     upstream g = 1"));
  EXPECT_THAT(text, HasSubstr("expected  1 +- 2.2e-14     (4th order)"));
  EXPECT_THAT(text, HasSubstr("got       2.5     off by 1.5"));
  EXPECT_THAT(text, HasSubstr("where     all with x >= 0"));
  EXPECT_THAT(text, HasSubstr("likely    it returns x"));
}

TEST(CheckReport, ListsPassedChecksOnlyWhenAsked) {
  CheckReport report;
  report.add(result(Verdict::pass));
  EXPECT_THAT(to_text(report), testing::Not(HasSubstr("pointwise")));
  EXPECT_THAT(to_text(report, true), HasSubstr("pointwise"));
}

}  // namespace
}  // namespace limen
