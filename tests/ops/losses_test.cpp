#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <limen/differentiate.hpp>
#include <limen/ops.hpp>

#include "support/execute.hpp"

namespace limen::test {
namespace {

struct Outcome {
  double loss;
  std::vector<double> gradient;
};

Outcome cross_entropy_of(const Tensor& logits, const Tensor& labels, double smoothing = 0,
                         const CompileOptions& options = {}) {
  Graph g;
  const Value z = g.input("z", logits.type()), t = g.input("t", labels.type());
  const Value loss = softmax_cross_entropy(z, t, smoothing);
  g.output("loss", loss);
  g.output("dz", differentiate(loss, std::array{z})[0]);
  const Tensors out = execute(g, {{"z", logits}, {"t", labels}}, options);
  return {values(out.at("loss"))[0], values(out.at("dz"))};
}

// Written from the definition, in long double.
Outcome by_definition(const Tensor& logits, const Tensor& labels, double smoothing) {
  const auto classes = static_cast<std::size_t>(logits.shape()[logits.shape().rank() - 1]);
  const std::vector<double> z = values(logits), label = values(labels);
  const std::size_t rows = label.size();
  long double loss = 0;
  std::vector<double> gradient(z.size());
  for (std::size_t r = 0; r < rows; ++r) {
    const double* row = z.data() + r * classes;
    const long double best = *std::max_element(row, row + classes);
    long double total = 0;
    for (std::size_t c = 0; c < classes; ++c) total += std::exp(row[c] - best);
    for (std::size_t c = 0; c < classes; ++c) {
      const long double log_p = row[c] - best - std::log(total);
      const long double target = (static_cast<double>(c) == label[r] ? 1 - smoothing : 0) +
                                 smoothing / static_cast<double>(classes);
      loss -= target * log_p / static_cast<double>(rows);
      gradient[r * classes + c] =
          static_cast<double>((std::exp(log_p) - target) / static_cast<double>(rows));
    }
  }
  return {static_cast<double>(loss), gradient};
}

void expect_same(const Outcome& got, const Outcome& expected, double tolerance) {
  EXPECT_NEAR(got.loss, expected.loss, tolerance * std::max(1.0, std::abs(expected.loss)));
  ASSERT_EQ(got.gradient.size(), expected.gradient.size());
  for (std::size_t i = 0; i < got.gradient.size(); ++i) {
    EXPECT_NEAR(got.gradient[i], expected.gradient[i], tolerance) << i;
  }
}

TEST(SoftmaxCrossEntropy, FollowsItsDefinition) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const double tolerance = dtype == DType::f32 ? 1e-6 : 1e-14;
    for (const auto& [rows, classes] :
         {std::pair{1, 1}, {1, 10}, {64, 10}, {7, 3}, {1000, 17}, {3, 9000}}) {
      const Tensor z = random_tensor({{rows, classes}, dtype}, 3, -5, 5);
      const Tensor t = random_tensor({{rows}, DType::i32}, 4, 0, classes);
      for (const double smoothing : {0.0, 0.1, 1.0}) {
        const Outcome expected = by_definition(z, t, smoothing);
        for_each_config([&](CompileOptions o) {
          if (!o.reuse_memory || o.reference) return;
          expect_same(cross_entropy_of(z, t, smoothing, o), expected, tolerance);
        });
      }
    }
  }
}

TEST(SoftmaxCrossEntropy, TakesLabelsOfAnyRank) {
  const Tensor z = random_tensor({{2, 3, 4}, DType::f64}, 3);
  const Tensor t = random_tensor({{2, 3}, DType::i32}, 4, 0, 4);
  expect_same(cross_entropy_of(z, t), by_definition(z, t, 0), 1e-14);
  const Tensor one = random_tensor({{4}, DType::f64}, 3), label = integers({}, {2});
  expect_same(cross_entropy_of(one, label), by_definition(one, label, 0), 1e-14);
}

TEST(SoftmaxCrossEntropy, StaysFiniteForExtremeLogits) {
  for (const double big : {100.0, 1e4, 1e30}) {
    const Tensor z = convert(doubles({2, 3}, {big, -big, 0, -big, big, big}), DType::f32);
    const Outcome right = cross_entropy_of(z, integers({2}, {0, 1}));
    EXPECT_NEAR(right.loss, std::log(2) / 2, 1e-6);
    const Outcome wrong = cross_entropy_of(z, integers({2}, {1, 0}));
    EXPECT_NEAR(wrong.loss, 2 * big + std::log(2) / 2, 1e-6 * big);
    for (const Outcome& outcome : {right, wrong}) {
      for (const double d : outcome.gradient) EXPECT_TRUE(std::isfinite(d));
    }
    EXPECT_FLOAT_EQ(static_cast<float>(wrong.gradient[0]), 0.5f);
    EXPECT_FLOAT_EQ(static_cast<float>(wrong.gradient[1]), -0.5f);
  }
}

