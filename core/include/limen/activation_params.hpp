// What an author's struct may say beside its formula, as constants, and the choice of a kernel's
// code by the values of CHOICE and BOOL parameters. Authors include limen/activation.hpp.
#pragma once

#include <limen/activation_kernels.hpp>

#include <array>

namespace limen {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct param {
  const char* name;
  double def, min, max;  // +-infinity allowed
  const char* doc;
  std::uint32_t flags = 0;               // LIMEN_PF_*
  std::uint32_t type = LIMEN_P_REAL;     // LIMEN_P_*
  const char* const* choices = nullptr;  // of LIMEN_P_CHOICE; ends with a null pointer
};

struct facts {  // of the function, for every legal parameter value
  bool odd = false, even = false, increasing = false, zero_at_zero = false;
  bool homogeneous = false, idempotent = false, nan_ignored = false, nondeterministic = false;
  double y_min = -kInfinity, y_max = kInfinity;  // tight bounds
  double x_min = -kInfinity, x_max = kInfinity;  // where it is defined
  double lipschitz = 0, gain = 0;                // 0: not stated
  double accuracy = 0;
};

struct kink {  // at x = at + scale * value of parameter number `param`
  double at;
  double slope;                            // the derivative the op returns exactly there
  std::uint32_t kind = LIMEN_KINK_CORNER;  // or LIMEN_KINK_JUMP
  double scale = 0;
  std::int32_t param = -1;
};

struct point {  // an exact value at default parameters; of a row function, one element of one row
  double x, y, slope = 0;
};

template <unsigned Arity, unsigned Outputs>
struct sample {  // the same for several inputs or outputs
  double x[Arity], y[Outputs];
  double slope[Outputs * Arity] = {};  // of output m by input k: slope[m * Arity + k]
};

namespace detail {

// A choice may be calculated with like any other constant.
template <int V>
constexpr bool is_constant<std::integral_constant<int, V>> = true;

template <class A>
constexpr std::size_t param_count() {
  if constexpr (requires { A::params; })
    return std::size(A::params);
  else
    return 0;
}
template <class A>
constexpr unsigned arity() {
  if constexpr (requires { A::arity; })
    return A::arity;
  else
    return 1;
}
template <class A>
constexpr unsigned outputs() {
  if constexpr (requires { A::outputs; })
    return A::outputs;
  else
    return 1;
}
template <class A>
constexpr bool stochastic() {
  if constexpr (requires { A::stochastic; })
    return A::stochastic;
  else
    return false;
}

constexpr std::uint32_t choice_count(const param& p) {
  std::uint32_t n = 0;
  if (p.type == LIMEN_P_CHOICE) {
    while (p.choices[n]) ++n;
  }
  return n;
}

// How many codes the value of parameter p selects from; 1 for a number.
template <class A>
constexpr std::size_t ways(std::size_t p) {
  if constexpr (param_count<A>() == 0) {
    return 1 + 0 * p;
  } else {
    const param& q = A::params[p];
    return q.type == LIMEN_P_BOOL ? 2 : q.type == LIMEN_P_CHOICE ? choice_count(q) : 1;
  }
}
template <class A>
constexpr bool is_choice(std::size_t p) {
  return A::params[p].type == LIMEN_P_BOOL || A::params[p].type == LIMEN_P_CHOICE;
}
template <class A>
constexpr std::size_t combinations() {
  std::size_t n = 1;
  for (std::size_t p = 0; p < param_count<A>(); ++p) n *= ways<A>(p);
  return n;
}
// The value of choice p in combination number c.
template <class A>
constexpr int chosen(std::size_t c, std::size_t p) {
  for (std::size_t q = 0; q < p; ++q) c /= ways<A>(q);
  return static_cast<int>(c % ways<A>(p));
}

template <class A>
constexpr bool trainable(std::size_t p) {
  if constexpr (param_count<A>() > 0)
    return A::params[p].flags & LIMEN_PF_TRAINABLE;
  else
    return p > param_count<A>();
}
// Which of the learnable parameters number p is.
template <class A>
constexpr std::size_t learned_place(std::size_t p) {
  std::size_t n = 0;
  for (std::size_t q = 0; q < p; ++q) n += trainable<A>(q) ? 1 : 0;
  return n;
}
template <class A>
constexpr std::size_t learned_count() {
  return learned_place<A>(param_count<A>());
}
// The parameter that is learnable number l.
template <class A>
constexpr std::size_t learned_param(std::size_t l) {
  std::size_t p = 0;
  while (!trainable<A>(p) || l-- > 0) ++p;
  return p;
}

// body(std::integral_constant of the combination that the values of the choices name)
template <class A, class Body>
LIMEN_INLINE void choose(const double* hyper, const Body& body) {
  constexpr std::size_t kCount = combinations<A>();
  if constexpr (kCount == 1) {
    body(std::integral_constant<std::size_t, 0>{});
  } else {
    std::size_t at = 0, step = 1;
    unrolled<param_count<A>()>([&](auto p) LIMEN_LAMBDA {
      if constexpr (ways<A>(p) > 1) {
        at += step * static_cast<std::size_t>(hyper[p]);
        step *= ways<A>(p);
      }
    });
    unrolled<kCount>([&](auto c) LIMEN_LAMBDA {
      if (at == c) body(c);
    });
  }
}

}  // namespace detail
}  // namespace limen
