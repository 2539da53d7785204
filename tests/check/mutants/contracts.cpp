// What kernels owe beside their numbers: forward mode and second order in all kinds of calls,
// several instances, a saved state, evaluation. All compute tanh, x times the row's mean, or a a b.
#include <cstdlib>

#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

enum Bug {
  kRight,
  kAbsoluteUpstream,
  kNeverAdds,
  kGyAdds,
  kNeedsGy,
  kFollowsGy,
  kNeedsTy,
  kFollowsY,
  kHalfWithoutY,
  kNoY,
  kClipsY,
  kDxBeforeX,
  kYBeforeX,
  kSecondTail,
  kTangentTail,
  kByAddress,
  kReadsOutput,
  kTight,
  kLongRows,
  kFollowsGx,
  kNeedsBoth
};

template <class T>
const T* in(const void* const* list, int k = 0) {
  return list != nullptr ? static_cast<const T*>(list[k]) : nullptr;
}
template <class T>
T* out(void* const* list, int k = 0) {
  return list != nullptr ? static_cast<T*>(list[k]) : nullptr;
}
bool adds(const limen_tile* t) { return (t->flags & LIMEN_TILE_ACCUMULATE) != 0; }
bool calm(const limen_tile* t) { return (t->flags & LIMEN_TILE_EVAL) != 0; }

template <class T>
T slope(T x) {
  const T y = std::tanh(x);
  return 1 - y * y;
}

template <Bug B>
struct Tanh {
  template <class T>
  static void forward(const limen_tile* t) {
    EACH(i, t->n, out<T>(t->y)[i] = std::tanh(in<T>(t->x)[i]));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T *const x = in<T>(t->x), *const dy = in<T>(t->dy);
    T* const dx = out<T>(t->dx);
    EACH(i, t->n, dx[i] = (adds(t) ? dx[i] : T(0)) + dy[i] * slope(x[i]));
  }
  template <class T>
  static void tangent(const limen_tile* t) {
    const T *const x = in<T>(t->x), *const tx = in<T>(t->tx);
    T *const ty = out<T>(t->ty), *const y = out<T>(t->y);
    if (B == kNeedsTy && ty == nullptr) return;
    if (B == kYBeforeX && y != nullptr) EACH(i, t->n, y[i] = std::tanh(x[i]));
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T value = B == kClipsY ? std::min(std::max(x[i], T(-1)), T(1)) : std::tanh(x[i]);
      T d = slope(x[i]) * tx[i];
      if (B == kTangentTail && sizeof(T) == 4 && t->n > 16 && t->n % 2 != 0 && i + 1 == t->n)
        d *= 2;
      if (B == kHalfWithoutY && y == nullptr) d /= 2;
      if (ty != nullptr) ty[i] = d;
      if (B == kFollowsY || (y != nullptr && B != kNoY)) y[i] = value;
    }
  }
  template <class T>
  static void second(const limen_tile* t) {
    const T *const x = in<T>(t->x), *const dy = in<T>(t->dy), *const gx = in<T>(t->gx);
    T *const gy = out<T>(t->gy), *const dx = out<T>(t->dx);
    const bool add = adds(t) && B != kNeverAdds;
    if (B == kNeedsGy && gy == nullptr) return;
    for (std::uint64_t i = 0; i < t->n && B == kDxBeforeX && dx != nullptr; ++i) {
      dx[i] = (add ? dx[i] : T(0)) - 2 * std::tanh(x[i]) * slope(x[i]) * dy[i] * gx[i];
    }
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T g = B == kAbsoluteUpstream ? std::abs(dy[i]) : dy[i], s = slope(x[i]);
      const T y = B == kReadsOutput ? out<T>(t->y)[i] : std::tanh(x[i]);
      T d = -2 * y * s * g * gx[i];
      if (B == kSecondTail && t->n > 8 && t->n % 8 == 5 && i + 1 == t->n) d /= 2;
      if (B == kByAddress && reinterpret_cast<std::uintptr_t>(x) % 16 != 0) d /= 2;
      if (gy != nullptr || B == kFollowsGy)
        gy[i] = (B == kGyAdds && adds(t) ? gy[i] : T(0)) + s * gx[i];
      if (dx != nullptr && B != kDxBeforeX) dx[i] = add ? dx[i] + d : d;
    }
  }
};

