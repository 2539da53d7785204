// Corners that are easily forgotten: slopes at their extremum, several parameters away from their
// defaults together, what an op declares of itself, ends of domains, surrogates.
#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// --- a (b - tanh b): at b = 0 the slope is 0, and smaller than all around ------------------------
struct Gated {
  template <class T>
  static void forward(const limen_tile* t) {
    const T *const a = static_cast<const T*>(t->x[0]), *const b = static_cast<const T*>(t->x[1]);
    EACH(i, t->n, static_cast<T*>(t->y[0])[i] = a[i] * (b[i] - std::tanh(b[i])));
  }
  template <class T>
  static void backward(const limen_tile* t) {
    const T *const a = static_cast<const T*>(t->x[0]), *const b = static_cast<const T*>(t->x[1]);
    const T* const g = static_cast<const T*>(t->dy[0]);
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T s = std::tanh(b[i]), of[2] = {g[i] * (b[i] - s), g[i] * a[i] * s * s};
      for (int k = 0; k < 2; ++k) {
        T* const dx = static_cast<T*>(t->dx[k]);
        if (dx != nullptr) dx[i] = add ? dx[i] + of[k] : of[k];
      }
    }
  }
};
template <class K>
inline constexpr limen_kernel kPlain[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, K::template forward<double>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, K::template backward<double>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, K::template forward<float>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, K::template backward<float>)};
constexpr limen_op gated() {
  limen_op o = told(op("c300_gated_tanh_shrink", LIMEN_MAP, kPlain<Gated>, 4),
                    "the slope is at its extremum where it is 0", "");
  o.arity = 2;
  return o;
}
LISTED(c300, gated())

}  // namespace

SELFTEST_PLUGIN("corners")
