// A formula, called with numbers, parameters and noise. Authors include limen/activation.hpp.
#pragma once

#include <limen/activation_noise.hpp>
#include <limen/activation_params.hpp>

namespace limen {
namespace detail {

// The outputs of a formula that has several.
template <class First, class... Rest>
struct joined {
  First first;
  joined<Rest...> rest;
};
template <class First>
struct joined<First> {
  First first;
};
template <class T>
constexpr std::size_t joined_count = 0;
template <class... T>
constexpr std::size_t joined_count<joined<T...>> = sizeof...(T);

template <class V, class T>
LIMEN_INLINE void spread(const T& result, V* y) {
  if constexpr (joined_count<T> == 0) {
    *y = result;
  } else {
    *y = result.first;
    if constexpr (joined_count < T >> 1) spread(result.rest, y + 1);
  }
}

template <class T, class V>
constexpr bool converts = std::is_convertible_v<T, V>;
template <class... T, class V>
constexpr bool converts<joined<T...>, V> = (std::is_convertible_v<T, V> && ...);

}  // namespace detail

// What f returns when it has several outputs: one number for each.
template <class First, class... Rest>
LIMEN_INLINE auto join(const First& first, const Rest&... rest) {
  if constexpr (sizeof...(Rest) == 0)
    return detail::joined<First>{first};
  else
    return detail::joined<First, Rest...>{first, join(rest...)};
}

namespace detail {

// A parameter as f receives it: a choice as a constant; a learnable one as a W, with its derivative
// where W has room for it; or a plain number.
template <class A, std::size_t Combination, std::size_t P, class W, class F>
LIMEN_INLINE auto argument(F value) {
  if constexpr (is_choice<A>(P)) {
    return std::integral_constant<int, chosen<A>(Combination, P)>{};
  } else if constexpr (!std::same_as<W, var<F, 0>> && trainable<A>(P)) {
    W number = value;
    number.d[learned_place<A>(P)] = 1;
    return number;
  } else {
    return var<F, 0>(value);
  }
}

template <class A, std::size_t P>
using argument_type = decltype(argument<A, 0, P, var<float, 0>>(0.0f));
template <class A>
using inputs_of = std::make_index_sequence<arity<A>()>;
template <class A>
using params_of = std::make_index_sequence<param_count<A>()>;
template <class A>
using noise_of = std::make_index_sequence<stochastic<A>() ? 1 : 0>;

template <class A, class V, std::size_t... I, std::size_t... P, std::size_t... N>
constexpr bool calls_f(std::index_sequence<I...>, std::index_sequence<P...>,
                       std::index_sequence<N...>) {
  return requires(V x, element_noise<float> u) {
    A::f((static_cast<void>(I), x)..., argument_type<A, P>()..., (static_cast<void>(N), u)...);
  };
}
template <class A, std::size_t... P, std::size_t... N>
constexpr bool calls_grad(std::index_sequence<P...>, std::index_sequence<N...>) {
  return requires(var<float, 0> x, element_noise<float> u) {
    A::grad(x, argument_type<A, P>()..., (static_cast<void>(N), u)...);
  };
}
template <class A, std::size_t... P, std::size_t... N>
constexpr bool calls_df_y(std::index_sequence<P...>, std::index_sequence<N...>) {
  return requires(var<float, 0> y, element_noise<float> u) {
    A::df_y(y, argument_type<A, P>()..., (static_cast<void>(N), u)...);
  };
}
template <class A>
concept map_function = calls_f<A, var<float, 0>>(inputs_of<A>{}, params_of<A>{}, noise_of<A>{});
template <class A>
concept has_surrogate = calls_grad<A>(params_of<A>{}, noise_of<A>{});
template <class A>
concept has_df_y = calls_df_y<A>(params_of<A>{}, noise_of<A>{});

// A formula with its parameters, ready to be called with numbers. Learned parameters that have one
// value per element (`PerElement`) and noise are further inputs of a loop, behind its own: `e`.
template <class A, class F, std::size_t Combination, bool PerElement>
struct formula {
  static constexpr std::size_t kParams = param_count<A>();
  static constexpr std::size_t kStreams = PerElement ? learned_count<A>() : 0;
  static constexpr std::size_t kMore = kStreams + (stochastic<A>() ? 1 : 0);
  work t;
  F hyper[kParams + 1];

