// Mistakes on one of the ways through a kernel: in place, while it adds, in evaluation, for some
// lengths, addresses, threads, perhaps for large numbers only. Most compute sqrt(1 + x x).
#include <algorithm>
#include <cmath>
#include <thread>

#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

bool adds(const limen_tile* t) { return (t->flags & LIMEN_TILE_ACCUMULATE) != 0; }
bool calm(const limen_tile* t) { return (t->flags & LIMEN_TILE_EVAL) != 0; }
template <class T>
const T* in(const void* const* list, int k = 0) {
  return list != nullptr ? static_cast<const T*>(list[k]) : nullptr;
}
template <class T>
T* out(void* const* list, int k = 0) {
  return list != nullptr ? static_cast<T*>(list[k]) : nullptr;
}
template <class T>
void put(const limen_tile* t, T* dx, std::uint64_t i, T d) {
  if (dx != nullptr) dx[i] = adds(t) ? dx[i] + d : d;
}
bool off(const void* address) { return reinterpret_cast<std::uintptr_t>(address) % 32 != 0; }

// Element i of a call.
template <class T>
struct Here {
  std::uint32_t role;
  const limen_tile* t;
  std::uint64_t i;
  const T *x = in<T>(t->x), *dy = in<T>(t->dy);
  T* dx = out<T>(t->dx);
  bool backward = role == LIMEN_BACKWARD, far = x[i] > 6, last = i + 1 == t->n;
};

// Half of the result where `Lost` is true of a place.
template <auto Lost>
struct Hyperbola {
  template <class T>
  static T part(std::uint32_t role, const limen_tile* t, std::uint64_t i) {
    return Lost(Here<T>{role, t, i}) ? T(0.5) : T(1);
  }
  template <class T>
  static T f(T x) {
    return std::sqrt(1 + x * x);
  }
  template <class T>
  static void forward(const limen_tile* t) {
    EACH(i, t->n, { out<T>(t->y)[i] = part<T>(LIMEN_FORWARD, t, i) * f(in<T>(t->x)[i]); });
  }
  template <class T>
  static void backward(const limen_tile* t) {
    T* const dx = out<T>(t->dx);
    EACH(i, t->n, {
      const T x = in<T>(t->x)[i], d = part<T>(LIMEN_BACKWARD, t, i) * (x / f(x)) * in<T>(t->dy)[i];
      put(t, dx, i, d);
    });
  }
  template <class T>
  static void tangent(const limen_tile* t) {
    T *const ty = out<T>(t->ty), *const y = out<T>(t->y);
    EACH(i, t->n, {
      const T x = in<T>(t->x)[i], d = part<T>(LIMEN_JVP, t, i) * (x / f(x)) * in<T>(t->tx)[i];
      if (ty != nullptr) ty[i] = d;
      if (y != nullptr) y[i] = f(x);
    });
  }
  template <class T>
  static void second(const limen_tile* t) {
    T *const gy = out<T>(t->gy), *const dx = out<T>(t->dx);
    EACH(i, t->n, {
      const T x = in<T>(t->x)[i], h = f(x), v = in<T>(t->gx)[i];
      const T d = part<T>(LIMEN_BACKWARD2, t, i) * v * in<T>(t->dy)[i] / (h * h * h);
      if (gy != nullptr) gy[i] = (x / h) * v;
      put(t, dx, i, d);
    });
  }
};

constexpr limen_kernel aliased(limen_kernel k, std::uint32_t alias) {
  k.alias = alias;
  return k;
}
template <class K>
inline constexpr limen_kernel kFirst[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    aliased(kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
            LIMEN_ALIAS_DX_DY),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    aliased(kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>),
            LIMEN_ALIAS_DX_DY)};
template <class K>
inline constexpr limen_kernel kAll[8] = {
    kFirst<K>[0],
    kFirst<K>[1],
    kFirst<K>[2],
    kFirst<K>[3],
    kernel(LIMEN_JVP, LIMEN_F64, LIMEN_X, K::template tangent<double>),
    kernel(LIMEN_BACKWARD2, LIMEN_F64, LIMEN_X, K::template second<double>),
    kernel(LIMEN_JVP, LIMEN_F32, LIMEN_X, K::template tangent<float>),
    kernel(LIMEN_BACKWARD2, LIMEN_F32, LIMEN_X, K::template second<float>)};