// y_i = m x_i, m the mean of the row.
template <Bug B>
struct ByMean {
  template <class T, class Row>
  static void rows(const limen_tile* t, const Row& row) {
    const auto n = static_cast<T>(t->n);
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      row(static_cast<std::int64_t>(r) * t->row_stride, n);
    }
  }
  template <class T>
  static T total(const T* a, std::uint64_t n) {
    T sum = 0;
    EACH(i, n, sum += a[i]);
    return sum;
  }
  template <class T>
  static void forward(const limen_tile* t) {
    rows<T>(t, [&](std::int64_t at, T n) {
      const T* const x = in<T>(t->x) + at;
      const T m = total(x, t->n) / n;
      EACH(i, t->n, out<T>(t->y)[at + static_cast<std::int64_t>(i)] = m * x[i]);
    });
  }
  template <class T>
  static void backward(const limen_tile* t) {
    rows<T>(t, [&](std::int64_t at, T n) {
      const T *const x = in<T>(t->x) + at, *const dy = in<T>(t->dy) + at;
      T* const dx = out<T>(t->dx) + at;
      const T m = total(x, t->n) / n, s = sum_of(x, dy, t->n) / n;
      EACH(i, t->n, dx[i] = (adds(t) ? dx[i] : T(0)) + m * dy[i] + s);
    });
  }
  template <class T>
  static void tangent(const limen_tile* t) {
    rows<T>(t, [&](std::int64_t at, T n) {
      if (B == kTight) at = at / t->row_stride * static_cast<std::int64_t>(t->n);
      const T *const x = in<T>(t->x) + at, *const tx = in<T>(t->tx) + at;
      const T m = total(x, t->n) / n;
      const T s = (B == kLongRows && t->n > 32 ? -total(tx, t->n) : total(tx, t->n)) / n;
      for (std::uint64_t i = 0; i < t->n; ++i) {
        const T value = m * x[i], d = m * tx[i] + s * x[i];
        if (t->ty[0] != nullptr) out<T>(t->ty)[at + static_cast<std::int64_t>(i)] = d;
        if (out<T>(t->y) != nullptr) out<T>(t->y)[at + static_cast<std::int64_t>(i)] = value;
      }
    });
  }
  template <class T>
  static void second(const limen_tile* t) {
    rows<T>(t, [&](std::int64_t at, T n) {
      if (B == kTight) at = at / t->row_stride * static_cast<std::int64_t>(t->n);
      const T *const x = in<T>(t->x) + at, *const dy = in<T>(t->dy) + at;
      const T* const gx = in<T>(t->gx) + at;
      const T m = total(x, t->n) / n, s = sum_of(gx, dy, t->n) / n;
      const T g = total(gx, t->n) / n;
      for (std::uint64_t i = 0; i < t->n; ++i) {
        const T d = (B == kLongRows && t->n > 32 ? T(0) : s) + g * dy[i], u = m * gx[i] + g * x[i];
        T* const dx = out<T>(t->dx) != nullptr ? out<T>(t->dx) + at : nullptr;
        if (out<T>(t->gy) != nullptr) out<T>(t->gy)[at + static_cast<std::int64_t>(i)] = u;
        if (dx != nullptr) dx[i] = adds(t) ? dx[i] + d : d;
      }
    });
  }
};

// a a b.
template <Bug B>
struct Pair {
  template <class T>
  static void forward(const limen_tile* t) {
    const T *const a = in<T>(t->x), *const b = in<T>(t->x, 1);
    EACH(i, t->n, out<T>(t->y)[i] = a[i] * a[i] * b[i]);
  }
  template <class T>
  static void put(const limen_tile* t, int k, std::uint64_t i, T d) {
    T* const dx = out<T>(t->dx, k);
    if (B == kFollowsGy || dx != nullptr) dx[i] = adds(t) ? dx[i] + d : d;
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T *const a = in<T>(t->x), *const b = in<T>(t->x, 1), *const dy = in<T>(t->dy);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T da = 2 * a[i] * b[i] * dy[i], db = a[i] * a[i] * dy[i];
      put(t, 0, i, da);
      put(t, 1, i, db);
    }
  }
  template <class T>
  static void second(const limen_tile* t) {
    const T *const a = in<T>(t->x), *const b = in<T>(t->x, 1), *const dy = in<T>(t->dy);
    const T *const ga = in<T>(t->gx), *const gb = in<T>(t->gx, 1);
    if (B == kNeedsBoth && (ga == nullptr || gb == nullptr)) return;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T u = ga != nullptr ? ga[i] : T(0), v = B == kFollowsGx || gb != nullptr ? gb[i] : T(0);
      const T da = 2 * dy[i] * (b[i] * u + a[i] * v), db = 2 * dy[i] * a[i] * u;
      if (t->gy[0] != nullptr) out<T>(t->gy)[i] = 2 * a[i] * b[i] * u + a[i] * a[i] * v;
      put(t, 0, i, da);
      put(t, 1, i, db);
    }
  }
};

