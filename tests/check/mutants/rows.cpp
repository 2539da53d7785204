// Wrong gradients of functions of rows.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

ROW_OP(r01_softmax_diagonal, LIMEN_Y, "only the diagonal s (1 - s) of the Jacobian",
       "derivative-fd", softmax(x, y, n), EACH(i, n, dx[i] = dy[i] * y[i] * (1 - y[i])))
ROW_OP(r02_softmax_copies, LIMEN_Y, "the upstream gradient is copied", "derivative-fd",
       softmax(x, y, n), EACH(i, n, dx[i] = dy[i] * (y[i] == y[i] ? T(1) : y[i])))
ROW_OP(r03_softmax_lost_factor, LIMEN_Y, "s g - sum(s g): the second term lost its factor s",
       "derivative-fd", softmax(x, y, n), const T sum = sum_of(y, dy, n);
       EACH(i, n, dx[i] = y[i] * dy[i] - sum))
ROW_OP(r10_softmax_zero, LIMEN_Y, "always 0", "derivative-fd", softmax(x, y, n),
       EACH(i, n, dx[i] = 0 * dy[i] * y[i]))
ROW_OP(r15_softmax_temperature, LIMEN_Y, "the factor 1 / T is lost, T = 2", "derivative-fd",
       softmax(x, y, n, T(2)), const T sum = sum_of(y, dy, n);
       EACH(i, n, dx[i] = y[i] * (dy[i] - sum)))

ROW_OP(r07_log_softmax_no_sum, LIMEN_Y, "g - s g instead of g - s sum(g)", "derivative-fd",
       log_softmax(x, y, n), EACH(i, n, dx[i] = dy[i] - std::exp(y[i]) * dy[i]))

// The sum of exponentials without and with its largest term taken out.
template <class T>
void log_sum_exp(const T* x, T* y, std::uint64_t n) {
  const T top = top_of(x, n);
  T sum = 0;
  EACH(i, n, sum += std::exp(x[i] - top));
  EACH(i, n, y[i] = top + std::log(sum));
}
ROW_OP(r17_logsumexp_overflow, LIMEN_X,
       "the maximum is not subtracted in backward: overflows to NaN for large x",
       "derivative-fd extremes", log_sum_exp(x, y, n), T sum = 0, all = 0;
       EACH(i, n, all += dy[i], sum += std::exp(x[i]));
       EACH(i, n, dx[i] = all * std::exp(x[i]) / sum))

// Each element less the row's mean, divided by a fixed size.
template <class T>
void centred(const T* x, T* y, std::uint64_t n) {
  T mean = 0;
  EACH(i, n, mean += x[i] / T(n));
  EACH(i, n, y[i] = (x[i] - mean) / 2);
}
ROW_OP(r09_centred_no_mean, LIMEN_X, "the term of the mean is missing: only the diagonal",
       "derivative-fd", centred(x, y, n), EACH(i, n, dx[i] = dy[i] / 2 + 0 * x[i]))

template <class T>
void row_max(const T* x, T* y, std::uint64_t n) {
  const T top = top_of(x, n);
  EACH(i, n, y[i] = top);
}
ROW_OP(r12_max_all_ties, LIMEN_X, "every tie of the maximum gets 1, not a share", "derivative-fd",
       row_max(x, y, n), const T top = top_of(x, n);
       T sum = 0; EACH(i, n, sum += dy[i]); EACH(i, n, dx[i] = x[i] == top ? sum : T(0)))

// Two inputs: a times a gate of b.
template <bool Swapped, bool Lost>
struct Glu {
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const a = static_cast<const T*>(t->x[0]);
    const T* const b = static_cast<const T*>(t->x[1]);
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = a[i] * sigmoid(b[i]));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const a = static_cast<const T*>(t->x[0]);
    const T* const b = static_cast<const T*>(t->x[1]);
    const T* const dy = static_cast<const T*>(t->dy[0]);
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T s = sigmoid(b[i]);
      const T d[2] = {dy[i] * s, Lost ? dy[i] * a[i] * s : dy[i] * a[i] * s * sigmoid(-b[i])};
      for (std::size_t k = 0; k < 2; ++k) {
        T* const dx = static_cast<T*>(t->dx[Swapped ? 1 - k : k]);
        if (dx != nullptr) dx[i] = add ? dx[i] + d[k] : d[k];
      }
    }
  }
  static constexpr limen_kernel kernels[4] = {
      kernel(LIMEN_FORWARD, LIMEN_F64, 0, forward<double>),
      kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, backward<double>),
      kernel(LIMEN_FORWARD, LIMEN_F32, 0, forward<float>),
      kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, backward<float>)};
  static constexpr limen_op made(const char* name, const char* what, const char* caught_by) {
    limen_op o = told(op(name, LIMEN_MAP, kernels, 4), what, caught_by);
    o.arity = 2;
    return o;
  }
};
constexpr limen_op r13 = Glu<true, false>::made(
    "r13_glu_swapped", "the gradients of both halves are swapped", "derivative-fd");
constexpr limen_op r14 = Glu<false, true>::made(
    "r14_glu_lost_slope", "sigmoid instead of its derivative in the gradient of the gate",
    "derivative-fd");
const Listed listed_r13(r13), listed_r14(r14);

// Sparsemax, whose backward takes the support of the row before.
template <class T>
void sparsemax(const T* x, T* y, std::uint64_t n) {
  T low = top_of(x, n) - 1, high = top_of(x, n);
  for (int round = 0; round < 200; ++round) {  // the threshold where the parts add up to 1
    const T middle = low + (high - low) / 2;
    T sum = 0;
    EACH(i, n, sum += x[i] > middle ? x[i] - middle : T(0));
    (sum > 1 ? low : high) = middle;
  }
  T sum = 0, count = 0;
  EACH(i, n, if (x[i] > high) sum += x[i], count += 1);
  const T threshold = count > 0 ? (sum - 1) / count : high;
  EACH(i, n, y[i] = x[i] != x[i] ? x[i] : x[i] > threshold ? x[i] - threshold : T(0));
}
template <class T>
struct Sparsemax {
  static void forward(const limen_tile* t) {
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      const auto at = static_cast<std::int64_t>(r) * t->row_stride;
      sparsemax(static_cast<const T*>(t->x[0]) + at, static_cast<T*>(t->y[0]) + at, t->n);
    }
  }
  static void backward(const limen_tile* t) {
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      const auto at = static_cast<std::int64_t>(r) * t->row_stride;
      const T* const y = static_cast<const T*>(t->y[0]) + (r == 0 ? at : at - t->row_stride);
      const T* const dy = static_cast<const T*>(t->dy[0]) + at;
      T* const dx = static_cast<T*>(t->dx[0]) + at;
      T sum = 0, count = 0;
      EACH(i, t->n, if (y[i] > 0) sum += dy[i], count += 1);
      for (std::uint64_t i = 0; i < t->n; ++i) {
        const T d = y[i] > 0 ? dy[i] - sum / count : T(0);
        dx[i] = add ? dx[i] + d : d;
      }
    }
  }
};
constexpr limen_kernel kSparsemax[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, Sparsemax<double>::forward),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_Y, Sparsemax<double>::backward),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, Sparsemax<float>::forward),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_Y, Sparsemax<float>::backward)};
constexpr limen_op r19 = told(op("r19_sparsemax_row_before", LIMEN_ROWS, kSparsemax, 4),
                              "the support is that of the row before", "tiles-ragged");
const Listed listed_r19(r19);

}  // namespace

SELFTEST_PLUGIN("rows")
