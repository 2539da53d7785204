// Functions of rows with kinks and ties, where a gradient may be many things and not all, and whose
// terms cancel: right ones that are hard to tell, each with a wrong twin.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

template <class T>
void relu_less_mean_back(const T* x, const T* dy, T* dx, T at_zero, std::uint64_t n) {
  const T mean = mean_of(dy, n);
  EACH(i, n, dx[i] = (x[i] > 0 ? T(1) : x[i] == 0 ? at_zero : T(0)) * (dy[i] - mean));
}
RIGHT_ROW(ck01_relu_less_mean, LIMEN_X, "relu less its mean, slope 0 at 0", relu_less_mean(x, y, n),
          relu_less_mean_back(x, dy, dx, T(0), n))
RIGHT_ROW(ck02_relu_less_mean_1, LIMEN_X, "relu less its mean, slope 1 at 0",
          relu_less_mean(x, y, n), relu_less_mean_back(x, dy, dx, T(1), n))
ROW_OP(rk01_relu_less_mean_2, LIMEN_X, "relu less its mean, slope 2 at 0", "derivative-fd",
       relu_less_mean(x, y, n), relu_less_mean_back(x, dy, dx, T(2), n))
ROW_OP(rk02_relu_less_half_mean, LIMEN_X, "relu less its mean: half of it in backward at 0",
       "derivative-fd", relu_less_mean(x, y, n), const T mean = mean_of(dy, n);
       EACH(i, n,
            dx[i] = x[i] > 0    ? dy[i] - mean
                    : x[i] == 0 ? dy[i] - mean / 2
                                : T(0)))

// |x| less its mean: along the row of ones it is 0 up to rounding, on both sides.
template <class T>
void size_less_mean(const T* x, T* y, std::uint64_t n) {
  EACH(i, n, y[i] = std::abs(x[i]));
  const T mean = mean_of(y, n);
  EACH(i, n, y[i] -= mean);
}
RIGHT_ROW(ck03_size_less_mean, LIMEN_X, "|x| less its mean, slope 0 at 0", size_less_mean(x, y, n),
          const T mean = mean_of(dy, n);
          EACH(i, n,
               dx[i] = (x[i] > 0   ? 1
                        : x[i] < 0 ? -1
                                   : 0 * x[i]) *
                       (dy[i] - mean)))

// The largest element becomes what it is above the next one, others 0: f jumps at ties.
template <class T>
void two_largest(const T* x, std::uint64_t n, std::uint64_t& first, std::uint64_t& second) {
  first = 0, second = n;
  EACH(i, n, if (x[i] > x[first]) first = i);
  EACH(i, n, if (i != first && (second == n || x[i] > x[second])) second = i);
}
template <class T>
void lead(const T* x, T* y, std::uint64_t n) {
  std::uint64_t a, b;
  two_largest(x, n, a, b);
  EACH(i, n, y[i] = x[i] != x[i] ? x[i] : i != a ? T(0) : b == n ? x[a] : x[a] - x[b]);
}
template <class T>
void lead_back(const T* x, const T* dy, T* dx, bool all, std::uint64_t n) {
  std::uint64_t a, b;
  two_largest(x, n, a, b);
  EACH(i, n, dx[i] = i == a ? dy[a] : i == b || (all && b != n && x[i] == x[b]) ? -dy[a] : T(0));
}
RIGHT_ROW(ck04_lead, LIMEN_X, "the largest less the second largest, the first of equal ones",
          lead(x, y, n), lead_back(x, dy, dx, false, n))
ROW_OP(rk03_lead_all, LIMEN_X, "all that are equal to the second largest get its gradient",
       "derivative-fd", lead(x, y, n), lead_back(x, dy, dx, true, n))

// 500 (x - min): so steep at the row 0 that steps of 1e-29 are asked.
template <class T>
void above_least(const T* x, T* y, std::uint64_t n) {
  T least = x[0];
  EACH(i, n, least = x[i] < least || x[i] != x[i] ? x[i] : least);
  EACH(i, n, y[i] = 500 * (x[i] - least));
}
template <class T>
void above_least_back(const T* x, const T* dy, T* dx, bool all, std::uint64_t n) {
  T sum = 0;
  std::uint64_t at = 0;
  EACH(i, n, sum += dy[i]);
  EACH(i, n, if (x[i] < x[at]) at = i);
  EACH(i, n, dx[i] = 500 * (dy[i] - (i == at || (all && x[i] == x[at]) ? sum : T(0))));
}
RIGHT_ROW(ck05_above_least, LIMEN_X, "500 (x - min), the first of equal ones", above_least(x, y, n),
          above_least_back(x, dy, dx, false, n))
ROW_OP(rk04_above_least_all, LIMEN_X, "500 (x - min): equal ones get the whole gradient each",
       "derivative-fd", above_least(x, y, n), above_least_back(x, dy, dx, true, n))

