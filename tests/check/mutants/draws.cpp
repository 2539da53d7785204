// Draws: dropout and noise.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

enum class Draw { right, again, in_evaluation, seedless, by_place, global, other_scale };

std::uint64_t mixed(std::uint64_t v) {
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
  v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
  return v ^ (v >> 31);
}

// Uniform in [0, 1).
template <Draw D>
double drawn(const limen_tile* t, std::uint64_t i, bool backward) {
  static std::uint64_t global = 1;
  std::uint64_t at = D == Draw::by_place ? i : t->base + i;
  if (D == Draw::global) at = global++;
  if (D == Draw::again && backward) at += 1000;
  const std::uint64_t seed = D == Draw::seedless ? 7 : t->seed[0] + 3 * t->seed[1];
  return static_cast<double>(mixed(seed * 0x9e3779b97f4a7c15u + at) >> 11) * 0x1p-53;
}

// Keeps three of four elements and scales them up.
template <Draw D>
struct Dropout {
  template <class T>
  static T factor(const limen_tile* t, std::uint64_t i, bool backward) {
    if (D != Draw::in_evaluation && (t->flags & LIMEN_TILE_EVAL) != 0) return 1;
    const T scale = D == Draw::other_scale && backward ? T(1) : T(4) / 3;
    return drawn<D>(t, i, backward) < 0.75 ? scale : T(0);
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = x[i] * factor<T>(t, i, false));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = static_cast<T*>(t->dx[0]);
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    EACH(i, t->n, {
      const T d = dy[i] * factor<T>(t, i, true);
      dx[i] = add ? dx[i] + d : d;
    });
  }
};

// x + sigma epsilon, with a learned sigma.
template <bool Lost>
struct Noise {
  template <class T>
  static T epsilon(const limen_tile* t, std::uint64_t i) {
    if ((t->flags & LIMEN_TILE_EVAL) != 0) return 0;
    return static_cast<T>(2 * drawn<Draw::right>(t, i, false) - 1);
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const bool learned = t->w != nullptr && t->w[0] != nullptr;
      const T sigma = learned ? static_cast<const T*>(t->w[0])[t->w_step[0] == 0 ? 0 : i]
                              : static_cast<T>(t->hyper[0]);
      static_cast<T*>(t->y[0])[i] = x[i] + sigma * epsilon<T>(t, i);
    }
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = t->dx != nullptr ? static_cast<T*>(t->dx[0]) : nullptr;
    double* const dw = t->dw != nullptr ? t->dw[0] : nullptr;
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      if (dx != nullptr) dx[i] = add ? dx[i] + dy[i] : dy[i];
      const T part = Lost ? dy[i] : dy[i] * epsilon<T>(t, i);
      if (dw != nullptr) dw[t->w_step[0] == 0 ? 0 : i] += static_cast<double>(part);
    }
  }
};

template <class K>
inline constexpr limen_kernel kDrawn[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, 0, K::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, 0, K::template backward<float>)};
constexpr limen_param kSigma = {sizeof(limen_param),
                                LIMEN_P_REAL,
                                LIMEN_PF_TRAINABLE,
                                0,
                                "sigma",
                                "for tests",
                                nullptr,
                                0.5,
                                0,
                                2};

template <class K>
constexpr limen_op drawing(const char* name, const char* what, const char* caught_by,
                           const limen_param* p = nullptr) {
  limen_op o = told(op(name, LIMEN_MAP, kDrawn<K>, 4), what, caught_by);
  o.flags = LIMEN_OP_STOCHASTIC;
  o.params = p;
  o.n_params = p != nullptr ? 1 : 0;
  return o;
}

LISTED(c41, drawing<Dropout<Draw::right>>("c41_dropout", "dropout by seed and index", ""))
LISTED(c41_noise, drawing<Noise<false>>("c41_noise", "noise of a learned size", "", &kSigma))
LISTED(t01,
       drawing<Dropout<Draw::again>>("t01_dropout_draws_again",
                                     "backward draws another mask than forward", "derivative-fd"))
LISTED(t03, drawing<Dropout<Draw::in_evaluation>>("t03_dropout_in_evaluation",
                                                  "masks in evaluation too", "stochastic-counter"))
LISTED(t05, drawing<Dropout<Draw::seedless>>("t05_dropout_ignores_seed", "the seed is ignored",
                                             "stochastic-counter"))
LISTED(t06,
       drawing<Noise<true>>("t06_noise_lost_epsilon", "epsilon is lost in the gradient of sigma",
                            "param-gradient", &kSigma))
LISTED(t20, drawing<Dropout<Draw::by_place>>("t20_dropout_by_place",
                                             "the mask depends on where a tile begins",
                                             "stochastic-counter tiles-ragged"))
LISTED(t21, drawing<Dropout<Draw::global>>("t21_dropout_global", "a generator of its own",
                                           "deterministic stochastic-counter"))
LISTED(t22,
       drawing<Dropout<Draw::other_scale>>("t22_dropout_unscaled",
                                           "backward does not scale what is kept", "derivative-fd"))

}  // namespace

SELFTEST_PLUGIN("draws")
