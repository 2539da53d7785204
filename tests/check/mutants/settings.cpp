// Mistakes at some values of the parameters only, and where learned ones differ from element to
// element.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

constexpr limen_param number(std::uint32_t type, const char* name, double def, double min,
                             double max, std::uint32_t flags = 0) {
  return {sizeof(limen_param), type, flags, 0, name, "for tests", nullptr, def, min, max};
}
constexpr limen_param choice(const char* const* names, std::uint32_t n) {
  return {sizeof(limen_param), LIMEN_P_CHOICE, 0, n, "mode", "for tests", names, 0, 0, n - 1.0};
}

// --- one parameter p that is not learned: F of x and p, B of x, y and p besides
// -------------------
template <class A, class T>
void set_forward(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  EACH(i, t->n, static_cast<T*>(t->y[0])[i] = A::f(x[i], static_cast<T>(t->hyper[0]));)
}
template <class A, class T, std::uint32_t Reads>
void set_backward(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  const T* const dy = static_cast<const T*>(t->dy[0]);
  T* const dx = static_cast<T*>(t->dx[0]);
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T p = static_cast<T>(t->hyper[0]);
    const T slope =
        Reads == LIMEN_Y ? A::of_y(static_cast<const T*>(t->y[0])[i], p) : A::b(x[i], p);
    dx[i] = add ? dx[i] + dy[i] * slope : dy[i] * slope;
  }
}
template <class A>
inline constexpr limen_kernel kSetKernels[6] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, set_forward<A, double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, set_backward<A, double, LIMEN_X>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, set_forward<A, float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, set_backward<A, float, LIMEN_X>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_Y, set_backward<A, double, LIMEN_Y>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_Y, set_backward<A, float, LIMEN_Y>)};

// With `by_y` kernels that read y, too.
template <class A>
constexpr limen_op setting(const char* name, const limen_param& p, const char* what,
                           const char* caught_by, bool by_y = false) {
  limen_op o = told(op(name, LIMEN_MAP, kSetKernels<A>, by_y ? 6 : 4), what, caught_by);
  o.params = &p;
  o.n_params = 1;
  return o;
}

struct ByX {
  template <class T>
  static T of_y(T, T) {
    return 0;
  }
};

template <bool Lost>
struct Squash : ByX {
  template <class T>
  static T f(T x, T p) {
    return p == 0   ? std::tanh(x)
           : p == 1 ? std::atan(x)
           : p == 2 ? swish(x)
                    : x / (1 + std::abs(x));
  }
  template <class T>
  static T b(T x, T p) {
    const T r = 1 / (1 + std::abs(x));
    return p == 0   ? sech2(x)
           : p == 1 ? 1 / (1 + x * x)
           : p == 2 ? swish_slope(x)
           : Lost   ? r
                    : r * r;
  }
};

// Power Wrong has another factor.
template <int Wrong>
struct Power : ByX {
  template <class T>
  static T f(T x, T p) {
    T y = 1;
    for (int i = 0; i < static_cast<int>(p); ++i) y *= x;
    return y;
  }
  template <class T>
  static T b(T x, T p) {
    return (p == Wrong ? p - 1 : p) * f(x, p - 1);
  }
};

// |x|^p.
template <bool Careful>
struct Root : ByX {
  template <class T>
  static T f(T x, T p) {
    return x == x ? std::pow(std::abs(x), p) : x;
  }
  template <class T>
  static T b(T x, T p) {
    if (x != x || (Careful && p == 0)) return x == x ? T(0) : x;
    return std::copysign(p * std::pow(std::abs(x), p - 1), p == 1 && x == 0 ? T(0) : x);
  }
};

// x / (1 - p) or 0, in two factors.
template <bool Careful>
struct Kept : ByX {
  template <class T>
  static T f(T x, T p) {
    return x * b(x, p);
  }
  template <class T>
  static T b(T, T p) {
    return Careful && p == 1 ? T(0) : T(p < 1) * (1 / (1 - p));
  }
};

// p x |x|, and its slope from y.
template <bool Signed>
struct Signs {
  template <class T>
  static T f(T x, T p) {
    return p * x * std::abs(x);
  }
  template <class T>
  static T b(T x, T p) {
    return 2 * p * std::abs(x);
  }
  template <class T>
  static T of_y(T y, T p) {
    return 2 * std::sqrt(std::abs(y)) * std::sqrt(std::abs(p)) * (Signed && p < 0 ? T(-1) : T(1));
  }
};

