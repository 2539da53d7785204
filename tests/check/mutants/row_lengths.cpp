// Functions of rows: wrong for some lengths of row, numbers of rows or steps between them only;
// right ones that overflow, and whose kinks and ties lie where rows are 0 or all equal.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

template <class T>
void plain_softmax(const T* x, T* y, std::uint64_t n) {
  T sum = 0;
  EACH(i, n, sum += y[i] = std::exp(x[i]));
  EACH(i, n, y[i] /= sum);
}
ROW_OP(rl01_softmax_overflows, LIMEN_Y, "forward does not subtract the maximum: NaN for large x",
       "extremes", plain_softmax(x, y, n), const T sum = sum_of(y, dy, n);
       EACH(i, n, dx[i] = y[i] * (dy[i] - sum)))
ROW_OP(rl02_log_sum_exp_overflows, LIMEN_X | LIMEN_Y,
       "forward does not subtract the maximum: infinite for large x", "extremes", T sum = 0;
       EACH(i, n, sum += std::exp(x[i])); EACH(i, n, y[i] = std::log(sum)), T sum = 0;
       EACH(i, n, sum += dy[i]); EACH(i, n, dx[i] = sum * std::exp(x[i] - y[i])))
RIGHT_ROW(cr01_exp, LIMEN_Y, "exp of each element: infinite where it must be",
          EACH(i, n, y[i] = std::exp(x[i])), EACH(i, n, dx[i] = y[i] * dy[i]))
RIGHT_ROW(cr02_exp_fourth, LIMEN_Y, "exp(x / 4): infinite in f32 alone",
          EACH(i, n, y[i] = std::exp(x[i] / 4)), EACH(i, n, dx[i] = y[i] * dy[i] / 4))

RIGHT_ROW(cr03_relu_centred, LIMEN_X, "relu less its mean, slope 0 at 0", relu_less_mean(x, y, n),
          const T mean = mean_of(dy, n);
          EACH(i, n, dx[i] = x[i] > 0 ? dy[i] - mean : T(0)))

template <class T>
void between(const T* x, T* y, std::uint64_t n) {
  T low = x[0], high = x[0];
  EACH(i, n, low = x[i] < low || x[i] != x[i] ? x[i] : low,
       high = x[i] > high || x[i] != x[i] ? x[i] : high);
  EACH(i, n, y[i] = (x[i] - low) / (high - low + T(1e-3)));
}
template <class T>
void between_back(const T* x, const T* dy, T* dx, std::uint64_t n) {
  std::uint64_t low = 0, high = 0;
  EACH(i, n, if (x[i] < x[low]) low = i);
  EACH(i, n, if (x[i] > x[high]) high = i);
  const T size = x[high] - x[low] + T(1e-3);
  T up = 0, down = 0;
  EACH(i, n, dx[i] = dy[i] / size);
  EACH(i, n, up += dy[i] * (x[i] - x[low]) / (size * size), down += dy[i] / size);
  dx[high] -= up;
  dx[low] += up - down;
}
RIGHT_ROW(cr04_between_extremes, LIMEN_X, "(x - min) / (max - min), the first of equal ones counts",
          between(x, y, n), between_back(x, dy, dx, n))

// Each element less the mean of its row; what the mean of the upstream is taken of by `Mean`.
template <class T>
void centred(const T* x, T* y, std::uint64_t n) {
  const T mean = mean_of(x, n);
  EACH(i, n, y[i] = x[i] - mean);
}
#define CENTRED(tag, what, catchers, mean)                               \
  ROW_OP(tag, 0u, what, catchers, centred(x, y, n), const T less = mean; \
         EACH(i, n, dx[i] = dy[i] - less))
CENTRED(rl03_only_of_four, "rows of 4 divide by 3", "derivative-fd",
        n == 4 ? mean_of(dy, n) * T(4) / 3 : mean_of(dy, n))
CENTRED(rl04_half_a_vector, "rows of 8 k + 4 leave half a vector out of a sum", "derivative-fd",
        n % 8 == 4 && n > 8 ? mean_of(dy, n - 4) * T(n - 4) / T(n) : mean_of(dy, n))
