// Ops of kinds that libraries rarely have: order statistics, norms with tiny floors, facts without
// kinks, declared accuracies. Right ones, and the mistakes that only their rows show.
#include <algorithm>

#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// Of equal numbers the first is the lesser.
template <class T>
std::uint64_t rank_of(const T* x, std::uint64_t n, std::uint64_t i) {
  std::uint64_t rank = 0;
  EACH(j, n, rank += x[j] < x[i] || (x[j] == x[i] && j < i) ? 1 : 0);
  return rank;
}
template <class T>
bool any_nan(const T* x, std::uint64_t n) {
  return std::any_of(x, x + n, [](T v) { return v != v; });
}
template <class T>
T norm_of(const T* x, std::uint64_t n) {
  return std::sqrt(sum_of(x, x, n));
}

// x / max(|x|, floor); `Clamps`: backward knows of the floor
template <class T>
void normalize(const T* x, T* y, std::uint64_t n, T floor) {
  const T norm = norm_of(x, n), r = norm > floor || norm != norm ? norm : floor;
  EACH(i, n, y[i] = x[i] / r);
}
template <bool Clamps, class T>
void normalize_back(const T* x, const T* dy, T* dx, std::uint64_t n, T floor) {
  const T norm = norm_of(x, n);
  if (Clamps ? norm <= floor : norm == 0) {
    EACH(i, n, dx[i] = dy[i] / floor);
    return;
  }
  const T r = norm > T(1e-30) || norm != norm ? norm : T(1e-30), dot = sum_of(x, dy, n) / r / r;
  EACH(i, n, dx[i] = (dy[i] - x[i] * dot) / r);
}

// (x - mean) / sqrt(variance + 1e-5) in two passes, as layer norm is written everywhere
template <class T>
struct Moments {
  T mean = 0, scale = 0;
  Moments(const T* x, std::uint64_t n) {
    EACH(i, n, mean += x[i]);
    mean /= T(n);
    EACH(i, n, scale += (x[i] - mean) * (x[i] - mean));
    scale = 1 / std::sqrt(scale / T(n) + T(1e-5));
  }
};

// --- right ---------------------------------------------------------------------------------------
RIGHT_ROW(cc01_sort, LIMEN_X, "the elements in their order; of equal ones the first goes first",
          if (any_nan(x, n)) EACH(i, n, y[i] = x[i] + x[n - 1] + x[0]);
          else EACH(i, n, y[rank_of(x, n, i)] = x[i]),
          EACH(i, n, dx[i] = dy[any_nan(x, n) ? i : rank_of(x, n, i)]))
RIGHT_ROW(cc02_less_median, LIMEN_X, "x less the median; of equal elements one has its gradient",
          T m = 0;
          EACH(i, n, if (x[i] != x[i] || rank_of(x, n, i) == n / 2) m += x[i]);
          EACH(i, n, y[i] = x[i] - m), T sum = 0; EACH(i, n, sum += dy[i]);
          EACH(i, n, { dx[i] = dy[i] - (rank_of(x, n, i) == n / 2 ? sum : T(0)); }))
RIGHT_ROW(cc03_normalize, LIMEN_X, "x / max(|x|, 1e-12): a slope of 1e12 at 0",
          normalize(x, y, n, T(1e-12)), normalize_back<true>(x, dy, dx, n, T(1e-12)))
RIGHT_ROW(cc04_layer_norm, LIMEN_X, "(x - mean) / sqrt(variance + 1e-5) in two passes",
          const Moments<T> m(x, n);
          EACH(i, n, y[i] = (x[i] - m.mean) * m.scale), const Moments<T> m(x, n); T sum = 0;
          T dot = 0; EACH(i, n,
                          {
                            sum += dy[i];
                            dot += dy[i] * ((x[i] - m.mean) * m.scale);
                          }) EACH(i, n,
                                  dx[i] = m.scale * (dy[i] - sum / T(n) -
                                                     (x[i] - m.mean) * m.scale * (dot / T(n)))))
RIGHT_ROW(cc05_sharp_softmax, LIMEN_Y, "softmax of x / 0.05", softmax(x, y, n, T(0.05)),
          const T s = sum_of(y, dy, n);
          EACH(i, n, dx[i] = 20 * (y[i] * (dy[i] - s))))
