// Wrong gradients of learned parameters, and right ones summed in another order.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

enum class Sum {
  right,
  backwards,
  all_x,
  last,
  of_y,
  overwrites,
  of_result,
  one_slot,
  mean,
  in_float,
  from_hyper,
  from_hyper_backward,
  only_first_tile,
  skips_accumulating,
  needs_dx,
  spoils_dx
};

constexpr limen_param param(const char* name, double def, double min, double max) {
  return {sizeof(limen_param),
          LIMEN_P_REAL,
          LIMEN_PF_TRAINABLE,
          0,
          name,
          "for tests",
          nullptr,
          def,
          min,
          max};
}
constexpr limen_param kAlpha = param("alpha", 0.25, -1, 1);

template <class T>
T value_of(const limen_tile* t, std::uint64_t i, bool learned = true) {
  if (!learned || t->w == nullptr || t->w[0] == nullptr) return static_cast<T>(t->hyper[0]);
  return static_cast<const T*>(t->w[0])[t->w_step[0] == 0 ? 0 : i];
}

// Adds the parts of a parameter's gradient, one sum or one for each element.
template <Sum S, class Part>
void add_parts(const limen_tile* t, const Part& part) {
  double* const dw = t->dw != nullptr ? t->dw[0] : nullptr;
  if (dw == nullptr) return;
  if (S == Sum::skips_accumulating && (t->flags & LIMEN_TILE_ACCUMULATE) != 0) return;
  if (S == Sum::needs_dx && (t->dx == nullptr || t->dx[0] == nullptr)) return;
  double sum = 0;
  float rough = 0;
  for (std::uint64_t k = 0; k < t->n; ++k) {
    const std::uint64_t i = S == Sum::backwards ? t->n - 1 - k : k;
    const double p = part(i);
    if (t->w_step[0] == 1 && S != Sum::one_slot) {
      dw[i] = S == Sum::overwrites ? p : dw[i] + p;
      continue;
    }
    sum = S == Sum::last ? p : sum + p;
    rough += static_cast<float>(p);
  }
  if (t->w_step[0] == 1 && S != Sum::one_slot) return;
  if (S == Sum::mean) sum /= static_cast<double>(t->n);
  if (S == Sum::in_float) sum = static_cast<double>(rough);
  if (S == Sum::only_first_tile && t->base != 0) sum = 0;
  *dw = S == Sum::overwrites ? sum : *dw + sum;
}

// prelu: x, or alpha x below 0.
template <Sum S>
struct Prelu {
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    EACH(i, t->n, {
      static_cast<T*>(t->y[0])[i] =
          x[i] > 0 ? x[i] : value_of<T>(t, i, S != Sum::from_hyper) * x[i];
    });
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = t->dx != nullptr ? static_cast<T*>(t->dx[0]) : nullptr;
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n && dx != nullptr; ++i) {
      T d = x[i] > 0 ? dy[i] : dy[i] * value_of<T>(t, i, S != Sum::from_hyper_backward);
      if (S == Sum::spoils_dx && t->dw != nullptr && t->dw[0] != nullptr) d *= T(0.5);
      dx[i] = add ? dx[i] + d : d;
    }
    add_parts<S>(t, [&](std::uint64_t i) {
      const T a = value_of<T>(t, i);
      const bool on = S == Sum::of_result ? a * x[i] > 0 && x[i] <= 0 : x[i] <= 0;
      const T by = S == Sum::of_y ? a * x[i] : x[i];
      return on || S == Sum::all_x ? static_cast<double>(dy[i]) * static_cast<double>(by) : 0.0;
    });
  }
};

// x sigmoid(beta x).
template <bool Lost>
struct Beta {
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = x[i] * sigmoid(value_of<T>(t, i) * x[i]));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = t->dx != nullptr ? static_cast<T*>(t->dx[0]) : nullptr;
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n && dx != nullptr; ++i) {
      const T b = value_of<T>(t, i);
      const T bx = clamp(b * x[i], -1e4, 1e4), s = sigmoid(bx);  // no infinity times 0
      const T d = dy[i] * (s + bx * (s * sigmoid(-bx)));
      dx[i] = add ? dx[i] + d : d;
    }
    add_parts<Sum::right>(t, [&](std::uint64_t i) {
      const T bx = value_of<T>(t, i) * x[i], slope = sigmoid(bx) * sigmoid(-bx);
      return static_cast<double>(dy[i] * x[i] * slope * (Lost ? T(1) : x[i]));
    });
  }
};

