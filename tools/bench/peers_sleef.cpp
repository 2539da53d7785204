// The loops with SLEEF's functions of 1.0 ulp, for the instruction set of this compilation.
#include "activation_peers.hpp"

#include <immintrin.h>
#include <sleef.h>

namespace peers {
namespace {

#if defined(__AVX512F__)
using V = __m512;
constexpr int kLanes = 16;
inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, V v) { _mm512_storeu_ps(p, v); }
inline V exp(V x) { return Sleef_expf16_u10avx512f(x); }
inline V tanh(V x) { return Sleef_tanhf16_u10avx512f(x); }
inline V erf(V x) { return Sleef_erff16_u10avx512f(x); }
inline V smaller(V a, V b) { return _mm512_min_ps(a, b); }
inline V number(float x) { return _mm512_set1_ps(x); }
#else
using V = __m256;
constexpr int kLanes = 8;
inline V load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, V v) { _mm256_storeu_ps(p, v); }
inline V exp(V x) { return Sleef_expf8_u10avx2(x); }
inline V tanh(V x) { return Sleef_tanhf8_u10avx2(x); }
inline V erf(V x) { return Sleef_erff8_u10avx2(x); }
inline V smaller(V a, V b) { return _mm256_min_ps(a, b); }
inline V number(float x) { return _mm256_set1_ps(x); }
#endif

template <class Body>
inline void loop(const float* x, const float* dy, float* out, std::size_t n, Body body) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    V y = body(load(x + i));
    if (dy) y = y * load(dy + i);
    store(out + i, y);
  }
}

inline V sigmoid(V x) { return number(1) / (number(1) + exp(-x)); }
inline V normal(V x) { return number(0.5f) + number(0.5f) * erf(x * number(0.70710678f)); }

void sigmoid_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n, sigmoid);
}
void sigmoid_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](V a) {
    const V s = sigmoid(a);
    return s - s * s;
  });
}
void tanh_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n, tanh);
}
void tanh_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](V a) {
    const V t = tanh(a);
    return number(1) - t * t;
  });
}
void silu_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n, [](V a) { return a / (number(1) + exp(-a)); });
}
void silu_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](V a) {
    const V s = sigmoid(a), xs = a * s;
    return s + (xs - xs * s);
  });
}
void gelu_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n, [](V a) { return a * normal(a); });
}
void gelu_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n,
       [](V a) { return normal(a) + a * number(0.39894228f) * exp(a * a * number(-0.5f)); });
}
void mish_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n, [](V a) {
    const V e = exp(smaller(a, number(20))), m = e * (e + number(2));
    return a * m / (m + number(2));
  });
}
void mish_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](V a) {
    const V e = exp(smaller(a, number(20))), m = e * (e + number(2));
    const V r = number(1) / (m + number(2));
    return m * r + a * ((e * e + e) * number(4) * (r * r));
  });
}

}  // namespace

const Library& PEERS_NAME() {
  static const Library kLibrary = {
      "sleef",
      kLanes,
      {sigmoid_forward, tanh_forward, silu_forward, gelu_forward, mish_forward},
      {sigmoid_derivative, tanh_derivative, silu_derivative, gelu_derivative, mish_derivative}};
  return kLibrary;
}

}  // namespace peers
