// Sigmoid that keeps its derivative as state and multiplies the upstream into it: the first
// backward is right, the second is not.
#include <cmath>

#include "../mutants/element.hpp"

template <class T>
static void forward(const limen_tile* t) {
  const T* x = static_cast<const T*>(t->x[0]);
  T* y = static_cast<T*>(t->y[0]);
  T* state = static_cast<T*>(t->state);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    y[i] = 1 / (1 + std::exp(-x[i]));
    if (state != nullptr) state[i] = y[i] * (1 - y[i]);
  }
}

template <class T>
static void backward(const limen_tile* t) {
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  const T* dy = static_cast<const T*>(t->dy[0]);
  T* dx = static_cast<T*>(t->dx[0]);
  T* state = static_cast<T*>(t->state);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    state[i] *= dy[i];
    dx[i] = add ? dx[i] + state[i] : state[i];
  }
}

static constexpr limen_kernel with_state(std::uint32_t role, std::uint32_t dtype,
                                         void (*run)(const limen_tile*)) {
  limen_kernel k = limen_test::kernel(role, dtype, role == LIMEN_BACKWARD ? LIMEN_STATE : 0u, run);
  k.variant = 1;
  k.state_bits = dtype == LIMEN_F32 ? 32 : 64;
  return k;
}

// The plain forward without state, which every op must have.
static constexpr limen_kernel kernels[] = {
    with_state(LIMEN_FORWARD, LIMEN_F64, forward<double>),
    with_state(LIMEN_BACKWARD, LIMEN_F64, backward<double>),
    with_state(LIMEN_FORWARD, LIMEN_F32, forward<float>),
    with_state(LIMEN_BACKWARD, LIMEN_F32, backward<float>),
    limen_test::kernel(LIMEN_FORWARD, LIMEN_F64, 0, forward<double>),
    limen_test::kernel(LIMEN_FORWARD, LIMEN_F32, 0, forward<float>)};
static constexpr limen_op op = limen_test::op("state_overwritten", LIMEN_MAP, kernels, 6);

LIMEN_DECLARE_OP(state, "state_overwritten");
LIMEN_TEST_PLUGIN("org.limen.test.state_overwritten", &op)
