// Wrong at some places only: where inputs meet, far out, in place, in long tiles and rows, in later
// parts of a tensor.
#include <utility>

#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

// Two inputs: f(a, b), and b(a, b, g) for both gradients.
template <class A, class T>
void pair_forward(const limen_tile* t) {
  const T *const a = static_cast<const T*>(t->x[0]), *const b = static_cast<const T*>(t->x[1]);
  EACH(i, t->n, static_cast<T*>(t->y[0])[i] = A::f(a[i], b[i]));
}
template <class A, class T>
void pair_backward(const limen_tile* t) {
  const T *const a = static_cast<const T*>(t->x[0]), *const b = static_cast<const T*>(t->x[1]);
  const T* const g = static_cast<const T*>(t->dy[0]);
  const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  T *const da = static_cast<T*>(t->dx[0]), *const db = static_cast<T*>(t->dx[1]);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const std::pair<T, T> d = A::b(a[i], b[i], g[i]);
    if (da != nullptr) da[i] = add ? da[i] + d.first : d.first;
    if constexpr (requires { A::late; }) {  // its second gradient is computed behind the first
      const T second = A::b(a[i], b[i], g[i]).second;
      if (db != nullptr) db[i] = add ? db[i] + second : second;
    } else {
      if (db != nullptr) db[i] = add ? db[i] + d.second : d.second;
    }
  }
}
constexpr limen_kernel over_inputs(limen_kernel k) {
  k.alias = LIMEN_ALIAS_DX_DY | LIMEN_ALIAS_DX_X;
  return k;
}
template <class A>
inline constexpr limen_kernel kPair[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, pair_forward<A, double>),
    over_inputs(kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, pair_backward<A, double>)),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, pair_forward<A, float>),
    over_inputs(kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, pair_backward<A, float>))};
template <class A>
constexpr limen_op pair_op(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kPair<A>, 4), what, caught_by);
  o.arity = 2;
  return o;
}

template <bool Late>
struct Product {
  template <class T>
  static T f(T a, T b) {
    return a * b;
  }
  template <class T>
  static std::pair<T, T> b(T a, T b, T g) {
    return {g * b, g * a};
  }
};
struct LateProduct : Product<true> {
  static constexpr bool late = true;
};
LISTED(c200, pair_op<Product<false>>("c200_product_in_place", "a product that may be in place", ""))
LISTED(l01, pair_op<LateProduct>("l01_product_in_place",
                                 "the second gradient is computed from what the first lies on",
                                 "in-place"))

// Whole tensors of any strides, doubled.
std::int64_t place_of(const limen_tensor& t, std::int64_t i, bool tight) {
  std::int64_t place = 0, step = 1;
  for (std::uint32_t axis = t.rank; axis-- > 0; step *= t.dims[axis]) {
    place += i % t.dims[axis] * (tight ? step : t.strides[axis]);
    i /= t.dims[axis];
  }
  return place;
}
template <class T, bool Tight>
void doubled(const limen_call* call) {
  const bool back = call->role != LIMEN_FORWARD;
  const limen_tensor &from = call->in[back ? 2 : 0], &to = call->out[0];
  std::int64_t n = 1;
  for (std::uint32_t axis = 0; axis < to.rank; ++axis) n *= to.dims[axis];
  for (std::int64_t i = 0; i < n; ++i) {
    static_cast<T*>(to.data)[place_of(to, i, false)] =
        2 * static_cast<const T*>(from.data)[place_of(from, i, Tight && back)];
  }
}
int32_t same_shape(limen_call* call, limen_error*) {
  call->out[0].rank = call->in[0].rank;
  for (std::uint32_t i = 0; i < call->in[0].rank; ++i) call->out[0].dims[i] = call->in[0].dims[i];
  return LIMEN_OK;
}
template <bool Tight>
int32_t execute(const limen_call* call, limen_error*) {
  call->in[0].dtype == LIMEN_F32 ? doubled<float, Tight>(call) : doubled<double, Tight>(call);
  return LIMEN_OK;
}
template <bool Tight>
constexpr limen_op tensors(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_GENERAL, nullptr, 0), what, caught_by);
  o.infer = same_shape;
  o.execute = execute<Tight>;
  return o;
}
LISTED(c201, tensors<false>("c201_tensors_any_strides", "tensors of any strides", ""))
LISTED(l02,
       tensors<true>("l02_upstream_contiguous",
                     "the upstream is taken to be contiguous, other tensors are not", "unaligned"))

}  // namespace

SELFTEST_PLUGIN("places")