template <auto Lost>
constexpr limen_op first(const char* name, const char* what, const char* caught_by) {
  return told(op(name, LIMEN_MAP, kFirst<Hyperbola<Lost>>, 4), what, caught_by);
}
template <auto Lost>
constexpr limen_op all(const char* name, const char* what, const char* caught_by) {
  return told(op(name, LIMEN_MAP, kAll<Hyperbola<Lost>>, 8), what, caught_by);
}
// A mistake of backward where CONDITION holds at `p`, or of another role.
#define BACKWARD_PATH(tag, name, what, catchers, CONDITION) \
  LISTED(tag, first<[](auto p) { return p.backward && (CONDITION); }>(name, what, catchers))
#define PATH(tag, name, what, catchers, CONDITION) \
  LISTED(tag, all<[](auto p) { return (CONDITION); }>(name, what, catchers))

PATH(c200, "c200_hyperbola", "all orders of sqrt(1 + x x)", "", p.i > p.t->n)
BACKWARD_PATH(n10, "n10_adds_far", "adds half for x > 6", "accumulate", adds(p.t) && p.far)
BACKWARD_PATH(n11, "n11_in_place_far", "half for x > 6 in place where n is even", "in-place",
              p.dx == p.dy && p.t->n % 2 == 0 && p.far)
BACKWARD_PATH(n12, "n12_long_far", "half for x > 6 in long tiles", "tiles-ragged",
              p.t->n >= 1000 && p.far)
BACKWARD_PATH(n13, "n13_short_far", "half for x < -6 in tiles of less than 8", "tiles-ragged",
              p.t->n < 8 && p.x[p.i] < -6)
BACKWARD_PATH(n14, "n14_address_far", "half for x > 6 where dy alone is off 32 bytes", "unaligned",
              off(p.dy) && !off(p.x) && p.far)
BACKWARD_PATH(n15, "n15_base_far", "half for x > 6 in all tiles but the first", "tiles-ragged",
              p.t->base > 0 && p.far)
BACKWARD_PATH(n16, "n16_adds_long", "adds half in long tiles", "tiles-ragged",
              adds(p.t) && p.t->n >= 256)
BACKWARD_PATH(n17, "n17_adds_to_zero", "adds half where dx was 0", "accumulate",
              adds(p.t) && p.dx[p.i] == 0)
BACKWARD_PATH(n18, "n18_evaluation", "half in evaluation", "stochastic-counter", calm(p.t))
BACKWARD_PATH(n19, "n19_adds_in_evaluation", "half where it adds in evaluation", "accumulate",
              adds(p.t) && calm(p.t))
BACKWARD_PATH(n20, "n20_tail_9", "half in the last of 9, 25, 41, ...", "tiles-ragged",
              p.t->n % 16 == 9 && p.last)
BACKWARD_PATH(n21, "n21_base_32_bits", "half where 32 bits of the index are negative",
              "tiles-ragged", static_cast<std::int32_t>(p.t->base + p.i) < 0)
BACKWARD_PATH(n22, "n22_none_positive", "half where none of 64 is positive", "tiles-ragged",
              p.t->n >= 64 && std::none_of(p.x, p.x + p.t->n, [](auto x) { return x > 0; }))
BACKWARD_PATH(n23, "n23_beside_nan", "half beside NaN", "nan-in",
              p.i > 0 && p.x[p.i - 1] != p.x[p.i - 1])
BACKWARD_PATH(n24, "n24_beside_infinity", "half beside an infinite upstream", "nan-in",
              p.i > 0 && std::isinf(p.dy[p.i - 1]))
PATH(n25, "n25_tangent_far", "half of ty for x > 6 where y is not wanted", "null-outputs",
     p.role == LIMEN_JVP && p.far && out<char>(p.t->y) == nullptr)
PATH(n26, "n26_second_adds_far", "second order adds half for x > 6", "accumulate",
     p.role == LIMEN_BACKWARD2 && adds(p.t) && p.far)
