// Graphs that are too large, or too rough, to be looked at element by element.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>

#include <limen/gradient_check.hpp>
#include <limen/ops.hpp>
#include <limen/plugin_registry.hpp>

#include "check/graph_function.hpp"
#include "check/path_integral.hpp"
#include "check/random.hpp"
#include "check/wrong_ops.hpp"

namespace limen {
namespace {

using test::find;
using test::Untracked;
using test::WrongBias;

class LargeModel : public testing::Test {
 protected:
  void SetUp() override { registry.load_directory(LIMEN_SHIPPED_PLUGINS); }
  PluginRegistry registry;
};

using Sizes = std::array<std::int64_t, 4>;
constexpr Sizes kSmall{78, 80, 40, 10};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr Sizes kLarge = kSmall;
#else
constexpr Sizes kLarge{784, 800, 400, 10};  // 952,410 parameters
#endif

// Three dense layers on four examples; the weights of the first pass through `weights`.
Graph layers(const Sizes& sizes, const std::shared_ptr<const Op>& weights,
             const Activation& activation) {
  Graph g;
  Value y = g.input("x", {{4, sizes[0]}, DType::f64});
  const Value label = g.input("label", {{4}, DType::i32});
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string name = "dense" + std::to_string(i);
    g.set_scope(name);
    Value w = g.parameter(name + ".weight", {{sizes[i + 1], sizes[i]}, DType::f64});
    if (i == 0 && weights) w = add_node(weights, {w});
    y = matmul(y, w, false, true);
    y = add(y, broadcast_to(g.parameter(name + ".bias", {{sizes[i + 1]}, DType::f64}), y.shape()));
    g.set_scope("act" + std::to_string(i));
    if (i < 2) y = activate(y, activation);
  }
  g.set_scope("loss");
  g.output("loss", softmax_cross_entropy(y, label));
  return g;
}

double rms_of_gradient(const Graph& graph, std::string_view name) {
  check::GraphFunction function(graph, {});
  function.run_gradient();
  double square = 0, n = 0;
  for (const check::Leaf& leaf : function.leaves()) {
    if (leaf.name != name) continue;
    for (const double g : function.gradient(leaf)) square += g * g;
    n = static_cast<double>(leaf.value.type().elements());
  }
  return std::sqrt(square / n);
}

// The report of these layers with one wrong element of 1e-5 times the gradient's RMS, which must be
// named, and nothing else blamed.
void expect_named(const Sizes& sizes, const Activation& activation, std::int64_t wrong) {
  const double rms = rms_of_gradient(layers(sizes, nullptr, activation), "dense0.weight");
  const CheckReport report =
      check_graph(layers(sizes, std::make_shared<Untracked>(wrong, 1e-5 * rms), activation), {});
  ASSERT_EQ(report.verdict, Verdict::fail) << to_text(report, true);
  const CheckResult* named = find(report, "dense0.weight", "elements behind a failed direction");
  ASSERT_NE(named, nullptr) << to_text(report, true);
  ASSERT_EQ(named->failed, 1) << to_text(report, true);
  EXPECT_EQ(named->failures.front().element, wrong);
  for (const CheckResult& check : report.checks) {
    if (check.verdict == Verdict::pass) continue;
    EXPECT_EQ(check.subject, "f64 dense0.weight") << check.op;
  }
}

TEST_F(LargeModel, NamesOneWrongElementOfAMillion) {
  expect_named(kLarge, registry.find("relu"), kLarge[0] * kLarge[1] * 5 / 8 + 3);
}

// Wherever it lies: the last part of a search may be one element, which moves the way it moved in
// the whole.
TEST_F(LargeModel, NamesAnyWrongElement) {
  const Activation relu = registry.find("relu");
  constexpr std::int64_t kElements = kSmall[0] * kSmall[1];
  for (std::int64_t k = 0; k < 24; ++k) {
    SCOPED_TRACE(k);
    expect_named(kSmall, relu, k < 8 ? kElements * 5 / 8 + k : kElements * (k - 8) / 16);
  }
}

// Corners so near to each other that no difference fits between two of them.
TEST_F(LargeModel, IntegratesTheGradientWhereKinksAreDense) {
  for (const double factor : {1.0, 1.2}) {
    Graph g;
    const std::int64_t n = 1000;
    Tensor corners({{n}, DType::f64});
    check::Random random(1, "corners");
    for (double& corner : corners.as<double>()) corner = random.uniform(-1e-6, 1e-6);
    const Value w = g.parameter("w", {{1}, DType::f64});
    const Value y = add_node(std::make_shared<WrongBias>(factor), {g.constant(corners), w});
    Tensor one({{}, DType::f64});
    one.as<double>()[0] = 1;
    g.output("loss", add(mean(activate(y, registry.find("relu"))), g.constant(one)));
    GraphCheckOptions options;
    options.values["w"] = Tensor({{1}, DType::f64});
    const CheckReport report = check_graph(g, options);
    EXPECT_EQ(report.verdict, factor == 1 ? Verdict::pass : Verdict::fail) << to_text(report, true);
  }
}

// At 0 a difference of any width sees a corner; the gain over the interval is what it should be.
TEST(PathIntegral, DecidesWhatDifferencesCannot) {
  check::Random random(2, "corners");
  std::vector<double> corners(3000);
  for (double& corner : corners) corner = random.uniform(-1e-3, 1e-3);
  const auto f = [&](double t) {
    double sum = 0;
    for (const double corner : corners) sum += std::max(0.0, t - corner);
    return sum / 3000;
  };
  const auto slope = [&](double t) {
    return static_cast<double>(std::count_if(corners.begin(), corners.end(),
                                             [&](double corner) { return t > corner; })) /
           3000;
  };
  const check::Judgement undecided{check::Outcome::undecided, 0.5, 1, "", 1};
  const auto judged = [&](double factor, double scale) {
    return check::judge_path(
               f, [&](double t) { return factor * slope(t); }, 1e-19, scale, undecided)
        .outcome;
  };
  EXPECT_EQ(judged(1, 10), check::Outcome::pass);
  EXPECT_EQ(judged(1.2, 10), check::Outcome::fail);
  EXPECT_EQ(judged(1, 1e-4), check::Outcome::undecided);  // it is not known so well
}

}  // namespace
}  // namespace limen
