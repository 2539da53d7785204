#include "kernels/elementwise.hpp"

#include <gtest/gtest.h>

#include "base/isa.hpp"
#include "support/tensors.hpp"

namespace limen::test {
namespace {

TEST(MapElements, HandlesEveryLengthAndEveryThreadCount) {
  for (const std::int64_t n : {0, 1, 3, 16, 17, 1000, 16384, 16385, 50000}) {
    const Tensor a = random_tensor({{n}, DType::f32}, 1), b = random_tensor({{n}, DType::f32}, 2);
    for (const int threads : {1, 2, 4}) {
      const Target target{.threads = threads, .isa = detect_isa()};
      const Tensor sum({{n}, DType::f32}), twice({{n}, DType::f32});
      const std::byte* in[] = {a.data(), b.data()};
      map_elements<float, 2>(n, target, [](float x, float y) {
        return x + y;
      }).run({in, sum.data(), nullptr});
      map_elements<float, 1>(n, target, [](float x) {
        return 2 * x;
      }).run({in, twice.data(), nullptr});
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
        ASSERT_EQ(sum.as<float>()[i], a.as<float>()[i] + b.as<float>()[i]);
        ASSERT_EQ(twice.as<float>()[i], 2 * a.as<float>()[i]);
      }
    }
  }
}

TEST(MapElements, MayWriteOverEitherInput) {
  for (const int over : {0, 1}) {
    const Tensor a = random_tensor({{1003}, DType::f64}, 1),
                 b = random_tensor({{1003}, DType::f64}, 2);
    const Tensor x = a.clone(), y = b.clone();
    const std::byte* in[] = {x.data(), y.data()};
    map_elements<double, 2>(1003, {.isa = detect_isa()}, [](double p, double q) {
      return p - q;
    }).run({in, over == 0 ? x.data() : y.data(), nullptr});
    const Tensor& out = over == 0 ? x : y;
    for (std::size_t i = 0; i < 1003; ++i) {
      ASSERT_EQ(out.as<double>()[i], a.as<double>()[i] - b.as<double>()[i]);
    }
  }
}

}  // namespace
}  // namespace limen::test