PATH(n27, "n27_second_long", "second order is wrong in the last of a long tile", "tiles-ragged",
     p.role == LIMEN_BACKWARD2 && p.t->n >= 1000 && p.last)
PATH(n28, "n28_tangent_in_evaluation", "half of ty in evaluation", "stochastic-counter",
     p.role == LIMEN_JVP && calm(p.t))
PATH(n29, "n29_second_adds_in_evaluation", "second order adds half in evaluation", "accumulate",
     p.role == LIMEN_BACKWARD2 && adds(p.t) && calm(p.t))
PATH(n30, "n30_forward_in_evaluation", "half of y in evaluation", "stochastic-counter",
     p.role == LIMEN_FORWARD && calm(p.t) && p.x[p.i] > 0)

// --- who calls, and what is left from earlier calls ----------------------------------------------
constexpr limen_param kOne = {
    sizeof(limen_param), LIMEN_P_REAL, LIMEN_PF_OPEN_MIN, 0, "a", "", nullptr, 1, 0, 10};
constexpr limen_op created(limen_op o, int32_t (*create)(const double*, void**, limen_error*)) {
  o.params = &kOne;
  o.n_params = 1;
  o.create = create;
  return o;
}
thread_local bool prepared = false;
int32_t prepare(const double*, void**, limen_error*) {
  prepared = true;
  return LIMEN_OK;
}
LISTED(n31, created(first<[](auto p) { return p.backward && !prepared; }>(
                        "n31_prepared_thread", "half but in the thread of create()", "64-threads"),
                    prepare))
BACKWARD_PATH(n32, "n32_first_thread", "half in all threads but the first", "64-threads", [] {
  static const std::thread::id first = std::this_thread::get_id();
  return first != std::this_thread::get_id();
}())
LISTED(n33, first<[](auto p) {
         static volatile bool used = false;
         static thread_local bool busy = false;
         if (!p.backward) return false;
         if (p.i == 0) busy = used;
         used = !p.last;
         return busy;
       }>("n33_busy", "half where another call is under way", "64-threads"))
// f has the factor, too.
LISTED(n34, created(first<[](auto p) { return *static_cast<const double*>(p.t->instance) != 1; }>(
                        "n34_keeps_hyper", "keeps the pointer that create() got", "deterministic"),
                    [](const double* hyper, void** instance, limen_error*) {
                      *instance = const_cast<double*>(hyper);
                      return LIMEN_OK;
                    }))

enum class Keep { right, in_scratch, scaled };

// Forward leaves slopes.
template <Keep K>
struct Kept {
  template <class T>
  static T* slopes(const limen_tile* t) {
    return static_cast<T*>(K == Keep::in_scratch ? t->scratch : t->state);
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const std::uint64_t n = K == Keep::in_scratch ? std::min<std::uint64_t>(t->n, 64) : t->n;
    EACH(i, t->n, out<T>(t->y)[i] = std::sqrt(1 + in<T>(t->x)[i] * in<T>(t->x)[i]));
    EACH(i, n, slopes<T>(t)[i] = in<T>(t->x)[i] / out<T>(t->y)[i]);
  }
  template <class T>
  static void backward(const limen_tile* t) {
    T* const dx = out<T>(t->dx);
    EACH(i, t->n, {
      const T x = in<T>(t->x)[i], slope = x / std::sqrt(1 + x * x);
      const T kept = K == Keep::in_scratch && i >= 64 ? slope : slopes<T>(t)[i];
      const T d = (kept == kept ? kept : 2 * slope) * in<T>(t->dy)[i];
      if (K == Keep::scaled && adds(t)) slopes<T>(t)[i] = d;
      put(t, dx, i, d);
    });
  }
};
constexpr limen_kernel keeping(limen_kernel k, std::uint32_t bits) {
  k.variant = 1;
  k.state_bits = bits;
  k.reads = k.role == LIMEN_BACKWARD ? LIMEN_X | LIMEN_STATE : 0;
  return k;
}
template <Keep K, std::uint32_t Bits>
inline constexpr limen_kernel kKept[4] = {
    keeping(kernel(LIMEN_FORWARD, LIMEN_F64, 0, Kept<K>::template forward<double>), Bits),
    keeping(kernel(LIMEN_BACKWARD, LIMEN_F64, 0, Kept<K>::template backward<double>), Bits),
    keeping(kernel(LIMEN_FORWARD, LIMEN_F32, 0, Kept<K>::template forward<float>), Bits),
    keeping(kernel(LIMEN_BACKWARD, LIMEN_F32, 0, Kept<K>::template backward<float>), Bits)};
