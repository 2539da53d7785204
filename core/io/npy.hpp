// NumPy's .npy files: one array each. Format: numpy.lib.format, versions 1.0 to 3.0.
#pragma once

#include <string>
#include <string_view>

#include <limen/tensor.hpp>

#include "io/element.hpp"

namespace limen {

// Reads f32 f64 i32 i64 u8 of either byte order, in C or Fortran order, of up to 8 axes; i64 and u8
// are held as i32. Throws Error E0901 for everything else: other element types by their name,
// Python objects, a header that is none, a file shorter or longer than its header says, a value
// that does not fit 32 bits.
LoadedArray read_npy(const std::string& path);
LoadedArray parse_npy(std::string_view bytes, const std::string& name);

bool is_npy(std::string_view bytes);

// Writes version 1.0, little-endian, C order, whole or not at all. Throws Error E0903.
void write_npy(const std::string& path, const TensorView& tensor);

// The bytes in front of the elements; a multiple of 64.
std::string npy_header(const TensorType& type);

}  // namespace limen
