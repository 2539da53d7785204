// A small frame for test plugins: an op is a struct with the templates
//   f(x)          the function
//   b(x, y, g)    what its backward returns for upstream g, right or wrong
// and optionally `reads` (default LIMEN_X), `name`, `kinks`. Kernels for f64 and f32, no vector
// code.
#pragma once

#include <cstddef>
#include <cstdint>

#include <limen/plugin.h>

namespace limen_test {

template <class A>
constexpr std::uint32_t reads_of() {
  if constexpr (requires { A::reads; }) {
    return A::reads;
  } else {
    return LIMEN_X;
  }
}

template <class A, class T>
void forward(const limen_tile* t) {
  const T* x = static_cast<const T*>(t->x[0]);
  T* y = static_cast<T*>(t->y[0]);
  for (std::uint64_t i = 0; i < t->n; ++i) y[i] = A::f(x[i]);
}

template <class A, class T>
void backward(const limen_tile* t) {
  const T* x = (reads_of<A>() & LIMEN_X) != 0 ? static_cast<const T*>(t->x[0]) : nullptr;
  const T* y = (reads_of<A>() & LIMEN_Y) != 0 ? static_cast<const T*>(t->y[0]) : nullptr;
  const T* dy = static_cast<const T*>(t->dy[0]);
  T* dx = static_cast<T*>(t->dx[0]);
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T d = A::b(x == nullptr ? T(0) : x[i], y == nullptr ? T(0) : y[i], dy[i]);
    dx[i] = add ? dx[i] + d : d;
  }
}

inline constexpr limen_facts kNoFacts{};

constexpr limen_kernel kernel(std::uint32_t role, std::uint32_t dtype, std::uint32_t reads,
                              void (*run)(const limen_tile*)) {
  return {sizeof(limen_kernel), role, dtype, LIMEN_ISA_ANY, 0, reads, 0, 0, 0, 0, run};
}

template <class A>
inline constexpr limen_kernel kKernels[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, forward<A, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, reads_of<A>(), backward<A, double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, forward<A, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, reads_of<A>(), backward<A, float>)};

constexpr limen_op op(const char* name, std::uint32_t kind, const limen_kernel* kernels,
                      std::uint32_t n, const limen_facts* facts = nullptr) {
  limen_op o{};
  o.size = sizeof(limen_op);
  o.name = name;
  o.version = "1.0.0";
  o.summary = "for tests";
  o.formula = "";
  o.kind = kind;
  o.dtypes = LIMEN_F32 | LIMEN_F64;
  o.arity = 1;
  o.outputs = 1;
  o.axis = -1;
  o.n_kernels = n;
  o.kernels = kernels;
  o.facts = facts;
  return o;
}

template <class A>
constexpr const limen_facts* facts_of() {
  if constexpr (requires { A::facts; }) {
    return &A::facts;
  } else {
    return nullptr;
  }
}

template <class A>
inline constexpr limen_op kOp = op(A::name, LIMEN_MAP, kKernels<A>, 4, facts_of<A>());

}  // namespace limen_test

#define LIMEN_TEST_PLUGIN(plugin_name, ...)                                                  \
  LIMEN_DECLARE_PLUGIN(0);                                                                   \
  static const limen_op* const limen_test_ops[] = {__VA_ARGS__};                             \
  static const limen_plugin limen_test_plugin = {                                            \
      sizeof(limen_plugin),                                                                  \
      LIMEN_ABI_MAJOR,                                                                       \
      LIMEN_ABI_MINOR,                                                                       \
      0,                                                                                     \
      0,                                                                                     \
      sizeof(limen_test_ops) / sizeof(limen_test_ops[0]),                                    \
      nullptr,                                                                               \
      plugin_name,                                                                           \
      "1.0.0",                                                                               \
      "tests",                                                                               \
      "MIT",                                                                                 \
      "",                                                                                    \
      "",                                                                                    \
      limen_test_ops};                                                                       \
  extern "C" const limen_plugin* limen_plugin_v1(const limen_host*, limen_error*) noexcept { \
    return &limen_test_plugin;                                                               \
  }
