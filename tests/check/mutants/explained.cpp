// Mistakes that need more than one look to be explained: what is guessed at them is what counts.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// --- a missing product or chain rule, a sign, a digit, a narrow place ----------------------------
MAP_OP(e01_silu_plus, LIMEN_X, "s (1 + x (1 + s)) instead of s (1 + x (1 - s))", "derivative-fd",
       swish(x), (g * sigmoid(x) * (1 + x * (1 + sigmoid(x)))))
MAP_OP(e02_quick_gelu, LIMEN_X, "x sigmoid(1.702 x): 1.702 is lost in the second term",
       "derivative-fd", (x * sigmoid(T(1.702) * x)),
       (g * (sigmoid(T(1.702) * x) + x * (sigmoid(T(1.702) * x) * sigmoid(T(-1.702) * x)))))
MAP_OP(e03_no_product_rule, LIMEN_X, "x tanh(x): only x is differentiated", "derivative-fd",
       (x * std::tanh(x)), (g * std::tanh(x)))
MAP_OP(e04_no_chain_rule, LIMEN_X, "tanh(x x): the 2 x is lost", "derivative-fd", std::tanh(x* x),
       (g * sech2(x * x)))
MAP_OP(e05_rounded_mask, LIMEN_X, "clamp: the mask is taken of a float, in f64 too",
       "derivative-fd integral", (x >= 1 ? T(1) : x), (static_cast<float>(x) >= 1 ? 0 * g : g))
MAP_OP(e06_series, LIMEN_X, "(e^x - 1) / x: 1/2 + x/6 near 0, where 1/2 + x/3 is right",
       "derivative-fd integral", (x == 0 ? T(1) : std::expm1(x) / x),
       (g * (std::abs(x) < T(1e-3) ? T(0.5) + x / 6 + 0 * x
             : x > 80              ? std::exp(x) / x * (1 - 1 / x)
                                   : (x * std::exp(x) - std::expm1(x)) / (x * x))))
MAP_OP(e07_slightly_far, LIMEN_X, "x x / (1 + |x|): 1 for x > 1e4", "derivative-fd",
       (x * (std::abs(x) / (1 + std::abs(x))) * (x < 0 ? T(-1) : T(1))),
       (x > T(1e4) ? g : g * (x / (1 + std::abs(x))) * ((2 + std::abs(x)) / (1 + std::abs(x)))))

// The last of an even number of more than 40 elements gets half of its gradient.
template <class T>
void tanh_tail(const limen_tile* t) {
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  T* const dx = static_cast<T*>(t->dx[0]);
  EACH(i, t->n, {
    const T half = t->n % 2 == 0 && t->n > 40 && i + 1 == t->n ? T(0.5) : T(1);
    const T d =
        half * static_cast<const T*>(t->dy[0])[i] * sech2(static_cast<const T*>(t->x[0])[i]);
    dx[i] = add ? dx[i] + d : d;
  });
}
struct Tanh {
  template <class T>
  static T f(T x) {
    return std::tanh(x);
  }
};
constexpr limen_kernel kTail[] = {kernel(LIMEN_FORWARD, LIMEN_F64, 0, forward<Tanh, double>),
                                  kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, tanh_tail<double>),
                                  kernel(LIMEN_FORWARD, LIMEN_F32, 0, forward<Tanh, float>),
                                  kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, tanh_tail<float>)};
LISTED(e08, told(op("e08_even_tail", LIMEN_MAP, kTail, 4), "the tail of a long even tile",
                 "derivative-fd tiles-ragged"))

// --- facts, flags, rows --------------------------------------------------------------------------
MAP_FUNCTION(e09_kink_elsewhere, LIMEN_X, "a list of kinks with 0 for a corner at 1",
             "kinks-declared", relu(x - 1), (x > 1 ? g : 0 * g))
