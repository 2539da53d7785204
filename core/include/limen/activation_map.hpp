// The kernels of an element-wise op, made from its formula. Authors include limen/activation.hpp.
#pragma once

#include <limen/activation_kernels.hpp>

#include <array>

namespace limen::detail {

template <class A>
constexpr std::size_t param_count() {
  if constexpr (requires { A::params; })
    return std::size(A::params);
  else
    return 0;
}
template <class A>
constexpr unsigned arity() {
  if constexpr (requires { A::arity; })
    return A::arity;
  else
    return 1;
}

// Calls a formula with numbers x of type V, then the parameters as constants.
template <class A, class F>
struct formula {
  static constexpr std::size_t kArity = arity<A>(), kParams = param_count<A>();
  F hyper[kParams + 1];

  LIMEN_INLINE explicit formula(const double* values) {
    unrolled<kParams>([&](auto p) LIMEN_LAMBDA { hyper[p] = static_cast<F>(values[p]); });
  }
  template <class V, class Function>
  LIMEN_INLINE V call(Function function, const V* x) const {
    return [&]<std::size_t... I, std::size_t... P>(std::index_sequence<I...>,
                                                   std::index_sequence<P...>) LIMEN_LAMBDA->V {
      return function(x[I]..., var<F, 0>(hyper[P])...);
    }
    (std::make_index_sequence<kArity>{}, std::make_index_sequence<kParams>{});
  }
  template <class V>
  LIMEN_INLINE V f(const V* x) const {
    return call([](auto... a) LIMEN_LAMBDA -> V { return A::f(a...); }, x);
  }
  template <class V>
  LIMEN_INLINE V surrogate(const V* x) const {
    return call([](auto... a) LIMEN_LAMBDA -> V { return A::grad(a...); }, x);
  }
  template <class V>
  LIMEN_INLINE V slope_from_y(const V* y) const {
    return call([](auto... a) LIMEN_LAMBDA -> V { return A::df_y(a...); }, y);
  }
};

template <class A, std::size_t... P>
constexpr bool has_grad(std::index_sequence<P...>) {
  return requires(var<float, 0> x) { A::grad(x, (static_cast<void>(P), x)...); };
}
template <class A, std::size_t... P>
constexpr bool has_df(std::index_sequence<P...>) {
  return requires(var<float, 0> y) { A::df_y(y, (static_cast<void>(P), y)...); };
}
template <class A>
concept has_surrogate = has_grad<A>(std::make_index_sequence<param_count<A>()>{});
template <class A>
concept has_df_y = has_df<A>(std::make_index_sequence<param_count<A>()>{});

template <class A, class F>
struct map_forward {
  LIMEN_INLINE static void run(const limen_tile* t) {
    constexpr std::size_t N = arity<A>();
    const formula<A, F> g(t->hyper);
    const F* in[N];
    unrolled<N>([&](auto k) LIMEN_LAMBDA { in[k] = input<F>(t->x, k); });
    F* out[1] = {output<F>(t->y, 0)};
    for_blocks<F>(t->n, in, out, [&](const F(&a)[N], F(&r)[1]) LIMEN_LAMBDA {
      var<F, 0> x[N];
      unrolled<N>([&](auto k) LIMEN_LAMBDA { x[k] = a[k]; });
      r[0] = g.f(x).v;
    });
  }
};

// dx[k] = dy * slope[k], for slopes computed from the values in[0 .. N-1]; dx += if asked.
template <class F, std::size_t N, class Slopes>
LIMEN_INLINE void pull_back(const limen_tile* t, const F* const (&from)[N], const Slopes& slopes) {
  const F* in[2 * N + 1];
  F* out[N];
  bool wanted = false;
  unrolled<N>([&](auto k) LIMEN_LAMBDA {
    in[k] = from[k];
    in[N + 1 + k] = out[k] = output<F>(t->dx, k);
    wanted = wanted || out[k];
  });
  in[N] = input<F>(t->dy, 0);
  if (!wanted) return;
  const auto body = [&]<bool Add>(std::bool_constant<Add>) LIMEN_LAMBDA {
    return [&](const auto& a, F(&r)[N]) LIMEN_LAMBDA {
      F slope[N];
      slopes(a, slope);
      unrolled<N>([&](auto k) LIMEN_LAMBDA {
        r[k] = a[N] * slope[k];
        if constexpr (Add) r[k] += a[N + 1 + k];
      });
    };
  };
  if (t->flags & LIMEN_TILE_ACCUMULATE) {
    for_elements<F>(t->n, in, out, body(std::true_type{}));
  } else {
    const F* first[N + 1];
    unrolled<N + 1>([&](auto k) LIMEN_LAMBDA { first[k] = in[k]; });
    for_elements<F>(t->n, first, out, body(std::false_type{}));
  }
}

template <class A, class F>
struct map_backward {
  LIMEN_INLINE static void run(const limen_tile* t) {
    constexpr std::size_t N = arity<A>();
    const formula<A, F> g(t->hyper);
    const F* in[N];
    unrolled<N>([&](auto k) LIMEN_LAMBDA { in[k] = input<F>(t->x, k); });
    pull_back<F>(t, in, [&](const auto& a, F(&slope)[N]) LIMEN_LAMBDA {
      if constexpr (has_surrogate<A>) {
        const var<F, 0> x[N] = {a[0]};
        slope[0] = g.surrogate(x).v;
      } else {
        var<F, int{N}> x[N];
        unrolled<N>([&](auto k) LIMEN_LAMBDA {
          x[k] = a[k];
          x[k].d[k] = 1;
        });
        const auto y = g.f(x);
        unrolled<N>([&](auto k) LIMEN_LAMBDA { slope[k] = y.d[k]; });
      }
    });
  }
};

template <class A, class F>
struct map_backward_from_y {
  LIMEN_INLINE static void run(const limen_tile* t) {
    const formula<A, F> g(t->hyper);
    const F* in[1] = {output<F>(t->y, 0)};
    pull_back<F>(t, in, [&](const auto& a, F(&slope)[1]) LIMEN_LAMBDA {
      const var<F, 0> y[1] = {a[0]};
      slope[0] = g.slope_from_y(y).v;
    });
  }
};

template <class A, class F>
struct map_jvp {
  LIMEN_INLINE static void run(const limen_tile* t) {
    constexpr std::size_t N = arity<A>();
    const formula<A, F> g(t->hyper);
    const F* in[2 * N];
    unrolled<N>([&](auto k) LIMEN_LAMBDA {
      in[k] = input<F>(t->x, k);
      in[N + k] = input<F>(t->tx, k);
    });
    F* out[2] = {output<F>(t->ty, 0), output<F>(t->y, 0)};
    for_elements<F>(t->n, in, out, [&](const F(&a)[2 * N], F(&r)[2]) LIMEN_LAMBDA {
      if constexpr (has_surrogate<A>) {
        const var<F, 0> x[N] = {a[0]};
        r[0] = a[1] * g.surrogate(x).v;
        r[1] = g.f(x).v;
      } else {
        var<F, 1> x[N];
        unrolled<N>([&](auto k) LIMEN_LAMBDA {
          x[k] = a[k];
          x[k].d[0] = a[N + k];
        });
        const auto y = g.f(x);
        r[0] = y.d[0];
        r[1] = y.v;
      }
    });
  }
};

// The vector-Jacobian product of (x, dy) -> dx = dy f'(x) with cotangents gx of dx:
// gy = sum_k gx[k] df/dx[k], dx[k] = dy sum_j gx[j] d2f/dx[j]dx[k].
template <class A, class F>
struct map_backward2 {
  LIMEN_INLINE static void run(const limen_tile* t) {
    constexpr std::size_t N = arity<A>();
    const formula<A, F> g(t->hyper);
    const F* in[3 * N + 1];
    F* out[N + 1];
    const bool add = t->flags & LIMEN_TILE_ACCUMULATE;
    out[N] = output<F>(t->gy, 0);
    bool wanted = out[N];
    unrolled<N>([&](auto k) LIMEN_LAMBDA {
      out[k] = output<F>(t->dx, k);
      wanted = wanted || out[k];
      in[k] = input<F>(t->x, k);
      in[N + 1 + k] = input<F>(t->gx, k);
      in[2 * N + 1 + k] = add ? out[k] : nullptr;  // null reads as zeros
    });
    in[N] = input<F>(t->dy, 0);
    if (!wanted) return;
    for_elements<F>(t->n, in, out, [&](const F(&a)[3 * N + 1], F(&r)[N + 1]) LIMEN_LAMBDA {
      const F* gx = a + N + 1;
      if constexpr (has_surrogate<A>) {
        var<F, 1> x[N] = {a[0]};
        x[0].d[0] = gx[0];
        const auto slope = g.surrogate(x);
        r[0] = a[1] * slope.d[0] + a[2 * N + 1];
        r[N] = gx[0] * slope.v;
      } else {
        using inner = var<F, 1>;
        var<inner, int{N}> x[N];
        unrolled<N>([&](auto k) LIMEN_LAMBDA {
          inner direction = a[k];
          direction.d[0] = gx[k];
          x[k] = direction;
          x[k].d[k] = inner(F(1));
        });
        const auto y = g.f(x);
        unrolled<N>([&](auto k) LIMEN_LAMBDA { r[k] = a[N] * y.d[k].d[0] + a[2 * N + 1 + k]; });
        r[N] = y.v.d[0];
      }
    });
  }
};

}  // namespace limen::detail
