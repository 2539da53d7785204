// Forward mode and second order, of x * x and of two inputs with two outputs.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

enum Bug { kRight, kTangentHalf, kNoSecond, kWrongUpstream, kSecondAdds, kSwapped };

template <Bug B>
struct Cube {
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = x[i] * x[i] * x[i]);
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = static_cast<T*>(t->dx[0]);
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    EACH(i, t->n, dx[i] = (add ? dx[i] : T(0)) + 3 * x[i] * x[i] * dy[i]);
  }
  template <class T>
  static void tangent(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const tx = static_cast<const T*>(t->tx[0]);
    T* const ty = static_cast<T*>(t->ty[0]);
    T* const y = t->y != nullptr ? static_cast<T*>(t->y[0]) : nullptr;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T value = x[i] * x[i] * x[i];
      if (ty != nullptr) ty[i] = (B == kTangentHalf ? T(1.5) : T(3)) * x[i] * x[i] * tx[i];
      if (y != nullptr) y[i] = value;
    }
  }
  template <class T>
  static void second(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    const T* const dy = static_cast<const T*>(t->dy[0]);
    const T* const gx = static_cast<const T*>(t->gx[0]);
    T* const dx = static_cast<T*>(t->dx[0]);
    T* const gy = static_cast<T*>(t->gy[0]);
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T g = gx[i];
      if (gy != nullptr) gy[i] = (B == kWrongUpstream ? 6 * x[i] : 3 * x[i] * x[i]) * g;
      if (dx == nullptr) continue;
      const T d = B == kNoSecond ? 0 * g : 6 * x[i] * dy[i] * g;
      dx[i] = add || B == kSecondAdds ? dx[i] + d : d;
    }
  }
};
template <class K>
inline constexpr limen_kernel kAll[8] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_JVP, LIMEN_F64, LIMEN_X, K::template tangent<double>),
    kernel(LIMEN_BACKWARD2, LIMEN_F64, LIMEN_X, K::template second<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>),
    kernel(LIMEN_JVP, LIMEN_F32, LIMEN_X, K::template tangent<float>),
    kernel(LIMEN_BACKWARD2, LIMEN_F32, LIMEN_X, K::template second<float>)};
template <Bug B>
constexpr limen_op cube(const char* name, const char* what, const char* caught_by) {
  return told(op(name, LIMEN_MAP, kAll<Cube<B>>, 8), what, caught_by);
}

// (a + 2 b, a b): its backward takes the Jacobian for its transpose.
template <Bug B>
struct Pair {
  template <class T>
  static void forward(const limen_tile* t) {
    const T* const a = static_cast<const T*>(t->x[0]);
    const T* const b = static_cast<const T*>(t->x[1]);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T sum = a[i] + 2 * b[i], product = a[i] * b[i];
      static_cast<T*>(t->y[0])[i] = sum;
      static_cast<T*>(t->y[1])[i] = product;
    }
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T* const a = static_cast<const T*>(t->x[0]);
    const T* const b = static_cast<const T*>(t->x[1]);
    const T* const dy[2] = {static_cast<const T*>(t->dy[0]), static_cast<const T*>(t->dy[1])};
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T j[2][2] = {{1, 2}, {b[i], a[i]}}, g[2] = {dy[0][i], dy[1][i]};
      for (int k = 0; k < 2; ++k) {
        T* const dx = static_cast<T*>(t->dx[k]);
        if (dx == nullptr) continue;
        const T d =
            B == kSwapped ? g[0] * j[k][0] + g[1] * j[k][1] : g[0] * j[0][k] + g[1] * j[1][k];
        dx[i] = add ? dx[i] + d : d;
      }
    }
  }
  template <class T>
  static void tangent(const limen_tile* t) {
    const T* const a = static_cast<const T*>(t->x[0]);
    const T* const b = static_cast<const T*>(t->x[1]);
    const T* const ta = static_cast<const T*>(t->tx[0]);
    const T* const tb = static_cast<const T*>(t->tx[1]);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T ty[2] = {ta[i] + 2 * tb[i], b[i] * ta[i] + a[i] * tb[i]};
      const T y[2] = {a[i] + 2 * b[i], a[i] * b[i]};
      for (int k = 0; k < 2; ++k) {
        if (t->ty[k] != nullptr) static_cast<T*>(t->ty[k])[i] = ty[k];
        if (t->y != nullptr && t->y[k] != nullptr) static_cast<T*>(t->y[k])[i] = y[k];
      }
    }
  }
};
template <class K>
inline constexpr limen_kernel kFirst[6] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_JVP, LIMEN_F64, LIMEN_X, K::template tangent<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>),
    kernel(LIMEN_JVP, LIMEN_F32, LIMEN_X, K::template tangent<float>)};
template <Bug B>
constexpr limen_op pair(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kFirst<Pair<B>>, 6), what, caught_by);
  o.arity = o.outputs = 2;
  return o;
}

LISTED(c60, cube<kRight>("c60_cube_all_orders", "forward mode and second order", ""))
LISTED(c61, pair<kRight>("c61_two_in_two_out", "two inputs, two outputs, forward mode", ""))
LISTED(j01, pair<kSwapped>("j01_transposed", "backward takes the Jacobian for its transpose",
                           "derivative-fd jvp-vjp-adjoint"))
LISTED(j02, cube<kTangentHalf>("j02_half_tangent", "forward mode gives half of the tangent",
                               "jvp-vjp-adjoint"))
LISTED(j03, cube<kNoSecond>("j03_no_second", "second order without the term f'' dy gx",
                            "second-derivative"))
LISTED(j04, cube<kWrongUpstream>("j04_wrong_by_upstream",
                                 "second order right by x and wrong by the upstream",
                                 "second-derivative"))
LISTED(j05, cube<kSecondAdds>("j05_second_adds", "second order adds to dx where it must overwrite",
                              "second-derivative overwrites"))

}  // namespace

SELFTEST_PLUGIN("orders")
