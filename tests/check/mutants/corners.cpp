// Corners that are easily forgotten: slopes at their extremum, several parameters away from their
// defaults together, what an op declares of itself, ends of domains, surrogates.
#include <fcntl.h>
#include <unistd.h>

#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// --- a (b - tanh b): at b = 0 the slope is 0, and smaller than all around ------------------------
struct Gated {
  template <class T>
  static void forward(const limen_tile* t) {
    const T *const a = static_cast<const T*>(t->x[0]), *const b = static_cast<const T*>(t->x[1]);
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = a[i] * (b[i] - std::tanh(b[i])));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T *const a = static_cast<const T*>(t->x[0]), *const b = static_cast<const T*>(t->x[1]);
    const T* const g = static_cast<const T*>(t->dy[0]);
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T s = std::tanh(b[i]), of[2] = {g[i] * (b[i] - s), g[i] * a[i] * s * s};
      for (int k = 0; k < 2; ++k) {
        T* const dx = static_cast<T*>(t->dx[k]);
        if (dx != nullptr) dx[i] = add ? dx[i] + of[k] : of[k];
      }
    }
  }
};
template <class K>
inline constexpr limen_kernel kPlain[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>)};
constexpr limen_op gated() {
  limen_op o = told(op("c300_gated_tanh_shrink", LIMEN_MAP, kPlain<Gated>, 4),
                    "the slope is at its extremum where it is 0", "");
  o.arity = 2;
  return o;
}
LISTED(c300, gated())

template <class T>
T sq(T v) {
  return v * v;
}

// --- two parameters: F of x and both, B the slope ------------------------------------------------
constexpr limen_param number(std::uint32_t type, const char* name, double def, double min,
                             double max, std::uint32_t flags = 0) {
  return {sizeof(limen_param), type, flags, 0, name, "for tests", nullptr, def, min, max};
}

// The first may be learned.
template <class A>
struct Two {
  template <class T>
  static T first(const limen_tile* t, std::uint64_t i) {
    if (t->w == nullptr || t->w[0] == nullptr) return static_cast<T>(t->hyper[0]);
    return static_cast<const T*>(t->w[0])[t->w_step[0] == 0 ? 0 : i];
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T q = static_cast<T>(t->hyper[1]);
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = A::f(x[i], first<T>(t, i), q));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const g = static_cast<const T*>(t->dy[0]);
    T* const dx = static_cast<T*>(t->dx[0]);
    const T q = static_cast<T>(t->hyper[1]);
    const bool learned = t->w != nullptr && t->w[0] != nullptr, each = learned && t->w_step[0] != 0;
    double* const dw = learned && t->dw != nullptr ? t->dw[0] : nullptr;
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0 && !(A::lost == 1 && each) &&
                     !(A::lost == 2 && learned && dw == nullptr);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T p = first<T>(t, A::lost == 3 && each && q > 0 ? 0 : i);
      const T d = g[i] * A::b(x[i], p, q);
      if (dx != nullptr) dx[i] = add ? dx[i] + d : d;
      if (dw != nullptr)
        dw[each ? i : 0] += static_cast<double>(g[i] * A::dp(x[i], first<T>(t, i), q));
    }
  }
};
template <class A>
constexpr limen_op two(const char* name, const limen_param* params, const char* what,
                       const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kPlain<Two<A>>, 4), what, caught_by);
  o.params = params;
  o.n_params = 2;
  return o;
}
#define TWO(tag, which, F, B, DP)                                                   \
  struct tag {                                                                      \
    static constexpr int lost = which;                                              \
    template <class T>                                                              \
    static T f(T x, [[maybe_unused]] T p, [[maybe_unused]] T q) {                   \
      return F;                                                                     \
    }                                                                               \
    template <class T>                                                              \
    static T b([[maybe_unused]] T x, [[maybe_unused]] T p, [[maybe_unused]] T q) {  \
      return B;                                                                     \
    }                                                                               \
    template <class T>                                                              \
    static T dp([[maybe_unused]] T x, [[maybe_unused]] T p, [[maybe_unused]] T q) { \
      return DP;                                                                    \
    }                                                                               \
  };

constexpr limen_param kSoft[] = {number(LIMEN_P_BOOL, "soft", 0, 0, 1),
                                 number(LIMEN_P_REAL, "beta", 1, 0.5, 8)};
TWO(SoftRight, 0, p > 0 ? std::tanh(q * x) : std::atan(x),
    p > 0 ? q * (1 - sq(std::tanh(q * x))) : 1 / (1 + x * x), T(0))
TWO(SoftWrong, 0, p > 0 ? std::tanh(q * x) : std::atan(x),
    p > 0 ? (q < T(0.8) ? 1 : q) * (1 - sq(std::tanh(q * x))) : 1 / (1 + x * x), T(0))
LISTED(c301, two<SoftRight>("c301_soft", kSoft, "a switch and a number", ""))
LISTED(v01, two<SoftWrong>("v01_soft_flat", kSoft, "switched on, a number below 0.8 is lost",
                           "derivative-fd"))