RIGHT_ROW(cc06_high_power, LIMEN_X, "x^13, which f32 does not hold for x = 1000",
          EACH(i, n, y[i] = std::pow(x[i], T(13))),
          EACH(i, n, dx[i] = 13 * std::pow(x[i], T(12)) * dy[i]))

RIGHT_MAP(cc10_dead_zone, LIMEN_X, "x, but 0 for |x| <= 1e-20",
          (std::abs(x) <= T(1e-20) ? 0 * x : x), (std::abs(x) <= T(1e-20) ? 0 * g : g))

struct RunningSum {
  static constexpr std::uint32_t reads = LIMEN_X;
  template <class T>
  static void f(const T* x, T* y, std::uint64_t n) {
    T sum = 0;
    EACH(i, n, y[i] = sum += x[i]);
  }
  template <class T>
  static void b(const T*, const T*, const T* dy, T* dx, std::uint64_t n) {
    T sum = 0;
    for (std::uint64_t i = n; i-- > 0;) dx[i] = sum += dy[i];
  }
};
constexpr limen_facts kAccurate = facts(0, 1e-3), kNothing = facts(0);
LISTED(cc07, told(op("cc07_declared_accuracy", LIMEN_ROWS, kRowKernels<RunningSum>, 4, &kAccurate),
                  "running sums, accurate to 1e-3 by its facts", ""))
struct Relu {
  static constexpr std::uint32_t reads = LIMEN_X;
  template <class T>
  static T f(T x) {
    return x > 0 || x != x ? x : T(0);
  }
  template <class T>
  static T b(T x, T, T g) {
    return x > 0 ? g : g * T(0);
  }
};
LISTED(cc08, told(with_facts(op("cc08_kinks_not_listed", LIMEN_MAP, kKernels<Relu>, 4), kNothing),
                  "relu whose facts list no kinks", ""))
struct Still {
  static constexpr std::uint32_t reads = LIMEN_X;
  template <class T>
  static void f(const T* x, T* y, std::uint64_t n) {
    T mean = 0;
    EACH(i, n, mean += x[i] / T(n));
    EACH(i, n, y[i] = x[i] - mean);
  }
  template <class T>
  static void b(const T*, const T*, const T* dy, T* dx, std::uint64_t n) {
    T mean = 0;
    EACH(i, n, mean += dy[i] / T(n));
    EACH(i, n, dx[i] = dy[i] - mean);
  }
};
constexpr limen_op float_rows(limen_op o) {
  o.dtypes = LIMEN_F32;
  return o;
}
LISTED(cc09, told(float_rows(op("cc09_float_centred", LIMEN_ROWS, kRowKernels<Still> + 2, 2)),
                  "f32 only: x - mean, which is 0 for one element", ""))

// --- wrong ---------------------------------------------------------------------------------------
ROW_OP(r40_floor_ignored, LIMEN_X, "x / max(|x|, 0.01) whose backward knows nothing of the floor",
       "derivative-fd", normalize(x, y, n, T(0.01)), normalize_back<false>(x, dy, dx, n, T(0.01)))
ROW_OP(
    r41_flat_at_zero, LIMEN_X, "x / max(|x|, 1e-12) with a gradient of 0 for the row 0",
    "derivative-fd", normalize(x, y, n, T(1e-12)), if (norm_of(x, n) == 0) {
      EACH(i, n, dx[i] = 0 * dy[i]);
    } else normalize_back<true>(x, dy, dx, n, T(1e-12)))
ROW_OP(r42_median_to_all, LIMEN_X, "x less the median, whose gradient goes to all that are equal",
       "derivative-fd", T m = 0;
       EACH(i, n, if (x[i] != x[i] || rank_of(x, n, i) == n / 2) m += x[i]);
       EACH(i, n, y[i] = x[i] - m), T sum = 0; T m = 0;
       EACH(i, n, if (rank_of(x, n, i) == n / 2) m = x[i]); EACH(i, n, sum += dy[i]);
       EACH(i, n, dx[i] = dy[i] - (x[i] == m ? sum : T(0))))

}  // namespace

SELFTEST_PLUGIN("uncommon")
