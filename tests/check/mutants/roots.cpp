// Powers of |x|, logarithms, and numbers added to x: what differences near a root, at a pole or
// beside a large number say of the gradient. Right ops, mostly, and wrong twins.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

template <class T>
T power(T x, double p) {  // sign(x) |x|^p
  return std::copysign(std::pow(std::abs(x), T(p)), x);
}
template <class T>
T slope(T x, double p) {
  return T(p) * std::pow(std::abs(x), T(p - 1));
}
// +1 and -1 in turns over a thousandth
template <class T>
T turns(T x) {
  const T k = std::floor(1000 * x);
  return k - 2 * std::floor(k / 2) == 0 ? T(1) : T(-1);
}

// --- right ---------------------------------------------------------------------------------------
RIGHT_MAP(cd01_root, LIMEN_X, "x sqrt |x|, whose slope is 0 at 0", power(x, 1.5),
          g*(T(1.5) * std::sqrt(std::abs(x))))
RIGHT_MAP(cd02_slow_root, LIMEN_X, "|x|^1.1 with the sign of x: 0 at 0, but 0.04 at 1e-14",
          power(x, 1.1), g* slope(x, 1.1))
RIGHT_MAP(cd03_log, LIMEN_X, "log |x|: 1 / x is infinite for the smallest numbers",
          std::log(std::abs(x)), g / x)
RIGHT_MAP(cd04_masked_log, LIMEN_X, "log |x|, but 0 at 0", (x == 0 ? x : std::log(std::abs(x))),
          (x == 0 ? 0 * g : g / x))
RIGHT_MAP(cd05_inverse_log, LIMEN_X, "-1 / log |x| near 0, where the slope is infinite",
          (std::abs(x) < T(0.3) ? x == 0 ? 0 * x : -1 / std::log(std::abs(x))
                                : 0 * x - 1 / std::log(T(0.3))),
          (std::abs(x) < T(0.3) && x != 0 ? g / (x * std::log(std::abs(x)) * std::log(std::abs(x)))
                                          : 0 * g))
RIGHT_MAP(cd06_phase, LIMEN_X, "sin(x + 1e5) in double: stairs of 1.5e-11, which are rounding",
          static_cast<T>(std::sin(static_cast<double>(x) + 1e5)),
          g* static_cast<T>(std::cos(static_cast<double>(x) + 1e5)))
RIGHT_MAP(cd07_own_phase, LIMEN_X, "sin(x + 1000) in the op's own type", std::sin(x + 1000),
          g* std::cos(x + 1000))
RIGHT_MAP(cd08_offset, LIMEN_X, "the same of a line and a sigmoid: no stairs, but noise",
          (x / 8 + 1 / (1 + static_cast<T>(std::exp(1e5 - (static_cast<double>(x) + 1e5))))),
          (g * (T(0.125) +
                static_cast<T>(
                    0.25 / std::pow(std::cosh(0.5 * (static_cast<double>(x) + 1e5 - 1e5)), 2)))))
RIGHT_MAP(cd12_flush, LIMEN_X, "x, but 0 for |x| <= 1e-38", (std::abs(x) <= T(1e-38) ? 0 * x : x),
          (std::abs(x) <= T(1e-38) ? 0 * g : g))
RIGHT_MAP(cd13_chirp, LIMEN_X, "sin(x^2) in double, which is too fast for differences from 1e5 on",
          static_cast<T>(std::sin(static_cast<double>(x) * static_cast<double>(x))),
          (g * static_cast<T>(2 * static_cast<double>(x) *
                              std::cos(static_cast<double>(x) * static_cast<double>(x)))))
RIGHT_MAP(cd14_ripple, LIMEN_X, "x^2 / 8 with a ripple, which is small beside it far out",
          std::cos(x) + std::cos(2 * x) + x * x / 8,
          (g * (x / 4 - std::sin(x) - 2 * std::sin(2 * x))))