constexpr limen_param kBent[] = {number(LIMEN_P_REAL, "k", 1, 0, 10),
                                 number(LIMEN_P_REAL, "wide", 1, 0, INFINITY, LIMEN_PF_OPEN_MIN)};
TWO(BentRight, 0, q* std::sin(x / q) / (1 + p * std::abs(x)),
    (std::cos(x / q) - q * std::sin(x / q) * std::copysign(p, x) / (1 + p * std::abs(x))) /
        (1 + p * std::abs(x)),
    T(0))
TWO(BentWrong, 0, BentRight::f(x, p, q), BentRight::b(x, p > 2 && p < T(2.5) ? 2 : p, q), T(0))
TWO(WideWrong, 0, BentRight::f(x, p, q), BentRight::b(x, p, q > 60 ? q * q : q), T(0))
LISTED(c302, two<BentRight>("c302_bent_wave", kBent, "a wave, slow or much too fast", ""))
LISTED(v02, two<BentWrong>("v02_bent_middle", kBent, "a band in the middle of a range is wrong",
                           "derivative-fd"))
LISTED(v03, two<WideWrong>("v03_bent_far", kBent,
                           "a number without upper limit is wrong from 60 on", "derivative-fd"))

constexpr limen_param kScaled[] = {number(LIMEN_P_REAL, "a", 1, -2, 2, LIMEN_PF_TRAINABLE),
                                   number(LIMEN_P_BOOL, "squared", 0, 0, 1)};
TWO(Scaled, 0, p*(q > 0 ? x * std::abs(x) : x), p*(q > 0 ? 2 * std::abs(x) : T(1)),
    q > 0 ? x * std::abs(x) : x)
template <int Lost>
struct ScaledWrong : Scaled {
  static constexpr int lost = Lost;
};
LISTED(c303, two<Scaled>("c303_scaled", kScaled, "a learned factor and a switch", ""))
LISTED(v04, two<ScaledWrong<1>>("v04_scaled_add", kScaled,
                                "a value for each element: dx is not added to", "param-gradient"))
LISTED(v05, two<ScaledWrong<2>>("v05_scaled_no_dw", kScaled,
                                "learned, dw not wanted: dx is not added to", "param-gradient"))
LISTED(v06, two<ScaledWrong<3>>("v06_scaled_switched", kScaled,
                                "switched on, dx takes the first value for all elements",
                                "param-gradient"))

// --- what an op declares -------------------------------------------------------------------------
constexpr limen_facts in_range(double low, double high) {
  limen_facts f = facts(LIMEN_FACT_RANGE);
  f.y_min = low, f.y_max = high;
  return f;
}
constexpr limen_kink kCornerAtOne[] = {{1, 0, -1, LIMEN_KINK_CORNER, 0}};
constexpr limen_kink kJumpAtOne[] = {{1, 0, -1, LIMEN_KINK_JUMP, 0}};
constexpr limen_facts with_kink(const limen_kink* kink) {
  limen_facts f = facts(0);
  f.kinks = kink, f.n_kinks = 1;
  return f;
}
constexpr limen_facts kLoose = in_range(-1, 4), kTight = in_range(-1, 1), kBump = in_range(0, 1),
                      kIgnored = facts(LIMEN_FACT_NAN_IGNORED), kCorner = with_kink(kCornerAtOne),
                      kJump = with_kink(kJumpAtOne);
MAP_FUNCTION(Slow, LIMEN_X, "bounds that are reached slowly", "", x / (1 + std::abs(x)),
             g / sq(1 + std::abs(x)))
MAP_FUNCTION(Bump, LIMEN_X, "a bound that is reached in one place", "",
             std::exp(-sq(8 * (x - T(3.3)))),
             std::abs(x) > 100 ? 0 * g : -128 * g * (x - T(3.3)) * std::exp(-sq(8 * (x - T(3.3)))))
MAP_FUNCTION(Leap, LIMEN_X, "a jump", "", x > 1 || x != x ? x : T(0), x > 1 || x != x ? g : T(0))
LISTED(c304,
       with_facts(told(op("c304_slow", LIMEN_MAP, kKernels<Slow>, 4), Slow::summary, ""), kTight))
LISTED(c305,
       with_facts(told(op("c305_bump", LIMEN_MAP, kKernels<Bump>, 4), Bump::summary, ""), kBump))
LISTED(c306,
       with_facts(told(op("c306_leap", LIMEN_MAP, kKernels<Leap>, 4), Leap::summary, ""), kJump))
LISTED(v07, with_facts(told(op("v07_loose_range", LIMEN_MAP, kKernels<Slow>, 4),
                            "a range that f does not fill", "facts"),
                       kLoose))
LISTED(v08, with_facts(told(op("v08_ignores_nan", LIMEN_MAP, kKernels<Slow>, 4),
                            "says that it ignores NaN, and does not", "nan-in"),
                       kIgnored))
LISTED(v09, with_facts(told(op("v09_corner_leap", LIMEN_MAP, kKernels<Leap>, 4),
                            "a jump that is declared as a corner", "kink-slope"),
                       kCorner))