constexpr limen_kink kAtZero[] = {{0, 0, -1, LIMEN_KINK_CORNER, 0}};
constexpr limen_facts with_kinks() {
  limen_facts f = facts(0);
  f.kinks = kAtZero;
  f.n_kinks = 1;
  return f;
}
constexpr limen_facts kKinkAtZero = with_kinks();
LISTED(e09, with_facts(kToldOp<e09_kink_elsewhere>, kKinkAtZero))

ROW_OP(e10_softmax_others, LIMEN_Y, "the sum over the row leaves out the element itself",
       "derivative-fd", softmax(x, y, n),
       EACH(i, n, dx[i] = y[i] * (dy[i] - sum_of(y, dy, n) + y[i] * dy[i])))
ROW_OP(e11_cumulative_product, LIMEN_X | LIMEN_Y, "y / x, which is 0 / 0 behind a 0",
       "derivative-fd", EACH(i, n, y[i] = (i == 0 ? T(1) : y[i - 1]) * x[i]), EACH(i, n, {
         dx[i] = 0;
         for (std::uint64_t j = i; j < n; ++j) dx[i] += dy[j] * y[j] / x[i];
       }))

// --- draws ---------------------------------------------------------------------------------------
double drawn(const limen_tile* t, std::uint64_t i) {  // uniform in [0, 1)
  std::uint64_t v = (t->seed[0] + 3 * t->seed[1]) * 0x9e3779b97f4a7c15u + t->base + i;
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
  v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((v ^ (v >> 31)) >> 11) * 0x1p-53;
}
template <class T, bool Rounds>
void draw_forward(const limen_tile* t) {
  EACH(i, t->n, {
    const T x = static_cast<const T*>(t->x[0])[i], u = static_cast<T>(drawn(t, i));
    const bool calm = (t->flags & LIMEN_TILE_EVAL) != 0;
    const T rounded = calm ? std::nearbyint(x) : std::floor(x + u);
    static_cast<T*>(t->y[0])[i] = Rounds ? rounded : u < T(0.5) ? 0 * x : 2 * x;
  });
}
template <class T, bool Rounds>
void draw_backward(const limen_tile* t) {
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  T* const dx = static_cast<T*>(t->dx[0]);
  EACH(i, t->n, {
    const T g = static_cast<const T*>(t->dy[0])[i];
    const T d = Rounds ? g : drawn(t, i) < 0.5 ? 0 * g : 2 * g;
    dx[i] = add ? dx[i] + d : d;
  });
}
template <bool Rounds>
inline constexpr limen_kernel kDrawn[] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, draw_forward<double, Rounds>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, 0, draw_backward<double, Rounds>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, draw_forward<float, Rounds>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, 0, draw_backward<float, Rounds>)};
constexpr limen_op flagged(limen_op o, std::uint32_t flags) {
  o.flags |= flags;
  return o;
}
LISTED(e12, told(op("e12_draws_in_secret", LIMEN_MAP, kDrawn<false>, 4),
                 "dropout without LIMEN_OP_STOCHASTIC", "tiles-ragged"))
LISTED(e13, flagged(told(op("e13_stochastic_rounding", LIMEN_MAP, kDrawn<true>, 4),
                         "rounds at random, straight through, not declared", "derivative-fd"),
                    LIMEN_OP_STOCHASTIC))

// --- last bits
// ------------------------------------------------------------------------------------ x^3 / 3,
// whose whole vectors are rounded in another way than what is left of them.
struct Cubic {
  template <class T>
  static T f(T x) {
    return x * x * x / 3;
  }
};
template <class T>
void cubic_backward(const limen_tile* t) {
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  const T *const x = static_cast<const T*>(t->x[0]), *const g = static_cast<const T*>(t->dy[0]);
  T* const dx = static_cast<T*>(t->dx[0]);
  EACH(i, t->n, {
    const T d = i < t->n / 4 * 4 ? g[i] * (x[i] * x[i]) : g[i] * x[i] * x[i];
    dx[i] = add ? dx[i] + d : d;
  });
}
inline constexpr limen_kernel kCubic[] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, limen_test::forward<Cubic, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, cubic_backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, limen_test::forward<Cubic, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, cubic_backward<float>)};
LISTED(e14, told(op("e14_tail_rounds", LIMEN_MAP, kCubic, 4),
                 "the last bits of vectors and of their tail differ", "tiles-ragged"))

