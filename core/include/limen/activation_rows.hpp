// Row functions (softmax and its kin): what the author of one works with. A row is n neighbouring
// numbers; sums have a fixed order, so that results do not depend on the instruction set.
#pragma once

#include <limen/activation_noise.hpp>

namespace limen {
namespace detail {

// The random numbers of a row as an operand.
template <class F>
struct row_noise {
  work t;
  std::uint64_t first;
};

// `count` values of an operand from `begin` on, in `buffer` if they must be made.
template <class F>
LIMEN_INLINE const F* piece(const F* in, std::uint64_t begin, std::uint64_t, F*) {
  return in + begin;
}
template <class F>
LIMEN_INLINE const F* piece(const row_noise<F>& in, std::uint64_t begin, std::uint64_t count,
                            F* buffer) {
  if (in.t->flags & LIMEN_TILE_EVAL)
    fill(buffer, F(0.5), count);
  else
    fill_uniform(buffer, in.t->seed, in.first + begin, count);
  return buffer;
}

// Joins term(in...) over n elements: 16 lanes side by side, then pairwise.
template <class F, class Term, class Join, class... In>
LIMEN_INLINE F fold(const work& t, std::uint64_t n, F neutral, const Term& term, const Join& join,
                    const In&... in) {
  constexpr std::uint64_t kSize = (std::is_pointer_v<In> && ...) ? 1 : kChunk;
  F lanes[kLanes], terms[kChunk], buffers[sizeof...(In)][kSize];
  LIMEN_LOOP
  for (std::uint32_t i = 0; i < kLanes; ++i) lanes[i] = neutral;
  for (std::uint64_t begin = 0; begin < n; begin += kChunk) {
    const std::uint64_t count = kChunk < n - begin ? kChunk : n - begin;
    std::size_t k = 0;
    const F* from[] = {piece<F>(in, begin, count, buffers[k++])...};
    F* to[1] = {terms};
    for_blocks<F, true>(t, count, from, to, term);
    const auto rest = static_cast<std::uint32_t>(count % kLanes);
    std::uint64_t b = 0;
    LIMEN_ROLLED
    for (; b < count - rest; b += kLanes) {
      LIMEN_LOOP
      for (std::uint32_t i = 0; i < kLanes; ++i) lanes[i] = join(lanes[i], terms[b + i]);
    }
    if (rest > 0) {
      LIMEN_LOOP
      for (std::uint32_t i = 0; i < kLanes; ++i) {
        lanes[i] = join(lanes[i], i < rest ? terms[b + i] : neutral);
      }
    }
  }
  join_lanes(lanes, join);
  return lanes[0];
}

}  // namespace detail

// A row's gradient: overwritten, or added to where the engine asks for that. May be absent.
template <class F>
struct row_gradient {
  F* at;
  bool add;
};

// One row. The functions given to map, sum, max and min take as many numbers (var<F, 0>) as there
// are operands and return one; an operand is a pointer to n numbers, or uniform(). A null result is
// not computed.
template <class F>
struct row {
  using number = var<F, 0>;
  detail::work t;
  std::uint64_t index;  // which row of the tile this is
  std::uint64_t n = t->n;

  LIMEN_INLINE number param(std::size_t i) const { return static_cast<F>(t->hyper[i]); }
  // Which of its choices a parameter of type CHOICE has, or 0 and 1 for BOOL.
  LIMEN_INLINE int choice(std::size_t i) const { return static_cast<int>(t->hyper[i]); }
  LIMEN_INLINE bool training() const { return !(t->flags & LIMEN_TILE_EVAL); }
  // An operand: for each element a number in (0, 1) that depends on the seed and on the element's
  // place in the tensor (base + row * row_stride + column); in evaluation its mean, 1/2.
  LIMEN_INLINE detail::row_noise<F> uniform() const {
    return {t, t->base + index * static_cast<std::uint64_t>(t->row_stride)};
  }