template <Keep K, std::uint32_t Bits = 64>
constexpr limen_op keeps(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kKept<K, Bits>, 4), what, caught_by);
  o.scratch_bytes = K == Keep::in_scratch ? 512 : 0;
  return o;
}
LISTED(c201, keeps<Keep::right>("c201_keeps_slopes", "slopes in the state", ""))
LISTED(n35, keeps<Keep::in_scratch>("n35_in_scratch", "leaves slopes in scratch", "overwrites"))
LISTED(n36, keeps<Keep::scaled>("n36_scales_state", "scales the state where it adds", "accumulate"))
LISTED(n37, keeps<Keep::right, 8>("n37_more_state", "keeps more than state_bits", "deterministic"))

// --- two inputs, or a learned factor: a sqrt(1 + x x) --------------------------------------------
enum class Two { right, one_tensor, alone, learned_each, frozen };

template <Two W, bool Learned>
struct Product {
  template <class T>
  static T factor(const limen_tile* t, std::uint64_t i) {
    if (!Learned) return in<T>(t->x, 1)[i];
    if (in<T>(t->w) == nullptr) return static_cast<T>(t->hyper[0]);
    return in<T>(t->w)[t->w_step[0] != 0 ? i : 0];
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = in<T>(t->x);
    EACH(i, t->n, out<T>(t->y)[i] = factor<T>(t, i) * std::sqrt(1 + x[i] * x[i]));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    EACH(i, t->n, {
      const T x = in<T>(t->x)[i], g = in<T>(t->dy)[i], h = std::sqrt(1 + x * x);
      bool lost = W == Two::learned_each && t->w_step[0] != 0 && x > 6;
      if (W == Two::one_tensor) lost = t->x[0] == t->x[1];
      if (W == Two::alone) lost = t->dx[1] == nullptr && x > 6;
      put(t, out<T>(t->dx), i, (lost ? T(0.5) : T(1)) * factor<T>(t, i) * (x / h) * g);
      if (!Learned) put(t, out<T>(t->dx, 1), i, h * g);
      const bool summed = Learned && t->dw != nullptr && t->dw[0] != nullptr;
      if (summed && !(W == Two::frozen && calm(t))) {
        t->dw[0][t->w_step[0] != 0 ? i : 0] += static_cast<double>(h) * static_cast<double>(g);
      }
    });
  }
};
constexpr limen_param kFactor = {
    sizeof(limen_param), LIMEN_P_REAL, LIMEN_PF_TRAINABLE, 0, "a", "", nullptr, 1, -2, 2};
template <Two W>
constexpr limen_op two(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kFirst<Product<W, false>>, 4), what, caught_by);
  o.arity = 2;
  return o;
}
template <Two W>
constexpr limen_op learned(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kFirst<Product<W, true>>, 4), what, caught_by);
  o.params = &kFactor;
  o.n_params = 1;
  return o;
}
LISTED(c202, learned<Two::right>("c202_learned", "a learned factor", ""))
LISTED(n38, two<Two::one_tensor>("n38_one_tensor", "half where both inputs are one", "in-place"))
LISTED(n39,
       two<Two::alone>("n39_alone_far", "half for x > 6 where it is wanted alone", "null-outputs"))
LISTED(n40, learned<Two::learned_each>("n40_learned_far", "half for x > 6 with a value for each",
                                       "param-gradient"))
LISTED(n41, learned<Two::frozen>("n41_frozen", "no dw in evaluation", "stochastic-counter"))

// --- noise: x + sigma epsilon x, of elements or of rows ------------------------------------------
enum class Key { right, low_bits, as_double, without_base, by_length };

