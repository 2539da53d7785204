// Element types that files may hold, and how they become the three that limen holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <limen/tensor.hpp>

namespace limen {

enum class FileType : std::uint8_t { f32, f64, i8, i16, i32, i64, u8 };

std::size_t size_of(FileType type);
std::string_view name_of(FileType type);  // "i64"
DType held_as(FileType type);             // i32 for every whole number
FileType file_type(DType dtype);

// A tensor from a file with the element type it had there.
struct LoadedArray {
  Tensor tensor;
  FileType type = FileType::f32;
};

// Bytes that `shape` takes with that element type; false if the product of its sizes, taken from
// left to right, leaves 63 bits.
bool bytes_of(const Shape& shape, FileType type, std::uint64_t& bytes);

// The elements of `bytes` in the file's order as a tensor. `bytes` must have the size of shape x
// type. Throws Error with `code` where a value does not fit 32 bits, naming `name` and the index;
// E0901 with exit code 7 where memory is short.
Tensor decode(std::string_view bytes, FileType type, bool big_endian, const Shape& shape,
              const std::string& name, const std::string& code = "E0901");

// `flat` holds the elements of `shape` with the first axis running fastest (Fortran's order); the
// same in row-major order.
Tensor from_fortran_order(const Tensor& flat, const Shape& shape);

}  // namespace limen