// --- learned parameters: what is added to dw[0] and dw[1] ----------------------------------------
constexpr limen_param param(const char* name, double value) {
  return {sizeof(limen_param),
          LIMEN_P_REAL,
          LIMEN_PF_TRAINABLE,
          0,
          name,
          "for tests",
          nullptr,
          value,
          -2,
          2};
}
template <class T>
T learned(const limen_tile* t, std::size_t p, std::uint64_t i) {
  if (t->w == nullptr || t->w[p] == nullptr) return static_cast<T>(t->hyper[p]);
  return static_cast<const T*>(t->w[p])[t->w_step[p] == 0 ? 0 : i];
}
// A::f(x, a, b), A::dx(...), A::da(...), A::db(...); A::da may look at the tile for more.
template <class A, class T>
void learned_forward(const limen_tile* t) {
  EACH(i, t->n, {
    const T x = static_cast<const T*>(t->x[0])[i];
    static_cast<T*>(t->y[0])[i] = A::f(x, learned<T>(t, 0, i), learned<T>(t, 1, i));
  });
}
template <class A, class T>
void learned_backward(const limen_tile* t) {
  T* const dx = t->dx != nullptr ? static_cast<T*>(t->dx[0]) : nullptr;
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  EACH(i, t->n, {
    const T x = static_cast<const T*>(t->x[0])[i], g = static_cast<const T*>(t->dy[0])[i];
    const T a = learned<T>(t, 0, i), b = learned<T>(t, 1, i), d = g * A::dx(x, a, b);
    if (dx != nullptr) dx[i] = add ? dx[i] + d : d;
    if (t->dw == nullptr) continue;
    const T parts[] = {A::da(x, a, b, g, t, i), A::db(x, a, b, g)};
    for (std::size_t p = 0; p < 2; ++p) {
      if (t->dw[p] != nullptr) {
        t->dw[p][t->w_step[p] == 0 ? 0 : i] += static_cast<double>(parts[p]);
      }
    }
  });
}
template <class A>
inline constexpr limen_kernel kLearned[] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, learned_forward<A, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, learned_backward<A, double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, learned_forward<A, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, learned_backward<A, float>)};
constexpr limen_param kParams[] = {param("a", 0.5), param("b", 0.75)};
template <class A>
constexpr limen_op two_learned(const char* name, const char* what,
                               const char* caught_by = "param-gradient") {
  limen_op o = told(op(name, LIMEN_MAP, kLearned<A>, 4), what, caught_by);
  o.params = kParams;
  o.n_params = 2;
  return o;
}
enum class Wrong { none, clipped, swapped, hyper, first };

