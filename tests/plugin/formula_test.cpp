// Formulas as text: what they mean, how mistakes are told, and that nothing else gets through.
#include "plugin/formula.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include <limen/plugin_registry.hpp>

#include "base/philox.hpp"
#include "plugin/vector_report.hpp"
#include "support/snippets.hpp"

namespace limen::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

double value(std::string_view text, double x, std::vector<std::string> params = {},
             std::vector<long double> hyper = {}) {
  const long double at = x;
  const Formula formula = Formula::parse(text, {.inputs = {}, .params = std::move(params)});
  return static_cast<double>(formula.evaluate(std::span(&at, 1), hyper).value);
}

TEST(Formula, FollowsTheRulesOfArithmetic) {
  struct Row {
    const char* text;
    double x, y;
  };
  const Row rows[] = {
      {"1 + 2 * x", 3, 7},
      {"(1 + 2) * x", 3, 9},
      {"8 / 4 / 2 + 0 * x", 1, 1},
      {"8 - 4 - 2 + 0 * x", 1, 2},
      {"-x^2", 3, -9},
      {"(-x)^2", 3, 9},
      {"2^-x", 1, 0.5},
      {"x^3^2", 2, 512},
      {"x**2", 3, 9},
      {"1 / 2 * x", 1, 0.5},
      {"x > 0 ? 1 : x < 0 ? -1 : 0", -2, -1},
      {"x > 0 ? x < 1 ? 5 : 6 : 7", 2, 6},
      {"x > 0 and not x > 1 ? 1 : 0", 0.5, 1},
      {"x > 0 or x == -1 and x < -2 ? 1 : 0", -1, 0},
      {"max(x, 1, 2)", 1.5, 2},
      {"clamp(x, -1, 1)", 3, 1},
      {"relu(x) + abs(-x)", -2, 2},
      {"isnan(x) ? 1 : 2", 0, 2},
      {"cos(pi * x)", 1, -1},
      {"log(e) * x", 2, 2},
      {"1e-3 * x + .5", 0, 0.5},
      {"x != x || x >= 2 ? 1 : 0", 2, 1},
      {"square(x) * sqrt(4) + exp(0) - log1p(0) + expm1(0) + erf(0) + atan(0) + sin(0)", 2, 9},
      {"pow(x, 3) + tanh(0) + softplus(0) - log(2) + sigmoid(0) - erfc(0)", 2, 7.5},
  };
  for (const Row& row : rows) EXPECT_NEAR(value(row.text, row.x), row.y, 1e-15) << row.text;
  EXPECT_EQ(value("x > theta ? x : alpha * x", -2, {"alpha", "theta"}, {0.25L, 0}), -0.5);
  EXPECT_TRUE(std::isnan(value("max(x, 0)", NAN)));
}

TEST(Formula, HasOneSpellingForEqualTexts) {
  const std::pair<const char*, const char*> rows[] = {
      {"x*tanh( softplus(x))", "x * tanh(softplus(x))"},
      {"((x))-(1-x)", "x - (1 - x)"},
      {"(x-1)-x", "x - 1 - x"},
      {"x&&x", nullptr},
      {"x>0&&x<1?x:(x>2?1:2)", "x > 0 and x < 1 ? x : x > 2 ? 1 : 2"},
      {"(x>0?1:2)*x", "(x > 0 ? 1 : 2) * x"},
      {"-(x^2)+(-x)**2.50", "-x^2 + (-x)^2.5"},
      {"!(x>0)?x:1", "not x > 0 ? x : 1"},
      {"relu(x)", "max(x, 0)"},
  };
  for (const auto& [text, canonical] : rows) {
    if (canonical == nullptr) {
      EXPECT_THROW(Formula::parse(text), Error);
      continue;
    }
    EXPECT_EQ(Formula::parse(text).text(), canonical);
    EXPECT_EQ(Formula::parse(canonical).text(), canonical);
  }
}

TEST(Formula, TakesPiecesWhereNoXIsMentioned) {
  EXPECT_THAT(Formula::parse("a * sigmoid(b)").inputs(), ElementsAre("a", "b"));
  EXPECT_THAT(Formula::parse("a * x", {.inputs = {}, .params = {"a"}}).inputs(), ElementsAre("x"));
  const Formula glu = Formula::parse("a * sigmoid(b)");
  const long double at[] = {2, 0};
  EXPECT_EQ(glu.evaluate(at, {}, 0).slope, 0.5L);
  EXPECT_EQ(glu.evaluate(at, {}, 1).slope, 0.5L);
}