// x times its layer norm: of two numbers around 1000 a rounded mean leaves little. The wrong one
// loses as much in f32 everywhere.
template <bool OnePass, class T>
void normal_of(const T* x, T* z, T& q, std::uint64_t n) {
  const T mean = mean_of(x, n);
  T sum = 0;
  EACH(i, n, sum += OnePass && sizeof(T) == 4 ? x[i] * x[i] : (x[i] - mean) * (x[i] - mean));
  if (OnePass && sizeof(T) == 4) sum -= T(n) * mean * mean;
  q = 1 / std::sqrt((sum > 0 || sum != sum ? sum : T(0)) / T(n) + T(1e-5));
  EACH(i, n, z[i] = (x[i] - mean) * q);
}
template <bool OnePass, class T>
void times_normal_back(const T* x, const T* dy, T* dx, std::uint64_t n) {
  T* const z = static_cast<T*>(__builtin_alloca(n * sizeof(T)));
  T q, c1 = 0, c2 = 0;
  normal_of<OnePass>(x, z, q, n);
  EACH(i, n, c1 += dy[i] * x[i] / T(n), c2 += dy[i] * x[i] * z[i] / T(n));
  EACH(i, n, dx[i] = dy[i] * z[i] + q * (dy[i] * x[i] - c1 - z[i] * c2));
}
template <class T>
void times_normal(const T* x, T* y, std::uint64_t n) {
  T* const z = static_cast<T*>(__builtin_alloca(n * sizeof(T)));
  T q;
  normal_of<false>(x, z, q, n);
  EACH(i, n, y[i] = x[i] * z[i]);
}
RIGHT_ROW(ck06_times_normal, LIMEN_X, "x times its layer norm", times_normal(x, y, n),
          times_normal_back<false>(x, dy, dx, n))
ROW_OP(rk05_times_normal_one_pass, LIMEN_X, "only f32: the variance as mean of squares less square",
       "dtype-agree", times_normal(x, y, n), times_normal_back<true>(x, dy, dx, n))

// Saturated: a long row along ones does not move.
template <class T>
void sharp(const T* x, T* y, std::uint64_t n) {
  softmax(x, y, n, T(1e-3));
}
RIGHT_ROW(ck07_sharp_softmax, LIMEN_Y, "softmax of 1000 x", sharp(x, y, n),
          const T sum = sum_of(y, dy, n);
          EACH(i, n, dx[i] = 1000 * y[i] * (dy[i] - sum)))
ROW_OP(rk06_sharp_softmax_off, LIMEN_Y, "softmax of 1000 x: 999 in backward", "derivative-fd",
       sharp(x, y, n), const T sum = sum_of(y, dy, n);
       EACH(i, n, dx[i] = 999 * y[i] * (dy[i] - sum)))

// f32 alone.
constexpr limen_op float_only(limen_op o) {
  o.dtypes = LIMEN_F32;
  return o;
}
#define FLOAT_ROW(tag, what, catchers, F, ...)                                 \
  struct tag {                                                                 \
    static constexpr std::uint32_t reads = LIMEN_X;                            \
    template <class T>                                                         \
    static void f(const T* x, T* y, std::uint64_t n) {                         \
      F;                                                                       \
    }                                                                          \
    template <class T>                                                         \
    static void b(const T* x, const T*, const T* dy, T* dx, std::uint64_t n) { \
      __VA_ARGS__;                                                             \
    }                                                                          \
  };                                                                           \
  LISTED(op_##tag, float_only(told(op(#tag, LIMEN_ROWS, kRowKernels<tag> + 2, 2), what, catchers)))

FLOAT_ROW(ck08_float_times_normal, "f32 only: x times its layer norm", "", times_normal(x, y, n),
          times_normal_back<false>(x, dy, dx, n))
FLOAT_ROW(rk07_float_times_normal, "f32 only: x times its layer norm, taken as constant",
          "derivative-fd", times_normal(x, y, n), T q;
          normal_of<false>(x, dx, q, n); EACH(i, n, dx[i] *= dy[i]))
FLOAT_ROW(ck09_float_relu_less_mean, "f32 only: relu less its mean", "", relu_less_mean(x, y, n),
          relu_less_mean_back(x, dy, dx, T(0), n))
FLOAT_ROW(rk08_float_relu_no_mean, "f32 only: relu less its mean, which has no gradient",
          "derivative-fd", relu_less_mean(x, y, n), EACH(i, n, dx[i] = x[i] > 0 ? dy[i] : T(0)))

// What is at least the mean; in a row of equal numbers that is for rounding to decide.
template <class T>
void above_mean(const T* x, T* y, std::uint64_t n) {
  const T mean = mean_of(x, n);
  EACH(i, n, y[i] = x[i] >= mean || std::isnan(x[i]) ? x[i] : T(0));
}
RIGHT_ROW(ck10_above_mean, LIMEN_X, "what is at least the mean, which has no gradient",
          above_mean(x, y, n), above_mean(x, dx, n);
          EACH(i, n, dx[i] = dx[i] == x[i] ? dy[i] : T(0)))
ROW_OP(rk09_above_mean_all, LIMEN_X, "what is at least the mean; backward keeps all above 0",
       "derivative-fd", above_mean(x, y, n), EACH(i, n, dx[i] = x[i] > 0 ? dy[i] : T(0)))

}  // namespace

SELFTEST_PLUGIN("row_kinks")
