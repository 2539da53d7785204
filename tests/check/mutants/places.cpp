// Wrong at some places only: where inputs meet, far out, in place, in long tiles and rows, in later
// parts of a tensor.
#include <utility>

#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// Two inputs: f(a, b), and b(a, b, g) for both gradients.
template <class A, class T>
void pair_forward(const limen_tile* t) {
  const T *const a = static_cast<const T*>(t->x[0]), *const b = static_cast<const T*>(t->x[1]);
  EACH(i, t->n, static_cast<T*>(t->y[0])[i] = A::f(a[i], b[i]));
}
template <class A, class T>
void pair_backward(const limen_tile* t) {
  const T *const a = static_cast<const T*>(t->x[0]), *const b = static_cast<const T*>(t->x[1]);
  const T* const g = static_cast<const T*>(t->dy[0]);
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  T *const da = static_cast<T*>(t->dx[0]), *const db = static_cast<T*>(t->dx[1]);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const std::pair<T, T> d = A::b(a[i], b[i], g[i]);
    if (da != nullptr) da[i] = add ? da[i] + d.first : d.first;
    if constexpr (requires { A::late; }) {  // its second gradient is computed behind the first
      const T second = A::b(a[i], b[i], g[i]).second;
      if (db != nullptr) db[i] = add ? db[i] + second : second;
    } else {
      if (db != nullptr) db[i] = add ? db[i] + d.second : d.second;
    }
  }
}
constexpr limen_kernel over_inputs(limen_kernel k) {
  k.alias = LIMEN_ALIAS_DX_DY | LIMEN_ALIAS_DX_X;
  return k;
}
template <class A>
inline constexpr limen_kernel kPair[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, pair_forward<A, double>),
    over_inputs(kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, pair_backward<A, double>)),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, pair_forward<A, float>),
    over_inputs(kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, pair_backward<A, float>))};
template <class A>
constexpr limen_op pair_op(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kPair<A>, 4), what, caught_by);
  o.arity = 2;
  return o;
}

template <bool Late>
struct Product {
  template <class T>
  static T f(T a, T b) {
    return a * b;
  }
  template <class T>
  static std::pair<T, T> b(T a, T b, T g) {
    return {g * b, g * a};
  }
};
struct LateProduct : Product<true> {
  static constexpr bool late = true;
};
LISTED(c200, pair_op<Product<false>>("c200_product_in_place", "a product that may be in place", ""))
LISTED(l01, pair_op<LateProduct>("l01_product_in_place",
                                 "the second gradient is computed from what the first lies on",
                                 "in-place"))

// The larger of two, which are equal or both far out at some places.
enum class Tie { half, first, both, wrong_far, wrong_apart };

template <Tie K>
struct Larger {
  template <class T>
  static T f(T a, T b) {
    return a != a || a > b ? a : b;
  }
  template <class T>
  static std::pair<T, T> b(T a, T b, T g) {
    const bool far = K == Tie::wrong_far && a < -7 && b < -7;
    const bool apart = K == Tie::wrong_apart && a > 20 && b < -5;
    if (a != a || b != b) return {a + b, a + b};
    if (a == b)
      return {K == Tie::half ? g / 2 : g, K == Tie::half ? g / 2 : K == Tie::both ? g : T(0)};
    return (a > b) != (far || apart) ? std::pair<T, T>{g, T(0)} : std::pair<T, T>{T(0), g};
  }
};
LISTED(c204, pair_op<Larger<Tie::half>>("c204_max_halves", "equal inputs get one half each", ""))
LISTED(c205,
       pair_op<Larger<Tie::first>>("c205_max_first", "of equal inputs the first gets all", ""))
LISTED(l12, pair_op<Larger<Tie::both>>("l12_max_both", "equal inputs get the whole gradient each",
                                       "derivative-fd"))
LISTED(l13, pair_op<Larger<Tie::wrong_far>>("l13_max_far", "the wrong one where both are below -7",
                                            "derivative-fd"))
LISTED(l14, pair_op<Larger<Tie::wrong_apart>>(
                "l14_max_apart", "the wrong one where one is far above and the other below 0",
                "derivative-fd"))

template <bool Guarded>
struct Length {
  template <class T>
  static T f(T a, T b) {
    return std::hypot(a, b);
  }
  template <class T>
  static std::pair<T, T> b(T a, T b, T g) {
    const T length = f(a, b);
    if (Guarded && length == 0) return {0 * g, 0 * g};
    return {g * (a / length), g * (b / length)};
  }
};
LISTED(c206, pair_op<Length<true>>("c206_length", "a length, whose gradient is 0 at 0", ""))
LISTED(l15, pair_op<Length<false>>("l15_length_at_zero", "0 / 0 where both are 0", "derivative-fd"))

// |a| - |b|: along a = b it is 0, along one input it has a corner at 0, where 1 is as good as 0.
struct Difference {
  template <class T>
  static T f(T a, T b) {
    return std::abs(a) - std::abs(b);
  }
  template <class T>
  static std::pair<T, T> b(T a, T b, T g) {
    return {a >= 0 ? g : a < 0 ? -g : a, b > 0 ? -g : b <= 0 ? g : b};
  }
};
LISTED(c207, pair_op<Difference>("c207_two_corners", "two corners at one point", ""))

