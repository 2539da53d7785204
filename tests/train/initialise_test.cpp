#include <cmath>

#include <gtest/gtest.h>

#include <limen/train.hpp>

namespace limen {
namespace {

ParameterSpec parameter(std::string name, std::string kind,
                        std::map<std::string, double> args = {}) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.type = {{200, 300}, DType::f32};
  spec.init = {std::move(kind), std::move(args)};
  spec.fan_in = 300;
  spec.fan_out = 200;
  return spec;
}

struct Moments {
  double mean = 0, deviation = 0, low = 0, high = 0;
};

Moments moments_of(const ParameterSpec& spec) {
  const std::vector<NamedTensor> weights = initial_weights(std::span(&spec, 1), 5);
  Moments m{.mean = 0, .deviation = 0, .low = 1e9, .high = -1e9};
  const auto values = weights.at(0).tensor.as<float>();
  for (const float v : values) {
    m.mean += v;
    m.low = std::min<double>(m.low, v);
    m.high = std::max<double>(m.high, v);
  }
  const double n = static_cast<double>(values.size());
  m.mean /= n;
  for (const float v : values) m.deviation += (v - m.mean) * (v - m.mean);
  m.deviation = std::sqrt(m.deviation / n);
  return m;
}

// 60,000 draws: mean and deviation are within 2 % of the deviation with room to spare.
void expect_normal(const std::string& kind, std::map<std::string, double> args, double deviation,
                   double mean = 0) {
  const Moments m = moments_of(parameter("w", kind, std::move(args)));
  EXPECT_NEAR(m.mean, mean, 0.02 * deviation) << kind;
  EXPECT_NEAR(m.deviation, deviation, 0.02 * deviation) << kind;
  EXPECT_GT(m.high, mean + 3 * deviation) << kind;
}

void expect_uniform(const std::string& kind, std::map<std::string, double> args, double low,
                    double high) {
  const Moments m = moments_of(parameter("w", kind, std::move(args)));
  const double width = high - low;
  EXPECT_NEAR(m.mean, (low + high) / 2, 0.01 * width) << kind;
  EXPECT_NEAR(m.deviation, width / std::sqrt(12.0), 0.01 * width) << kind;
  EXPECT_GE(m.low, low - 1e-6 * width) << kind;
  EXPECT_LE(m.high, high + 1e-6 * width) << kind;
  EXPECT_NEAR(m.low, low, 0.001 * width) << kind;
  EXPECT_NEAR(m.high, high, 0.001 * width) << kind;
}

TEST(InitialWeights, AreConstantWhereAsked) {
  const Moments zeros = moments_of(parameter("w", "zeros"));
  EXPECT_EQ(zeros.low, 0);
  EXPECT_EQ(zeros.high, 0);
  const Moments constant = moments_of(parameter("w", "constant", {{"value", 0.25}}));
  EXPECT_EQ(constant.low, 0.25);
  EXPECT_EQ(constant.high, 0.25);
}

TEST(InitialWeights, FollowTheNamedNormalDistributions) {
  expect_normal("normal", {{"std", 0.01}}, 0.01);
  expect_normal("normal", {{"std", 2}, {"mean", 3}}, 2, 3);
  expect_normal("xavier_normal", {{"gain", 1}}, std::sqrt(2.0 / 500));
  expect_normal("glorot_normal", {{"gain", 2}}, 2 * std::sqrt(2.0 / 500));
  expect_normal("he_normal", {}, std::sqrt(2.0 / 300));
  expect_normal("kaiming_normal", {}, std::sqrt(2.0 / 300));
  expect_normal("lecun_normal", {}, std::sqrt(1.0 / 300));
}

TEST(InitialWeights, FollowTheNamedUniformDistributions) {
  expect_uniform("uniform", {{"low", -0.5}, {"high", 1.5}}, -0.5, 1.5);
  expect_uniform("uniform", {{"high", 0.1}}, -0.1, 0.1);
  const double xavier = std::sqrt(6.0 / 500), he = std::sqrt(6.0 / 300),
               lecun = std::sqrt(3.0 / 300);
  expect_uniform("xavier_uniform", {{"gain", 1}}, -xavier, xavier);
  expect_uniform("glorot_uniform", {{"gain", 3}}, -3 * xavier, 3 * xavier);
  expect_uniform("he_uniform", {}, -he, he);
  expect_uniform("kaiming_uniform", {}, -he, he);
  expect_uniform("lecun_uniform", {}, -lecun, lecun);
}

TEST(InitialWeights, DependOnTheSeedAndTheNameAndOnNothingElse) {
  const std::vector<ParameterSpec> two = {parameter("a.weight", "he_normal"),
                                          parameter("b.weight", "he_normal")};
  const std::vector<ParameterSpec> one = {parameter("b.weight", "he_normal")};
  const auto values = [](const NamedTensor& t) {
    return std::vector<float>(t.tensor.as<float>().begin(), t.tensor.as<float>().end());
  };
  EXPECT_EQ(values(initial_weights(two, 1)[1]), values(initial_weights(one, 1)[0]));
  EXPECT_NE(values(initial_weights(two, 1)[0]), values(initial_weights(two, 1)[1]));
  EXPECT_NE(values(initial_weights(one, 1)[0]), values(initial_weights(one, 2)[0]));
}

TEST(InitialWeights, AreTheSameNumbersInDouble) {
  ParameterSpec spec = parameter("w", "xavier_uniform", {{"gain", 1}});
  const NamedTensor single = initial_weights(std::span(&spec, 1), 1)[0];
  spec.type.dtype = DType::f64;
  const NamedTensor twice = initial_weights(std::span(&spec, 1), 1)[0];
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(single.tensor.as<float>()[i], static_cast<float>(twice.tensor.as<double>()[i]));
  }
}

TEST(InitialWeights, RefuseAnUnknownInitialiser) {
  const ParameterSpec spec = parameter("w", "magic");
  EXPECT_THROW(initial_weights(std::span(&spec, 1), 1), Error);
}

}  // namespace
}  // namespace limen
