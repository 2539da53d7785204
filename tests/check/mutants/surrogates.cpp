// Ops whose backward is declared that of another function, named by a formula or in words.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// One or two inputs and a parameter p: forward is A::f, backward A::b, which sets the slopes by
// both inputs and by p. u is a draw in [0, 1).
template <class T>
struct Slopes {
  T a = 0, b = 0, p = 0;
};

double drawn(const limen_tile* t, std::uint64_t i) {
  std::uint64_t v = (t->seed[0] + 3 * t->seed[1]) * 0x9e3779b97f4a7c15u + t->base + i;
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
  v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((v ^ (v >> 31)) >> 11) * 0x1p-53;
}

template <class T>
struct Arguments {
  T a, b, p, u;
  bool adds;

  Arguments(const limen_tile* t, std::uint64_t i, bool two)
      : a(static_cast<const T*>(t->x[0])[i]),
        b(two ? static_cast<const T*>(t->x[1])[i] : T(0)),
        p(t->w != nullptr && t->w[0] != nullptr
              ? static_cast<const T*>(t->w[0])[t->w_step[0] * i]
              : static_cast<T>(t->hyper != nullptr ? t->hyper[0] : 0)),
        u(static_cast<T>((t->flags & LIMEN_TILE_EVAL) != 0 ? 0.5 : drawn(t, i))),
        adds((t->flags & LIMEN_TILE_ACCUMULATE) != 0) {}
};

template <class A, class T>
void run_forward(const limen_tile* t) {
  for (std::uint64_t i = 0; i < t->n; ++i) {
    static_cast<T*>(t->y[0])[i] = A::f(Arguments<T>(t, i, A::two));
  }
}

template <class A, class T>
void run_backward(const limen_tile* t) {
  double sum = 0;
  const bool learned = t->dw != nullptr && t->dw[0] != nullptr;
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const Arguments<T> at(t, i, A::two);
    const Slopes<T> slope = A::b(at);
    const T g = static_cast<const T*>(t->dy[0])[i];
    const auto put = [&](void* to, T value) {
      if (to != nullptr) static_cast<T*>(to)[i] = at.adds ? static_cast<T*>(to)[i] + value : value;
    };
    put(t->dx[0], g * slope.a);
    if (A::two) put(t->dx[1], g * slope.b);
    const double part = static_cast<double>(g) * static_cast<double>(slope.p);
    if (learned && t->w_step[0] != 0) t->dw[0][i] += part;
    sum += part;
  }
  if (learned && t->w_step[0] == 0) t->dw[0][0] += sum;
}

// Of one input, and a slope that A::curvature is the derivative of.
template <class A, class T>
void run_second(const limen_tile* t) {
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const Arguments<T> at(t, i, false);
    const T g = t->gx[0] != nullptr ? static_cast<const T*>(t->gx[0])[i] : T(0);
    if (t->gy[0] != nullptr) static_cast<T*>(t->gy[0])[i] = g * A::b(at).a;
    if (t->dx[0] == nullptr) continue;
    T& dx = static_cast<T*>(t->dx[0])[i];
    dx = (at.adds ? dx : T(0)) + g * static_cast<const T*>(t->dy[0])[i] * A::curvature(at.a);
  }
}

template <class A>
inline constexpr limen_kernel kThrough[6] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, run_forward<A, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, run_backward<A, double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, run_forward<A, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, run_backward<A, float>)};

template <class A>
constexpr limen_op through(const char* name, const char* of, const char* what,
                           const char* caught_by) {
  limen_op o = surrogate(told(op(name, LIMEN_MAP, kThrough<A>, 4), what, caught_by), of);
  o.arity = A::two ? 2 : 1;
  return o;
}
constexpr limen_op with(limen_op o, const limen_param& p) {
  o.params = &p;
  o.n_params = 1;
  return o;
}
constexpr limen_param number(const char* name, double def, double min, double max,
                             std::uint32_t flags = 0) {
  return {sizeof(limen_param), LIMEN_P_REAL, flags, 0, name, "for tests", nullptr, def, min, max};
}

struct One {
  static constexpr bool two = false;
};

// --- a spike where a exceeds b -------------------------------------------------------------------
enum Bug { kRight, kSign, kNoFactor };
template <Bug B>
struct Spike {
  static constexpr bool two = true;
  template <class T>
  static T f(const Arguments<T>& at) {
    const T v = at.a - at.b;
    return v > 0 ? T(1) : v != v ? v : T(0);
  }
  template <class T>
  static Slopes<T> b(const Arguments<T>& at) {
    const T z = at.p * (at.a - at.b);
    const T slope = (B == kNoFactor ? T(2) : at.p) / (1 + z * z) * T(M_1_PI);
    return {slope, B == kSign ? slope : -slope};
  }
};
constexpr limen_param kSteepness = number("k", 2, 0.5, 20);
constexpr const char* kSpikeOf = "0.5 + atan(k * (a - b)) / pi";
LISTED(c200, with(through<Spike<kRight>>("c200_spike", kSpikeOf, "a spike of two inputs", ""),
                  kSteepness))
