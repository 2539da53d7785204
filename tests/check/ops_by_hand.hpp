// Ops of several inputs or outputs, with learned parameters, draws, state or whole tensors: tables
// by hand, right ones and wrong ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include <limen/plugin.h>

namespace limen::test {

using Run = void (*)(const limen_tile*);

inline constexpr limen_kernel kernel(std::uint32_t role, std::uint32_t dtype, Run run,
                                     std::uint32_t reads = LIMEN_X) {
  return {sizeof(limen_kernel), role, dtype, LIMEN_ISA_ANY, 0, reads, 0, 0, 0, 0, run};
}

// An op of A: arity, outputs, and
//   f(x, y, noise, w)            forward of one element
//   b(x, dy, dx, dw, noise, w)   backward: dx and the gradient of the parameter
// and where it has them jvp(x, tx, ty) and second(x, dy, gx, gy, dx).
template <class A, class T>
struct Kernels {
  static T noise(const limen_tile* t, std::uint64_t i) {
    if ((t->flags & LIMEN_TILE_EVAL) != 0) return T(0.5);
    std::uint64_t v = (t->seed[0] + 3 * t->seed[1] + 1) * 0x9e3779b97f4a7c15u + t->base + i;
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
    return static_cast<T>((v ^ (v >> 31)) >> 40) * T(0x1p-24);
  }
  static T parameter(const limen_tile* t, std::uint64_t i) {
    if (t->w != nullptr && t->w[0] != nullptr) {
      return static_cast<const T*>(t->w[0])[t->w_step[0] == 0 ? 0 : i];
    }
    return t->hyper == nullptr || !A::learned ? T(0) : static_cast<T>(t->hyper[0]);
  }
  template <std::size_t N>
  static void load(const void* const* list, std::uint64_t i, T (&to)[N]) {
    for (std::size_t k = 0; k < N; ++k) {  // a null pointer in gx stands for zeros
      to[k] = list[k] != nullptr ? static_cast<const T*>(list[k])[i] : T(0);
    }
  }
  template <std::size_t N>
  static void store(const limen_tile* t, void* const* list, std::uint64_t i, const T (&from)[N],
                    bool may_add) {
    for (std::size_t k = 0; k < N; ++k) {
      T* const to = list == nullptr ? nullptr : static_cast<T*>(list[k]);
      if (to == nullptr) continue;
      to[i] = may_add && (t->flags & LIMEN_TILE_ACCUMULATE) != 0 ? to[i] + from[k] : from[k];
    }
  }

  static void forward(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      T x[A::arity], y[A::outputs];
      load(t->x, i, x);
      A::template f<T>(x, y, noise(t, i), parameter(t, i));
      store(t, t->y, i, y, false);
    }
  }
  static void backward(const limen_tile* t) {
    double* const sum = t->dw != nullptr ? t->dw[0] : nullptr;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      T x[A::arity], dy[A::outputs], dx[A::arity];
      double dw = 0;
      load(t->x, i, x);
      load(t->dy, i, dy);
      A::template b<T>(x, dy, dx, dw, noise(t, i), parameter(t, i));
      store(t, t->dx, i, dx, true);
      if (sum != nullptr) sum[t->w_step[0] == 0 ? 0 : i] += dw;
    }
  }
  static void jvp(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      T x[A::arity], tx[A::arity], y[A::outputs], ty[A::outputs];
      load(t->x, i, x);
      load(t->tx, i, tx);
      A::template f<T>(x, y, noise(t, i), parameter(t, i));
      A::template jvp<T>(x, tx, ty);
      store(t, t->y, i, y, false);
      store(t, t->ty, i, ty, false);
    }
  }
  static void second(const limen_tile* t) {
    for (std::uint64_t i = 0; i < t->n; ++i) {
      T x[A::arity], dy[A::outputs], gx[A::arity], gy[A::outputs], dx[A::arity];
      load(t->x, i, x);
      load(t->dy, i, dy);
      load(t->gx, i, gx);
      A::template second<T>(x, dy, gx, gy, dx);
      store(t, t->gy, i, gy, false);
      store(t, t->dx, i, dx, true);
    }
  }
};

inline constexpr limen_param kWeight = {
    sizeof(limen_param), LIMEN_P_REAL, LIMEN_PF_TRAINABLE, 0, "w", "", nullptr, 0.5, -2, 2};

template <class A>
limen_op make_op() {
  constexpr bool kMore = requires { &A::template jvp<float>; };
  static const auto table = [] {
    std::array<limen_kernel, 8> list{};
    std::size_t n = 0;
    const auto add = [&]<class T>(T, std::uint32_t dtype) {
      list[n++] = kernel(LIMEN_FORWARD, dtype, Kernels<A, T>::forward, 0);
      list[n++] = kernel(LIMEN_BACKWARD, dtype, Kernels<A, T>::backward);
      if constexpr (kMore) {
        list[n++] = kernel(LIMEN_JVP, dtype, Kernels<A, T>::jvp);
        list[n++] = kernel(LIMEN_BACKWARD2, dtype, Kernels<A, T>::second);
      }
    };
    add(1.0f, LIMEN_F32);
    add(1.0, LIMEN_F64);
    return list;
  }();
  limen_op op{};
  op.size = sizeof op;
  op.name = A::name;
  op.version = "1.0.0";
  op.kind = LIMEN_MAP;
  op.dtypes = LIMEN_F32 | LIMEN_F64;
  op.arity = A::arity;
  op.outputs = A::outputs;
  op.axis = -1;
  op.n_kernels = kMore ? 8 : 4;
  op.kernels = table.data();
  if (A::stochastic) op.flags = LIMEN_OP_STOCHASTIC;
  if (A::learned) op.n_params = 1, op.params = &kWeight;
  return op;
}

template <unsigned Arity, unsigned Outputs, bool Learned = false, bool Stochastic = false>
struct Shape {
  static constexpr unsigned arity = Arity, outputs = Outputs;
  static constexpr bool learned = Learned, stochastic = Stochastic;
};

template <class T>
T sigmoid(T x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

}  // namespace limen::test
