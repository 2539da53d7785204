#include "kernels/copy.hpp"

#include <numeric>

#include <gtest/gtest.h>

#include "support/tensors.hpp"

namespace limen::test {
namespace {

template <class T>
void expect_copy(const Shape& out, const std::vector<std::int64_t>& strides, std::int64_t source) {
  const Tensor from({{source}, dtype_of<T>()}), to({out, dtype_of<T>()});
  std::iota(from.as<T>().begin(), from.as<T>().end(), T(1));
  const std::byte* in[] = {from.data()};
  make_strided_copy(out, strides, sizeof(T))({in, to.data(), nullptr});
  std::vector<std::int64_t> index(static_cast<std::size_t>(out.rank()));
  for (std::int64_t i = 0; i < out.elements(); ++i) {
    std::int64_t rest = i, at = 0;
    for (int axis = out.rank() - 1; axis >= 0; --axis) {
      at += rest % out[axis] * strides[static_cast<std::size_t>(axis)];
      rest /= out[axis];
    }
    ASSERT_EQ(to.as<T>()[static_cast<std::size_t>(i)], static_cast<T>(at + 1))
        << to_string(out) << " element " << i;
  }
}

TEST(StridedCopy, FollowsTheStrides) {
  const auto all = [](const Shape& out, const std::vector<std::int64_t>& strides,
                      std::int64_t source) {
    expect_copy<float>(out, strides, source);
    expect_copy<double>(out, strides, source);
    expect_copy<std::int32_t>(out, strides, source);
  };
  all({}, {}, 1);
  all({5}, {1}, 5);
  all({5}, {0}, 1);
  all({3, 4}, {4, 1}, 12);
  all({4, 3}, {1, 4}, 12);         // transposed
  all({3, 4}, {0, 1}, 4);          // repeated rows
  all({3, 4}, {1, 0}, 3);          // repeated columns
  all({2, 3, 4}, {0, 0, 0}, 1);    // one value everywhere
  all({2, 3, 4}, {0, 1, 0}, 3);    // repeated around
  all({2, 3, 4}, {1, 8, 2}, 24);   // an axis permutation
  all({4, 1, 3}, {1, 99, 4}, 12);  // the stride of an axis of size 1 is nobody's business
  all({2, 2, 2, 2, 2, 2, 2, 2}, {1, 2, 4, 8, 16, 32, 64, 128}, 256);
  all({2, 3, 2}, {6, 2, 1}, 12);
  all({3, 0, 2}, {1, 1, 1}, 6);
}

}  // namespace
}  // namespace limen::test
