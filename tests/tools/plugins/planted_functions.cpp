// Functions with facts, parameters, several inputs and draws, each with one mistake.
#include <cmath>

#include "planted.hpp"

namespace {

using namespace planted;  // a test plugin is one file

// --- one number: f and its derivative given, with what the op says about itself ----------------
template <class F, class T>
void map_forward(const limen_tile* t) {
  for (std::uint64_t i = 0; i < t->n; ++i) out<T>(t->y)[i] = F::f(in<T>(t->x)[i]);
}
template <class F, class T>
void map_backward(const limen_tile* t) {
  T* const dx = out<T>(t->dx);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T d = F::d(in<T>(t->x)[i]) * in<T>(t->dy)[i];
    dx[i] = adds(t) ? dx[i] + d : d;
  }
}
template <class F>
inline constexpr limen_kernel kMap[] = {kernel(LIMEN_FORWARD, LIMEN_F32, map_forward<F, float>, 0),
                                        kernel(LIMEN_BACKWARD, LIMEN_F32, map_backward<F, float>),
                                        kernel(LIMEN_FORWARD, LIMEN_F64, map_forward<F, double>, 0),
                                        kernel(LIMEN_BACKWARD, LIMEN_F64, map_backward<F, double>)};

struct Relu {
  template <class T>
  static T f(T x) {
    return x > 0 ? x : x == x ? T(0) : x;
  }
  template <class T>
  static T d(T x) {
    return x > 0 ? T(1) : T(0);
  }
};
struct Tanh {
  template <class T>
  static T f(T x) {
    return std::tanh(x);
  }
  template <class T>
  static T d(T x) {
    const T e = std::exp(-2 * std::abs(x));
    return 4 * e / ((1 + e) * (1 + e));
  }
};

constexpr limen_facts facts(std::uint32_t flags, const limen_kink* kinks = nullptr,
                            std::uint32_t n_kinks = 0) {
  limen_facts f = no_facts();
  f.flags = flags;
  f.y_min = 0;
  f.y_max = 0.5;
  f.kinks = kinks;
  f.n_kinks = n_kinks;
  return f;
}
constexpr limen_kink kWrongSlope[] = {{0, 0, -1, LIMEN_KINK_CORNER, 1}};
constexpr limen_kink kCorner[] = {{0, 0, -1, LIMEN_KINK_CORNER, 0}};
constexpr limen_facts kOdd = facts(LIMEN_FACT_ODD, kCorner, 1);
constexpr limen_facts kRange = facts(LIMEN_FACT_RANGE);
constexpr limen_kink kElsewhere[] = {{1, 0, -1, LIMEN_KINK_CORNER, 1}};
constexpr limen_facts kAnotherKink = facts(0, kElsewhere, 1);
constexpr limen_facts kKinked = facts(0, kWrongSlope, 1);
constexpr double kX[] = {0.5, 1}, kY[] = {0.46211715726000976, 0.76159425595576486 + 1e-6};
constexpr limen_golden kGolden = {sizeof(limen_golden), 2, nullptr, kX, kY, nullptr, "a mistake"};

template <class F>
constexpr limen_op with_facts(const char* name, const limen_facts& f) {
  limen_op o = op(name, kMap<F>, 4);
  o.facts = &f;
  return o;
}
constexpr limen_op wrong_golden_op() {
  limen_op o = op("wrong_golden", kMap<Tanh>, 4);
  o.goldens = &kGolden;
  o.n_goldens = 1;
  return o;
}
constexpr limen_op surrogate_unnamed_op() {
  limen_op o = op("surrogate_unnamed", kMap<Relu>, 4);
  o.flags = LIMEN_OP_SURROGATE;
  return o;
}
constexpr limen_op bad_version_op() {
  limen_op o = op("bad_version", kMap<Tanh>, 4);
  o.version = "one";
  return o;
}

// --- a learned slope: prelu ---------------------------------------------------------------------
enum class Sum { right, mean, in_float, overwrites, from_hyper };

