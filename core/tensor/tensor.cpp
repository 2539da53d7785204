#include <limen/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "tensor/dispatch.hpp"

namespace limen {

std::size_t size_of(DType dtype) { return dtype == DType::f64 ? 8 : 4; }

std::string_view name_of(DType dtype) {
  return dtype == DType::f32 ? "f32" : dtype == DType::f64 ? "f64" : "i32";
}

Shape::Shape(std::initializer_list<std::int64_t> dims)
    : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) {
  if (dims.size() > kMaxRank) {
    throw Error("E0606",
                fmt::format("a tensor has at most {} axes, got {}", kMaxRank, dims.size()));
  }
  rank_ = static_cast<int>(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 0)
      throw Error("E0606", fmt::format("size {} of axis {} is negative", dims[i], i));
    dims_[i] = dims[i];
  }
}

std::int64_t Shape::elements() const {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 16;  // bytes fit too
  if (std::find(begin(), end(), 0) != end()) return 0;
  std::int64_t n = 1;
  for (const std::int64_t d : *this) {
    if (__builtin_mul_overflow(n, d, &n) || n > kMost) {
      throw Error("E0606",
                  fmt::format("shape {} has more elements than memory can hold", to_string(*this)));
    }
  }
  return n;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

Shape Shape::with(int axis, std::int64_t size) const {
  Shape copy = *this;
  copy.dims_[static_cast<std::size_t>(axis)] = size;
  return copy;
}

Shape Shape::without(int axis) const {
  std::vector<std::int64_t> kept(begin(), end());
  kept.erase(kept.begin() + axis);
  return Shape(std::span<const std::int64_t>(kept));
}

int Shape::axis(int signed_axis) const {
  const int axis = signed_axis < 0 ? signed_axis + rank_ : signed_axis;
  if (axis < 0 || axis >= rank_) {
    throw Error("E0605", fmt::format("axis {} is outside a tensor of {} axes", signed_axis, rank_));
  }
  return axis;
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

std::string to_string(const TensorType& type) {
  return fmt::format("{}{}", name_of(type.dtype), to_string(type.shape));
}

namespace {
constexpr std::size_t kAlignment = 64;
struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t(kAlignment)); }
};
}  // namespace

Tensor::Tensor(TensorType type) : type_(type) {
  // One spare vector, so that kernels may read (never write) a whole register at the end.
  const std::size_t bytes = type.bytes() + kAlignment;
  auto* raw = static_cast<std::byte*>(::operator new[](bytes, std::align_val_t(kAlignment)));
  std::memset(raw, 0, bytes);
  buffer_ = std::shared_ptr<std::byte[]>(raw, AlignedDelete{});
}

Tensor Tensor::scalar(double value, DType dtype) {
  Tensor t(TensorType{Shape{}, dtype});
  dispatch(dtype, [&]<class T>(T) { t.as<T>()[0] = static_cast<T>(value); });
  return t;
}

Tensor Tensor::clone() const {
  Tensor copy(type_);
  std::memcpy(copy.data(), data(), type_.bytes());
  return copy;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  assert(shape.elements() == type_.elements());
  Tensor same = *this;
  same.type_.shape = shape;
  return same;
}

Tensor convert(const Tensor& tensor, DType to) {
  if (tensor.type().dtype == to) return tensor.clone();
  Tensor out(TensorType{tensor.shape(), to});
  dispatch(tensor.type().dtype, [&]<class From>(From) {
    dispatch(to, [&]<class To>(To) {
      const auto in = tensor.as<From>();
      const auto result = out.as<To>();
      for (std::size_t i = 0; i < in.size(); ++i) {
        if constexpr (std::is_same_v<To, std::int32_t> && !std::is_same_v<From, std::int32_t>) {
          const double v = static_cast<double>(in[i]);
          if (!(v == std::floor(v) && v >= -2147483648.0 && v <= 2147483647.0)) {
            throw Error("E0603",
                        fmt::format("element {} is {}, which is no 32-bit whole number", i, v));
          }
        }
        result[i] = static_cast<To>(in[i]);
      }
    });
  });
  return out;
}

}  // namespace limen