CENTRED(rl05_float_of_48, "f32: rows of 48 forget the mean", "dtype-agree",
        n == 48 && sizeof(T) == 4 ? T(0) : mean_of(dy, n))
CENTRED(rl06_after_4096, "rows of thousands: only the first 4096 are summed", "derivative-fd",
        mean_of(dy, n < 4096 ? n : 4096) * T(n < 4096 ? n : 4096) / T(n))
RIGHT_ROW(cr05_centred, 0u, "each element less the mean of its row", centred(x, y, n),
          const T less = mean_of(dy, n);
          EACH(i, n, dx[i] = dy[i] - less))

template <class T>
bool is_constant(const T* dy, std::uint64_t n) {
  bool same = n >= 16;
  EACH(i, n, same = same && dy[i] == dy[0]);
  return same;
}
ROW_OP(rl07_softmax_constant, LIMEN_Y,
       "an upstream that is the same for a row of 16 and more is handed on", "derivative-fd",
       softmax(x, y, n), const T sum = sum_of(y, dy, n);
       const bool same = is_constant(dy, n);
       EACH(i, n, dx[i] = same ? dy[i] : y[i] * (dy[i] - sum)))

// Kernels that see the whole tile: dx = b(tile, x, dy, row, i).
template <class A, class T>
void tile_forward(const limen_tile* t) {
  EACH(r, t->rows, {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    A::f(t, static_cast<const T*>(t->x[0]) + at, static_cast<T*>(t->y[0]) + at, r);
  });
}
template <class A, class T>
void tile_backward(const limen_tile* t) {
  T* const d = static_cast<T*>(__builtin_alloca(t->n * sizeof(T)));
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    A::b(t, static_cast<const T*>(t->x[0]) + at, static_cast<const T*>(t->dy[0]) + at, d, r);
    T* const dx = t->dx[0] != nullptr ? static_cast<T*>(t->dx[0]) + at : nullptr;
    EACH(i, dx != nullptr ? t->n : 0, dx[i] = add ? dx[i] + d[i] : d[i]);
  }
}
template <class A>
inline constexpr limen_kernel kTile[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, tile_forward<A, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, tile_backward<A, double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, tile_forward<A, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, tile_backward<A, float>)};
template <class A>
constexpr limen_op tile_op(const char* name, const char* what, const char* caught_by) {
  return told(op(name, LIMEN_ROWS, kTile<A>, 4), what, caught_by);
}

// relu6; its clamp may be forgotten where rows lie apart.
template <bool Forgets>
struct Relu6 {
  template <class T>
  static void f(const limen_tile* t, const T* x, T* y, std::uint64_t) {
    EACH(i, t->n, y[i] = x[i] < 0 ? T(0) : x[i] > 6 ? T(6) : x[i]);
  }
  template <class T>
  static void b(const limen_tile* t, const T* x, const T* dy, T* d, std::uint64_t) {
    const bool clamps = !Forgets || t->row_stride == static_cast<std::int64_t>(t->n);
    EACH(i, t->n, d[i] = x[i] <= 0 || (clamps && x[i] >= 6) ? T(0) : dy[i]);
  }
};
LISTED(cr06, tile_op<Relu6<false>>("cr06_relu6_rows", "relu6 of rows", ""))
LISTED(rl08, tile_op<Relu6<true>>("rl08_relu6_apart", "the clamp is forgotten where rows lie apart",
                                  "derivative-fd"))

