// What the tutorial chapter on activation functions says about them, as far as it is about the
// functions alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "kernels.hpp"
#include "ulp.hpp"

namespace limen::test {
namespace {

// The chapter's walk: from f(x) = 0.9 down the slope, x <- x - 0.2 f'(x), until f(x) <= 0.5.
template <class F>
int steps_to_half(const Activation& a, F x) {
  int steps = 0;
  while (forward<F>(a, {x})[0] > F(0.5)) {
    x -= F(0.2) * derivative<F>(a, {x})[0];
    if (++steps > 1000) break;
  }
  return steps;
}

template <class F>
void expect_walks() {
  const PluginRegistry registry = all_plugins();
  EXPECT_EQ(steps_to_half<F>(registry.find("sigmoid"), std::log(F(9))), 67);
  EXPECT_EQ(steps_to_half<F>(registry.find("tanh"), std::atanh(F(0.9))), 14);
  EXPECT_EQ(steps_to_half<F>(registry.find("relu"), F(0.9)), 2);
  EXPECT_EQ(steps_to_half<F>(registry.find("leaky_relu"), F(0.9)), 2);
}

TEST(Chapter, SigmoidCrawlsDownWhereReluFalls) {
  expect_walks<float>();
  expect_walks<double>();
}

TEST(Chapter, TheFirstStepOfSigmoidReaches0898368) {
  const Activation sigmoid = all_plugins().find("sigmoid");
  const double x = std::log(9.0);
  const double next = x - 0.2 * derivative<double>(sigmoid, {x})[0];
  EXPECT_NEAR(forward<double>(sigmoid, {next})[0], 0.898368, 5e-7);
  const float x32 = std::log(9.0f);
  const float next32 = x32 - 0.2f * derivative<float>(sigmoid, {x32})[0];
  EXPECT_NEAR(forward<float>(sigmoid, {next32})[0], 0.898368, 5e-7);
}

TEST(Chapter, SlopesFollowFromTheValues) {
  const PluginRegistry registry = all_plugins();
  std::vector<double> z(401);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = (static_cast<double>(i) - 200) / 20;
  const auto s = forward(registry.find("sigmoid"), z), t = forward(registry.find("tanh"), z);
  const auto ds = derivative(registry.find("sigmoid"), z),
             dt = derivative(registry.find("tanh"), z);
  for (std::size_t i = 0; i < z.size(); ++i) {
    EXPECT_NEAR(ds[i], s[i] * (1 - s[i]), 4 * 0x1p-53);
    EXPECT_NEAR(dt[i], (1 + t[i]) * (1 - t[i]), 8 * 0x1p-53) << "t itself is rounded";
    EXPECT_TRUE(s[i] > 0 && s[i] < 1 && t[i] > -1 && t[i] < 1);
  }
}

template <class F>
void expect_tanh_from_sigmoid(double unit) {
  const PluginRegistry registry = all_plugins();
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(-12, 12);
  std::vector<F> z(20000), doubled(20000);
  for (std::size_t i = 0; i < z.size(); ++i) {
    z[i] = static_cast<F>(uniform(random));
    doubled[i] = 2 * z[i];
  }
  const auto t = forward(registry.find("tanh"), z), s = forward(registry.find("sigmoid"), doubled);
  for (std::size_t i = 0; i < z.size(); ++i) {
    const F from_sigmoid = 2 * s[i] - 1;
    EXPECT_NEAR(from_sigmoid, t[i], 4 * unit) << "z = " << z[i];
    if (std::abs(z[i]) < F(0.5)) continue;
    EXPECT_LE(ulp_error(from_sigmoid, t[i]), 4) << "z = " << z[i];
  }
}

TEST(Chapter, TanhIsAStretchedSigmoid) {
  expect_tanh_from_sigmoid<float>(0x1p-24);
  expect_tanh_from_sigmoid<double>(0x1p-53);
}

TEST(Chapter, SigmoidMovesTheMeanToOneHalfAndTanhLeavesItAtZero) {
  const PluginRegistry registry = all_plugins();
  std::mt19937 random(4);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> x(100000);
  for (float& value : x) value = uniform(random);
  const auto mean = [](const std::vector<float>& y) {
    return std::accumulate(y.begin(), y.end(), 0.0) / static_cast<double>(y.size());
  };
  EXPECT_NEAR(mean(forward(registry.find("sigmoid"), x)), 0.5, 0.01);
  EXPECT_NEAR(mean(forward(registry.find("tanh"), x)), 0, 0.01);
}

TEST(Chapter, ReluAndLeakyReluHaveTheSlopesOfTheirPieces) {
  const PluginRegistry registry = all_plugins();
  const std::vector<double> z = {-7, -0.5, 0.5, 7};
  EXPECT_EQ(forward(registry.find("relu"), z), (std::vector<double>{0, 0, 0.5, 7}));
  EXPECT_EQ(derivative(registry.find("relu"), z), (std::vector<double>{0, 0, 1, 1}));
  const Activation leaky = registry.find("leaky_relu").with({{"alpha", 0.25}});
  EXPECT_EQ(forward(leaky, z), (std::vector<double>{-1.75, -0.125, 0.5, 7}));
  EXPECT_EQ(derivative(leaky, z), (std::vector<double>{0.25, 0.25, 1, 1})) << "1, not z";
}

TEST(Chapter, NothingIsLearnedThroughTheStep) {
  const Activation step = all_plugins().find("step");
  const std::vector<double> z = {-3, -1e-9, 0, 1e-9, 3};
  EXPECT_EQ(forward(step, z), (std::vector<double>{0, 0, 0, 1, 1}));
  EXPECT_EQ(derivative(step, z), std::vector<double>(5, 0.0));
}

template <class F>
void expect_softmax_of_scores() {
  const auto s = forward<F>(all_plugins().find("softmax"), {3, 1, -3});
  const long double total = std::exp(3.0L) + std::exp(1.0L) + std::exp(-3.0L);
  EXPECT_LE(ulp_error(s[0], std::exp(3.0L) / total), 4);
  EXPECT_LE(ulp_error(s[1], std::exp(1.0L) / total), 4);
  EXPECT_LE(ulp_error(s[2], std::exp(-3.0L) / total), 4);
  EXPECT_NEAR(s[0], 0.88, 0.005);
  EXPECT_NEAR(s[1], 0.12, 0.005);
  EXPECT_NEAR(s[2], 0.00, 0.005);
}

TEST(Chapter, SoftmaxOfTheScores) {
  expect_softmax_of_scores<float>();
  expect_softmax_of_scores<double>();
}

TEST(Chapter, SoftmaxOfTwoClassesIsASigmoidOfTheDifference) {
  const PluginRegistry registry = all_plugins();
  for (const double a : {-5.0, -0.3, 0.0, 2.0, 30.0}) {
    const auto pair = forward<double>(registry.find("softmax"), {a, 1.25});
    const auto s = forward<double>(registry.find("sigmoid"), {a - 1.25, 1.25 - a});
    EXPECT_LE(ulp_error(pair[0], s[0]), 4);
    EXPECT_LE(ulp_error(pair[1], s[1]), 4);
  }
}

TEST(Chapter, TheJacobianOfSoftmaxIsNotItsDiagonal) {
  const Activation softmax = all_plugins().find("softmax");
  const std::vector<double> z = {3, 1, -3, 0.5, 0.5};
  const auto s = forward(softmax, z);
  for (std::size_t i = 0; i < z.size(); ++i) {
    std::vector<double> dy(z.size(), 0.0);
    dy[i] = 1;
    const auto row = backward(softmax, softmax.kernel(LIMEN_BACKWARD, LIMEN_F64, 0), z, dy);
    for (std::size_t j = 0; j < z.size(); ++j) {
      EXPECT_NEAR(row[j], s[i] * ((i == j ? 1 : 0) - s[j]), 1e-16) << i << ", " << j;
    }
  }
}

TEST(Chapter, SquaredErrorOnScoresPushesTheRightClassDown) {
  const std::vector<double> scores = {3, 1, -3}, target = {1, 0, 0};
  EXPECT_GT(scores[0] - target[0], 0) << "a step against (2, 1, -3) lowers the right score";
  const auto s = forward(all_plugins().find("softmax"), scores);
  const double gradient[] = {-0.12, 0.12, 0.00};
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(s[i] - target[i], gradient[i], 0.005);
}

TEST(Softmax, StaysExactFarOut) {
  const Activation softmax = all_plugins().find("softmax");
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(forward<double>(softmax, {1e4, -1e4, 0}), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(forward<double>(softmax, {1e308, -1e308}), (std::vector<double>{1, 0}));
  EXPECT_EQ(forward<double>(softmax, {inf, 0, -inf}), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(forward<double>(softmax, {-inf, 0, 0}), (std::vector<double>{0, 0.5, 0.5}));
  EXPECT_EQ(forward<double>(softmax, {7}), (std::vector<double>{1}));
  for (const auto& row : {std::vector<double>{inf, inf, 0}, {-inf, -inf}, {0, std::nan("")}}) {
    for (const double y : forward(softmax, row)) EXPECT_TRUE(std::isnan(y));
  }
}

TEST(Softmax, SumsToOneOverLongRows) {
  const Activation softmax = all_plugins().find("softmax");
  for (const std::size_t n : {2u, 16u, 255u, 256u, 257u, 5000u}) {
    std::vector<float> x(n);
    std::mt19937 random(static_cast<unsigned>(n));
    std::normal_distribution<float> normal(0, 2);
    for (float& value : x) value = normal(random);
    const auto y = forward(softmax, x);
    EXPECT_NEAR(std::accumulate(y.begin(), y.end(), 0.0), 1, 1e-6) << n;
    long double total = 0;
    for (const float value : x) total += std::exp(static_cast<long double>(value));
    for (std::size_t i = 0; i < n; ++i) {
      // x - max is rounded once, which makes an error of (max - x) / 2 units in the result.
      const double units = 8 + std::abs(x[i] - *std::max_element(x.begin(), x.end()));
      EXPECT_NEAR(y[i], std::exp(static_cast<long double>(x[i])) / total, units * 0x1p-24 * y[i]);
    }
  }
}

}  // namespace
}  // namespace limen::test