// max(|x| - p, 0) sign x, where p = 0 leaves 0 on neither side.
struct Shrink {
  template <class T>
  static T f(T x, T p) {
    return x > p ? x - p : x < -p ? x + p : x == x ? T(0) : x;
  }
  template <class T>
  static T b(T x, T p) {
    return x > p || x < -p ? T(1) : x == x ? T(0) : x;
  }
  template <class T>
  static T of_y(T y, T) {
    return y == 0 ? T(0) : y == y ? T(1) : y;
  }
};

constexpr const char* kModes[] = {"tanh", "atan", "swish", "softsign"};
constexpr limen_param kMode = choice(kModes, 4);
constexpr limen_param kPower = number(LIMEN_P_INT, "p", 2, 1, 9);
constexpr limen_param kExponent = number(LIMEN_P_INT, "p", 2, 0, 3);
constexpr limen_param kRate = number(LIMEN_P_REAL, "p", 0.25, 0, 1);
constexpr limen_param kFactor = number(LIMEN_P_REAL, "p", 1, -1, 4);
constexpr limen_param kWidth = number(LIMEN_P_REAL, "p", 0.5, 0, 4);

LISTED(c90, setting<Squash<false>>("c90_squash", kMode, "four modes", ""))
LISTED(c91, setting<Power<0>>("c91_power", kPower, "x^p, p = 1 .. 9", ""))
LISTED(c92, setting<Root<true>>("c92_root", kExponent, "|x|^p, 1 where p = 0", ""))
LISTED(c93, setting<Kept<true>>("c93_kept", kRate, "x / (1 - p), 0 where p = 1", ""))
LISTED(c94, setting<Signs<true>>("c94_signs", kFactor, "p x |x|, by y with p's sign", "", true))
LISTED(c95, setting<Shrink>("c95_shrink", kWidth, "soft shrink, whose width may be 0", "", true))
LISTED(s90, setting<Squash<true>>("s90_squash_last_mode", kMode,
                                  "the last mode's slope lost a square", "derivative-fd"))
LISTED(s91, setting<Power<7>>("s91_power_7", kPower, "the factor for p = 7 is 6", "derivative-fd"))
LISTED(s92, setting<Root<false>>("s92_root_0", kExponent, "0 times infinity at x = 0 for p = 0",
                                 "derivative-fd extremes"))
LISTED(s93, setting<Kept<false>>("s93_kept_1", kRate, "0 times infinity for p = 1, a legal value",
                                 "derivative-fd"))
LISTED(s94,
       setting<Signs<false>>("s94_signs_of_y", kFactor, "the kernel that reads y has lost p's sign",
                             "derivative-fd", true))

// --- a tanh(b x), both learned
// --------------------------------------------------------------------
enum class Mixed {
  none,
  right,
  forward_first,
  backward_first,
  one_step,
  jvp_hyper,
  second_hyper,
  far
};

