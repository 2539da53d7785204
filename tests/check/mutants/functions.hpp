// The functions that most planted mistakes are made in, and their slopes.
#pragma once

#include <cmath>

namespace limen_test {

template <class T>
T sigmoid(T x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
template <class T>
T relu(T x) {
  return x > 0 ? x : x == x ? T(0) : x;
}
template <class T>
T swish(T x) {
  return x * sigmoid(x);
}
template <class T>
T swish_slope(T x) {
  return sigmoid(x) + x * sigmoid(x) * sigmoid(-x);
}
template <class T>
T softplus(T x) {
  return relu(x) + std::log1p(std::exp(-std::abs(x)));
}
template <class T>
T sech2(T x) {
  const T e = std::exp(-2 * std::abs(x));
  return 4 * e / ((1 + e) * (1 + e));
}
template <class T>
T gelu(T x) {
  return T(0.5) * x * std::erfc(-x * T(0.70710678118654752440));
}
template <class T>
T gelu_slope(T x, double pdf_factor = 0.39894228040143267794) {
  return T(0.5) * std::erfc(-x * T(0.70710678118654752440)) +
         x * T(pdf_factor) * std::exp(-x * x / 2);
}
template <class T>
T mish_slope(T x) {
  const T t = std::tanh(softplus(x));
  return t + x * sigmoid(x) * (1 - t * t);
}
template <class T>
T clamp(T x, double low, double high) {
  return x < T(low) ? T(low) : x > T(high) ? T(high) : x;
}

}  // namespace limen_test