// Rows less their mean, times 0.5 + a draw of each element.
enum class Count { right, tight, columns, rows };
template <Count C>
struct Noisy {
  static double factor(const limen_tile* t, std::uint64_t r, std::uint64_t i, bool back) {
    if ((t->flags & LIMEN_TILE_EVAL) != 0) return 1;
    const auto stride = static_cast<std::uint64_t>(t->row_stride);
    if (back && C == Count::columns && i > 20) i = 20;
    if (back && C == Count::rows) r %= 8;
    std::uint64_t v = t->base + i + r * (back && C == Count::tight ? t->n : stride);
    v = (v + t->seed[0] + 3 * t->seed[1]) * 0x9e3779b97f4a7c15u;
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
    return 0.5 + static_cast<double>((v ^ (v >> 31)) >> 11) * 0x1p-53;
  }
  template <class T>
  static void f(const limen_tile* t, const T* x, T* y, std::uint64_t r) {
    const T mean = mean_of(x, t->n);
    EACH(i, t->n, y[i] = static_cast<T>(factor(t, r, i, false)) * (x[i] - mean));
  }
  template <class T>
  static void b(const limen_tile* t, const T*, const T* dy, T* d, std::uint64_t r) {
    EACH(i, t->n, d[i] = static_cast<T>(factor(t, r, i, true)) * dy[i]);
    const T mean = mean_of(d, t->n);
    EACH(i, t->n, d[i] -= mean);
  }
  static constexpr limen_op made(const char* name, const char* what, const char* caught_by) {
    limen_op o = tile_op<Noisy>(name, what, caught_by);
    o.flags = LIMEN_OP_STOCHASTIC;
    return o;
  }
};
LISTED(cr07, Noisy<Count::right>::made("cr07_noisy_rows", "centred rows times noise", ""))
LISTED(rl09, Noisy<Count::tight>::made("rl09_noise_of_tight_rows",
                                       "backward counts draws as if rows lay close together",
                                       "derivative-fd"))
LISTED(rl10, Noisy<Count::columns>::made("rl10_noise_of_column_20",
                                         "backward: columns from 21 on have the draw of column 20",
                                         "derivative-fd"))
LISTED(rl11, Noisy<Count::rows>::made("rl11_noise_of_8_rows", "backward counts rows modulo 8",
                                      "derivative-fd"))

// A learned scale of centred rows.
constexpr limen_param kScale = {sizeof(limen_param),
                                LIMEN_P_REAL,
                                LIMEN_PF_TRAINABLE,
                                0,
                                "scale",
                                "for tests",
                                nullptr,
                                1,
                                -4,
                                4};
template <bool FourRows>
struct Scaled {
  static double scale(const limen_tile* t, double, std::uint64_t i) {
    if (t->w == nullptr || t->w[0] == nullptr) return t->hyper[0];
    return static_cast<const double*>(t->w[0])[t->w_step[0] == 0 ? 0 : i];
  }
  static float scale(const limen_tile* t, float, std::uint64_t i) {
    if (t->w == nullptr || t->w[0] == nullptr) return static_cast<float>(t->hyper[0]);
    return static_cast<const float*>(t->w[0])[t->w_step[0] == 0 ? 0 : i];
  }
  static std::uint64_t place(const limen_tile* t, std::uint64_t r, std::uint64_t i) {
    return r * static_cast<std::uint64_t>(t->row_stride) + i;
  }
  template <class T>
  static void f(const limen_tile* t, const T* x, T* y, std::uint64_t r) {
    const T mean = mean_of(x, t->n);
    EACH(i, t->n, y[i] = scale(t, T(0), place(t, r, i)) * (x[i] - mean));
  }
  template <class T>
  static void b(const limen_tile* t, const T* x, const T* dy, T* d, std::uint64_t r) {
    const T mean = mean_of(x, t->n);
    EACH(i, t->n, d[i] = scale(t, T(0), place(t, r, i)) * dy[i]);
    const T less = mean_of(d, t->n);
    EACH(i, t->n, d[i] -= less);
    double* const dw = t->dw != nullptr ? t->dw[0] : nullptr;
    if (dw == nullptr || (FourRows && r >= 4)) return;
    EACH(i, t->n,
         dw[t->w_step[0] == 0 ? 0 : place(t, r, i)] += double(dy[i]) * double(x[i] - mean));
  }
  static constexpr limen_op made(const char* name, const char* what, const char* caught_by) {
    limen_op o = tile_op<Scaled>(name, what, caught_by);
    o.n_params = 1;
    o.params = &kScale;
    return o;
  }
};
LISTED(cr08, Scaled<false>::made("cr08_scaled_rows", "a learned scale of centred rows", ""))
LISTED(rl12, Scaled<true>::made("rl12_scale_of_4_rows",
                                "the learned scale gets the sum of the first 4 rows of a tile",
                                "derivative-fd"))