LISTED(u1, with(through<Spike<kSign>>("u1_spike_sign", kSpikeOf,
                                      "a spike whose threshold has the gradient of its input",
                                      "surrogate-declared"),
                kSteepness))
LISTED(u2, with(through<Spike<kNoFactor>>("u2_spike_steepness", kSpikeOf,
                                          "a spike that is as steep as by default",
                                          "surrogate-declared"),
                kSteepness))

// --- numbers of few bits, with a learned range ---------------------------------------------------
template <int Most>
struct Learned : One {
  template <class T>
  static T f(const Arguments<T>& at) {
    return clamp(std::nearbyint(at.a / at.p), -4, 3) * at.p;
  }
  template <class T>
  static Slopes<T> b(const Arguments<T>& at) {
    const T z = at.a / at.p;
    if (z != z) return {z, 0, z};
    return {z >= -4 && z <= 3 ? T(1) : T(0), 0, z <= -4 ? T(-4) : z >= 3 ? T(Most) : T(0)};
  }
};
constexpr limen_param kRange = number("s", 0.25, 0.05, 2, LIMEN_PF_TRAINABLE | LIMEN_PF_LEARNED);
LISTED(c201, with(through<Learned<3>>("c201_learned_range", "clamp(x, -4 * s, 3 * s)",
                                      "numbers of 3 bits, their range learned", ""),
                  kRange))
LISTED(u3, with(through<Learned<1>>("u3_learned_range", "clamp(x, -4 * s, 3 * s)",
                                    "numbers of 3 bits, dw of the upper end 1 instead of 3",
                                    "param-gradient"),
                kRange))
// Of the step, as it is learned, no formula tells.
template <int Scale>
struct Step : Learned<3> {
  template <class T>
  static Slopes<T> b(const Arguments<T>& at) {
    Slopes<T> slope = Learned<3>::b(at);
    const T z = at.a / at.p;
    if (z > -4 && z < 3) slope.p = T(Scale) * (std::nearbyint(z) - z);
    return slope;
  }
};
LISTED(c202, with(through<Step<1>>("c202_learned_step", "a clamp, s as in LSQ",
                                   "numbers of 3 bits, their step learned, in words", ""),
                  kRange))

// --- windows -------------------------------------------------------------------------------------
template <int Width, bool Adds>
struct Sign : One {
  template <class T>
  static T f(const Arguments<T>& at) {
    return at.a > 0 ? T(1) : at.a < 0 ? T(-1) : at.a;
  }
  template <class T>
  static Slopes<T> b(const Arguments<T>& at) {
    const bool inside = std::abs(at.a) <= Width || (Adds && at.adds);
    return {at.a != at.a ? at.a : inside ? T(1) / 10 : T(0)};
  }
};
LISTED(c203, (through<Sign<10, false>>("c203_wide_window", "clamp(x / 10, -1, 1)",
                                       "sign, through within 10", "")))
LISTED(u4, (through<Sign<9, false>>("u4_narrow_window", "clamp(x / 10, -1, 1)",
                                    "sign, through within 9 instead of 10", "surrogate-declared")))
LISTED(u5, (through<Sign<10, true>>("u5_window_adds", "clamp(x / 10, -1, 1)",
                                    "sign, through everywhere while it accumulates",
                                    "surrogate-declared")))

// A mask of what is rounded reaches half a step beyond the corner.
struct Rounded : One {
  template <class T>
  static T f(const Arguments<T>& at) {
    return (clamp(std::nearbyint(at.a * 20) + 3, -128, 127) - 3) / 20;
  }
  template <class T>
  static Slopes<T> b(const Arguments<T>& at) {
    const T q = std::nearbyint(at.a * 20) + 3;
    return {q != q ? q : q >= -128 && q <= 127 ? T(1) : T(0)};
  }
};
LISTED(c204, through<Rounded>("c204_rounded_mask", "clamp(x, -6.55, 6.2)",
                              "numbers of 8 bits, masked by what they are rounded to", ""))

template <bool Careful>
struct Softsign : One {
  template <class T>
  static T f(const Arguments<T>& at) {
    return at.a > 0 ? T(1) : at.a < 0 ? T(-1) : at.a;
  }
  template <class T>
  static Slopes<T> b(const Arguments<T>& at) {
    const T d = 1 + std::abs(at.a);
    const T r = Careful ? 1 / d : at.a / d / at.a;
    return {r * r};
  }
};
LISTED(c205, through<Softsign<true>>("c205_softsign", "x / (1 + abs(x))",
                                     "sign with the slope of x / (1 + |x|)", ""))
