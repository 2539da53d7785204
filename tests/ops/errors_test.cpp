// What ops refuse, and how they say it.
#include <limen/differentiate.hpp>
#include <limen/ops.hpp>

#include "ops/pointwise.hpp"
#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace limen::test {
namespace {

class OpErrors : public testing::Test {
 protected:
  Value leaf(const Shape& shape, DType dtype = DType::f32) {
    return graph_.input("x" + std::to_string(graph_.size()), {shape, dtype});
  }
  Graph graph_;
};

TEST_F(OpErrors, MatmulNamesBothOperandsAndTheInnerSizes) {
  const Value a = leaf({3, 4}), b = leaf({5, 6});
  EXPECT_ERROR(matmul(a, b), "E0602", "`matmul`", "f32[3, 4]", "f32[5, 6]", "4 and 5");
  EXPECT_ERROR(matmul(a, b, true, true), "E0602", "f32[3, 4] transposed", "3 and 6");
  EXPECT_ERROR(matmul(a, leaf({4})), "E0601", "`matmul`", "f32[4]", "2 axes");
  EXPECT_ERROR(matmul(leaf({2, 3, 4}), b), "E0601", "f32[2, 3, 4]");
  EXPECT_ERROR(matmul(a, leaf({4, 2}, DType::f64)), "E0603", "f32[3, 4]", "f64[4, 2]");
  EXPECT_ERROR(matmul(leaf({3, 4}, DType::i32), leaf({4, 2}, DType::i32)), "E0603", "i32[3, 4]");
}

TEST_F(OpErrors, MatmulBiasWantsOneNumberPerColumn) {
  const Value a = leaf({3, 4}), b = leaf({4, 6});
  EXPECT_ERROR(matmul_bias(a, b, leaf({3})), "E0602", "6 columns", "f32[3]");
  EXPECT_ERROR(matmul_bias(a, b, leaf({1, 6})), "E0602", "f32[1, 6]");
  EXPECT_ERROR(matmul_bias(a, b, leaf({6}, DType::f64)), "E0603", "f64[6]");
}

TEST_F(OpErrors, ElementwiseOpsWantEqualTypes) {
  const Value x = leaf({3, 4});
  for (Value (*op)(Value, Value) : {add, sub, mul, div}) {
    EXPECT_ERROR(op(x, leaf({4})), "E0607", "f32[3, 4]", "f32[4]");
    EXPECT_ERROR(op(x, leaf({3, 4}, DType::f64)), "E0603", "f32[3, 4]", "f64[3, 4]");
  }
  EXPECT_ERROR(add(x, leaf({4})), "`add`");
  for (Value (*op)(Value) : {neg, exp, log, sqrt, square}) {
    EXPECT_ERROR(op(leaf({3}, DType::i32)), "E0603", "i32[3]");
  }
  EXPECT_ERROR(scale(leaf({3}, DType::i32), 2), "E0603", "`scale`");
}

TEST_F(OpErrors, ShapeOpsNameBothShapes) {
  const Value x = leaf({3, 4});
  EXPECT_ERROR(broadcast_to(x, {3, 5}), "E0602", "`broadcast_to`", "f32[3, 4]", "[3, 5]");
  EXPECT_ERROR(broadcast_to(x, {4}), "E0602", "f32[3, 4]", "[4]");
  EXPECT_ERROR(broadcast_to(x, {3, 4, 2}), "E0602");
  EXPECT_ERROR(sum_to(x, {2, 4}), "E0602", "`sum_to`", "f32[3, 4]", "[2, 4]");
  EXPECT_ERROR(sum_to(x, {1, 3, 4}), "E0602");
  EXPECT_ERROR(reshape(x, {5, 2}), "E0602", "`reshape`", "f32[3, 4]", "[5, 2]", "12 and 10");
  EXPECT_ERROR(transpose(x, {0}), "E0605", "`transpose`", "f32[3, 4]", "[0]");
  EXPECT_ERROR(transpose(x, {0, 0}), "E0605", "[0, 0]");
  EXPECT_ERROR(transpose(x, {0, 2}), "E0605", "[0, 2]");
  EXPECT_ERROR(transpose(x, {0, 1, 1}), "E0605");
}

TEST_F(OpErrors, ConcatAndSliceStayInside) {
  const Value x = leaf({3, 4});
  EXPECT_ERROR(concat(std::vector<Value>{x, leaf({2, 4})}, 1), "E0607", "`concat`", "f32[3, 4]",
               "f32[2, 4]");
  EXPECT_ERROR(concat(std::vector<Value>{x, leaf({3})}, 0), "E0607", "f32[3]");
  EXPECT_ERROR(concat(std::vector<Value>{x, leaf({3, 4}, DType::i32)}, 0), "E0607", "i32[3, 4]");
  EXPECT_ERROR(concat(std::vector<Value>{x, x}, 2), "E0605", "axis 2");
  EXPECT_ERROR(concat(std::vector<Value>{leaf({})}, 0), "E0605");
  EXPECT_ERROR(concat(std::span<const Value>(), 0), "E06", "`concat`");
  EXPECT_ERROR(slice(x, 1, 2, 5), "E0602", "`slice`", "[2, 5)", "f32[3, 4]");
  EXPECT_ERROR(slice(x, 1, -1, 2), "E0602");
  EXPECT_ERROR(slice(x, 1, 3, 2), "E0602");
  EXPECT_ERROR(slice(x, 2, 0, 1), "E0605", "axis 2");
}

TEST_F(OpErrors, ReductionsWantAxesThatExist) {
  const Value x = leaf({3, 4});
  EXPECT_ERROR(reduce_sum(x, {2}), "E0605", "axis 2", "2 axes");
  EXPECT_ERROR(reduce_mean(x, {-3}), "E0605");
  EXPECT_ERROR(reduce_max(x, {0, 5}), "E0605");
  EXPECT_ERROR(reduce_sum(leaf({3}, DType::i32)), "E0603", "i32[3]");
  EXPECT_ERROR(reduce_max(leaf({3}, DType::i32)), "E0603", "i32[3]");
}

TEST_F(OpErrors, LossesNameScoresAndLabels) {
  const Value z = leaf({4, 3});
  EXPECT_ERROR(softmax_cross_entropy(z, leaf({4})), "E0702", "f32[4, 3]", "i32[4]", "f32[4]");
  EXPECT_ERROR(softmax_cross_entropy(z, leaf({3}, DType::i32)), "E0702", "i32[3]");
  EXPECT_ERROR(softmax_cross_entropy(z, leaf({4, 1}, DType::i32)), "E0702");
  EXPECT_ERROR(softmax_cross_entropy(leaf({}), leaf({}, DType::i32)), "E0601", "f32[]");
  EXPECT_ERROR(top_k_accuracy(z, leaf({3}, DType::i32)), "E0702", "`top_k_accuracy`");
  EXPECT_ERROR(mse(z, leaf({4})), "E0607", "f32[4, 3]", "f32[4]");
  EXPECT_ERROR(huber(z, leaf({3, 4})), "E0607");
  EXPECT_ERROR(binary_cross_entropy(z, leaf({4, 3}, DType::i32)), "E0603", "i32[4, 3]");
}

TEST_F(OpErrors, DropoutWantsARateBelowOneAndACounter) {
  const Value x = leaf({4}), counter = leaf({}, DType::i32);
  for (const double rate : {1.0, -0.1, 20.0, double{NAN}}) {
    EXPECT_ERROR(dropout(x, counter, rate, 1), "E0208", "rate", "[0, 1)");
  }
  EXPECT_ERROR(dropout(x, x, 0.5, 1), "E06", "counter", "i32[]", "f32[4]");
  EXPECT_ERROR(dropout(leaf({4}, DType::i32), counter, 0.5, 1), "E0603");
}

TEST_F(OpErrors, MetricsAreNotDifferentiable) {
  const Value z = leaf({4, 3}), labels = leaf({4}, DType::i32);
  EXPECT_ERROR(differentiate(top_k_accuracy(z, labels), std::array{z}), "E0610",
               "`top_k_accuracy`");
}

TEST_F(OpErrors, NoShapeMayOverflow) {
  const Value x = leaf({1, 1});
  const std::int64_t huge = std::int64_t{1} << 40;
  EXPECT_ERROR(broadcast_to(x, {huge, huge}), "E0606");
  const Value tall = leaf({huge, 1}), wide = leaf({1, huge});
  EXPECT_ERROR(matmul(tall, wide), "E0606");
}

}  // namespace
}  // namespace limen::test
