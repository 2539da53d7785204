#include "model/expression.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace limen::language {
namespace {

ExprValue lookup(std::string_view name) {
  if (name == "n") return std::int64_t{3};
  if (name == "half") return 0.5;
  if (name == "on") return true;
  throw ExprError{"E0401", "unknown", ""};
}

std::string value(std::string_view text) {
  try {
    return to_text(evaluate(text, lookup));
  } catch (const ExprError& error) {
    return error.code;
  }
}

TEST(Expression, FollowsTheUsualPrecedence) {
  EXPECT_EQ(value("1 + 2 * 3"), "7");
  EXPECT_EQ(value("(1 + 2) * 3"), "9");
  EXPECT_EQ(value("2 - 3 - 4"), "-5");
  EXPECT_EQ(value("-n * 2"), "-6");
  EXPECT_EQ(value("- - 2"), "2");
  EXPECT_EQ(value("not n > 2 or on"), "true");
  EXPECT_EQ(value("not (n > 2) or not on"), "false");
  EXPECT_EQ(value("1 < 2 and 2 < 3"), "true");
  EXPECT_EQ(value("on == (1 > 0)"), "true");
}

TEST(Expression, RoundsDownWherePythonDoes) {
  EXPECT_EQ(value("7 // 2"), "3");
  EXPECT_EQ(value("-7 // 2"), "-4");
  EXPECT_EQ(value("7 // -2"), "-4");
  EXPECT_EQ(value("-7 % 3"), "2");
  EXPECT_EQ(value("7 % -3"), "-2");
  EXPECT_EQ(value("7 % -1"), "0");
  EXPECT_EQ(value("7.5 // 2"), "3");
  EXPECT_EQ(value("-7.5 % 2"), "0.5");
  EXPECT_EQ(value("7 / 2"), "3.5");
  EXPECT_EQ(value("6 / 2"), "3");
}

TEST(Expression, KnowsFiveFunctions) {
  EXPECT_EQ(value("min(4, 2, 3)"), "2");
  EXPECT_EQ(value("max(4, half)"), "4");
  EXPECT_EQ(value("int(3.9)"), "3");
  EXPECT_EQ(value("int(-3.9)"), "-3");
  EXPECT_EQ(value("round(2.5)"), "2");
  EXPECT_EQ(value("round(3.5)"), "4");
  EXPECT_EQ(value("sqrt(16)"), "4");
  EXPECT_EQ(value("n // 2 + int(half * 4)"), "3");
}

TEST(Expression, SaysWhatIsWrong) {
  EXPECT_EQ(value("__import__('os')"), "E0301");
  EXPECT_EQ(value("open(n)"), "E0301");
  EXPECT_EQ(value("n.real"), "E0302");
  EXPECT_EQ(value("[1]"), "E0301");
  EXPECT_EQ(value("2 ** 3"), "E0302");
  EXPECT_EQ(value("a ; b"), "E0301");
  EXPECT_EQ(value(""), "E0302");
  EXPECT_EQ(value("1 +"), "E0302");
  EXPECT_EQ(value("(1"), "E0302");
  EXPECT_EQ(value("1)"), "E0302");
  EXPECT_EQ(value("1 2"), "E0302");
  EXPECT_EQ(value("1 < 2 < 3"), "E0302");
  EXPECT_EQ(value("int(1, 2)"), "E0302");
  EXPECT_EQ(value("min()"), "E0302");
  EXPECT_EQ(value("1e"), "E0302");
  EXPECT_EQ(value("missing + 1"), "E0401");
  EXPECT_EQ(value("on + 1"), "E0304");
  EXPECT_EQ(value("n and on"), "E0304");
  EXPECT_EQ(value("on < n"), "E0304");
}

TEST(Expression, RefusesResultsThatDoNotExist) {
  EXPECT_EQ(value("1 / 0"), "E0305");
  EXPECT_EQ(value("1 // 0"), "E0305");
  EXPECT_EQ(value("1 % 0"), "E0305");
  EXPECT_EQ(value("9223372036854775807 + 1"), "E0305");
  EXPECT_EQ(value("(-9223372036854775807 - 1) // -1"), "E0305");
  EXPECT_EQ(value("(-9223372036854775807 - 1) % -1"), "0");
  EXPECT_EQ(value("-(-9223372036854775807 - 1)"), "E0305");
  EXPECT_EQ(value("1e308 * 10"), "E0305");
  EXPECT_EQ(value("int(1e300)"), "E0305");
  EXPECT_EQ(value("sqrt(-1)"), "E0305");
}

TEST(Expression, IsLimitedInDepthAndLength) {
  EXPECT_EQ(value(std::string(30, '(') + "1" + std::string(30, ')')), "1");
  EXPECT_EQ(value(std::string(400, '(') + "1" + std::string(400, ')')), "E0303");
  EXPECT_EQ(value(std::string(900, '-') + "1"), "E0303");
  EXPECT_EQ(value(std::string(100'000, '(')), "E0303");
  std::string nots;
  for (int i = 0; i < 200; ++i) nots += "not ";
  EXPECT_EQ(value(nots + "on"), "E0303");
}

}  // namespace
}  // namespace limen::language