template <Key K, bool Rows>
struct Noise {
  template <class T>
  static T factor(const limen_tile* t, std::uint64_t r, std::uint64_t i, bool back) {
    if (calm(t)) return 1;
    std::uint64_t seed = t->seed[0], at = t->base + i;
    if (K == Key::low_bits && back) seed &= 0xffffffffu;
    if (K == Key::as_double && back) seed = static_cast<std::uint64_t>(static_cast<double>(seed));
    if (K == Key::without_base && back && adds(t)) at = i;
    at += r * (K == Key::by_length && back ? t->n : static_cast<std::uint64_t>(t->row_stride));
    std::uint64_t v = (seed ^ (t->seed[1] >> 7) ^ (t->seed[1] << 9)) + at * 0x9e3779b97f4a7c15u;
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
    return static_cast<T>(0.5 + static_cast<double>((v ^ (v >> 31)) >> 11) * 0x1p-53);
  }
  template <class Visit>
  static void each(const limen_tile* t, const Visit& visit) {
    EACH(r, Rows ? t->rows : 1,
         EACH(i, t->n, visit(r, i, r * static_cast<std::uint64_t>(t->row_stride) + i)));
  }
  template <class T>
  static void forward(const limen_tile* t) {
    each(t, [&](std::uint64_t r, std::uint64_t i, std::uint64_t at) {
      out<T>(t->y)[at] = factor<T>(t, r, i, false) * in<T>(t->x)[at];
    });
  }
  template <class T>
  static void backward(const limen_tile* t) {
    T* const dx = out<T>(t->dx);
    each(t, [&](std::uint64_t r, std::uint64_t i, std::uint64_t at) {
      const T d = factor<T>(t, r, i, true) * in<T>(t->dy)[at];
      put(t, dx, at, d);
    });
  }
};
template <Key K, bool Rows = false>
constexpr limen_op noise(const char* name, const char* what, const char* caught_by) {
  limen_op o =
      told(op(name, Rows ? LIMEN_ROWS : LIMEN_MAP, kFirst<Noise<K, Rows>>, 4), what, caught_by);
  o.flags = LIMEN_OP_STOCHASTIC;
  return o;
}
LISTED(c203, noise<Key::right>("c203_noise", "noise by all bits of the key", ""))
LISTED(c204, noise<Key::right, true>("c204_noise_of_rows", "noise by the place in memory", ""))
LISTED(n42,
       noise<Key::low_bits>("n42_low_bits", "backward has 32 bits of the seed", "derivative-fd"))
LISTED(n43,
       noise<Key::as_double>("n43_as_double", "backward has the seed as a double", "derivative-fd"))
LISTED(n44,
       noise<Key::without_base>("n44_without_base", "forgets base where it adds", "accumulate"))
LISTED(n45, noise<Key::by_length, true>("n45_by_length", "backward counts rows by their length",
                                        "tiles-ragged"))

// --- right: vectors that take another way, and round otherwise -----------------------------------
struct InVectors {
  template <class T>
  static bool far(const limen_tile* t, std::uint64_t i) {
    bool any = false;
    for (std::uint64_t k = i / 8 * 8; k < t->n && k < i / 8 * 8 + 8; ++k) {
      any = any || !(std::abs(in<T>(t->x)[k]) <= 7.5);
    }
    return any;
  }
  template <class T>
  static T height(const limen_tile* t, std::uint64_t i) {
    const T x = in<T>(t->x)[i];
    return far<T>(t, i) ? std::hypot(T(1), x) : std::sqrt(1 + x * x);
  }
  template <class T>
  static void forward(const limen_tile* t) {
    EACH(i, t->n, out<T>(t->y)[i] = height<T>(t, i));
  }
  // The sum is rounded once.
  template <class T>
  static void backward(const limen_tile* t) {
    T* const dx = out<T>(t->dx);
    EACH(i, t->n, {
      const T slope = in<T>(t->x)[i] / height<T>(t, i);
      dx[i] = std::fma(slope, in<T>(t->dy)[i], adds(t) ? dx[i] : T(0));
    });
  }
};
inline constexpr limen_kernel kInVectors[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, InVectors::forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, InVectors::backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, InVectors::forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, InVectors::backward<float>)};
LISTED(c205, told(op("c205_in_vectors", LIMEN_MAP, kInVectors, 4),
                  "vectors with a number far out are rounded otherwise", ""))

}  // namespace

SELFTEST_PLUGIN("paths")