template <Mixed M>
struct Learned {
  template <class T>
  static T value(const limen_tile* t, std::uint64_t p, std::uint64_t i, Mixed first, Mixed hyper) {
    if (t->w == nullptr || t->w[p] == nullptr || M == hyper) return static_cast<T>(t->hyper[p]);
    return static_cast<const T*>(t->w[p])[t->w_step[p] != 0 && M != first ? i : 0];
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T a = value<T>(t, 0, i, Mixed::forward_first, Mixed::none);
      const T b = value<T>(t, 1, i, Mixed::forward_first, Mixed::none);
      static_cast<T*>(t->y[0])[i] = a * std::tanh(b * x[i]);
    }
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = t->dx != nullptr ? static_cast<T*>(t->dx[0]) : nullptr;
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T a = value<T>(t, 0, i, Mixed::none, Mixed::none);
      const T b = value<T>(t, 1, i, Mixed::none, Mixed::none);
      const T c = value<T>(t, 1, i, Mixed::backward_first, Mixed::none);
      const T s = sech2(b * x[i]), d = dy[i] * a * c * s;
      if (dx != nullptr) dx[i] = add ? dx[i] + d : d;
      if (t->dw == nullptr || (M == Mixed::far && std::abs(x[i]) > 64)) continue;
      const T parts[2] = {dy[i] * std::tanh(b * x[i]), s == 0 ? T(0) : dy[i] * a * s * x[i]};
      for (std::uint64_t p = 0; p < 2; ++p) {
        const std::uint64_t at = t->w_step[M == Mixed::one_step ? 0 : p] != 0 ? i : 0;
        if (t->dw[p] != nullptr) t->dw[p][at] += static_cast<double>(parts[p]);
      }
    }
  }
  template <class T>
  static void jvp(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    T* const ty = t->ty != nullptr ? static_cast<T*>(t->ty[0]) : nullptr;
    T* const y = t->y != nullptr ? static_cast<T*>(t->y[0]) : nullptr;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T a = value<T>(t, 0, i, Mixed::none, Mixed::jvp_hyper);
      const T b = value<T>(t, 1, i, Mixed::none, Mixed::jvp_hyper);
      if (ty != nullptr) ty[i] = a * b * sech2(b * x[i]) * static_cast<const T*>(t->tx[0])[i];
      if (y != nullptr) y[i] = a * std::tanh(b * x[i]);
    }
  }
  template <class T>
  static void second(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    T* const dx = t->dx != nullptr ? static_cast<T*>(t->dx[0]) : nullptr;
    T* const gy = t->gy != nullptr ? static_cast<T*>(t->gy[0]) : nullptr;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T a = value<T>(t, 0, i, Mixed::none, Mixed::second_hyper);
      const T b = value<T>(t, 1, i, Mixed::none, Mixed::second_hyper);
      const T gx = static_cast<const T*>(t->gx[0])[i], dy = static_cast<const T*>(t->dy[0])[i];
      const T s = sech2(b * x[i]), d = -2 * a * b * b * s * std::tanh(b * x[i]) * dy * gx;
      if (gy != nullptr) gy[i] = a * b * s * gx;
      if (dx != nullptr) dx[i] = (t->flags & LIMEN_TILE_ACCUMULATE) != 0 ? dx[i] + d : d;
    }
  }
};

template <class K>
inline constexpr limen_kernel kLearned[8] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_JVP, LIMEN_F64, LIMEN_X, K::template jvp<double>),
    kernel(LIMEN_BACKWARD2, LIMEN_F64, LIMEN_X, K::template second<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>),
    kernel(LIMEN_JVP, LIMEN_F32, LIMEN_X, K::template jvp<float>),
    kernel(LIMEN_BACKWARD2, LIMEN_F32, LIMEN_X, K::template second<float>)};
constexpr limen_param kScales[] = {number(LIMEN_P_REAL, "a", 1.5, -4, 4, LIMEN_PF_TRAINABLE),
                                   number(LIMEN_P_REAL, "b", 1, 0.1, 4, LIMEN_PF_TRAINABLE)};

template <class K>
constexpr limen_op scales(const char* name, const char* what,
                          const char* caught_by = "param-gradient") {
  limen_op o = told(op(name, LIMEN_MAP, kLearned<K>, 8), what, caught_by);
  o.params = kScales;
  o.n_params = 2;
  return o;
}

LISTED(c96, scales<Learned<Mixed::right>>("c96_scales", "a tanh(b x), both learned", ""))
LISTED(p90, scales<Learned<Mixed::forward_first>>("p90_forward_first",
                                                  "forward takes the first value for all elements"))
LISTED(p91, scales<Learned<Mixed::backward_first>>("p91_backward_first",
                                                   "dx takes the first value for all elements"))
LISTED(p92, scales<Learned<Mixed::one_step>>("p92_one_step",
                                             "the first parameter's step is taken for both"))
LISTED(p93,
       scales<Learned<Mixed::jvp_hyper>>("p93_jvp_hyper", "forward mode takes the defaults, not w"))
LISTED(p94, scales<Learned<Mixed::second_hyper>>("p94_second_hyper",
                                                 "second order takes the defaults, not w"))
LISTED(p95, scales<Learned<Mixed::far>>("p95_far", "dw leaves out x beyond 64"))

