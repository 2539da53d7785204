#include "io/element.hpp"

#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include <fmt/format.h>
#include <limen/error.hpp>

#include "tensor/dispatch.hpp"

namespace limen {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files are little-endian and are copied as they are");

template <class T>
T load(const char* at, bool big_endian) {
  char raw[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i) raw[i] = at[big_endian ? sizeof(T) - 1 - i : i];
  T value;
  std::memcpy(&value, raw, sizeof(T));
  return value;
}

template <class From, class To>
void decode_into(std::string_view bytes, bool big_endian, std::span<To> out,
                 const std::string& name, const std::string& code) {
  if (std::is_same_v<From, To> && !big_endian) {
    if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const From value = load<From>(bytes.data() + i * sizeof(From), big_endian);
    if constexpr (sizeof(From) > sizeof(To)) {
      if (value < std::numeric_limits<To>::min() || value > std::numeric_limits<To>::max()) {
        throw Error(code,
                    fmt::format("{}: element {} is {}, which does not fit 32 bits", name, i, value),
                    {"whole numbers are held as i32"});
      }
    }
    out[i] = static_cast<To>(value);
  }
}

}  // namespace

std::size_t size_of(FileType type) {
  switch (type) {
    case FileType::i8:
    case FileType::u8:
      return 1;
    case FileType::i16:
      return 2;
    case FileType::f32:
    case FileType::i32:
      return 4;
    case FileType::f64:
    case FileType::i64:
      break;
  }
  return 8;
}

std::string_view name_of(FileType type) {
  constexpr std::string_view kNames[] = {"f32", "f64", "i8", "i16", "i32", "i64", "u8"};
  return kNames[static_cast<std::size_t>(type)];
}

DType held_as(FileType type) {
  return type == FileType::f32 ? DType::f32 : type == FileType::f64 ? DType::f64 : DType::i32;
}

FileType file_type(DType dtype) {
  return dtype == DType::f32 ? FileType::f32 : dtype == DType::f64 ? FileType::f64 : FileType::i32;
}

bool bytes_of(const Shape& shape, FileType type, std::uint64_t& bytes) {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(product, size, &product)) return false;
  }
  if (__builtin_mul_overflow(product, static_cast<std::int64_t>(size_of(type)), &product))
    return false;
  bytes = static_cast<std::uint64_t>(product);
  return true;
}

Tensor decode(std::string_view bytes, FileType type, bool big_endian, const Shape& shape,
              const std::string& name, const std::string& code) {
  try {
    Tensor out(TensorType{shape, held_as(type)});
    const auto whole = [&]<class From>(From) {
      decode_into<From, std::int32_t>(bytes, big_endian, out.as<std::int32_t>(), name, code);
    };
    switch (type) {
      case FileType::f32:
        decode_into<float, float>(bytes, big_endian, out.as<float>(), name, code);
        break;
      case FileType::f64:
        decode_into<double, double>(bytes, big_endian, out.as<double>(), name, code);
        break;
      case FileType::i8:
        whole(std::int8_t{});
        break;
      case FileType::i16:
        whole(std::int16_t{});
        break;
      case FileType::i32:
        whole(std::int32_t{});
        break;
      case FileType::i64:
        whole(std::int64_t{});
        break;
      case FileType::u8:
        whole(std::uint8_t{});
        break;
    }
    return out;
  } catch (const std::bad_alloc&) {
    throw Error({Diagnostic{.code = code,
                            .message = fmt::format("{}: does not fit into memory", name),
                            .spans = {},
                            .notes = {},
                            .help = {}}},
                Exit::memory);
  }
}

Tensor from_fortran_order(const Tensor& flat, const Shape& shape) {
  Tensor out(TensorType{shape, flat.type().dtype});
  const int rank = shape.rank();
  std::vector<std::int64_t> stride(static_cast<std::size_t>(rank), 1), index(stride.size(), 0);
  for (int axis = 1; axis < rank; ++axis) {
    stride[static_cast<std::size_t>(axis)] =
        stride[static_cast<std::size_t>(axis - 1)] * shape[axis - 1];
  }
  dispatch(flat.type().dtype, [&]<class T>(T) {
    const auto in = flat.as<T>();
    std::int64_t at = 0;
    for (T& value : out.as<T>()) {
      value = in[static_cast<std::size_t>(at)];
      for (int axis = rank - 1; axis >= 0; --axis) {  // count up the last axis, carry to the left
        const auto a = static_cast<std::size_t>(axis);
        at += stride[a];
        if (++index[a] < shape[axis]) break;
        at -= stride[a] * shape[axis];
        index[a] = 0;
      }
    }
  });
  return out;
}

}  // namespace limen
