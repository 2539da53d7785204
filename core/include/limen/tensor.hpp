// Dense tensors: row-major, contiguous, 64-byte aligned. Kernels see plain pointers.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace limen {

enum class DType : std::uint8_t { f32, f64, i32 };

std::size_t size_of(DType dtype);       // bytes of one element
std::string_view name_of(DType dtype);  // "f32"
inline bool is_float(DType dtype) { return dtype != DType::i32; }

// Sizes of a tensor's axes, outermost first. Rank 0 is a scalar with one element. A value type
// without allocation.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(
      std::span<const std::int64_t> dims);  // throws Error E0606 above kMaxRank or below 0

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  std::int64_t elements() const;  // throws Error E0606 where the bytes would leave 64 bits
  std::span<const std::int64_t> dims() const {
    return {dims_.data(), static_cast<std::size_t>(rank_)};
  }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }
  bool operator==(const Shape& other) const;

  Shape with(int axis, std::int64_t size) const;  // the same with one size replaced
  Shape without(int axis) const;                  // the same with one axis dropped
  // Axis counted from the end if negative, in [0, rank); throws Error E0605 outside.
  int axis(int signed_axis) const;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

std::string to_string(const Shape& shape);  // "[3, 4]"

struct TensorType {
  Shape shape;
  DType dtype = DType::f32;
  bool operator==(const TensorType&) const = default;
  std::int64_t elements() const { return shape.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype); }
};

std::string to_string(const TensorType& type);  // "f32[3, 4]"

template <class T>
constexpr DType dtype_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> ||
                std::is_same_v<T, std::int32_t>);
  return std::is_same_v<T, float>    ? DType::f32
         : std::is_same_v<T, double> ? DType::f64
                                     : DType::i32;
}

// A tensor somebody else owns. Valid as long as the owner says.
struct TensorView {
  std::byte* data = nullptr;
  TensorType type;

  // The elements; T must be the tensor's own element type.
  template <class T>
  std::span<T> as() const {
    assert(dtype_of<std::remove_const_t<T>>() == type.dtype);
    return {reinterpret_cast<T*>(data), static_cast<std::size_t>(type.elements())};
  }
};

// A tensor that shares its buffer with its copies (as a shared_ptr does); the buffer is zeroed at
// construction and freed with the last copy. Throws std::bad_alloc.
class Tensor {
 public:
  Tensor() = default;  // no buffer: valid() is false
  explicit Tensor(TensorType type);
  static Tensor scalar(double value, DType dtype);

  bool valid() const { return buffer_ != nullptr; }
  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  std::byte* data() const { return buffer_.get(); }
  TensorView view() const { return {buffer_.get(), type_}; }
  template <class T>
  std::span<T> as() const {
    return view().as<T>();
  }
  Tensor clone() const;                       // a buffer of its own
  Tensor reshaped(const Shape& shape) const;  // same buffer; elements must agree

 private:
  TensorType type_;
  std::shared_ptr<std::byte[]> buffer_;
};

// A copy with another element type. Values round to nearest; f32/f64 to i32 must be whole numbers
// in range, else Error E0603.
Tensor convert(const Tensor& tensor, DType to);

}  // namespace limen