  // out[i] = function(in[i]...). `out` may be one of the operands.
  template <class Function, class... In>
  LIMEN_INLINE void map(F* out, const Function& function, const In&... in) const {
    if (!out) return;
    constexpr bool kWhole = (std::is_pointer_v<In> && ...);
    constexpr std::uint64_t kSize = kWhole ? 1 : detail::kChunk;
    F buffers[sizeof...(In)][kSize];
    const std::uint64_t chunk = kWhole ? n : detail::kChunk;
    for (std::uint64_t begin = 0; begin < n; begin += chunk) {
      const std::uint64_t count = chunk < n - begin ? chunk : n - begin;
      std::size_t k = 0;
      const F* from[] = {detail::piece<F>(in, begin, count, buffers[k++])...};
      F* to[1] = {out + begin};
      detail::for_blocks<F>(t, count, from, to, apply<sizeof...(In)>(function));
    }
  }
  template <class Function, class... In>
  LIMEN_INLINE void map(row_gradient<F> out, const Function& function, const In&... in) const {
    if (!out.add) return map(out.at, function, in...);
    const auto added = [&](number old, auto... a) LIMEN_LAMBDA { return old + function(a...); };
    map(out.at, added, static_cast<const F*>(out.at), in...);
  }
  template <class Function, class... In>
  requires(sizeof...(In) > 0) LIMEN_INLINE number sum(const Function& function, const In&... in)
  const {
    return detail::fold<F>(
        t, n, F(0), apply<sizeof...(In)>(function), [](F a, F b) LIMEN_LAMBDA { return a + b; },
        in...);
  }
  LIMEN_INLINE number sum(const F* in) const { return sum(same(), in); }
  // The largest and the smallest; NaN if one is NaN.
  template <class Function, class... In>
  requires(sizeof...(In) > 0) LIMEN_INLINE number max(const Function& function, const In&... in)
  const {
    return detail::fold<F>(
        t, n, -std::numeric_limits<F>::infinity(), apply<sizeof...(In)>(function),
        [](F a, F b) LIMEN_LAMBDA { return (a > b) | (a != a) ? a : b; }, in...);
  }
  LIMEN_INLINE number max(const F* in) const { return max(same(), in); }
  template <class Function, class... In>
  requires(sizeof...(In) > 0) LIMEN_INLINE number min(const Function& function, const In&... in)
  const {
    return detail::fold<F>(
        t, n, std::numeric_limits<F>::infinity(), apply<sizeof...(In)>(function),
        [](F a, F b) LIMEN_LAMBDA { return (a < b) | (a != a) ? a : b; }, in...);
  }
  LIMEN_INLINE number min(const F* in) const { return min(same(), in); }
  // The place of the first of the largest; of the first NaN if there is one.
  LIMEN_INLINE std::uint64_t argmax(const F* in) const {
    const F largest = max(in).v;
    std::uint64_t i = 0;
    while (i + 1 < n && !(in[i] == largest || in[i] != in[i])) ++i;
    return i;
  }

 private:
  LIMEN_INLINE static auto same() {
    return [](number a) LIMEN_LAMBDA { return a; };
  }
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
LIMEN_INLINE F* row_at(F* first, const work& t, std::uint64_t r) {
  return first ? first + static_cast<std::int64_t>(r) * t->row_stride : nullptr;
}

// What a null cotangent or tangent leads to: zeros, or nothing to add.
template <class F>
LIMEN_INLINE void clear_rows(F* first, const work& t, bool add) {
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
  LIMEN_INLINE static void run(const work& t) {
    const F* x = input<F>(t->x, 0);
    F* y = output<F>(t->y, 0);
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      A::forward(forward_row<F>{{t, r}, row_at(x, t, r), row_at(y, t, r)});
    }
  }
};

template <class A, class F>
struct rows_backward {
  LIMEN_INLINE static void run(const work& t) {
    const F* x = row_backward_reads<A>() & LIMEN_X ? input<F>(t->x, 0) : nullptr;
    const F* y = row_backward_reads<A>() & LIMEN_Y ? output<F>(t->y, 0) : nullptr;
    const F* dy = input<F>(t->dy, 0);
    F* dx = output<F>(t->dx, 0);
    const bool add = t->flags & LIMEN_TILE_ACCUMULATE;
    if (!dx) return;
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      A::backward(backward_row<F>{
          {t, r}, row_at(x, t, r), row_at(y, t, r), row_at(dy, t, r), {row_at(dx, t, r), add}});
    }
  }
};

template <class A, class F>
struct rows_jvp {
  LIMEN_INLINE static void run(const work& t) {
    const F *x = input<F>(t->x, 0), *tx = input<F>(t->tx, 0);
    F *ty = output<F>(t->ty, 0), *y = output<F>(t->y, 0);
    if (!tx) {
      if (y) rows_forward<A, F>::run(t);
      return clear_rows(ty, t, false);
    }
    if (!ty && !y) return;
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      A::jvp(
          jvp_row<F>{{t, r}, row_at(x, t, r), row_at(tx, t, r), row_at(ty, t, r), row_at(y, t, r)});
    }
  }
};

template <class A, class F>
struct rows_backward2 {
  LIMEN_INLINE static void run(const work& t) {
    const F *x = input<F>(t->x, 0), *dy = input<F>(t->dy, 0), *gx = input<F>(t->gx, 0);
    F *gy = output<F>(t->gy, 0), *dx = output<F>(t->dx, 0);
    const bool add = t->flags & LIMEN_TILE_ACCUMULATE;
    if (!gx) {
      clear_rows(gy, t, false);
      return clear_rows(dx, t, add);
    }
    if (!gy && !dx) return;
    for (std::uint64_t r = 0; r < t->rows; ++r) {
      A::backward2(backward2_row<F>{{t, r},
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