// --- a step, and the slope of clamp(x / 10, -1, 1) -----------------------------------------------
MAP_FUNCTION(Window, LIMEN_X, "a surrogate", "", x > 0 || x != x ? x / x : T(0) * x,
             x != x || std::abs(x) < 10 ? g / 10 : T(0))
MAP_FUNCTION(Narrow, LIMEN_X, "a window of 9.5 instead of 10", "", Window::f(x),
             x != x || std::abs(x) < T(9.5) ? g / 10 : T(0))
constexpr const char* kClamp = "clamp(x / 10, -1, 1)";
LISTED(c307, surrogate(told(op("c307_window", LIMEN_MAP, kKernels<Window>, 4), Window::summary, ""),
                       kClamp))
LISTED(v10, surrogate(told(op("v10_window", LIMEN_MAP, kKernels<Narrow>, 4), Narrow::summary,
                           "surrogate-declared"),
                      kClamp))

// NaN at 0 only, and a wide kernel with a window of its own.
MAP_FUNCTION(Whole, LIMEN_X, "a surrogate that no formula tells", "", std::rint(x), x == x ? g : x)
MAP_FUNCTION(Cut, LIMEN_X, "the AVX2 kernel cuts off at 3", "", std::rint(x),
             x == x && std::abs(x) > 3 ? 0 * g : Whole::b(x, y, g))
MAP_FUNCTION(Hole, LIMEN_X, "NaN at 0", "", std::rint(x), x == x ? g * (x / x) : x)
template <class A>
inline constexpr limen_kernel kWide[5] = {
    kKernels<Whole>[0], kKernels<Whole>[1], kKernels<Whole>[2], kKernels<Whole>[3], {
      sizeof(limen_kernel), LIMEN_BACKWARD, LIMEN_F64, LIMEN_ISA_X86_V3, 0, LIMEN_X, 0, 0, 0, 0,
          backward<A, double>
    }};
LISTED(c308, surrogate(told(op("c308_whole", LIMEN_MAP, kWide<Whole>, 5), Whole::summary, ""),
                       "identity, told in words"))
LISTED(v11, surrogate(told(op("v11_hole", LIMEN_MAP, kKernels<Hole>, 4), Hole::summary, "extremes"),
                      "x"))
#if defined(__x86_64__)
LISTED(v12, surrogate(told(op("v12_whole_cut", LIMEN_MAP, kWide<Cut>, 5), Cut::summary,
                           "variants-agree"),
                      "identity, told in words"))
#endif

// --- arc sine on (-1, 1), guarded near the ends; a mask that is taken of a float -----------------
constexpr limen_facts within(double low, double high) {
  limen_facts f = facts(LIMEN_FACT_DOMAIN);
  f.x_min = low, f.x_max = high;
  return f;
}
constexpr limen_facts kUnit = within(-1, 1);
MAP_FUNCTION(Asin, LIMEN_X, "steep at both ends", "", std::asin(x), g / std::sqrt(1 - x * x))
MAP_FUNCTION(Guarded, LIMEN_X, "1 - x^2 is at least 1e-3 in backward", "", std::asin(x),
             g / std::sqrt(1 - x * x < T(1e-3) ? T(1e-3) : 1 - x * x))
LISTED(c309,
       with_facts(told(op("c309_asin", LIMEN_MAP, kKernels<Asin>, 4), Asin::summary, ""), kUnit))
LISTED(v13, with_facts(told(op("v13_asin_guarded", LIMEN_MAP, kKernels<Guarded>, 4),
                            Guarded::summary, "derivative-fd"),
                       kUnit))
MAP_OP(v14_float_mask, LIMEN_X, "the mask of relu is taken of a float", "derivative-fd",
       x > 0 || x != x ? x : T(0), static_cast<float>(x) > 0 || x != x ? g : T(0))

// --- once in 97 calls the last element is lost; a word is written about long tiles ---------------
template <int Wrong>
struct Half {
  template <class T>
  static void forward(const limen_tile* t) {
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = static_cast<const T*>(t->x[0])[i] / 2);
  }
  template <class T>
  static void backward(const limen_tile* t) {
    static unsigned calls = 0;
    const bool lost = Wrong == 1 && ++calls % 97 == 0;
    if (Wrong == 2 && t->n > 256) {
      const int file = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      if (::write(file, "long", 4) == 4) ::close(file);
    }
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    T* const dx = static_cast<T*>(t->dx[0]);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T d = lost && i + 1 == t->n ? T(0) : static_cast<const T*>(t->dy[0])[i] / 2;
      dx[i] = add ? dx[i] + d : d;
    }
  }
};
constexpr limen_facts kSums = facts(LIMEN_FACT_NONDETERMINISTIC);
LISTED(c310, with_facts(told(op("c310_half", LIMEN_MAP, kPlain<Half<0>>, 4), "half", ""), kSums))
LISTED(s97, with_facts(told(op("s97_half_lost", LIMEN_MAP, kPlain<Half<1>>, 4),
                            "in one of 97 calls the last element is 0", "resources"),
                       kSums))
LISTED(s98, told(op("s98_half_told", LIMEN_MAP, kPlain<Half<2>>, 4),
                 "something is written where a tile is long", "silent"))

}  // namespace

SELFTEST_PLUGIN("corners")