// Numbers so large that squares, or whole numbers, overflow.
RIGHT_MAP(c208_hypot, LIMEN_X, "large numbers have a branch of their own", std::hypot(T(1), x),
          std::abs(x) > T(1e9) ? (x > 0 ? g : -g) : g * (x / std::sqrt(1 + x * x)))
MAP_OP(l16_hypot_far, LIMEN_X, "x * x overflows in backward, which is then 0", "extremes",
       std::hypot(T(1), x), g*(x / std::sqrt(1 + x * x)))

RIGHT_MAP(c210_stairs, LIMEN_X, "stairs are a line where numbers lie farther apart",
          T(0.25) * std::floor(4 * x), x != x ? x : 0 * g)
RIGHT_MAP(c211_smooth_stairs, LIMEN_X, "its slope is 0 at whole numbers, as all large ones are",
          std::floor(x) + (x - std::floor(x)) * (x - std::floor(x)) * (3 - 2 * (x - std::floor(x))),
          std::isinf(x) ? 0 * g : g * 6 * (x - std::floor(x)) * (1 - (x - std::floor(x))))

template <class T>
T to_even(T x) {
  return std::abs(x - 2 * std::floor(x / 2 + T(0.5)));
}
// Whether its whole part is odd, by a whole number of `bits`, which is 0 where it does not fit.
template <class T>
bool odd(T x, int bits) {
  const T whole = std::floor(x);
  if (!(std::abs(whole) < std::ldexp(T(1), bits))) return false;
  return (static_cast<std::int64_t>(whole) & 1) != 0;
}
RIGHT_MAP(c209_triangle, LIMEN_X, "a wave that goes on as far as numbers resolve it", to_even(x),
          x != x       ? x
          : odd(x, 62) ? -g
                       : g)
MAP_OP(l17_triangle_20, LIMEN_X, "the wave's side is a whole number of 20 bits", "derivative-fd",
       to_even(x),
       x != x       ? x
       : odd(x, 20) ? -g
                    : g)
MAP_OP(l18_triangle_31, LIMEN_X, "the wave's side is a whole number of 31 bits", "derivative-fd",
       to_even(x),
       x != x       ? x
       : odd(x, 31) ? -g
                    : g)

// Whole tensors of any strides, doubled.
std::int64_t place_of(const limen_tensor& t, std::int64_t i, bool tight) {
  std::int64_t place = 0, step = 1;
  for (std::uint32_t axis = t.rank; axis-- > 0; step *= t.dims[axis]) {
    place += i % t.dims[axis] * (tight ? step : t.strides[axis]);
    i /= t.dims[axis];
  }
  return place;
}
template <class T, bool Tight>
void doubled(const limen_call* call) {
  const bool back = call->role != LIMEN_FORWARD;
  const limen_tensor &from = call->in[back ? 2 : 0], &to = call->out[0];
  std::int64_t n = 1;
  for (std::uint32_t axis = 0; axis < to.rank; ++axis) n *= to.dims[axis];
  for (std::int64_t i = 0; i < n; ++i) {
    static_cast<T*>(to.data)[place_of(to, i, false)] =
        2 * static_cast<const T*>(from.data)[place_of(from, i, Tight && back)];
  }
}
int32_t same_shape(limen_call* call, limen_error*) {
  call->out[0].rank = call->in[0].rank;
  for (std::uint32_t i = 0; i < call->in[0].rank; ++i) call->out[0].dims[i] = call->in[0].dims[i];
  return LIMEN_OK;
}
template <bool Tight>
int32_t execute(const limen_call* call, limen_error*) {
  call->in[0].dtype == LIMEN_F32 ? doubled<float, Tight>(call) : doubled<double, Tight>(call);
  return LIMEN_OK;
}
template <bool Tight>
constexpr limen_op tensors(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_GENERAL, nullptr, 0), what, caught_by);
  o.infer = same_shape;
  o.execute = execute<Tight>;
  return o;
}
LISTED(c201, tensors<false>("c201_tensors_any_strides", "tensors of any strides", ""))
LISTED(l02,
       tensors<true>("l02_upstream_contiguous",
                     "the upstream is taken to be contiguous, other tensors are not", "unaligned"))

// A square with a table of some thousand elements on the stack, and rows less their mean that count
// only the first of them.
template <std::uint64_t Most>
struct Table {
  template <class T>
  static void backward(const limen_tile* t) {
    const T *const x = static_cast<const T*>(t->x[0]), *const g = static_cast<const T*>(t->dy[0]);
    T* const dx = static_cast<T*>(t->dx[0]);
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    T slopes[Most];
    for (std::uint64_t i = 0; i < t->n && i < Most; ++i) slopes[i] = 2 * x[i];
    EACH(i, t->n, dx[i] = (add ? dx[i] : T(0)) + g[i] * slopes[i % Most]);
  }
};
struct Square {
  template <class T>
  static T f(T x) {
    return x * x;
  }
};
template <std::uint64_t Most>
inline constexpr limen_kernel kTable[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, limen_test::forward<Square, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, Table<Most>::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, limen_test::forward<Square, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, Table<Most>::template backward<float>)};
LISTED(l03,
       told(op("l03_table_of_8192", LIMEN_MAP, kTable<8192>, 4),
            "a table of 8,192 slopes: longer tiles take those of earlier elements", "tiles-ragged"))