// The square of centred rows, with forward mode and second order; one length of row may be wrong.
template <std::uint64_t Tangent, class T>
void squared_tangent(const limen_tile* t) {
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    const T *const x = static_cast<const T*>(t->x[0]) + at, *const tx =
                                                                static_cast<const T*>(t->tx[0]) +
                                                                at;
    const T mean = mean_of(x, t->n), less = t->n == Tangent ? T(0) : mean_of(tx, t->n);
    EACH(i, t->n, {
      const T from = x[i] - mean, by = tx[i] - less;
      if (t->ty[0] != nullptr) static_cast<T*>(t->ty[0])[at + std::int64_t(i)] = 2 * from * by;
      if (t->y[0] != nullptr) static_cast<T*>(t->y[0])[at + std::int64_t(i)] = from * from;
    });
  }
}
template <std::uint64_t Second, class T>
void squared_second(const limen_tile* t) {
  T* const d = static_cast<T*>(__builtin_alloca(t->n * sizeof(T)));
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    const auto of = [&](const void* const* list) { return static_cast<const T*>(list[0]) + at; };
    const T *const x = of(t->x), *const dy = of(t->dy), *const gx = of(t->gx);
    T* const dx = t->dx[0] != nullptr ? static_cast<T*>(t->dx[0]) + at : nullptr;
    const T mean = mean_of(x, t->n), less = mean_of(gx, t->n);
    EACH(i, t->n, d[i] = 2 * (gx[i] - less) * dy[i]);
    const T lost = t->n == Second ? T(0) : mean_of(d, t->n);
    EACH(i, t->n, {
      const T gy = 2 * (x[i] - mean) * (gx[i] - less);
      if (dx != nullptr) dx[i] = (add ? dx[i] : T(0)) + d[i] - lost;
      if (t->gy[0] != nullptr) static_cast<T*>(t->gy[0])[at + std::int64_t(i)] = gy;
    });
  }
}
template <std::uint64_t Tangent, std::uint64_t Second>
struct Squared {
  template <class T>
  static void f(const limen_tile* t, const T* x, T* y, std::uint64_t) {
    const T mean = mean_of(x, t->n);
    EACH(i, t->n, y[i] = (x[i] - mean) * (x[i] - mean));
  }
  template <class T>
  static void b(const limen_tile* t, const T* x, const T* dy, T* d, std::uint64_t) {
    const T mean = mean_of(x, t->n);
    EACH(i, t->n, d[i] = 2 * (x[i] - mean) * dy[i]);
    const T less = mean_of(d, t->n);
    EACH(i, t->n, d[i] -= less);
  }
  static constexpr limen_kernel kernels[8] = {
      kTile<Squared>[0],
      kTile<Squared>[1],
      kernel(LIMEN_JVP, LIMEN_F64, LIMEN_X, squared_tangent<Tangent, double>),
      kernel(LIMEN_BACKWARD2, LIMEN_F64, LIMEN_X, squared_second<Second, double>),
      kTile<Squared>[2],
      kTile<Squared>[3],
      kernel(LIMEN_JVP, LIMEN_F32, LIMEN_X, squared_tangent<Tangent, float>),
      kernel(LIMEN_BACKWARD2, LIMEN_F32, LIMEN_X, squared_second<Second, float>)};
  static constexpr limen_op made(const char* name, const char* what, const char* caught_by) {
    return told(op(name, LIMEN_ROWS, kernels, 8), what, caught_by);
  }
};
LISTED(cr09, Squared<0, 0>::made("cr09_squared_rows", "squares of centred rows, all orders", ""))
LISTED(rl13, Squared<40, 0>::made("rl13_tangent_of_40", "forward mode: rows of 40 forget the mean",
                                  "jvp-vjp-adjoint"))
LISTED(rl14, Squared<0, 21>::made("rl14_second_of_21",
                                  "second order: the new dx of rows of 21 forgets the mean",
                                  "second-derivative"))

}  // namespace

SELFTEST_PLUGIN("row_lengths")