// --- x exp(s e), e drawn, and x in evaluation
// -----------------------------------------------------
template <bool Careful>
struct Drawn {
  // +-1 by the element's number and the seed; 0 in evaluation, where `forward` or Careful.
  template <class T>
  static T draw(const limen_tile* t, std::uint64_t i, bool forward) {
    if ((t->flags & LIMEN_TILE_EVAL) != 0 && (forward || Careful)) return 0;
    std::uint64_t z = (t->base + i + 1) * 0x9e3779b97f4a7c15u ^ (t->seed[0] + 3 * t->seed[1]);
    z = (z ^ z >> 31) * 0xbf58476d1ce4e5b9u;
    return static_cast<T>(static_cast<double>((z ^ z >> 29) >> 11) * 0x1p-52 - 1);
  }
  template <class T>
  static T size(const limen_tile* t, std::uint64_t i) {
    return Learned<Mixed::right>::value<T>(t, 0, i, Mixed::none, Mixed::none);
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      static_cast<T*>(t->y[0])[i] = x[i] * std::exp(size<T>(t, i) * draw<T>(t, i, true));
    }
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = t->dx != nullptr ? static_cast<T*>(t->dx[0]) : nullptr;
    double* const dw = t->dw != nullptr ? t->dw[0] : nullptr;
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T d = dy[i] * std::exp(size<T>(t, i) * draw<T>(t, i, true));
      if (dx != nullptr) dx[i] = add ? dx[i] + d : d;
      const T part = d * x[i] * draw<T>(t, i, false);
      if (dw != nullptr) dw[t->w_step[0] != 0 ? i : 0] += static_cast<double>(part);
    }
  }
};
template <class K>
inline constexpr limen_kernel kDrawn[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>)};
constexpr limen_param kSize = number(LIMEN_P_REAL, "s", 0.5, 0, 2, LIMEN_PF_TRAINABLE);
template <class K>
constexpr limen_op drawn(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kDrawn<K>, 4), what, caught_by);
  o.flags = LIMEN_OP_STOCHASTIC;
  o.params = &kSize;
  o.n_params = 1;
  return o;
}
LISTED(c97, drawn<Drawn<true>>("c97_noise", "x times a random factor of learned size", ""))
LISTED(p96, drawn<Drawn<false>>("p96_noise_evaluation", "dw draws in evaluation, where y does not",
                                "param-gradient"))

// --- each element times its place along an axis, from 1 on
// ----------------------------------------
int32_t any_shape(limen_call* call, limen_error*) {
  const limen_tensor& in = call->in[0];
  const auto rank = static_cast<double>(in.rank), axis = call->hyper[0];
  if (axis < -rank || axis >= rank) return LIMEN_E_INVALID;
  call->out[0].rank = in.rank;
  for (std::uint32_t d = 0; d < in.rank; ++d) call->out[0].dims[d] = in.dims[d];
  return LIMEN_OK;
}
template <class T, bool Wrong>
void by_place(const limen_call* call) {
  const limen_tensor& x = call->in[0];
  const double p = call->hyper[0];
  const auto axis = static_cast<std::uint32_t>(p < 0 ? p + x.rank : p);
  const bool back = call->role == LIMEN_BACKWARD, lost = Wrong && back && axis == 0 && x.rank > 1;
  const T* const from = static_cast<const T*>(call->in[back ? 2 : 0].data);
  std::int64_t inner = 1, size = 1;
  for (std::uint32_t d = 0; d < x.rank; ++d) {
    size *= x.dims[d];
    if (d > axis) inner *= x.dims[d];
  }
  for (std::int64_t i = 0; i < size; ++i) {
    const auto factor = static_cast<T>(lost ? 1 : 1 + i / inner % x.dims[axis]);
    static_cast<T*>(call->out[0].data)[i] = from[i] * factor;
  }
}
template <bool Wrong>
int32_t execute(const limen_call* call, limen_error*) {
  call->in[0].dtype == LIMEN_F32 ? by_place<float, Wrong>(call) : by_place<double, Wrong>(call);
  return LIMEN_OK;
}
constexpr limen_param kAxis = number(LIMEN_P_INT, "axis", -1, -8, 7);
template <bool Wrong>
constexpr limen_op tensors(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_GENERAL, nullptr, 0), what, caught_by);
  o.infer = any_shape;
  o.execute = execute<Wrong>;
  o.params = &kAxis;
  o.n_params = 1;
  return o;
}
LISTED(c98, tensors<false>("c98_by_place", "times the place along an axis", ""))
LISTED(s95, tensors<true>("s95_by_place_axis_0", "along the first axis of several backward copies",
                          "derivative-fd"))

}  // namespace

SELFTEST_PLUGIN("settings")
