// Softmax and its kin: y_i = e^(s_i) / sum_j e^(s_j) for scores s = k x, or k times what an op
// makes of x. The op A says A::scale(row), which is k, and A::operands(row, body), which calls body
// with the operands that A::score(k, values...) takes.
#pragma once

#include <limen/activation.hpp>

namespace limen {

// e^(s - max): 1 at the maximum, even where it is infinite. What rounding takes from the difference
// is given back, for the exponential would multiply it by the difference.
LIMEN_INLINE auto weight(auto s, auto max) {
  const auto d = s - max, z = d - s, lost = (s - (d - z)) - (max + z);
  const auto e = exp(d);
  return s == max ? 1 : d < -800 ? 0 : e + e * lost;
}

// The sum of all weights. A single +infinity takes all; several, or -infinity alone, have no limit.
LIMEN_INLINE auto total(auto sum, auto max) {
  return abs(max) == kInfinity && sum > 1 ? sum * kNaN : sum;
}

// The sum of weights, each at most 1: of their upper halves, which is exact for some thousand of
// them, and of what is left. A plain sum of a thousand loses more than all the rest.
template <class F>
LIMEN_INLINE auto sum_of_weights(const auto& r, const F* weights) {
  const double magic =
      sizeof(F) == 4 ? 0x1.8p12 : 0x1.8p26;  // added, it rounds the lower half away
  const auto upper = r.sum([=](auto e) { return (e + magic) - magic; }, weights);
  const auto lower = r.sum([=](auto e) { return e - ((e + magic) - magic); }, weights);
  return upper + lower;
}

template <class A>
struct softmax_of {
  static void probabilities(const auto& r, auto* y) {
    A::operands(r, [&](const auto&... in) LIMEN_LAMBDA {
      const auto k = A::scale(r);
      const auto max = r.max([=](auto... v) { return A::score(k, v...); }, in...);
      r.map(
          y, [=](auto... v) { return weight(A::score(k, v...), max); }, in...);
      const auto sum = total(sum_of_weights(r, static_cast<decltype(r.x)>(y)), max);
      r.map(
          y, [=](auto e) { return e / sum; }, y);
    });
  }
  static void forward(const auto& r) { probabilities(r, r.y); }

  // dx = k y (dy - <y, dy>)
  static void backward(const auto& r) {
    const auto k = A::scale(r);
    const auto mean = r.sum([](auto y, auto dy) { return y * dy; }, r.y, r.dy);
    r.map(
        r.dx, [=](auto y, auto dy) { return k * (y * (dy - mean)); }, r.y, r.dy);
  }

  // ty = k y (tx - <y, tx>)
  static void jvp(const auto& r) {
    const auto k = A::scale(r);
    const auto p = r.y ? r.y : r.ty;
    probabilities(r, p);
    const auto mean = r.sum([](auto y, auto tx) { return y * tx; }, p, r.tx);
    r.map(
        r.ty, [=](auto y, auto tx) { return k * (y * (tx - mean)); }, p, r.tx);
  }

  // With a = <y, dy>, b = <y, gx>, c = <y, dy gx> - a b: gy = k y (gx - b),
  // dx = k^2 y ((gx - b) (dy - a) - c). There may be no room to keep y, and an exponential in a
  // loop is much code, so two loops with one each run several times.
  static void backward2(const auto& r) {
    A::operands(r, [&](const auto&... in) LIMEN_LAMBDA {
      const auto k = A::scale(r);
      const auto max = r.max([=](auto... v) { return A::score(k, v...); }, in...);
      const auto e = [=](auto... v) { return weight(A::score(k, v...), max); };
      std::remove_const_t<decltype(max)> m[4];  // the sums of e, e dy, e gx, e dy gx
      LIMEN_ROLLED
      for (int j = 0; j < 4; ++j) {
        m[j] = r.sum([=](auto dy, auto gx,
                         auto... v) { return e(v...) * (j & 1 ? dy : 1) * (j & 2 ? gx : 1); },
                     r.dy, r.gx, in...);
      }
      const auto sum = total(m[0], max), a = m[1] / sum, b = m[2] / sum, c = m[3] / sum - a * b;
      LIMEN_ROLLED
      for (int j = 0; j < 2; ++j) {
        auto* const out = j == 0 ? r.gy : r.dx.at;
        const bool add = j == 1 && r.dx.add;
        const auto factor = j == 0 ? k / sum : k * k / sum, less = j == 0 ? 0 * c : c;
        r.map(
            out,
            [=](auto old, auto dy, auto gx, auto... v) {
              const auto rest = (gx - b) * (j == 0 ? 1 : dy - a) - less;
              return (add ? old : 0) + factor * e(v...) * rest;
            },
            static_cast<decltype(r.x)>(out), r.dy, r.gx, in...);
      }
    });
  }
};

}  // namespace limen
