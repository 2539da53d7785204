// Making, filling and comparing tensors.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <random>
#include <vector>

#include <limen/tensor.hpp>

namespace limen::test {

template <class T>
Tensor tensor(const Shape& shape, const std::vector<T>& values) {
  Tensor t(TensorType{shape, dtype_of<T>()});
  assert(values.size() == t.as<T>().size());
  std::copy(values.begin(), values.end(), t.as<T>().begin());
  return t;
}
inline Tensor floats(const Shape& shape, const std::vector<float>& values) {
  return tensor<float>(shape, values);
}
inline Tensor doubles(const Shape& shape, const std::vector<double>& values) {
  return tensor<double>(shape, values);
}
inline Tensor integers(const Shape& shape, const std::vector<std::int32_t>& values) {
  return tensor<std::int32_t>(shape, values);
}

// Uniform in [low, high); whole numbers from low to high - 1 for i32.
inline Tensor random_tensor(const TensorType& type, std::uint64_t seed, double low = -1,
                            double high = 1) {
  std::mt19937_64 generator(seed * 7919 + 17);
  const Tensor t(type);
  std::uniform_real_distribution<double> real(low, high);
  const auto fill = [&](auto values) {
    for (auto& v : values) {
      const double drawn = real(generator);
      v = static_cast<std::decay_t<decltype(v)>>(type.dtype == DType::i32 ? std::floor(drawn)
                                                                          : drawn);
    }
  };
  if (type.dtype == DType::f32) fill(t.as<float>());
  if (type.dtype == DType::f64) fill(t.as<double>());
  if (type.dtype == DType::i32) fill(t.as<std::int32_t>());
  return t;
}

inline std::vector<double> values(const TensorView& view) {
  const auto copy = [](auto span) { return std::vector<double>(span.begin(), span.end()); };
  if (view.type.dtype == DType::f32) return copy(view.as<float>());
  if (view.type.dtype == DType::f64) return copy(view.as<double>());
  return copy(view.as<std::int32_t>());
}
inline std::vector<double> values(const Tensor& t) { return values(t.view()); }

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.data(), b.data(), a.type().bytes()) == 0;
}

// The largest |a - b| / max(1, |a|, |b|); infinite where types differ or one is NaN and the other
// is not.
inline double distance(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  const std::vector<double> x = values(a), y = values(b);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double d = std::abs(x[i] - y[i]) / std::max({1.0, std::abs(x[i]), std::abs(y[i])});
    worst = std::isnan(d) ? INFINITY : std::max(worst, d);
  }
  return worst;
}

}  // namespace limen::test
