#include <limen/tensor.hpp>

#include <cmath>
#include <limits>

#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace limen::test {
namespace {

TEST(Shape, CountsItsElements) {
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ(Shape{}.rank(), 0);
  EXPECT_EQ((Shape{3, 4}.elements()), 12);
  EXPECT_EQ((Shape{3, 0, 4}.elements()), 0);
  EXPECT_EQ(to_string(Shape{3, 4}), "[3, 4]");
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(TensorType{{2}, DType::i32}), "i32[2]");
}

TEST(Shape, RefusesSizesThatNoMemoryHolds) {
  const std::int64_t big = std::int64_t{1} << 32;
  EXPECT_ERROR((Shape{big, big}.elements()), "E0606", "[4294967296, 4294967296]");
  // The bytes must be countable too: 2^61 f64 are 2^64 bytes.
  EXPECT_ERROR((TensorType{{std::int64_t{1} << 61}, DType::f64}.bytes()), "E0606");
  EXPECT_ERROR((Shape{std::numeric_limits<std::int64_t>::max()}.elements()), "E0606");
  EXPECT_EQ((Shape{big, big, 0}.elements()), 0);
  EXPECT_EQ((Shape{0, big, big}.elements()), 0);
  EXPECT_ERROR((Shape{2, -1}), "E0606", "-1", "axis 1");
  EXPECT_ERROR((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), "E0606", "8", "9");
}

TEST(Shape, ComparesAndChangesByValue) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s, (Shape{2, 3, 4}));
  EXPECT_NE(s, (Shape{2, 3}));
  EXPECT_NE(s, (Shape{2, 3, 5}));
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3, 1}));
  EXPECT_EQ(s.with(1, 7), (Shape{2, 7, 4}));
  EXPECT_EQ(s.without(0), (Shape{3, 4}));
  EXPECT_EQ(s.without(2), (Shape{2, 3}));
  EXPECT_EQ((Shape{2, 3, 4}.without(2)), (Shape{2, 3}));  // equal whatever stood there before
}

TEST(Shape, CountsNegativeAxesFromTheEnd) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.axis(0), 0);
  EXPECT_EQ(s.axis(-1), 2);
  EXPECT_EQ(s.axis(-3), 0);
  EXPECT_ERROR(s.axis(3), "E0605", "axis 3", "3 axes");
  EXPECT_ERROR(s.axis(-4), "E0605", "axis -4");
  EXPECT_ERROR(Shape{}.axis(0), "E0605");
}

TEST(Tensor, StartsWithZerosOnACacheLine) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i32}) {
    const Tensor t({{7, 3}, dtype});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.data()) % 64, 0u);
    for (const double v : values(t)) EXPECT_EQ(v, 0);
  }
}

TEST(Tensor, SharesItsBufferWithCopiesAndNotWithClones) {
  const Tensor t = floats({2}, {1, 2});
  const Tensor copy = t, clone = t.clone(), flat = t.reshaped({2, 1});
  t.as<float>()[0] = 5;
  EXPECT_EQ(copy.as<float>()[0], 5);
  EXPECT_EQ(flat.as<float>()[0], 5);
  EXPECT_EQ(flat.shape(), (Shape{2, 1}));
  EXPECT_EQ(clone.as<float>()[0], 1);
}

TEST(Tensor, MayBeEmptyOrAbsent) {
  EXPECT_FALSE(Tensor().valid());
  const Tensor empty({{0, 5}, DType::f64});
  EXPECT_TRUE(empty.valid());
  EXPECT_TRUE(empty.as<double>().empty());
  EXPECT_TRUE(empty.clone().valid());
}

TEST(Tensor, MakesScalars) {
  EXPECT_EQ(Tensor::scalar(0.5, DType::f32).as<float>()[0], 0.5f);
  EXPECT_EQ(Tensor::scalar(0.1, DType::f64).as<double>()[0], 0.1);
  EXPECT_EQ(Tensor::scalar(-3, DType::i32).as<std::int32_t>()[0], -3);
}

TEST(Convert, RoundsToNearest) {
  const Tensor d = doubles({3}, {0.1, -1e300, std::nan("")});
  const Tensor single = convert(d, DType::f32);
  const auto f = single.as<float>();
  EXPECT_EQ(f[0], 0.1f);
  EXPECT_EQ(f[1], -INFINITY);
  EXPECT_TRUE(std::isnan(f[2]));
  EXPECT_EQ(values(convert(integers({2}, {7, -7}), DType::f64)), (std::vector<double>{7, -7}));
}

TEST(Convert, CopiesWhereTheTypeIsTheSame) {
  const Tensor t = floats({1}, {1});
  const Tensor same = convert(t, DType::f32);
  t.as<float>()[0] = 2;
  EXPECT_EQ(same.as<float>()[0], 1);
}

TEST(Convert, TakesOnlyWholeNumbersInRangeToIntegers) {
  EXPECT_EQ(values(convert(doubles({3}, {-2147483648.0, 2147483647.0, -0.0}), DType::i32)),
            (std::vector<double>{-2147483648.0, 2147483647.0, 0}));
  EXPECT_ERROR(convert(doubles({2}, {1, 0.5}), DType::i32), "E0603", "element 1", "0.5");
  EXPECT_ERROR(convert(doubles({1}, {2147483648.0}), DType::i32), "E0603");
  EXPECT_ERROR(convert(doubles({1}, {std::nan("")}), DType::i32), "E0603");
  EXPECT_ERROR(convert(floats({1}, {INFINITY}), DType::i32), "E0603");
}

}  // namespace
}  // namespace limen::test
