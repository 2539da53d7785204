// The kernels of an element-wise op, made from its formula. Authors include limen/activation.hpp.
#pragma once

#include <limen/activation_formula.hpp>

namespace limen::detail {

template <class F, std::size_t N, class From>
LIMEN_INLINE void pointers(const F** to, const From* from) {
  unrolled<N>([&](auto k)
                  LIMEN_LAMBDA { to[k] = from ? static_cast<const F*>(from[k]) : nullptr; });
}

template <class A, class F>
struct map_forward {
  static constexpr std::size_t N = arity<A>(), M = outputs<A>();

  LIMEN_INLINE static void run(const work& t) {
    with_formula<A, F, true>(t, [&](const auto& g) LIMEN_LAMBDA {
      const F* in[N];
      F* out[M];
      pointers<F, N>(in, t->x);
      unrolled<M>([&](auto m) LIMEN_LAMBDA { out[m] = output<F>(t->y, m); });
      const auto body = [&](const auto& a, F(&r)[M]) LIMEN_LAMBDA {
        var<F, 0> x[N], y[M];
        unrolled<N>([&](auto k) LIMEN_LAMBDA { x[k] = a[k]; });
        g.f(x, a + N, y);
        unrolled<M>([&](auto m) LIMEN_LAMBDA { r[m] = y[m].v; });
      };
      if constexpr (std::remove_cvref_t<decltype(g)>::kMore == 0 && M == 1)
        for_blocks<F>(t, t->n, in, out, body);
      else
        for_elements<F, std::remove_cvref_t<decltype(g)>::kMore>(t, t->n, in, out, body, g);
    });
  }
};

// The outputs of one element's backward: dx[k] = sum over m of dy[m] slope[m][k], plus what was
// there if asked.
template <class F, std::size_t N, std::size_t M>
LIMEN_INLINE F pulled(const F (&slope)[M][N], const F* dy, std::size_t k) {
  F sum = dy[0] * slope[0][k];
  unrolled<M - 1>([&](auto m) LIMEN_LAMBDA { sum += dy[m + 1] * slope[m + 1][k]; });
  return sum;
}

// dx for slopes computed from the values in[0 .. N-1] of x, or y.
template <class F, std::size_t N, std::size_t M, class G, class Slopes>
LIMEN_INLINE void pull_back(const work& t, const F* const (&from)[N], const G& g,
                            const Slopes& slopes) {
  const F* in[2 * N + M];
  F* out[N];
  bool wanted = false;
  unrolled<N>([&](auto k) LIMEN_LAMBDA {
    in[k] = from[k];
    in[N + M + k] = out[k] = output<F>(t->dx, k);
    wanted = wanted || out[k];
  });
  pointers<F, M>(in + N, t->dy);
  if (!wanted) return;
  const auto body = [&]<bool Add>(std::bool_constant<Add>) LIMEN_LAMBDA {
    return [&](const auto& a, F(&r)[N]) LIMEN_LAMBDA {
      F slope[M][N];
      slopes(a, a + N + M + (Add ? N : 0), slope);
      unrolled<N>([&](auto k) LIMEN_LAMBDA {
        r[k] = pulled(slope, a + N, k);
        if constexpr (Add) r[k] += a[N + M + k];
      });
    };
  };
  if (t->flags & LIMEN_TILE_ACCUMULATE) {
    for_elements<F, G::kMore>(t, t->n, in, out, body(std::true_type{}), g);
  } else {
    const F* first[N + M];
    unrolled<N + M>([&](auto k) LIMEN_LAMBDA { first[k] = in[k]; });
    for_elements<F, G::kMore>(t, t->n, first, out, body(std::false_type{}), g);
  }
}

template <class A, class F, std::size_t N, std::size_t M, class G>
LIMEN_INLINE void map_input_slopes(const G& g, const F* a, const F* e, F (&slope)[M][N]) {
  if constexpr (has_surrogate<A>) {
    const var<F, 0> x[N] = {a[0]};
    slope[0][0] = g.surrogate(x, e).v;
  } else {
    var<F, int{N}> x[N], y[M];
    unrolled<N>([&](auto k) LIMEN_LAMBDA {
      x[k] = a[k];
      x[k].d[k] = 1;
    });
    g.f(x, e, y);
    unrolled<M>([&](auto m) LIMEN_LAMBDA {
      unrolled<N>([&](auto k) LIMEN_LAMBDA { slope[m][k] = y[m].d[k]; });
    });
  }
}

// Backward where derivatives by learned parameters are wanted too, or those have many values.
template <class A, class F>
struct map_learn {
  static constexpr std::size_t N = arity<A>(), M = outputs<A>(), L = learned_count<A>();