// softplus(p) x: p is free, its softplus is positive.
template <bool Lost>
struct Positive {
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = softplus(value_of<T>(t, i)) * x[i]);
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = t->dx != nullptr ? static_cast<T*>(t->dx[0]) : nullptr;
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n && dx != nullptr; ++i) {
      const T d = dy[i] * softplus(value_of<T>(t, i));
      dx[i] = add ? dx[i] + d : d;
    }
    add_parts<Sum::right>(t, [&](std::uint64_t i) {
      const T chain = Lost ? T(1) : sigmoid(value_of<T>(t, i));
      return static_cast<double>(dy[i]) * static_cast<double>(x[i]) * static_cast<double>(chain);
    });
  }
};

template <class K>
inline constexpr limen_kernel kLearned[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>)};

template <class K>
constexpr limen_op learned(const char* name, const char* what,
                           const char* caught_by = "param-gradient",
                           const limen_param* p = &kAlpha) {
  limen_op o = told(op(name, LIMEN_MAP, kLearned<K>, 4), what, caught_by);
  o.params = p;
  o.n_params = 1;
  return o;
}
constexpr limen_param kBeta = param("beta", 1, 0.1, 10), kFree = param("free", 0.5, -3, 3);

LISTED(c42, learned<Prelu<Sum::backwards>>("c42_prelu_backwards", "alpha summed from the back", ""))
LISTED(c42_plain, learned<Prelu<Sum::right>>("c42_prelu", "prelu", ""))
LISTED(c42_beta, learned<Beta<false>>("c42_swish_beta", "swish with a learned beta", "", &kBeta))
LISTED(c42_free, learned<Positive<false>>("c42_positive", "a softplus of a parameter", "", &kFree))
LISTED(p01, learned<Prelu<Sum::all_x>>("p01_prelu_sums_all",
                                       "d alpha sums over all x, not only those below 0"))
LISTED(p02, learned<Prelu<Sum::last>>("p02_prelu_last_only", "d alpha of the last element only"))
LISTED(p04, learned<Prelu<Sum::of_y>>("p04_prelu_of_y", "d alpha sums y instead of x"))
LISTED(p05, learned<Prelu<Sum::overwrites>>("p05_prelu_overwrites",
                                            "d alpha overwrites instead of adding"))
LISTED(p08, learned<Beta<true>>("p08_swish_beta_lost_x", "d beta lost its second factor x",
                                "param-gradient", &kBeta))
LISTED(p09, learned<Prelu<Sum::of_result>>("p09_prelu_mask_of_y",
                                           "the mask is y > 0, which is another one for alpha < 0"))
LISTED(p11,
       learned<Prelu<Sum::one_slot>>("p11_prelu_one_slot",
                                     "alpha of each element gets its gradient in the first slot"))
LISTED(p12, learned<Positive<true>>("p12_positive_no_chain",
                                    "d p without the factor of the softplus it goes through",
                                    "param-gradient", &kFree))
LISTED(p20, learned<Prelu<Sum::mean>>("p20_prelu_mean", "the mean instead of the sum"))
LISTED(p21, learned<Prelu<Sum::in_float>>("p21_prelu_in_float", "a sum in float, also in f64"))
LISTED(p22,
       learned<Prelu<Sum::from_hyper>>("p22_prelu_default",
                                       "forward takes the default of alpha, not the learned one"))
LISTED(p23, learned<Prelu<Sum::from_hyper_backward>>(
                "p23_prelu_default_backward", "dx takes the default of alpha, not the learned one",
                "param-gradient derivative-fd"))
LISTED(p24, learned<Prelu<Sum::skips_accumulating>>("p24_prelu_skips_accumulating",
                                                    "no d alpha where dx accumulates"))
LISTED(p25, learned<Prelu<Sum::needs_dx>>("p25_prelu_needs_dx", "no d alpha where no dx is wanted"))
LISTED(p26, learned<Prelu<Sum::spoils_dx>>("p26_prelu_spoils_dx",
                                           "dx is wrong where d alpha is wanted, too"))

}  // namespace

SELFTEST_PLUGIN("params")