TEST(SoftmaxCrossEntropy, IsNaNWhereALabelIsOutside) {
  const Tensor z = random_tensor({{3, 4}, DType::f32}, 1);
  for (const std::int32_t label : {-1, 4, 2147483647, -2147483647}) {
    const Outcome out = cross_entropy_of(z, integers({3}, {0, label, 2}));
    EXPECT_TRUE(std::isnan(out.loss)) << label;
    for (std::size_t i = 0; i < 12; ++i) {
      EXPECT_EQ(std::isnan(out.gradient[i]), i / 4 == 1) << label << " element " << i;
    }
  }
}

TEST(SoftmaxCrossEntropy, PassesNaNLogitsOn) {
  const Tensor z = floats({2, 2}, {0, NAN, 1, 2});
  const Outcome out = cross_entropy_of(z, integers({2}, {0, 1}));
  EXPECT_TRUE(std::isnan(out.loss));
  EXPECT_TRUE(std::isnan(out.gradient[0]));
  EXPECT_TRUE(std::isfinite(out.gradient[2]));
}

TEST(SoftmaxCrossEntropy, OfNothingIsNaN) {
  const Outcome out = cross_entropy_of(Tensor({{0, 3}}), Tensor({{0}, DType::i32}));
  EXPECT_TRUE(std::isnan(out.loss));
}

double loss_of(Value (*build)(Value, Value), const Tensor& p, const Tensor& t) {
  Graph g;
  g.output("loss", build(g.input("p", p.type()), g.input("t", t.type())));
  return values(execute(g, {{"p", p}, {"t", t}}).at("loss"))[0];
}

TEST(Losses, AreMeansOverAllElements) {
  const Tensor p = floats({2, 2}, {1, -2, 0.5f, 3}), t = floats({2, 2}, {0, 1, 0.25f, 3});
  EXPECT_FLOAT_EQ(static_cast<float>(loss_of(mse, p, t)), (1 + 9 + 0.0625f) / 4);
  const auto small = [](Value a, Value b) { return huber(a, b); };
  EXPECT_FLOAT_EQ(static_cast<float>(loss_of(+small, p, t)), (0.5f + 2.5f + 0.03125f) / 4);
  const auto wide = [](Value a, Value b) { return huber(a, b, 2); };
  EXPECT_FLOAT_EQ(static_cast<float>(loss_of(+wide, p, t)), (0.5f + 2 * (3 - 1) + 0.03125f) / 4);
}

TEST(BinaryCrossEntropy, FollowsItsDefinitionAndStaysFinite) {
  const Tensor z = random_tensor({{50}, DType::f64}, 1, -6, 6),
               t = random_tensor({{50}, DType::f64}, 2, 0, 1);
  double expected = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    const double p = 1 / (1 + std::exp(-z.as<double>()[i])), target = t.as<double>()[i];
    expected -= (target * std::log(p) + (1 - target) * std::log(1 - p)) / 50;
  }
  EXPECT_NEAR(loss_of(binary_cross_entropy, z, t), expected, 1e-12);
  EXPECT_FLOAT_EQ(static_cast<float>(loss_of(binary_cross_entropy, floats({2}, {1e4f, -1e4f}),
                                             floats({2}, {0, 1}))),
                  1e4f);
  EXPECT_EQ(loss_of(binary_cross_entropy, floats({2}, {1e4f, -1e4f}), floats({2}, {1, 0})), 0);
}

double accuracy(const Tensor& scores, const Tensor& labels, int k) {
  Graph g;
  g.output("y", top_k_accuracy(g.input("s", scores.type()), g.input("t", labels.type()), k));
  return values(execute(g, {{"s", scores}, {"t", labels}}).at("y"))[0];
}

TEST(TopKAccuracy, CountsLabelsAmongTheLargest) {
  const Tensor scores = floats({4, 3}, {1, 2, 3, 3, 2, 1, 5, 5, 5, 0, -1, 0});
  const Tensor labels = integers({4}, {2, 1, 1, 2});
  // Ties go to the lower index: row 2 ranks 0, 1, 2; row 3 ranks 0, 2, 1.
  EXPECT_EQ(accuracy(scores, labels, 1), 0.25);
  EXPECT_EQ(accuracy(scores, labels, 2), 1.0);
  EXPECT_EQ(accuracy(scores, integers({4}, {0, 2, 2, 1}), 2), 0.0);
  EXPECT_EQ(accuracy(scores, integers({4}, {0, 2, 2, 1}), 3), 1.0);
  EXPECT_EQ(accuracy(scores, integers({4}, {0, 2, 2, 1}), 50), 1.0);
}

TEST(TopKAccuracy, CountsLabelsOutsideAndNaNAsMisses) {
  const Tensor scores = floats({2, 2}, {1, 2, NAN, 1});
  EXPECT_EQ(accuracy(scores, integers({2}, {-1, 2}), 2), 0.0);
  EXPECT_EQ(accuracy(scores, integers({2}, {1, 0}), 2), 0.5);
}

}  // namespace
}  // namespace limen::test