LISTED(u6, through<Softsign<false>>("u6_softsign_at_zero", "x / (1 + abs(x))",
                                    "sign with the slope of x / (1 + |x|), NaN at 0",
                                    "surrogate-declared"))

// --- draws ---------------------------------------------------------------------------------------
template <bool Drawn>
struct Dither : One {
  template <class T>
  static T f(const Arguments<T>& at) {
    return std::nearbyint(at.a + at.u - T(0.5)) - (at.u - T(0.5));
  }
  template <class T>
  static Slopes<T> b(const Arguments<T>& at) {
    return {Drawn ? 2 * at.u : T(1)};
  }
};
constexpr limen_op draws(limen_op o) {
  o.flags |= LIMEN_OP_STOCHASTIC;
  return o;
}
LISTED(c206, draws(through<Dither<false>>("c206_dither", "x", "rounding with dither", "")))
LISTED(u7, draws(through<Dither<true>>("u7_dither", "x", "rounding with dither, times 2 u",
                                       "surrogate-declared")))

// --- second order --------------------------------------------------------------------------------
template <bool Curved>
struct Bend : One {
  template <class T>
  static T f(const Arguments<T>& at) {
    return at.a > 0 ? T(1) : at.a < 0 ? T(-1) : at.a;
  }
  template <class T>
  static Slopes<T> b(const Arguments<T>& at) {
    return {T(sech2(at.a))};
  }
  template <class T>
  static T curvature(T x) {
    return Curved ? -2 * std::tanh(x) * sech2(x) : 0 * x;
  }
};
template <class A>
inline constexpr limen_kernel kBends[6] = {
    kThrough<A>[0],
    kThrough<A>[1],
    kThrough<A>[2],
    kThrough<A>[3],
    kernel(LIMEN_BACKWARD2, LIMEN_F64, LIMEN_X, run_second<A, double>),
    kernel(LIMEN_BACKWARD2, LIMEN_F32, LIMEN_X, run_second<A, float>)};
template <class A>
constexpr limen_op bends(const char* name, const char* what, const char* caught_by) {
  return surrogate(told(op(name, LIMEN_MAP, kBends<A>, 6), what, caught_by), "tanh(x)");
}
LISTED(c207, bends<Bend<true>>("c207_second_order", "sign as tanh, with its second order", ""))
LISTED(u8, bends<Bend<false>>("u8_second_order", "sign as tanh, with a second order of 0",
                              "second-derivative"))

// --- two kernels of a surrogate in words ---------------------------------------------------------
struct Near : Sign<1, false> {};
struct Far : Sign<2, false> {};
constexpr limen_kernel other(limen_kernel k) {
  k.variant = 1;
  return k;
}
template <class A, class B>
inline constexpr limen_kernel kPairs[4] = {kThrough<A>[0], kThrough<A>[1], other(kThrough<B>[0]),
                                           other(kThrough<B>[1])};
template <class A, class B>
constexpr limen_op pair(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kPairs<A, B>, 4), what, caught_by);
  o.dtypes = LIMEN_F64;
  return surrogate(o, "a window of its own");
}
LISTED(c208, (pair<Near, Near>("c208_two_kernels", "sign with two backward kernels", "")))
LISTED(u9, (pair<Near, Far>("u9_two_kernels", "sign with two backward kernels, of two windows",
                            "variants-agree")))

// --- rows ----------------------------------------------------------------------------------------
template <bool Half>
struct First {
  static constexpr std::uint32_t reads = 0;
  template <class T>
  static void f(const T* x, T* y, std::uint64_t n) {
    const T top = top_of(x, n);
    EACH(i, n, y[i] = x[i] != x[i] || top != top ? x[i] + top : x[i] == top ? T(1) : T(0));
  }
  template <class T>
  static void b(const T*, const T*, const T* dy, T* dx, std::uint64_t n) {
    EACH(i, n, dx[i] = Half ? dy[i] / 2 : dy[i]);
  }
};
template <bool Half>
constexpr limen_op first(const char* name, const char* what, const char* caught_by) {
  return surrogate(told(op(name, LIMEN_ROWS, kRowKernels<First<Half>>, 4), what, caught_by), "x");
}
LISTED(c209, first<false>("c209_largest", "1 at the largest of a row, straight through", ""))
LISTED(u10, first<true>("u10_largest", "1 at the largest of a row, half of the upstream through",
                        "surrogate-declared"))

}  // namespace

SELFTEST_PLUGIN("surrogates")
