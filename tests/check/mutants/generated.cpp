// One op that is thousands: c F(a x + b) + d for a function F, with a mistake in its backward or
// without one. What it is comes from its parameters, so `limen gradcheck --selftest` makes them up.
#include <iterator>

#include "generated_functions.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// X(name, what the backward gives; the right answer is g * D)
#define LIMEN_MISTAKES(X)                                                          \
  X(none, (g * v.D))                                                               \
  X(sign, (-g * v.D))                                                              \
  X(factor, (g * v.D * m))                                                         \
  X(chain_lost, (g * v.c * v.s))                                                   \
  X(scale_lost, (g * v.a * v.s))                                                   \
  X(inner_lost, (g * v.c * v.a * v.slope(v.x)))                                    \
  X(slope_of_value, (g * v.c * v.a * v.slope(v.F)))                                \
  X(returns_inner, (g * v.c * v.a * v.t))                                          \
  X(returns_value, (g * v.y))                                                      \
  X(offset_lost, (g * v.c * v.a * v.slope(v.t - v.b)))                             \
  X(offset_sign, (g * v.c * v.a * v.slope(v.t - 2 * v.b)))                         \
  X(band, (g * (v.D + (std::abs(v.t - p) < m ? v.K / 4 : T(0)))))                  \
  X(half_line_above, (g * (v.t > p ? v.D * m + v.K / 64 : v.D)))                   \
  X(half_line_below, (g * (v.t < p ? v.D * m - v.K / 64 : v.D)))                   \
  X(clipped, (std::clamp(g * v.D, -m * std::abs(v.K), m * std::abs(v.K))))         \
  X(float_only, (sizeof(T) == 4 ? g * (v.D + v.K / 512) : g * v.D))                \
  X(float_overflow, (sizeof(T) == 4 && std::abs(v.t) > p ? g * v.nan() : g * v.D)) \
  X(tiny_factor, (g * v.D * (1 + m)))                                              \
  X(float_constants, (g * v.D * T(1 + 6e-8 * static_cast<double>(m))))             \
  X(additive, (g * v.D + v.K * T(1e-4)))                                           \
  X(additive_linear, (g * (v.D + v.K * m)))                                        \
  X(upstream_squared, (g * g * v.D))                                               \
  X(upstream_ignored, (v.D))                                                       \
  X(upstream_absolute, (std::abs(g) * v.D))                                        \
  X(nan_far, (std::abs(v.t) > p ? g * v.nan() : g * v.D))                          \
  X(zero_far, (std::abs(v.t) > p ? g * 0 : g * v.D))                               \
  X(constant_far, (std::abs(v.t) > p ? g * v.K : g * v.D))                         \
  X(steeper, (g * v.c * v.a * v.slope(v.t * (1 + m))))                             \
  X(moved, (g * v.c * v.a * v.slope(v.t + m)))                                     \
  X(mirrored, (g * v.c * v.a * v.slope(-v.t)))                                     \
  X(squared, (g * v.c * v.a * v.s * v.s))                                          \
  X(rooted, (g * v.c * v.a * std::sqrt(std::abs(v.s))))                            \
  X(magnitude, (g * v.c * v.a * std::abs(v.s)))                                    \
  X(bump, (g * (v.D + v.K * T(1e-5) * std::exp(-(v.t - p) * (v.t - p)))))          \
  X(ripple, (g * (v.D + v.K * T(1e-6) * std::sin(8 * v.t))))                       \
  X(coarse, (g * v.c * v.a * std::nearbyint(v.s * 512) / 512))                     \
  X(at_one_number, (v.x == p ? g * (v.D + v.K) : g * v.D))                         \
  X(inner_twice, (g * v.D * v.a))                                                  \
  X(difference, (g * v.c * v.a * (v.value(v.t + m) - v.value(v.t)) / m))           \
  X(times_inner, (g * v.D * v.t))                                                  \
  X(never_adds, (g * v.D))                                                         \
  X(always_adds, (g * v.D))                                                        \
  X(leaves_tail, (g * v.D))                                                        \
  X(wrong_tail, (v.tail ? g * (v.D + v.K / 64) : g * v.D))

enum class Mistake {
#define LIMEN_NAME(name, d) name,
  LIMEN_MISTAKES(LIMEN_NAME)
#undef LIMEN_NAME
      count
};

constexpr const char* kMistakes[] = {
#define LIMEN_TEXT(name, d) #name,
    LIMEN_MISTAKES(LIMEN_TEXT)
#undef LIMEN_TEXT
};
constexpr const char* kFunctions[] = {
#define LIMEN_TEXT(name, f, d, other) #name,
    LIMEN_GENERATED_FUNCTIONS(LIMEN_TEXT)
#undef LIMEN_TEXT
};
// How the same is computed: as it stands, factors in another order, the slope in another algebraic
// form, a (x + b / a), fused, with a few last bits wrong.
constexpr const char* kForms[] = {"plain", "reordered", "other_form", "shifted", "fused", "sloppy"};
enum class Form { plain, reordered, other_form, shifted, fused, sloppy };

