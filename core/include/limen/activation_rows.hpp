// Row functions (softmax and its kin): what the author of one works with. A row is n neighbouring
// numbers; sums have a fixed order, so that results do not depend on the instruction set.
#pragma once

#include <limen/activation_kernels.hpp>

namespace limen {
namespace detail {

// Joins term(in...) over n elements: 16 lanes side by side, then a tree over the lanes.
template <class F, std::size_t In, class Term, class Join>
LIMEN_INLINE F fold(std::uint64_t n, const F* const (&in)[In], F neutral, const Term& term,
                    const Join& join) {
  F lanes[kLanes], terms[kChunk];
  fill(lanes, neutral, kLanes);
  for (std::uint64_t begin = 0; begin < n; begin += kChunk) {
    const std::uint64_t count = kChunk < n - begin ? kChunk : n - begin;
    const F* from[In];
    F* to[1] = {terms};
    unrolled<In>([&](auto k) LIMEN_LAMBDA { from[k] = in[k] + begin; });
    for_blocks<F>(count, from, to, term);
    const std::uint64_t padded = (count + kLanes - 1) / kLanes * kLanes;
    fill(terms + count, neutral, padded - count);
    LIMEN_ROLLED
    for (std::uint64_t b = 0; b < padded; b += kLanes) {
      LIMEN_LOOP
      for (std::uint64_t i = 0; i < kLanes; ++i) lanes[i] = join(lanes[i], terms[b + i]);
    }
  }
  LIMEN_ROLLED
  for (std::uint64_t i = kLanes - 1; i > 0; --i) lanes[i / 2] = join(lanes[i / 2], lanes[i]);
  return lanes[0];
}

}  // namespace detail

// A row's gradient: overwritten, or added to where the engine asks for that. May be absent.
template <class F>
struct row_gradient {
  F* at;
  bool add;
};

// One row. The functions given to map, sum and max take as many numbers (var<F, 0>) as there are
// operands and return one. A null result is not computed.
template <class F>
struct row {
  using number = var<F, 0>;
  std::uint64_t n = 0;
  const double* hyper = nullptr;

  LIMEN_INLINE number param(std::size_t i) const { return number(hyper[i]); }

  // out[i] = function(in[i]...). `out` may be one of the operands.
  template <class Function, class... In>
  LIMEN_INLINE void map(F* out, const Function& function, const In*... in) const {
    if (!out) return;
    const F* from[] = {in...};
    F* to[1] = {out};
    detail::for_blocks<F>(n, from, to, apply<sizeof...(In)>(function));
  }
  template <class Function, class... In>
  LIMEN_INLINE void map(row_gradient<F> out, const Function& function, const In*... in) const {
    if (!out.add) return map(out.at, function, in...);
    const auto added = [&](number old, auto... a) LIMEN_LAMBDA { return old + function(a...); };
    map(out.at, added, static_cast<const F*>(out.at), in...);
  }
  template <class Function, class... In>
  requires(sizeof...(In) > 0) LIMEN_INLINE number sum(const Function& function, const In*... in)
  const {
    const F* const from[] = {in...};
    return detail::fold<F>(n, from, F(0), apply<sizeof...(In)>(function),
                           [](F a, F b) LIMEN_LAMBDA { return a + b; });
  }
  LIMEN_INLINE number sum(const F* in) const {
    return sum([](number a) LIMEN_LAMBDA { return a; }, in);
  }
  // The largest; NaN if one is NaN.
  LIMEN_INLINE number max(const F* in) const {
    const F* const from[] = {in};
    return detail::fold<F>(n, from, -std::numeric_limits<F>::infinity(),
                           apply<1>([](number a) LIMEN_LAMBDA { return a; }),
                           [](F a, F b) LIMEN_LAMBDA { return a > b || a != a ? a : b; });
  }