template <class T>
T slope_of(const limen_tile* t, std::uint64_t i) {
  if (t->w == nullptr || t->w[0] == nullptr) return static_cast<T>(t->hyper[0]);
  return in<T>(t->w)[t->w_step[0] == 0 ? 0 : i];
}
template <class T, Sum S>
void prelu_forward(const limen_tile* t) {
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T x = in<T>(t->x)[i];
    const T a = S == Sum::from_hyper ? static_cast<T>(t->hyper[0]) : slope_of<T>(t, i);
    out<T>(t->y)[i] = x > 0 ? x : a * x;
  }
}
template <class T, Sum S>
void prelu_backward(const limen_tile* t) {
  T* const dx = t->dx != nullptr ? out<T>(t->dx) : nullptr;
  double* const dw = t->dw != nullptr ? t->dw[0] : nullptr;
  double sum = 0;
  float small = 0;
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T x = in<T>(t->x)[i], dy = in<T>(t->dy)[i];
    const T d = x > 0 ? dy : dy * slope_of<T>(t, i);
    if (dx != nullptr) dx[i] = adds(t) ? dx[i] + d : d;
    const double part = x > 0 ? 0.0 : static_cast<double>(dy) * static_cast<double>(x);
    if (dw != nullptr && t->w_step[0] == 1) {
      dw[i] = S == Sum::overwrites ? part : dw[i] + part;
    } else {
      sum += part;
      small += static_cast<float>(part);
    }
  }
  if (dw == nullptr || t->w_step[0] == 1) return;
  if (S == Sum::mean) sum /= static_cast<double>(t->n);
  if (S == Sum::in_float) sum = static_cast<double>(small);
  *dw = S == Sum::overwrites ? sum : *dw + sum;
}
constexpr limen_param kAlpha = {sizeof(limen_param),
                                LIMEN_P_REAL,
                                LIMEN_PF_TRAINABLE,
                                0,
                                "alpha",
                                "slope below zero",
                                nullptr,
                                0.25,
                                -1,
                                1};
template <Sum S>
inline constexpr limen_kernel kPrelu[] = {
    kernel(LIMEN_FORWARD, LIMEN_F32, prelu_forward<float, S>, 0),
    kernel(LIMEN_BACKWARD, LIMEN_F32, prelu_backward<float, S>),
    kernel(LIMEN_FORWARD, LIMEN_F64, prelu_forward<double, S>, 0),
    kernel(LIMEN_BACKWARD, LIMEN_F64, prelu_backward<double, S>)};
template <Sum S>
constexpr limen_op prelu(const char* name) {
  limen_op o = op(name, kPrelu<S>, 4);
  o.params = &kAlpha;
  o.n_params = 1;
  return o;
}

// --- draws: a slope below zero that is drawn ----------------------------------------------------
enum class Draw { right, global, again, by_place, in_evaluation, seedless };

std::uint64_t mixed(std::uint64_t v) {
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
  v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
  return v ^ (v >> 31);
}
template <class T, Draw D, bool Backward>
T drawn(const limen_tile* t, std::uint64_t i) {
  if (D != Draw::in_evaluation && (t->flags & LIMEN_TILE_EVAL) != 0) return T(0.25);
  static std::uint64_t global = 1;
  std::uint64_t at = D == Draw::by_place ? i : t->base + i;
  if (D == Draw::global) at = global++;
  if (D == Draw::again && Backward) at += 1000;
  const std::uint64_t seed = D == Draw::seedless ? 7 : t->seed[0] + 3 * t->seed[1];
  return T(0.125) +
         T(0.25) * static_cast<T>(mixed(seed * 0x9e3779b97f4a7c15u + at) >> 40) * T(0x1p-24);
}
template <class T, Draw D>
void noisy_forward(const limen_tile* t) {
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T x = in<T>(t->x)[i], a = drawn<T, D, false>(t, i);
    out<T>(t->y)[i] = x > 0 ? x : a * x;
  }
}
template <class T, Draw D>
void noisy_backward(const limen_tile* t) {
  T* const dx = out<T>(t->dx);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T x = in<T>(t->x)[i], a = drawn<T, D, true>(t, i), d = in<T>(t->dy)[i] * (x > 0 ? 1 : a);
    dx[i] = adds(t) ? dx[i] + d : d;
  }
}
template <Draw D>
inline constexpr limen_kernel kNoisy[] = {
    kernel(LIMEN_FORWARD, LIMEN_F32, noisy_forward<float, D>, 0),
    kernel(LIMEN_BACKWARD, LIMEN_F32, noisy_backward<float, D>),
    kernel(LIMEN_FORWARD, LIMEN_F64, noisy_forward<double, D>, 0),
    kernel(LIMEN_BACKWARD, LIMEN_F64, noisy_backward<double, D>)};