  // The inputs are constants here, so that an infinite one does not make 0 * infinity of a
  // derivative.
  template <class G>
  LIMEN_INLINE static void learned_slopes(const G& g, const F* a, const F* e, F (&slope)[M][L]) {
    using W = var<F, int{L}>;
    var<F, 0> x[N];
    W y[M];
    unrolled<N>([&](auto k) LIMEN_LAMBDA { x[k] = a[k]; });
    g.template f<W>(x, e, y);
    unrolled<M>([&](auto m) LIMEN_LAMBDA {
      unrolled<L>([&](auto l) LIMEN_LAMBDA { slope[m][l] = y[m].d[l]; });
    });
  }

  // dx and dw. The terms of dw are summed in double where one value served the whole tile.
  LIMEN_INLINE static void run(const work& t) {
    with_formula<A, F, false>(t, [&](const auto& g) LIMEN_LAMBDA { run_with(t, g); });
  }
  template <class G>
  LIMEN_INLINE static void run_with(const work& t, const G& g) {
    const F* in[2 * N + M];
    F *dx[N], terms[L][kChunk];
    double lanes[L][kLanes] = {};
    const bool add = t->flags & LIMEN_TILE_ACCUMULATE;
    pointers<F, N>(in, t->x);
    pointers<F, M>(in + N, t->dy);
    unrolled<N>([&](auto k) LIMEN_LAMBDA {
      dx[k] = output<F>(t->dx, k);
      in[N + M + k] = dx[k];
    });
    const auto body = [&](const auto& a, F(&r)[N + L]) LIMEN_LAMBDA {
      F slope[M][N], learned[M][L];
      map_input_slopes<A>(g, a, a + 2 * N + M, slope);
      learned_slopes(g, a, a + 2 * N + M, learned);
      // No choice by `add`, which would keep the loop from being vectorised.
      unrolled<N>([&](auto k) LIMEN_LAMBDA { r[k] = pulled(slope, a + N, k) + a[N + M + k]; });
      unrolled<L>([&](auto l) LIMEN_LAMBDA { r[N + l] = pulled(learned, a + N, l); });
    };
    for (std::uint64_t begin = 0; begin < t->n; begin += kChunk) {
      const std::uint64_t count = kChunk < t->n - begin ? kChunk : t->n - begin;
      const F* from[2 * N + M];
      F* to[N + L];
      unrolled<2 * N + M>([&](auto k) LIMEN_LAMBDA {
        from[k] = k >= N + M && !add ? kNothing<F>.values : in[k] ? in[k] + begin : nullptr;
      });
      unrolled<N>([&](auto k) LIMEN_LAMBDA { to[k] = dx[k] ? dx[k] + begin : nullptr; });
      unrolled<L>([&](auto l) LIMEN_LAMBDA { to[N + l] = terms[l]; });
      for_elements<F, G::kMore>(
          t, count, from, to, body,
          [&](std::uint64_t at, std::uint64_t size, auto& buffers, const F** more)
              LIMEN_LAMBDA { g(begin + at, size, buffers, more); });
      unrolled<L>([&](auto l) LIMEN_LAMBDA {
        double* dw = t->dw ? t->dw[learned_param<A>(l)] : nullptr;
        if (dw && g.per_element(l)) {
          LIMEN_LOOP
          for (std::uint64_t i = 0; i < count; ++i)
            dw[begin + i] += static_cast<double>(terms[l][i]);
        } else if (dw) {
          add_lanes(lanes[l], terms[l], count);
        }
      });
    }
    unrolled<L>([&](auto l) LIMEN_LAMBDA {
      double* dw = t->dw ? t->dw[learned_param<A>(l)] : nullptr;
      if (!dw || g.per_element(l)) return;
      join_lanes(lanes[l], [](double a, double b) LIMEN_LAMBDA { return a + b; });
      *dw += lanes[l][0];
    });
  }
};

template <class A, class F>
struct map_backward {
  static constexpr std::size_t N = arity<A>(), M = outputs<A>(), L = learned_count<A>();

  LIMEN_INLINE static void run(const work& t) {
    if constexpr (L > 0) {
      bool learning = any_per_element<A>(t);
      unrolled<L>([&](auto l) LIMEN_LAMBDA {
        if (t->dw && t->dw[learned_param<A>(l)]) learning = true;
      });
      if (learning) return map_learn<A, F>::run(t);
    }
    choose<A>(t->hyper, [&](auto combination) LIMEN_LAMBDA {
      const formula<A, F, combination, false> g(t);
      const F* in[N];
      pointers<F, N>(in, t->x);
      pull_back<F, N, M>(t, in, g, [&](const auto& a, const F* e, F(&slope)[M][N]) LIMEN_LAMBDA {
        map_input_slopes<A>(g, a, e, slope);
      });
    });
  }
};

template <class A, class F>
struct map_backward_from_y {
  LIMEN_INLINE static void run(const work& t) {
    with_formula<A, F, true>(t, [&](const auto& g) LIMEN_LAMBDA {
      const F* in[1] = {output<F>(t->y, 0)};
      pull_back<F, 1, 1>(t, in, g, [&](const auto& a, const F* e, F(&slope)[1][1]) LIMEN_LAMBDA {
        const var<F, 0> y[1] = {a[0]};
        slope[0][0] = g.slope_from_y(y, e).v;
      });
    });
  }
};

template <class A, class F>
struct map_jvp {
  static constexpr std::size_t N = arity<A>(), M = outputs<A>();