RIGHT_MAP(cd09_fast_wave, LIMEN_X, "cos(3000 x) / 3000, which numbers from 700 on hardly resolve",
          static_cast<T>(std::cos(3000 * static_cast<double>(x)) / 3000),
          g* static_cast<T>(-std::sin(3000 * static_cast<double>(x))))

struct Wiggle {
  static constexpr std::uint32_t reads = LIMEN_X;
  template <class T>
  static T f(T x) {
    return x;
  }
  template <class T>
  static T b(T x, T, T g) {
    return g * (1 + T(0.009) * turns(x));
  }
};
constexpr limen_facts kHundredth = facts(0, 0.01);
LISTED(cd10,
       told(op("cd10_wiggle", LIMEN_MAP, kKernels<Wiggle>, 4, &kHundredth),
            "x, its slope off by 0.009 up and down, in f32 down and up: 0.01 is declared", ""))

// two inputs: a gelu(b) with tanh
template <class T>
T gate(T b) {
  return b / 2 * (1 + std::tanh(T(0.7978845608028654) * (b + T(0.044715) * b * b * b)));
}
template <class T>
T gate_slope(T b) {
  const T t = std::tanh(T(0.7978845608028654) * (b + T(0.044715) * b * b * b));
  const T c = (1 - t) * (1 + t);
  return (1 + t) / 2 +
         (c > 0 ? b / 2 * c * T(0.7978845608028654) * (1 + T(0.134145) * b * b) : T(0));
}
template <class T>
void gated(const limen_tile* t) {
  const T* a = static_cast<const T*>(t->x[0]);
  const T* b = static_cast<const T*>(t->x[1]);
  T* y = static_cast<T*>(t->y[0]);
  EACH(i, t->n, y[i] = a[i] * gate(b[i]));
}
template <class T, bool Wrong>
void gated_back(const limen_tile* t) {
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  const T* x[2] = {static_cast<const T*>(t->x[0]), static_cast<const T*>(t->x[1])};
  const T* g = static_cast<const T*>(t->dy[0]);
  for (int k = 0; k < 2; ++k) {
    T* dx = static_cast<T*>(t->dx[k]);
    if (dx == nullptr) continue;
    EACH(i, t->n, {
      const T a = x[0][i], b = x[1][i];
      const T cut = Wrong && sizeof(T) == 4 && b < 0 ? T(0) : T(1);
      const T d = g[i] * (k == 0 ? cut * gate(b) : a * gate_slope(b));
      dx[i] = add ? dx[i] + d : d;
    });
  }
}
template <bool Wrong>
constexpr limen_kernel kGated[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, gated<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, gated_back<double, Wrong>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, gated<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, gated_back<float, Wrong>)};
constexpr limen_op of_two(limen_op o) {
  o.arity = 2;
  return o;
}
LISTED(cd11, told(of_two(op("cd11_gate", LIMEN_MAP, kGated<false>, 4)),
                  "a gelu(b): of 1 + tanh f32 has few digits left", ""))

// log(1 + (x - 1)) as a soft exponential of -1 writes it: x near 0 loses its digits to the 1.
template <class T>
T log_beside(T x) {
  return std::log(1 + (x - 1));
}
template <class T>
T log_beside_slope(T x) {
  return 1 + (x - 1) < 0 ? std::numeric_limits<T>::quiet_NaN() : 1 / (1 + (x - 1));
}
RIGHT_MAP(cd15_log_beside, LIMEN_X, "log(1 + (x - 1)): a domain that ends where f32 is coarse",
          log_beside(x), g* log_beside_slope(x))

// --- wrong ---------------------------------------------------------------------------------------
MAP_OP(md01_root_slope, LIMEN_X, "x sqrt |x| with a slope of 1 at 0", "derivative-fd",
       power(x, 1.5), (x == 0 ? g : g * slope(x, 1.5)))