LISTED(l04, told(op("l04_table_of_65536", LIMEN_MAP, kTable<65536>, 4),
                 "a table of 65,536 slopes: longer tiles take those of earlier elements",
                 "tiles-ragged"))

template <class T>
T mean_of(const T* x, std::uint64_t n, std::uint64_t most) {
  T sum = 0;
  for (std::uint64_t i = 0; i < n && i < most; ++i) sum += x[i];
  return sum / static_cast<T>(n);
}
template <class T>
void centred(const T* x, T* y, std::uint64_t n, std::uint64_t most = ~std::uint64_t{0}) {
  const T mean = mean_of(x, n, most);
  EACH(i, n, y[i] = x[i] - mean);
}
ROW_OP(l05_rows_of_1100, 0, "the mean of a row is that of its first 1,100 elements",
       "derivative-fd", centred(x, y, n), centred(dy, dx, n, 1100))
ROW_OP(l06_rows_of_4096, 0, "the mean of a row is that of its first 4,096 elements",
       "derivative-fd", centred(x, y, n), centred(dy, dx, n, 4096))
RIGHT_ROW(c202_rows_centred, 0, "rows less their mean", centred(x, y, n), centred(dy, dx, n))

// Its mean is not taken away from row 300 on.
template <class T>
void from_row_300(const limen_tile* t) {
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    const auto at = static_cast<std::int64_t>(r) * t->row_stride;
    const T* const dy = static_cast<const T*>(t->dy[0]) + at;
    T* const dx = static_cast<T*>(t->dx[0]) + at;
    const T mean = r < 300 ? mean_of(dy, t->n, t->n) : T(0);
    EACH(i, t->n, dx[i] = (add ? dx[i] : T(0)) + (dy[i] - mean));
  }
}
constexpr limen_kernel kRow300[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, rows_forward<c202_rows_centred, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, 0, from_row_300<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, rows_forward<c202_rows_centred, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, 0, from_row_300<float>)};
LISTED(l07, told(op("l07_from_row_300", LIMEN_ROWS, kRow300, 4),
                 "from row 300 of a tile on the mean is not taken away", "tiles-ragged"))

// x (1 + e / 4) with e = -log(1 - u), and what may be wrong with the draws.
enum class Draw { right, clipped, low_bits, low_32, half_key };

template <Draw D>
struct Noise {
  static double epsilon(const limen_tile* t, std::uint64_t i, bool backward) {
    if ((t->flags & LIMEN_TILE_EVAL) != 0) return 0;
    std::uint64_t at = t->base + i, second = D == Draw::half_key ? 0 : t->seed[1];
    if (D == Draw::low_bits && backward) at &= 0xffff;
    if (D == Draw::low_32) at &= 0xffffffff;
    std::uint64_t v = t->seed[0] * 0x9e3779b97f4a7c15u + second * 0xd1342543de82ef95u + at;
    for (int k = 0; k < 2; ++k) v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u + 0x9e3779b97f4a7c15u;
    const double e = -std::log(1 - static_cast<double>(v >> 11) * 0x1p-53);
    return D == Draw::clipped && backward && e > 5 ? 5 : e;
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    EACH(i, t->n,
         static_cast<T*>(t->y[0])[i] = x[i] * static_cast<T>(1 + epsilon(t, i, false) / 4));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    T* const dx = static_cast<T*>(t->dx[0]);
    EACH(i, t->n,
         dx[i] = (add ? dx[i] : T(0)) +
                 static_cast<const T*>(t->dy[0])[i] * static_cast<T>(1 + epsilon(t, i, true) / 4));
  }
};
template <Draw D>
inline constexpr limen_kernel kNoise[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, Noise<D>::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, 0, Noise<D>::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, Noise<D>::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, 0, Noise<D>::template backward<float>)};
template <Draw D>
constexpr limen_op noise(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kNoise<D>, 4), what, caught_by);
  o.flags = LIMEN_OP_STOCHASTIC;
  return o;
}
LISTED(c203, noise<Draw::right>("c203_exponential_noise", "rare large factors", ""))
LISTED(l08,
       noise<Draw::clipped>("l08_noise_clipped", "backward clips one draw of 150", "derivative-fd"))
LISTED(l09,
       noise<Draw::low_bits>("l09_noise_low_bits", "backward draws by the low 16 bits of the index",
                             "derivative-fd"))
LISTED(c212, noise<Draw::low_32>("c212_noise_low_32", "draws repeat after 2^32 elements", ""))
LISTED(c213, noise<Draw::half_key>("c213_noise_half_key", "seed[1] is ignored", ""))

}  // namespace

SELFTEST_PLUGIN("places")
