// The loops of the optimizers: each passes once over a piece of a parameter, its gradient and its
// slots. Formulas: torch.optim of PyTorch 1.13, single-tensor versions.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/simd.hpp"

namespace limen {

// A piece of a parameter. Slots that a rule does not use are null. Nothing overlaps.
template <class T>
struct Piece {
  T* parameter;
  const T* gradient;
  T* slots[3];
  std::int64_t n;
};

// Scalars of one step. Doubles here, rounded to T once where a loop starts.
struct StepScalars {
  double lr = 0;
  double grad_scale = 1;
  double l2 = 0;                      // added to the gradient, times the parameter
  double keep = 1;                    // the parameter is multiplied by it first (adamw)
  double old_part = 0, new_part = 1;  // buffer = old_part buffer + new_part g
  double from_gradient = 0,
         from_buffer = 1;  // sgd: direction = from_gradient g + from_buffer buffer
  double momentum = 0;     // rmsprop
  double alpha = 0;        // rmsprop
  double beta1 = 0, beta2 = 0;
  double root_correction2 = 1;  // sqrt(1 - beta2^t); lr holds lr / (1 - beta1^t)
  double eps = 0;
};

// Each returns the sum of the squares of the gradient before grad_scale.

template <class T>
T sgd_plain(std::uint32_t isa, const Piece<T>& piece, const StepScalars& s) {
  T result = 0;
  vectorised(isa, [&] {
    T* const p = piece.parameter;
    const T* const g = piece.gradient;
    const T lr = static_cast<T>(s.lr), scale = static_cast<T>(s.grad_scale);
    const T l2 = static_cast<T>(s.l2);
    const std::int64_t n = piece.n;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) {
      sum += g[i] * g[i];
      const T d = g[i] * scale + l2 * p[i];
      p[i] -= lr * d;
    }
    result = sum;
  });
  return result;
}

template <class T>
T sgd_momentum(std::uint32_t isa, const Piece<T>& piece, const StepScalars& s) {
  T result = 0;
  vectorised(isa, [&] {
    T* const p = piece.parameter;
    T* const buffer = piece.slots[0];
    const T* const g = piece.gradient;
    const T lr = static_cast<T>(s.lr), scale = static_cast<T>(s.grad_scale);
    const T l2 = static_cast<T>(s.l2);
    const T old_part = static_cast<T>(s.old_part), new_part = static_cast<T>(s.new_part);
    const T from_g = static_cast<T>(s.from_gradient), from_b = static_cast<T>(s.from_buffer);
    const std::int64_t n = piece.n;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) {
      sum += g[i] * g[i];
      const T d = g[i] * scale + l2 * p[i];
      const T b = old_part * buffer[i] + new_part * d;
      buffer[i] = b;
      p[i] -= lr * (from_g * d + from_b * b);
    }
    result = sum;
  });
  return result;
}

// Slots: square_avg, then grad_avg if centered, then momentum_buffer if there is momentum.
template <class T, bool kCentered, bool kMomentum>
T rmsprop(std::uint32_t isa, const Piece<T>& piece, const StepScalars& s) {
  T result = 0;
  vectorised(isa, [&] {
    T* const p = piece.parameter;
    T* const square = piece.slots[0];
    T* const average = piece.slots[1];
    T* const buffer = piece.slots[kCentered ? 2 : 1];
    const T* const g = piece.gradient;
    const T lr = static_cast<T>(s.lr), scale = static_cast<T>(s.grad_scale);
    const T l2 = static_cast<T>(s.l2), eps = static_cast<T>(s.eps);
    const T alpha = static_cast<T>(s.alpha), rest = static_cast<T>(1 - s.alpha);
    const T momentum = static_cast<T>(s.momentum);
    const std::int64_t n = piece.n;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) {
      sum += g[i] * g[i];
      const T d = g[i] * scale + l2 * p[i];
      T q = alpha * square[i] + rest * (d * d);
      square[i] = q;
      if constexpr (kCentered) {
        const T a = alpha * average[i] + rest * d;
        average[i] = a;
        q -= a * a;
      }
      T step = d / (std::sqrt(q) + eps);
      if constexpr (kMomentum) {
        step += momentum * buffer[i];
        buffer[i] = step;
      }
      p[i] -= lr * step;
    }
    result = sum;
  });
  return result;
}

// Slots: exp_avg, exp_avg_sq.
template <class T>
T adam(std::uint32_t isa, const Piece<T>& piece, const StepScalars& s) {
  T result = 0;
  vectorised(isa, [&] {
    T* const p = piece.parameter;
    T* const first = piece.slots[0];
    T* const second = piece.slots[1];
    const T* const g = piece.gradient;
    const T lr = static_cast<T>(s.lr), scale = static_cast<T>(s.grad_scale);
    const T l2 = static_cast<T>(s.l2), keep = static_cast<T>(s.keep);
    const T eps = static_cast<T>(s.eps), root = static_cast<T>(s.root_correction2);
    const T beta1 = static_cast<T>(s.beta1), rest1 = static_cast<T>(1 - s.beta1);
    const T beta2 = static_cast<T>(s.beta2), rest2 = static_cast<T>(1 - s.beta2);
    const std::int64_t n = piece.n;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) {
      sum += g[i] * g[i];
      const T d = g[i] * scale + l2 * p[i];
      const T m = beta1 * first[i] + rest1 * d;
      const T v = beta2 * second[i] + rest2 * (d * d);
      first[i] = m;
      second[i] = v;
      p[i] = keep * p[i] - lr * (m / (std::sqrt(v) / root + eps));
    }
    result = sum;
  });
  return result;
}

}  // namespace limen