 private:
  template <std::size_t N, class Function>
  LIMEN_INLINE static auto apply(const Function& function) {
    return [&function](const F(&a)[N], F(&r)[1]) LIMEN_LAMBDA {
      r[0] = [&]<std::size_t... K>(std::index_sequence<K...>) LIMEN_LAMBDA {
        return number(function(number(a[K])...)).v;
      }
      (std::make_index_sequence<N>{});
    };
  }
};

template <class F>
struct forward_row : row<F> {  // x -> y; y may be x
  const F* x;
  F* y;
};
template <class F>
struct backward_row : row<F> {  // x or y (what the op says it reads), dy -> dx; dx may be dy
  const F *x, *y, *dy;
  row_gradient<F> dx;
};
template <class F>
struct jvp_row : row<F> {  // x, tx -> ty, and y if asked
  const F *x, *tx;
  F *ty, *y;
};
template <class F>
struct backward2_row : row<F> {  // x, dy, gx -> gy, dx
  const F *x, *dy, *gx;
  F* gy;
  row_gradient<F> dx;
};

namespace detail {

template <class F>
LIMEN_INLINE F* row_at(F* first, const limen_tile* t, std::uint64_t r) {
  return first ? first + static_cast<std::int64_t>(r) * t->row_stride : nullptr;
}

// What a null cotangent or tangent leads to: zeros, or nothing to add.
template <class F>
LIMEN_INLINE void clear_rows(F* first, const limen_tile* t, bool add) {
  if (!first || add) return;
  for (std::uint64_t r = 0; r < t->rows; ++r) {
    fill(row_at(first, t, r), F(0), t->n);
  }
}

template <class A>
constexpr std::uint32_t row_backward_reads() {
  if constexpr (requires { A::backward_reads; })
    return A::backward_reads;
  else
    return LIMEN_Y;
}

template <class A, class F>
struct rows_forward {
  LIMEN_INLINE static void run(const limen_tile* t) {
    const F* x = input<F>(t->x, 0);
    F* y = output<F>(t->y, 0);
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      A::forward(forward_row<F>{{t->n, t->hyper}, row_at(x, t, r), row_at(y, t, r)});
    }
  }
};

template <class A, class F>
struct rows_backward {
  LIMEN_INLINE static void run(const limen_tile* t) {
    const F* x = row_backward_reads<A>() & LIMEN_X ? input<F>(t->x, 0) : nullptr;
    const F* y = row_backward_reads<A>() & LIMEN_Y ? output<F>(t->y, 0) : nullptr;
    const F* dy = input<F>(t->dy, 0);
    F* dx = output<F>(t->dx, 0);
    const bool add = t->flags & LIMEN_TILE_ACCUMULATE;
    if (!dx) return;
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      A::backward(backward_row<F>{{t->n, t->hyper},
                                  row_at(x, t, r),
                                  row_at(y, t, r),
                                  row_at(dy, t, r),
                                  {row_at(dx, t, r), add}});
    }
  }
};

template <class A, class F>
struct rows_jvp {
  LIMEN_INLINE static void run(const limen_tile* t) {
    const F *x = input<F>(t->x, 0), *tx = input<F>(t->tx, 0);
    F *ty = output<F>(t->ty, 0), *y = output<F>(t->y, 0);
    if (!tx) {
      if (y) rows_forward<A, F>::run(t);
      return clear_rows(ty, t, false);
    }
    if (!ty && !y) return;
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      A::jvp(jvp_row<F>{
          {t->n, t->hyper}, row_at(x, t, r), row_at(tx, t, r), row_at(ty, t, r), row_at(y, t, r)});
    }
  }
};

template <class A, class F>
struct rows_backward2 {
  LIMEN_INLINE static void run(const limen_tile* t) {
    const F *x = input<F>(t->x, 0), *dy = input<F>(t->dy, 0), *gx = input<F>(t->gx, 0);
    F *gy = output<F>(t->gy, 0), *dx = output<F>(t->dx, 0);
    const bool add = t->flags & LIMEN_TILE_ACCUMULATE;
    if (!gx) {
      clear_rows(gy, t, false);
      return clear_rows(dx, t, add);
    }
    if (!gy && !dx) return;
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      A::backward2(backward2_row<F>{{t->n, t->hyper},
                                    row_at(x, t, r),
                                    row_at(dy, t, r),
                                    row_at(gx, t, r),
                                    row_at(gy, t, r),
                                    {row_at(dx, t, r), add}});
    }
  }
};

}  // namespace detail
}  // namespace limen
