// The loops with Highway's contrib/math, statically for the instruction set of this compilation.
#define HWY_COMPILE_ONLY_STATIC
#include "activation_peers.hpp"

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace peers {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
constexpr hn::ScalableTag<float> kTag;
using V = hn::Vec<decltype(kTag)>;

HWY_INLINE V number(float x) { return hn::Set(kTag, x); }
HWY_INLINE V sigmoid(V x) {
  return hn::Div(number(1), hn::Add(number(1), hn::Exp(kTag, hn::Neg(x))));
}

template <class Body>
HWY_INLINE void loop(const float* x, const float* dy, float* out, std::size_t n, Body body) {
  for (std::size_t i = 0; i < n; i += hn::Lanes(kTag)) {
    V y = body(hn::LoadU(kTag, x + i));
    if (dy) y = hn::Mul(y, hn::LoadU(kTag, dy + i));
    hn::StoreU(y, kTag, out + i);
  }
}

void sigmoid_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n, [](V a) HWY_ATTR { return sigmoid(a); });
}
void sigmoid_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](V a) HWY_ATTR {
    const V s = sigmoid(a);
    return hn::NegMulAdd(s, s, s);
  });
}
void tanh_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n, [](V a) HWY_ATTR { return hn::Tanh(kTag, a); });
}
void tanh_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](V a) HWY_ATTR {
    const V t = hn::Tanh(kTag, a);
    return hn::NegMulAdd(t, t, number(1));
  });
}
void silu_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n,
       [](V a) HWY_ATTR { return hn::Div(a, hn::Add(number(1), hn::Exp(kTag, hn::Neg(a)))); });
}
void silu_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](V a) HWY_ATTR {
    const V s = sigmoid(a), xs = hn::Mul(a, s);
    return hn::Add(hn::NegMulAdd(xs, s, xs), s);
  });
}
void mish_forward(const float* x, const float*, float* out, std::size_t n) {
  loop(x, nullptr, out, n, [](V a) HWY_ATTR {
    const V e = hn::Exp(kTag, hn::Min(a, number(20))), m = hn::Mul(e, hn::Add(e, number(2)));
    return hn::Div(hn::Mul(a, m), hn::Add(m, number(2)));
  });
}
void mish_derivative(const float* x, const float* dy, float* out, std::size_t n) {
  loop(x, dy, out, n, [](V a) HWY_ATTR {
    const V e = hn::Exp(kTag, hn::Min(a, number(20))), m = hn::Mul(e, hn::Add(e, number(2)));
    const V r = hn::Div(number(1), hn::Add(m, number(2)));
    const V slope = hn::Mul(hn::Mul(hn::MulAdd(e, e, e), number(4)), hn::Mul(r, r));
    return hn::MulAdd(a, slope, hn::Mul(m, r));
  });
}

}  // namespace

const Library& library() {
  static const Library kLibrary = {
      "highway",
      static_cast<int>(hn::Lanes(kTag)),
      {sigmoid_forward, tanh_forward, silu_forward, nullptr, mish_forward},
      {sigmoid_derivative, tanh_derivative, silu_derivative, nullptr, mish_derivative}};
  return kLibrary;
}

}  // namespace HWY_NAMESPACE

const Library& PEERS_NAME() { return HWY_NAMESPACE::library(); }

}  // namespace peers
HWY_AFTER_NAMESPACE();