MAP_OP(md02_slow_root_slope, LIMEN_X, "|x|^1.1 with a slope of 1.1 at 0", "derivative-fd",
       power(x, 1.1), (x == 0 ? g * T(1.1) : g * slope(x, 1.1)))
MAP_OP(md03_root_factor, LIMEN_X, "x sqrt |x| with the factor 1.4", "derivative-fd integral",
       power(x, 1.5), g* T(1.4) * std::sqrt(std::abs(x)))
MAP_OP(md04_log_sign, LIMEN_X, "log |x| with 1 / |x|", "derivative-fd integral",
       std::log(std::abs(x)), g / std::abs(x))
MAP_OP(md05_log_infinite, LIMEN_X, "log(|x| + 1e-3), but 1 / x for the smallest numbers",
       "extremes", std::log(std::abs(x) + T(1e-3)),
       (std::abs(x) < std::numeric_limits<T>::min() && x != 0
            ? g / x
            : std::copysign(g, g* x) / (std::abs(x) + T(1e-3))))
MAP_OP(md06_log_other_infinity, LIMEN_X, "log |x| that goes to infinity the wrong way", "extremes",
       std::log(std::abs(x)), (std::abs(x) < std::numeric_limits<T>::min() ? -g / x : g / x))
MAP_OP(md07_phase_lost, LIMEN_X, "sin(x + 1e5) with cos(x + 99999)", "derivative-fd integral",
       static_cast<T>(std::sin(static_cast<double>(x) + 1e5)),
       g* static_cast<T>(std::cos(static_cast<double>(x) + 99999)))
MAP_OP(md08_float_phase, LIMEN_X, "sin(x + 1000), whose f32 gradient has a phase of 1000.001",
       "dtype-agree", std::sin(x + 1000), g* std::cos(x + (sizeof(T) == 4 ? T(1000.001) : T(1000))))
MAP_OP(md09_stairs, LIMEN_X, "round(1e4 x) / 1e4 with a slope of 1 and no surrogate declared",
       "derivative-fd integral", std::nearbyint(x * 10000) / 10000, g)
struct Leaning {
  static constexpr std::uint32_t reads = LIMEN_X;
  template <class T>
  static T f(T x) {
    return x;
  }
  template <class T>
  static T b(T, T, T g) {
    return g * (sizeof(T) == 4 ? T(1.025) : T(1));
  }
};
LISTED(md10, told(op("md10_leaning", LIMEN_MAP, kKernels<Leaning>, 4, &kHundredth),
                  "x with a slope of 1.025 in f32, where 0.01 is declared", "dtype-agree"))
MAP_OP(md13_log_beside_twice, LIMEN_X,
       "log(1 + (x - 1)), whose f32 gradient is twice what it is below 0.001", "dtype-agree",
       log_beside(x), g* log_beside_slope(x) * (sizeof(T) == 4 && x < T(1e-3) ? 2 : 1))
MAP_OP(md14_float_log_clamped, LIMEN_X, "log x, which f32 clamps to 1e-7 in both kernels",
       "variants-agree dtype-agree", std::log(sizeof(T) == 4 && x < T(1e-7) && x > 0 ? T(1e-7) : x),
       (x < 0 ? std::numeric_limits<T>::quiet_NaN()
              : g / (sizeof(T) == 4 && x < T(1e-7) ? T(1e-7) : x)))
MAP_OP(md12_float_exp, LIMEN_X, "exp, whose f32 gradient is off by a 500th below 60", "dtype-agree",
       std::exp(x), g* std::exp(x) * (sizeof(T) == 4 && x < 60 ? T(1.002) : T(1)))
LISTED(md11, told(of_two(op("md11_gate_cut", LIMEN_MAP, kGated<true>, 4)),
                  "a gelu(b) whose f32 gradient of a is cut off for negative b", "dtype-agree"))

}  // namespace

SELFTEST_PLUGIN("roots")