TEST(Formula, DerivesByDualNumbers) {
  for (const char* text :
       {"x * tanh(softplus(x))", "x / (1 + exp(-1.702 * x))", "x * erfc(-x / sqrt(2)) / 2",
        "sin(x)^2 / 2 + cos(x) * atan(x)", "x > 0 ? x^3 : expm1(x)", "exp(-square(x))^0.5",
        "max(x, x^2) - min(x, 3) + abs(x)", "2^x + log(4 + x) + log1p(x^2) + sqrt(x + 9)"}) {
    const Formula formula = Formula::parse(text);
    for (const long double x : {-2.3L, -0.4L, 0.7L, 2.9L}) {
      const auto f = [&](long double at) { return formula.evaluate(std::span(&at, 1), {}).value; };
      const long double h = 1e-5L, expected = (f(x + h) - f(x - h)) / (2 * h);
      const long double got = formula.evaluate(std::span(&x, 1), {}).slope;
      EXPECT_NEAR(static_cast<double>(got), static_cast<double>(expected), 1e-8) << text;
    }
  }
}

TEST(Formula, OfEveryShippedElementWiseOpParsesAndAgreesWithItsGoldenValues) {
  PluginRegistry registry;
  registry.load_directory(LIMEN_SHIPPED_PLUGINS);
  int formulas = 0, points = 0;
  for (const Activation& f : registry.activations()) {
    const bool random = (f.op().flags & LIMEN_OP_STOCHASTIC) != 0;
    if (f.op().kind != LIMEN_MAP || f.op().outputs != 1 || random) continue;
    FormulaNames names;
    for (const ParamInfo& param : f.params()) {
      names.params.emplace_back(param.name);
      for (std::size_t i = 0; i < param.choices.size(); ++i) {
        names.choices.emplace_back(param.choices[i]);
        names.choice_values.push_back(static_cast<double>(i));
      }
    }
    SCOPED_TRACE(f.name());
    std::optional<Formula> formula;
    EXPECT_NO_THROW(formula = Formula::parse(f.op().formula, names));
    if (!formula || formula->inputs().size() != f.op().arity) continue;
    ++formulas;
    if (f.op().n_goldens == 0 || f.op().arity != 1) continue;
    const limen_golden& golden = f.op().goldens[0];
    const double* values = golden.hyper != nullptr ? golden.hyper : f.hyper().data();
    const std::vector<long double> hyper(values, values + f.op().n_params);
    for (std::uint32_t i = 0; i < golden.n; ++i, ++points) {
      const long double x = golden.x[i];
      const FormulaResult got = formula->evaluate(std::span(&x, 1), hyper);
      const double y = golden.y[i];
      EXPECT_NEAR(static_cast<double>(got.value), y, 1e-13 * std::max(1.0, std::fabs(y))) << x;
    }
  }
  EXPECT_GE(formulas, 30);
  EXPECT_GE(points, 150);
}

struct Mistake {
  const char* text;
  const char* message;
  int column, length;
};