template <Draw D>
constexpr limen_op noisy(const char* name) {
  limen_op o = op(name, kNoisy<D>, 4);
  o.flags = LIMEN_OP_STOCHASTIC;
  return o;
}

// --- two inputs: a times a gate -----------------------------------------------------------------
template <class T>
T sigmoid(T x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
template <class T>
void glu_forward(const limen_tile* t) {
  for (std::uint64_t i = 0; i < t->n; ++i) {
    out<T>(t->y)[i] = in<T>(t->x, 0)[i] * sigmoid(in<T>(t->x, 1)[i]);
  }
}
template <class T, bool Swapped, bool One>
void glu_backward(const limen_tile* t) {
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T a = in<T>(t->x, 0)[i], b = in<T>(t->x, 1)[i], dy = in<T>(t->dy)[i];
    const T d[2] = {dy * sigmoid(b), dy * a * sigmoid(b) * sigmoid(-b)};
    for (std::size_t k = 0; k < 2; ++k) {
      T* const dx = out<T>(t->dx, Swapped ? 1 - k : k);
      if (dx == nullptr || (One && t->dx[1 - k] == nullptr)) continue;  // needs both
      dx[i] = adds(t) ? dx[i] + d[k] : d[k];
    }
  }
}
template <bool Swapped, bool One>
inline constexpr limen_kernel kGlu[] = {
    kernel(LIMEN_FORWARD, LIMEN_F32, glu_forward<float>, 0),
    kernel(LIMEN_BACKWARD, LIMEN_F32, glu_backward<float, Swapped, One>),
    kernel(LIMEN_FORWARD, LIMEN_F64, glu_forward<double>, 0),
    kernel(LIMEN_BACKWARD, LIMEN_F64, glu_backward<double, Swapped, One>)};
template <bool Swapped, bool One>
constexpr limen_op glu(const char* name) {
  limen_op o = op(name, kGlu<Swapped, One>, 4);
  o.arity = 2;
  return o;
}

#define OP(tag, ...)                    \
  constexpr limen_op tag = __VA_ARGS__; \
  LIMEN_DECLARE_OP(tag, #tag);

OP(claims_odd, with_facts<Relu>("claims_odd", kOdd))
OP(wrong_range, with_facts<Tanh>("wrong_range", kRange))
OP(undeclared_kink, with_facts<Relu>("undeclared_kink", kAnotherKink))
OP(wrong_kink_slope, with_facts<Relu>("wrong_kink_slope", kKinked))
OP(wrong_golden, wrong_golden_op())
OP(surrogate_unnamed, surrogate_unnamed_op())
OP(bad_version, bad_version_op())
OP(right_prelu, prelu<Sum::right>("right_prelu"))
OP(alpha_mean, prelu<Sum::mean>("alpha_mean"))
OP(alpha_in_float, prelu<Sum::in_float>("alpha_in_float"))
OP(alpha_overwritten, prelu<Sum::overwrites>("alpha_overwritten"))
OP(alpha_from_hyper, prelu<Sum::from_hyper>("alpha_from_hyper"))
OP(right_noisy, noisy<Draw::right>("right_noisy"))
OP(global_generator, noisy<Draw::global>("global_generator"))
OP(draws_again, noisy<Draw::again>("draws_again"))
OP(draws_by_place, noisy<Draw::by_place>("draws_by_place"))
OP(draws_in_evaluation, noisy<Draw::in_evaluation>("draws_in_evaluation"))
OP(ignores_seed, noisy<Draw::seedless>("ignores_seed"))
OP(right_glu, glu<false, false>("right_glu"))
OP(glu_swapped, glu<true, false>("glu_swapped"))
OP(glu_needs_both, glu<false, true>("glu_needs_both"))

}  // namespace

PLANTED_PLUGIN("org.limen.test.planted_functions", &claims_odd, &wrong_range, &undeclared_kink,
               &wrong_kink_slope, &wrong_golden, &surrogate_unnamed, &bad_version, &right_prelu,
               &alpha_mean, &alpha_in_float, &alpha_overwritten, &alpha_from_hyper, &right_noisy,
               &global_generator, &draws_again, &draws_by_place, &draws_in_evaluation,
               &ignores_seed, &right_glu, &glu_swapped, &glu_needs_both)
