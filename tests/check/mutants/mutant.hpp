// What the ops of the self-test are made of. An op's name begins with its number, m10_... for a
// wrong one, c10_... for a right one. Its summary says what is wrong, in words; its reference names
// the tests that may catch it (any of them counts), or is empty for a right op.
#pragma once

#include <array>
#include <cmath>

#include "element.hpp"
#include "functions.hpp"

namespace limen_test {

constexpr limen_op told(limen_op o, const char* summary, const char* caught_by) {
  o.summary = summary;
  o.reference = caught_by;
  return o;
}

// All ops of a library, in the order of its source.
inline std::array<const limen_op*, 128> listed_ops{};
inline std::uint32_t listed_count = 0;

struct Listed {
  explicit Listed(const limen_op& op) { listed_ops[listed_count++] = &op; }
};

// --- rows: f(x, y, n) and b(x, y, dy, dx, n), which sets dx --------------------------------------
template <class A, class T>
void rows_forward(const limen_tile* t) {
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    A::f(static_cast<const T*>(t->x[0]) + at, static_cast<T*>(t->y[0]) + at, t->n);
  }
}

template <class A, class T>
void rows_backward(const limen_tile* t) {
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  T* const d = static_cast<T*>(__builtin_alloca(t->n * sizeof(T)));
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    const T* x = (reads_of<A>() & LIMEN_X) != 0 ? static_cast<const T*>(t->x[0]) + at : nullptr;
    const T* y = (reads_of<A>() & LIMEN_Y) != 0 ? static_cast<const T*>(t->y[0]) + at : nullptr;
    T* const dx = static_cast<T*>(t->dx[0]) + at;
    A::b(x, y, static_cast<const T*>(t->dy[0]) + at, d, t->n);
    for (std::uint64_t i = 0; i < t->n; ++i) dx[i] = add ? dx[i] + d[i] : d[i];
  }
}

template <class A>
inline constexpr limen_kernel kRowKernels[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, rows_forward<A, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, reads_of<A>(), rows_backward<A, double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, rows_forward<A, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, reads_of<A>(), rows_backward<A, float>)};

template <class A>
inline constexpr limen_op kToldOp = told(kOp<A>, A::summary, A::caught_by);
template <class A>
inline constexpr limen_op kRowOp = told(op(A::name, LIMEN_ROWS, kRowKernels<A>, 4, facts_of<A>()),
                                        A::summary, A::caught_by);

constexpr limen_op with_facts(limen_op o, const limen_facts& facts) {
  o.facts = &facts;
  return o;
}
constexpr limen_op surrogate(limen_op o, const char* of) {
  o.flags |= LIMEN_OP_SURROGATE;
  o.surrogate_of = of;
  return o;
}
constexpr limen_facts facts(std::uint32_t flags, double accuracy = 0) {
  limen_facts f{};
  f.size = sizeof f;
  f.flags = flags;
  f.accuracy = accuracy;
  return f;
}

// A loop over one row, with sums that a row needs.
template <class T>
T sum_of(const T* a, const T* b, std::uint64_t n) {
  T sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
template <class T>
T top_of(const T* x, std::uint64_t n) {
  T top = x[0];
  for (std::uint64_t i = 1; i < n; ++i) top = x[i] > top || x[i] != x[i] ? x[i] : top;
  return top;
}
template <class T>
void softmax(const T* x, T* y, std::uint64_t n, T temperature = 1) {
  const T top = top_of(x, n);
  T sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += y[i] = std::exp((x[i] - top) / temperature);
  for (std::uint64_t i = 0; i < n; ++i) y[i] /= sum;
}
template <class T>
void log_softmax(const T* x, T* y, std::uint64_t n) {
  const T top = top_of(x, n);
  T sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += std::exp(x[i] - top);
  for (std::uint64_t i = 0; i < n; ++i) y[i] = (x[i] - top) - std::log(sum);
}

}  // namespace limen_test