TEST(Formula, TellsMistakesAtTheirPlace) {
  const Mistake mistakes[] = {
      {"", "the formula is empty", 1, 1},
      {"x * (1 + x", "this `(` is never closed", 5, 1},
      {"x + 1)", "a `)` without a `(`", 6, 1},
      {"x * sofplus(x)", "unknown function `sofplus`", 5, 7},
      {"x * aplha", "unknown name `aplha`", 5, 5},
      {"x * tanh", "the function `tanh` needs its arguments", 5, 4},
      {"max(x)", "`max` takes 2 to 8 arguments, found 1", 1, 3},
      {"2x", "`x` behind a number", 2, 1},
      {"x 2", "an operator is missing before `2`", 3, 1},
      {"x *", "the formula ends too early", 4, 1},
      {"x + * 2", "`*` cannot stand here", 5, 1},
      {"x > 0", "the formula is true or false, not a number", 1, 5},
      {"x ? 1 : 2", "`?` needs a condition, `x` is a number", 1, 1},
      {"2 * (x > 0)", "`*` needs a number, `(x > 0)` is true or false", 5, 7},
      {"0 < x < 1 ? 1 : 0", "comparisons cannot be chained", 7, 1},
      {"x > 0 ? x", "`?` without `:`", 10, 1},
      {"x = 1 ? 1 : 0", "`=` has no meaning in a formula", 3, 1},
      {"\u03b1\u00b7x", "`\u03b1` has no meaning in a formula", 1, 1},
      {"x + \u03b1 + \u03b2", "`\u03b1` has no meaning in a formula", 5, 1},
      {"1 + 2", "the formula does not mention its input `x`", 1, 5},
      {"x * 1e999", "the number 1e999 is out of range", 5, 5},
      {"and(x)", "`and` cannot stand here", 1, 3},
  };
  for (const Mistake& mistake : mistakes) {
    SCOPED_TRACE(mistake.text);
    try {
      Formula::parse(mistake.text, {.inputs = {}, .params = {}});
      ADD_FAILURE() << "was accepted";
    } catch (const Error& error) {
      const Diagnostic& found = error.diagnostics().front();
      EXPECT_EQ(found.code, "E0209");
      EXPECT_EQ(found.message, mistake.message);
      EXPECT_EQ(found.spans.front().column, mistake.column);
      EXPECT_EQ(found.spans.front().length, mistake.length);
    }
  }
}

