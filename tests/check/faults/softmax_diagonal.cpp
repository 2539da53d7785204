// Softmax whose backward knows only the diagonal of the Jacobian, s_i (1 - s_i).
#include <cmath>

#include "../mutants/element.hpp"

template <class T>
static void forward(const limen_tile* t) {
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    const T* x = static_cast<const T*>(t->x[0]) + at;
    T* y = static_cast<T*>(t->y[0]) + at;
    T top = x[0], sum = 0;
    for (std::uint64_t i = 1; i < t->n; ++i) top = x[i] > top ? x[i] : top;
    for (std::uint64_t i = 0; i < t->n; ++i) sum += y[i] = std::exp(x[i] - top);
    for (std::uint64_t i = 0; i < t->n; ++i) y[i] /= sum;
  }
}

template <class T>
static void backward(const limen_tile* t) {
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    const T* y = static_cast<const T*>(t->y[0]) + at;
    const T* dy = static_cast<const T*>(t->dy[0]) + at;
    T* dx = static_cast<T*>(t->dx[0]) + at;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T d = dy[i] * y[i] * (1 - y[i]);
      dx[i] = add ? dx[i] + d : d;
    }
  }
}

static constexpr limen_kernel kernels[] = {
    limen_test::kernel(LIMEN_FORWARD, LIMEN_F64, 0, forward<double>),
    limen_test::kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_Y, backward<double>),
    limen_test::kernel(LIMEN_FORWARD, LIMEN_F32, 0, forward<float>),
    limen_test::kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_Y, backward<float>)};
static constexpr limen_op op = limen_test::op("softmax_diagonal", LIMEN_ROWS, kernels, 4);

LIMEN_DECLARE_OP(softmax, "softmax_diagonal");
LIMEN_TEST_PLUGIN("org.limen.test.softmax_diagonal", &op)