// What the parameters say; their order is that of kParams.
template <class T>
struct Variant {
  explicit Variant(const double* h)
      : fn(static_cast<Fn>(h[0])),
        form(static_cast<Form>(h[1])),
        mistake(static_cast<Mistake>(h[2])),
        a(static_cast<T>(h[3])),
        b(static_cast<T>(h[4])),
        c(static_cast<T>(h[5])),
        d(static_cast<T>(h[6])),
        q(static_cast<T>(h[7])),
        place(static_cast<T>(h[8])),
        strength(static_cast<T>(h[9])) {}

  Fn fn;
  Form form;
  Mistake mistake;
  T a, b, c, d, q, place, strength;
  // Of one element: see at().
  T x = 0, t = 0, F = 0, y = 0, s = 0, D = 0, K = 0;
  bool tail = false;

  T inner(T at) const {
    if (form == Form::shifted) return a * (at + b / a);
    return form == Form::fused ? std::fma(a, at, b) : a * at + b;
  }
  T value(T inside) const { return value_of(fn, inside); }
  T slope(T inside) const { return slope_of(fn, inside, q, form == Form::other_form); }
  T outer(T inside) const {
    return form == Form::fused ? std::fma(c, value(inside), d) : c * value(inside) + d;
  }
  static T nan() { return std::numeric_limits<T>::quiet_NaN(); }

  void at(T where, bool values) {
    x = where;
    t = inner(x);
    s = slope(t);
    if (form == Form::sloppy) s *= 1 + 2 * std::numeric_limits<T>::epsilon();
    D = form == Form::reordered ? c * s * a : c * (a * s);
    K = c * a;
    if (!values) return;
    F = value(t);
    y = outer(t);
  }
};

template <class T>
T backward_of(const Variant<T>& v, T g) {
  [[maybe_unused]] const T m = v.strength, p = v.place;
  switch (v.mistake) {
#define LIMEN_CASE(name, d) \
  case Mistake::name:       \
    return d;
    LIMEN_MISTAKES(LIMEN_CASE)
#undef LIMEN_CASE
    case Mistake::count:
      break;
  }
  return g;
}

template <class T>
void forward(const limen_tile* t) {
  const Variant<T> v(t->hyper);
  const T* const x = static_cast<const T*>(t->x[0]);
  T* const y = static_cast<T*>(t->y[0]);
  for (std::uint64_t i = 0; i < t->n; ++i) y[i] = v.outer(v.inner(x[i]));
}
template <class T>
void backward(const limen_tile* t) {
  Variant<T> v(t->hyper);
  const T* const x = static_cast<const T*>(t->x[0]);
  const T* const dy = static_cast<const T*>(t->dy[0]);
  T* const dx = static_cast<T*>(t->dx[0]);
  const bool add = v.mistake == Mistake::always_adds ||
                   (v.mistake != Mistake::never_adds && (t->flags & LIMEN_TILE_ACCUMULATE) != 0);
  const bool values = v.mistake == Mistake::slope_of_value || v.mistake == Mistake::returns_value;
  const std::uint64_t whole = t->n > 8 ? t->n - t->n % 8 : t->n;
  const std::uint64_t n = v.mistake == Mistake::leaves_tail ? whole : t->n;
  for (std::uint64_t i = 0; i < n; ++i) {
    v.tail = i >= whole;
    v.at(x[i], values);
    const T d = backward_of(v, dy[i]);
    dx[i] = add ? dx[i] + d : d;
  }
}

constexpr limen_param choice(const char* name, const char* const* choices, std::size_t n) {
  return {sizeof(limen_param),
          LIMEN_P_CHOICE,
          0,
          static_cast<std::uint32_t>(n),
          name,
          "",
          choices,
          0,
          0,
          static_cast<double>(n - 1)};
}
constexpr limen_param real(const char* name, double def) {
  return {sizeof(limen_param), LIMEN_P_REAL, 0, 0, name, "", nullptr, def, -1e30, 1e30};
}
constexpr limen_param kParams[] = {choice("function", kFunctions, std::size(kFunctions)),
                                   choice("form", kForms, std::size(kForms)),
                                   choice("mistake", kMistakes, std::size(kMistakes)),
                                   real("a", 1),
                                   real("b", 0),
                                   real("c", 1),
                                   real("d", 0),
                                   real("q", 0),
                                   real("place", 0),
                                   real("strength", 0),
                                   real("none", 0)};
// Only what was made up is checked, not other values that the checker would draw.
int32_t only_defaults(const double* hyper, limen_error*) {
  return hyper[std::size(kParams) - 1] == 0 ? LIMEN_OK : LIMEN_E_INVALID;
}

constexpr limen_kernel kKernels[4] = {kernel(LIMEN_FORWARD, LIMEN_F64, 0, forward<double>),
                                      kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, backward<double>),
                                      kernel(LIMEN_FORWARD, LIMEN_F32, 0, forward<float>),
                                      kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, backward<float>)};
constexpr limen_op generated() {
  limen_op o = told(op("generated", LIMEN_MAP, kKernels, 4), "c F(a x + b) + d", "");
  o.params = kParams;
  o.n_params = static_cast<std::uint32_t>(std::size(kParams));
  o.check = only_defaults;
  return o;
}
LISTED(c_generated, generated())

}  // namespace

SELFTEST_PLUGIN("generated")