TEST(Formula, RefusesHostileTextsWithoutHarm) {
  const auto refused = [](const std::string& text) {
    EXPECT_THROW(Formula::parse(text), Error) << text.substr(0, 60);
  };
  const auto many = [](const char* part, int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += part;
    return text;
  };
  for (const int n : {101, 1000, 100'000}) {
    refused(many("(", n) + "x" + many(")", n));
    refused(many("-", n) + "x");
    refused("x > 0 ? " + many("x > 0 ? x : ", n) + "x : x");
    refused(many("not ", n) + "x > 0 ? 1 : 0");
    refused("x" + many("^x", n));
  }
  refused("x" + many(" + x", 200));  // parts
  refused("x" + many(" + exp(x)", 17));
  refused(many(" ", 5000) + "x");
  for (const char* text :
       {"x; system(\"reboot\")", "x) { } int main(", "x */ #include </etc/passwd> /*", "\"x\"",
        "x + __builtin_trap()", "::system(x)", "x, x", "x\\\n", "x // comment", "R\"(x)\"", "x`",
        "x[0]", "x->f", "sizeof(x)", "[]{}", "'x'", "asm(x)", "x\xff\xfe", "\xc3\x28"}) {
    refused(text);
  }
  refused(std::string("x + \0 1", 7));
}

// Whatever parses is printed with a few harmless characters, and means the same when read again.
TEST(Formula, PrintsOnlyWhatItUnderstands) {
  constexpr const char* kParts[] = {"x",    "1.5", "(",     ")",    "+",     "-",   "*",
                                    "/",    "^",   "<",     ">=",   "?",     ":",   "max(",
                                    "exp(", ",",   "and",   "not ", "alpha", "pi",  ";",
                                    "2",    " ",   "relu(", "==",   "x",     "(x)", "sqrt(2)"};
  const RandomKey key = random_key(3, "formula");
  int parsed = 0;
  std::uint64_t next = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text;
    const std::uint64_t length = 1 + random_bits(key, next++) % 7;
    for (std::uint64_t i = 0; i < length; ++i) {
      text += kParts[random_bits(key, next++) % std::size(kParts)];
    }
    try {
      const FormulaNames names{.inputs = {"x"}, .params = {}};
      const Formula formula = Formula::parse(text, names);
      ++parsed;
      ASSERT_EQ(Formula::parse(formula.text(), names).text(), formula.text()) << text;
      const std::string cpp = formula.expression("op");
      ASSERT_EQ(cpp.find_first_not_of("abcdefghijklmnopqrstuvwxyzNI0123456789_ ().,:?+-*/<>=!&|"),
                std::string::npos)
          << cpp;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(parsed, 1000);
}

TEST(Formula, BecomesCppThatKeepsNumbersReal) {
  const auto cpp = [](const char* text, const char* owner = "op") {
    return Formula::parse(text).expression(owner);
  };
  EXPECT_EQ(cpp("1 / 2 * x"), "1.0 / 2.0 * x");
  EXPECT_EQ(cpp("x^2 + x^3 + (1 + x)^4"), "square(x) + x * square(x) + square(square(1.0 + x))");
  EXPECT_EQ(cpp("tanh(x)", "tanh"), "limen::tanh(x)");
  EXPECT_EQ(cpp("x * sqrt(2)"), "x * 1.4142135623730951");
  EXPECT_EQ(cpp("max(0, x)"), "max(decltype(x)(0.0), x)");
  EXPECT_EQ(cpp("not x > 0 and x < 1 ? x : 1"), "!(x > 0.0) && x < 1.0 ? x : 1.0");
}

TEST(Formula, OfMishIsTheSevenLinesOfTheReadme) {
  const std::string source =
      formula_source(Formula::parse("x * tanh(softplus(x))"), "my_mish", "org.example.my_mish", {});
  std::string readme;
  for (const Snippet& snippet : snippets_of("plugins/README.md")) {
    if (readme.empty() && snippet.language == "cpp") readme = snippet.text;
  }
  EXPECT_EQ(source, readme);
  EXPECT_EQ(std::count(source.begin(), source.end(), '\n'), 7);
}

TEST(Formula, FindsItsKinks) {
  const auto kinks = [](const char* text, std::vector<std::string> params = {},
                        std::vector<double> values = {}) {
    return Formula::parse(text, {.inputs = {}, .params = std::move(params)}).kinks(values);
  };
  const std::vector<FormulaKink> hard_swish = kinks("x * min(max(x + 3, 0), 6) / 6");
  ASSERT_EQ(hard_swish.size(), 2u);
  EXPECT_EQ(hard_swish[0].at, -3);
  EXPECT_EQ(hard_swish[0].slope, 0);
  EXPECT_EQ(hard_swish[1].at, 3);
  EXPECT_EQ(hard_swish[1].slope, 1);
  const std::vector<FormulaKink> shifted = kinks("2 * x > theta - 1 ? x : 0.5 * x", {"theta"}, {3});
  ASSERT_EQ(shifted.size(), 1u);
  EXPECT_EQ(shifted[0].at, -0.5);
  EXPECT_EQ(shifted[0].scale, 0.5);
  EXPECT_EQ(shifted[0].param, 0);
  EXPECT_TRUE(shifted[0].jump);
  EXPECT_EQ(shifted[0].slope, 0.5);
  EXPECT_TRUE(kinks("x > 0 ? x^2 : 0 * x").empty());  // smooth enough
  EXPECT_TRUE(kinks("x * tanh(softplus(x))").empty());
}

TEST(FormulaNames, AreSmallWordsThatMeanNothingElse) {
  for (const char* good : {"alpha", "b2", "my_act"}) EXPECT_EQ(bad_formula_name(good, true), "");
  EXPECT_EQ(bad_formula_name("tanh", false), "");  // an op may be called like a function
  for (const char* bad : {"", "Alpha", "2a", "a b", "double", "tanh", "x", "learn", "f", "a-b"}) {
    EXPECT_NE(bad_formula_name(bad, true), "") << bad;
  }
}

TEST(VectorReport, NamesKernelsWithoutAVectorLoopAndTheReason) {
  std::istringstream dump(
      ";; Function limen::detail::compiled<limen::detail::map_forward<mish, float> >::v3 (_Z1, "
      "funcdef_no=1)\n"
      "a.hpp:1:2: optimized: loop vectorized using 32 byte vectors\n"
      ";; Function limen::detail::compiled<limen::detail::map_backward<mish, double> >::any (_Z2, "
      "funcdef_no=2)\n"
      "a.hpp:1:2: missed:   not vectorized: relevant stmt not supported: _1 = _2 ? _3 : 0;\n"
      "a.hpp:1:2: missed:  statement clobbers memory: _5 = lookup (_4);\n"
      ";; Function main (main, funcdef_no=3)\n"
      "a.hpp:1:2: missed: not vectorized: control flow in loop\n");
  EXPECT_THAT(kernels_not_vectorised(dump),
              ElementsAre("mish: not vectorised: f64 backward (base); call to lookup; use a "
                          "function of limen/math.hpp"));
}

}  // namespace
}  // namespace limen::test