constexpr limen_kernel aliased(limen_kernel k, bool wanted, std::uint32_t alias) {
  if (wanted) k.alias = alias;
  return k;
}
template <class K, class T, std::uint32_t Type, bool Shares>
inline constexpr limen_kernel kSecond = aliased(kernel(LIMEN_BACKWARD2, Type, LIMEN_X,
                                                       K::template second<T>),
                                                Shares, LIMEN_ALIAS_DX_X);
template <class K, bool Shares = false>
inline constexpr limen_kernel kOrders[8] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>),
    kSecond<K, double, LIMEN_F64, Shares>,
    kSecond<K, float, LIMEN_F32, Shares>,
    aliased(kernel(LIMEN_JVP, LIMEN_F64, LIMEN_X, K::template tangent<double>), Shares,
            LIMEN_ALIAS_Y_X),
    aliased(kernel(LIMEN_JVP, LIMEN_F32, LIMEN_X, K::template tangent<float>), Shares,
            LIMEN_ALIAS_Y_X)};
template <class K>
inline constexpr limen_kernel kPair[6] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>),
    kSecond<K, double, LIMEN_F64, false>,
    kSecond<K, float, LIMEN_F32, false>};

template <Bug B, bool Shares = false>
constexpr limen_op orders(const char* name, const char* what, const char* caught_by) {
  return told(op(name, LIMEN_MAP, kOrders<Tanh<B>, Shares>, 8), what, caught_by);
}
template <Bug B>
constexpr limen_op rows(const char* name, const char* what, const char* caught_by) {
  return told(op(name, LIMEN_ROWS, kOrders<ByMean<B>>, 8), what, caught_by);
}
template <Bug B>
constexpr limen_op pair(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kPair<Pair<B>>, 6), what, caught_by);
  o.arity = 2;
  return o;
}

LISTED(c100, orders<kRight, true>("c100_tanh_orders", "all orders, in place where it may be", ""))
LISTED(c101, rows<kRight>("c101_by_mean", "rows in all orders", ""))
LISTED(c102, pair<kRight>("c102_two_inputs", "second order of two inputs", ""))
LISTED(j10, orders<kAbsoluteUpstream>("j10_absolute_upstream",
                                      "second order takes the upstream without its sign",
                                      "upstream-linear"))
LISTED(j11, orders<kNeverAdds>("j11_never_adds", "second order overwrites dx always", "accumulate"))
LISTED(j12, orders<kGyAdds>("j12_gy_adds", "second order adds to gy, too", "accumulate"))
LISTED(j13, orders<kNeedsGy>("j13_needs_gy", "no dx where gy is not wanted", "null-outputs"))
LISTED(j14, orders<kFollowsGy>("j14_follows_gy", "writes gy where it is null", "null-outputs"))
LISTED(j15, orders<kNeedsTy>("j15_needs_ty", "no y where ty is not wanted", "null-outputs"))
LISTED(j16, orders<kFollowsY>("j16_follows_y", "writes y where it is null", "null-outputs"))
LISTED(j17, orders<kHalfWithoutY>("j17_half_without_y", "half of ty where y is not wanted",
                                  "null-outputs"))
LISTED(j18, orders<kNoY>("j18_no_y", "forward mode never writes y", "jvp-vjp-adjoint"))
LISTED(j19, orders<kClipsY>("j19_clips_y", "forward mode's y is x, clipped", "jvp-vjp-adjoint"))
LISTED(j20, orders<kDxBeforeX, true>("j20_dx_before_x", "gy reads x after dx is in its memory",
                                     "in-place"))
LISTED(j21,
       orders<kYBeforeX, true>("j21_y_before_x", "ty reads x after y is in its memory", "in-place"))
LISTED(j22, orders<kSecondTail>("j22_second_tail", "second order is wrong in a tail of 5",
                                "tiles-ragged"))
LISTED(j23, orders<kTangentTail>("j23_tangent_tail", "forward mode is wrong in the last of 17",
                                 "tiles-ragged"))
LISTED(j24, orders<kByAddress>("j24_by_address", "second order is wrong off 16 bytes", "unaligned"))
LISTED(j25, orders<kReadsOutput>("j25_reads_output", "second order reads y", "overwrites"))
LISTED(j26, rows<kTight>("j26_tight", "takes rows to lie one behind the other", "tiles-ragged"))
LISTED(j27, rows<kLongRows>("j27_long_rows", "wrong in rows of more than 32",
                            "jvp-vjp-adjoint second-derivative"))
LISTED(j28, pair<kFollowsGx>("j28_follows_gx", "reads gx where it is null", "null-outputs"))
LISTED(j29, pair<kNeedsBoth>("j29_needs_both", "nothing where one gx is null", "null-outputs"))
LISTED(j30, pair<kFollowsGy>("j30_follows_dx", "writes dx where it is null", "null-outputs"))

// --- tanh(x / width) with an instance that holds 1 / width ---------------------------------------
enum class Keep { nothing, last_made, last_slopes };