// An element-wise op: f of x, and what its backward returns for x, y and the upstream g.
#define MAP_FUNCTION(tag, which, what, catchers, F, B)                             \
  struct tag {                                                                     \
    static constexpr auto name = #tag;                                             \
    static constexpr auto summary = what;                                          \
    static constexpr auto caught_by = catchers;                                    \
    static constexpr std::uint32_t reads = which;                                  \
    template <class T>                                                             \
    static T f(T x) {                                                              \
      return F;                                                                    \
    }                                                                              \
    template <class T>                                                             \
    static T b([[maybe_unused]] T x, [[maybe_unused]] T y, [[maybe_unused]] T g) { \
      return B;                                                                    \
    }                                                                              \
  };
#define MAP_OP(tag, which, what, catchers, F, B) \
  MAP_FUNCTION(tag, which, what, catchers, F, B) \
  static const limen_test::Listed listed_##tag(limen_test::kToldOp<tag>);
#define RIGHT_MAP(tag, which, what, F, B) MAP_OP(tag, which, what, "", F, B)

// A function of rows; F and B are statements.
#define ROW_OP(tag, which, what, catchers, F, ...)                                              \
  struct tag {                                                                                  \
    static constexpr auto name = #tag;                                                          \
    static constexpr auto summary = what;                                                       \
    static constexpr auto caught_by = catchers;                                                 \
    static constexpr std::uint32_t reads = which;                                               \
    template <class T>                                                                          \
    static void f(const T* x, T* y, std::uint64_t n) {                                          \
      F;                                                                                        \
    }                                                                                           \
    template <class T>                                                                          \
    static void b([[maybe_unused]] const T* x, [[maybe_unused]] const T* y, const T* dy, T* dx, \
                  std::uint64_t n) {                                                            \
      __VA_ARGS__;                                                                              \
    }                                                                                           \
  };                                                                                            \
  static const limen_test::Listed listed_##tag(limen_test::kRowOp<tag>);

#define RIGHT_ROW(tag, which, what, F, ...) ROW_OP(tag, which, what, "", F, __VA_ARGS__)

// An op put together by hand.
#define LISTED(tag, ...)                       \
  static constexpr limen_op tag = __VA_ARGS__; \
  static const limen_test::Listed listed_##tag(tag);

#define EACH(i, n, ...) \
  for (std::uint64_t i = 0; i < (n); ++i) __VA_ARGS__

#define SELFTEST_PLUGIN(plugin_name)                                                         \
  LIMEN_DECLARE_PLUGIN(0);                                                                   \
  LIMEN_DECLARE_OP(selftest, plugin_name);                                                   \
  extern "C" const limen_plugin* limen_plugin_v1(const limen_host*, limen_error*) noexcept { \
    static const limen_plugin plugin = {sizeof(limen_plugin),                                \
                                        LIMEN_ABI_MAJOR,                                     \
                                        LIMEN_ABI_MINOR,                                     \
                                        0,                                                   \
                                        0,                                                   \
                                        limen_test::listed_count,                            \
                                        nullptr,                                             \
                                        "org.limen.selftest." plugin_name,                   \
                                        "1.0.0",                                             \
                                        "tests",                                             \
                                        "MIT",                                               \
                                        "",                                                  \
                                        "",                                                  \
                                        limen_test::listed_ops.data()};                      \
    return &plugin;                                                                          \
  }

namespace limen_test {

template <class T>
T mean_of(const T* x, std::uint64_t n) {
  T sum = 0;
  EACH(i, n, sum += x[i]);
  return sum / T(n);
}

// At the row 0 no slopes of relu give all one-sided slopes of this.
template <class T>
void relu_less_mean(const T* x, T* y, std::uint64_t n) {
  EACH(i, n, y[i] = x[i] > 0 || x[i] != x[i] ? x[i] : T(0));
  const T mean = mean_of(y, n);
  EACH(i, n, y[i] -= mean);
}

}  // namespace limen_test