  LIMEN_INLINE explicit formula(const work& tile) : t(tile) {
    unrolled<kParams>([&](auto p) LIMEN_LAMBDA {
      hyper[p] = static_cast<F>(tile->hyper[p]);
      if constexpr (trainable<A>(p) && !PerElement) {
        if (const F* w = input<F>(tile->w, p)) hyper[p] = *w;
      }
    });
  }

  LIMEN_INLINE void operator()(std::uint64_t begin, [[maybe_unused]] std::uint64_t count,
                               F (&buffers)[kMore + 1][kChunk], const F** more) const {
    unrolled<kStreams>([&](auto l) LIMEN_LAMBDA {
      constexpr std::size_t p = learned_param<A>(l);
      const F* w = input<F>(t->w, p);
      more[l] = buffers[l];
      if (per_element(l))
        more[l] = w + begin;
      else
        fill_chunk(buffers[l], w ? *w : static_cast<F>(t->hyper[p]));
    });
    if constexpr (stochastic<A>()) {
      more[kStreams] = buffers[kStreams];
      if (training())
        fill_uniform(buffers[kStreams], t->seed, t->base + begin, count);
      else
        fill_chunk(buffers[kStreams], F(0.5));
    }
  }
  LIMEN_INLINE bool per_element(std::size_t l) const {
    const std::size_t p = learned_param<A>(l);
    return PerElement && input<F>(t->w, p) && t->w_step[p];
  }
  LIMEN_INLINE bool training() const { return !(t->flags & LIMEN_TILE_EVAL); }

  // function(inputs..., parameters..., noise), learnable parameters being numbers of type W
  template <std::size_t Inputs, class W, class Function, class X>
  LIMEN_INLINE auto call(Function function, const X* x, const F* e) const {
    element_noise<F> u{F(0.5), training()};
    if constexpr (stochastic<A>()) u.value = e[kStreams];
    return [&]<std::size_t... I, std::size_t... P, std::size_t... N>(
        std::index_sequence<I...>, std::index_sequence<P...>, std::index_sequence<N...>)
        LIMEN_LAMBDA {
      return function(x[I]..., argument<A, Combination, P, W>(param<P>(e))...,
                      (static_cast<void>(N), u)...);
    }
    (std::make_index_sequence<Inputs>{}, params_of<A>{}, noise_of<A>{});
  }
  template <std::size_t P>
  LIMEN_INLINE F param(const F* e) const {
    if constexpr (PerElement && trainable<A>(P))
      return e[learned_place<A>(P)];
    else
      return hyper[P];
  }

  template <class W = var<F, 0>, class X, class V>
  LIMEN_INLINE void f(const X* x, const F* e, V (&y)[outputs<A>()]) const {
    const auto result =
        call<arity<A>(), W>([](auto... a) LIMEN_LAMBDA { return A::f(a...); }, x, e);
    using R = std::remove_const_t<decltype(result)>;
    static_assert(joined_count<R> == (outputs<A>() == 1 ? 0 : outputs<A>()),
                  "f must return one number, or limen::join(...) of as many as there are outputs");
    static_assert(converts<R, V>,
                  "f must return a number of the type of its inputs, or a constant");
    if constexpr (converts<R, V>) spread(result, y);
  }
  template <class X>
  LIMEN_INLINE X surrogate(const X* x, const F* e) const {
    return call<1, var<F, 0>>([](auto... a) LIMEN_LAMBDA { return A::grad(a...); }, x, e);
  }
  template <class X>
  LIMEN_INLINE X slope_from_y(const X* y, const F* e) const {
    return call<1, var<F, 0>>([](auto... a) LIMEN_LAMBDA { return A::df_y(a...); }, y, e);
  }
};

template <class A>
LIMEN_INLINE bool any_per_element(const work& t) {
  bool any = false;
  unrolled<learned_count<A>()>([&](auto l) LIMEN_LAMBDA {
    constexpr std::size_t p = learned_param<A>(l);
    if (t->w && t->w[p] && t->w_step[p]) any = true;
  });
  return any;
}

// body(formula) for the choices of this call. The form with one value per element serves all calls
// of ops with learnable parameters; `Both`: where they are rare, one value per call has its own.
template <class A, class F, bool Both, class Body>
LIMEN_INLINE void with_formula(const work& t, const Body& body) {
  choose<A>(t->hyper, [&](auto combination) LIMEN_LAMBDA {
    if constexpr (learned_count<A>() > 0) {
      if (!Both || any_per_element<A>(t)) return body(formula<A, F, combination, true>(t));
    }
    if constexpr (Both || learned_count<A>() == 0) body(formula<A, F, combination, false>(t));
  });
}

}  // namespace detail
}  // namespace limen