double last_made = 1;
int32_t make_factor(const double* hyper, void** instance, limen_error*) {
  const auto factor = static_cast<double*>(std::malloc(sizeof(double)));
  if (factor == nullptr) return LIMEN_E_MEMORY;
  *factor = last_made = 1 / hyper[0];
  *instance = factor;
  return LIMEN_OK;
}

template <Keep K>
struct Scaled {
  static double* slopes() {
    static thread_local double kept[64];
    return kept;
  }
  template <class T>
  static void forward(const limen_tile* t) {
    const T factor = static_cast<T>(*static_cast<const double*>(t->instance));
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T x = factor * in<T>(t->x)[i];
      if (i < 64) slopes()[i] = static_cast<double>(factor * slope(x));
      out<T>(t->y)[i] = std::tanh(x);
    }
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T factor =
        static_cast<T>(K == Keep::last_made ? last_made : *static_cast<const double*>(t->instance));
    T* const dx = out<T>(t->dx);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const bool kept = K == Keep::last_slopes && t->n <= 128 && i < 64;
      const T s = kept ? static_cast<T>(slopes()[i]) : factor * slope(factor * in<T>(t->x)[i]);
      dx[i] = (adds(t) ? dx[i] : T(0)) + s * in<T>(t->dy)[i];
    }
  }
};
template <class K>
inline constexpr limen_kernel kFirst[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>)};
constexpr limen_param kWidth = {
    sizeof(limen_param), LIMEN_P_REAL, LIMEN_PF_OPEN_MIN, 0, "width", "", nullptr, 1, 0, 10};
template <Keep K>
constexpr limen_op scaled(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kFirst<Scaled<K>>, 4), what, caught_by);
  o.params = &kWidth;
  o.n_params = 1;
  o.create = make_factor;
  o.destroy = [](void* instance) { std::free(instance); };
  return o;
}
LISTED(c103, scaled<Keep::nothing>("c103_instance", "what create() made is in the instance", ""))
LISTED(s50, scaled<Keep::last_made>("s50_last_made", "backward uses the instance made last",
                                    "deterministic"))
LISTED(s51, scaled<Keep::last_slopes>("s51_last_slopes", "backward uses the last forward's slopes",
                                      "deterministic"))

// --- dropout of every other element, by a mask ---------------------------------------------------
enum class Mask { right, not_in_evaluation, not_when_adding };

template <Mask M>
struct Masked {
  static bool kept(const limen_tile* t, std::uint64_t i) {
    const std::uint64_t v = (t->seed[0] + 3 * t->seed[1] + t->base + i) * 0x9e3779b97f4a7c15u;
    return ((v ^ (v >> 29)) * 0xbf58476d1ce4e5b9u) >> 63 != 0;
  }
  template <class T>
  static void forward(const limen_tile* t) {
    auto* const mask = static_cast<unsigned char*>(t->state);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const bool keep = calm(t) || kept(t, i);
      if (!calm(t) || M != Mask::not_in_evaluation) mask[i] = keep ? 1 : 0;
      out<T>(t->y)[i] = calm(t) ? in<T>(t->x)[i] : (keep ? 2 : 0) * in<T>(t->x)[i];
    }
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const auto* const mask = static_cast<const unsigned char*>(t->state);
    T* const dx = out<T>(t->dx);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const bool calmly = calm(t) && !(M == Mask::not_when_adding && adds(t));
      const T d = (mask[i] == 0 ? T(0) : T(calmly ? 1 : 2)) * in<T>(t->dy)[i];
      dx[i] = adds(t) ? dx[i] + d : d;
    }
  }
};
constexpr limen_kernel masked(limen_kernel k) {
  k.variant = 1;
  k.state_bits = 8;
  return k;
}
template <class K>
inline constexpr limen_kernel kMasked[4] = {
    masked(kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>)),
    masked(kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_STATE, K::template backward<double>)),
    masked(kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>)),
    masked(kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_STATE, K::template backward<float>))};
template <Mask M>
constexpr limen_op by_mask(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kMasked<Masked<M>>, 4), what, caught_by);
  o.flags = LIMEN_OP_STOCHASTIC;
  return o;
}
LISTED(c104, by_mask<Mask::right>("c104_mask", "dropout by a mask, in evaluation too", ""))
LISTED(s52, by_mask<Mask::not_in_evaluation>("s52_no_mask_in_evaluation",
                                             "no mask in evaluation, but backward reads it",
                                             "overwrites"))
LISTED(s53,
       by_mask<Mask::not_when_adding>("s53_evaluation_when_adding",
                                      "scales in evaluation where it accumulates", "accumulate"))

}  // namespace

SELFTEST_PLUGIN("contracts")
