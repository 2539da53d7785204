// IDX files, the format of MNIST: a magic number (0, 0, element type, number of axes), the sizes as
// 32-bit big-endian numbers, the elements. Source: http://yann.lecun.com/exdb/mnist (file formats).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <limen/tensor.hpp>

#include "io/element.hpp"

namespace limen {

// What the caller knows the file must hold; the error message can then name the magic number.
struct IdxExpectation {
  FileType type = FileType::u8;
  int rank = 1;
};

// Reads u8, i8, i16, i32 (all held as i32), f32 and f64, gzip or not. Throws Error E0901 where the
// file is missing, is something else, is cut short or goes on behind its elements.
LoadedArray read_idx(const std::string& path, std::optional<IdxExpectation> expected = {});
LoadedArray parse_idx(std::string_view bytes, const std::string& name,
                      std::optional<IdxExpectation> expected = {});

}  // namespace limen