  LIMEN_INLINE static void run(const work& t) {
    with_formula<A, F, false>(t, [&](const auto& g) LIMEN_LAMBDA {
      const F* in[2 * N];
      F* out[2 * M];
      pointers<F, N>(in, t->x);
      pointers<F, N>(in + N, t->tx);
      unrolled<M>([&](auto m) LIMEN_LAMBDA {
        out[m] = output<F>(t->ty, m);
        out[M + m] = output<F>(t->y, m);
      });
      const auto body = [&](const auto& a, F(&r)[2 * M]) LIMEN_LAMBDA {
        if constexpr (has_surrogate<A>) {
          const var<F, 0> x[N] = {a[0]};
          var<F, 0> y[M];
          g.f(x, a + 2 * N, y);
          r[0] = a[1] * g.surrogate(x, a + 2 * N).v;
          r[1] = y[0].v;
        } else {
          var<F, 1> x[N], y[M];
          unrolled<N>([&](auto k) LIMEN_LAMBDA {
            x[k] = a[k];
            x[k].d[0] = a[N + k];
          });
          g.f(x, a + 2 * N, y);
          unrolled<M>([&](auto m) LIMEN_LAMBDA {
            r[m] = y[m].d[0];
            r[M + m] = y[m].v;
          });
        }
      };
      for_elements<F, std::remove_cvref_t<decltype(g)>::kMore>(t, t->n, in, out, body, g);
    });
  }
};

// The vector-Jacobian product of (x, dy) -> dx = dy f'(x) with cotangents gx of dx:
// gy[m] = sum_k gx[k] df[m]/dx[k], dx[k] = sum_m dy[m] sum_j gx[j] d2f[m]/dx[j]dx[k].
template <class A, class F>
struct map_backward2 {
  static constexpr std::size_t N = arity<A>(), M = outputs<A>(), kIn = 3 * N + M;

  LIMEN_INLINE static void run(const work& t) {
    const F* in[kIn];
    F* out[N + M];
    const bool add = t->flags & LIMEN_TILE_ACCUMULATE;
    bool wanted = false;
    pointers<F, N>(in, t->x);
    pointers<F, M>(in + N, t->dy);
    pointers<F, N>(in + N + M, t->gx);
    unrolled<N>([&](auto k) LIMEN_LAMBDA {
      out[k] = output<F>(t->dx, k);
      in[2 * N + M + k] = add ? out[k] : nullptr;  // null reads as zeros
      wanted = wanted || out[k];
    });
    unrolled<M>([&](auto m) LIMEN_LAMBDA {
      out[N + m] = output<F>(t->gy, m);
      wanted = wanted || out[N + m];
    });
    if (!wanted) return;
    with_formula<A, F, false>(t, [&](const auto& g) LIMEN_LAMBDA {
      for_elements<F, std::remove_cvref_t<decltype(g)>::kMore>(
          t, t->n, in, out, [&](const auto& a, F(&r)[N + M]) LIMEN_LAMBDA { element(g, a, r); }, g);
    });
  }

  template <class G>
  LIMEN_INLINE static void element(const G& g, const F* a, F (&r)[N + M]) {
    const F *dy = a + N, *gx = a + N + M, *before = a + 2 * N + M, *e = a + kIn;
    if constexpr (has_surrogate<A>) {
      var<F, 1> x[N] = {a[0]};
      x[0].d[0] = gx[0];
      const auto slope = g.surrogate(x, e);
      r[0] = dy[0] * slope.d[0] + before[0];
      r[1] = gx[0] * slope.v;
    } else {
      using inner = var<F, 1>;
      var<inner, int{N}> x[N], y[M];
      unrolled<N>([&](auto k) LIMEN_LAMBDA {
        inner direction = a[k];
        direction.d[0] = gx[k];
        x[k] = direction;
        x[k].d[k] = inner(F(1));
      });
      g.f(x, e, y);
      unrolled<N>([&](auto k) LIMEN_LAMBDA {
        F slope[M][1];
        unrolled<M>([&](auto m) LIMEN_LAMBDA { slope[m][0] = y[m].d[k].d[0]; });
        r[k] = pulled(slope, dy, 0) + before[k];
      });
      unrolled<M>([&](auto m) LIMEN_LAMBDA { r[N + m] = y[m].v.d[0]; });
    }
  }
};

}  // namespace limen::detail
