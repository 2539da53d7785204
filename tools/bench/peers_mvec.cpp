// The loops in plain C++ under -ffast-math: the compiler calls glibc's libmvec.
#include "activation_peers.hpp"

#include <cmath>

namespace peers {
namespace {

template <class Body>
inline void loop(const float* x, float* out, std::size_t n, Body body) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) out[i] = body(x[i]);
}
template <class Body>
inline void loop(const float* x, const float* dy, float* out, std::size_t n, Body body) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) out[i] = dy[i] * body(x[i]);
}

inline float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }
inline float normal(float x) { return 0.5f + 0.5f * std::erf(x * 0.70710678f); }

void sigmoid_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, out, n, sigmoid);
}
void sigmoid_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](float a) {
    const float s = sigmoid(a);
    return s - s * s;
  });
}
void tanh_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, out, n, [](float a) { return std::tanh(a); });
}
void tanh_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](float a) {
    const float t = std::tanh(a);
    return 1 - t * t;
  });
}
void silu_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, out, n, [](float a) { return a / (1 + std::exp(-a)); });
}
void silu_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](float a) {
    const float s = sigmoid(a), xs = a * s;
    return s + (xs - xs * s);
  });
}
void gelu_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, out, n, [](float a) { return a * normal(a); });
}
void gelu_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n,
       [](float a) { return normal(a) + a * 0.39894228f * std::exp(a * a * -0.5f); });
}
void mish_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, out, n, [](float a) {
    const float e = std::exp(a < 20 ? a : 20.0f), m = e * (e + 2);
    return a * m / (m + 2);
  });
}
void mish_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](float a) {
    const float e = std::exp(a < 20 ? a : 20.0f), m = e * (e + 2), r = 1 / (m + 2);
    return m * r + a * ((e * e + e) * 4 * (r * r));
  });
}

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif

}  // namespace

const Library& PEERS_NAME() {
  static const Library kLibrary = {
      "libmvec",
      kLanes,
      {sigmoid_forward, tanh_forward, silu_forward, gelu_forward, mish_forward},
      {sigmoid_derivative, tanh_derivative, silu_derivative, gelu_derivative, mish_derivative}};
  return kLibrary;
}

}  // namespace peers