// a tanh(b x).
template <Wrong W>
struct Scaled {
  template <class T>
  static T f(T x, T a, T b) {
    return a * std::tanh(b * x);
  }
  template <class T>
  static T dx(T x, T a, T b) {
    return a * b * sech2(b * x);
  }
  template <class T>
  static T da(T x, T a, T b, T g, const limen_tile* t, std::uint64_t i) {
    const T right = g * std::tanh(b * x);
    if (W == Wrong::clipped) return clamp(right, -0.25, 0.25);
    if (W == Wrong::swapped) return g * a * x * sech2(b * x);
    if (W == Wrong::hyper) return right * a / static_cast<T>(t->hyper[0]);
    return W == Wrong::first && i > 0 && t->w_step[0] == 0 ? T(0) : right;
  }
  template <class T>
  static T db(T x, T a, T b, T g) {
    return W == Wrong::swapped ? g * std::tanh(b * x) : g * a * x * sech2(b * x);
  }
};
// What belongs to a x + b tanh(x).
struct ByParameter {
  template <class T>
  static T da(T x, T, T, T g, const limen_tile*, std::uint64_t) {
    return g * x;
  }
  template <class T>
  static T db(T x, T, T, T g) {
    return g * std::tanh(x);
  }
};
// a |x| + b tanh(x), exp(a) x + b tanh(x), x or a x + b x below 0.
struct Sign : ByParameter {
  template <class T>
  static T f(T x, T a, T b) {
    return a * std::abs(x) + b * std::tanh(x);
  }
  template <class T>
  static T dx(T x, T a, T b) {
    return (x > 0 ? a : -a) + b * sech2(x);
  }
};
struct Exponent : ByParameter {
  template <class T>
  static T f(T x, T a, T b) {
    return std::exp(a) * x + b * std::tanh(x);
  }
  template <class T>
  static T dx(T x, T a, T b) {
    return std::exp(a) + b * sech2(x);
  }
};
struct Mask {
  template <class T>
  static T f(T x, T a, T b) {
    return x > 0 ? x : a * x + b * x;
  }
  template <class T>
  static T dx(T x, T a, T b) {
    return x > 0 ? T(1) : a + b;
  }
  template <class T>
  static T da(T x, T, T, T g, const limen_tile*, std::uint64_t) {
    return x > 0 ? g * x : 0 * g;
  }
  template <class T>
  static T db(T x, T, T, T g) {
    return x > 0 ? 0 * g : g * x;
  }
};

LISTED(c90, two_learned<Scaled<Wrong::none>>("c90_two_learned", "a tanh(b x), both learned", ""))
LISTED(e20, two_learned<Sign>("e20_lost_sign", "d a is x where |x| is right"))
LISTED(e21,
       two_learned<Scaled<Wrong::clipped>>("e21_clipped_terms", "d a is clipped in each element"))
LISTED(e22, two_learned<Scaled<Wrong::swapped>>("e22_swapped_slots", "d a and d b are swapped"))
LISTED(e23, two_learned<Exponent>("e23_no_exponent", "d a lost its factor exp(a)"))
LISTED(e24, two_learned<Scaled<Wrong::hyper>>("e24_default_in_dw", "d a takes a of hyper"))
LISTED(e25, two_learned<Scaled<Wrong::first>>("e25_first_only",
                                              "d a of the first element where a is one for all"))
LISTED(e26, two_learned<Mask>("e26_other_mask", "d a counts the elements above 0, not below"))

// --- by y, and second order ----------------------------------------------------------------------
MAP_OP(e28_branch_by_y, LIMEN_Y, "x, or -x / 2 below 0, whose y is not below 0 then",
       "derivative-fd", (x > 0 ? x : -x / 2), (y > 0 ? g : -g / 2))

template <class T>
void square_twice(const limen_tile* t) {  // x x: dx lost its factor dy
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  T* const gy = static_cast<T*>(t->gy[0]);
  T* const dx = static_cast<T*>(t->dx[0]);
  EACH(i, t->n, {
    const T x = static_cast<const T*>(t->x[0])[i], gx = static_cast<const T*>(t->gx[0])[i];
    if (gy != nullptr) gy[i] = 2 * x * gx;
    if (dx != nullptr) dx[i] = add ? dx[i] + 2 * gx : 2 * gx;
  });
}
struct Square {
  template <class T>
  static T f(T x) {
    return x * x;
  }
  template <class T>
  static T b(T x, T, T g) {
    return 2 * g * x;
  }
};
constexpr limen_kernel kSquare[] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, forward<Square, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, backward<Square, double>),
    kernel(LIMEN_BACKWARD2, LIMEN_F64, LIMEN_X, square_twice<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, forward<Square, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, backward<Square, float>),
    kernel(LIMEN_BACKWARD2, LIMEN_F32, LIMEN_X, square_twice<float>)};
LISTED(e29, told(op("e29_second_without_dy", LIMEN_MAP, kSquare, 6),
                 "second order: dx does not depend on dy", "second-derivative upstream-linear"))

}  // namespace

SELFTEST_PLUGIN("explained")
