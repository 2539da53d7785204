// Strided gathers: broadcasting and transposition.
#pragma once

#include <cstdint>
#include <vector>

#include <limen/op.hpp>

namespace limen {

// A kernel that fills a dense tensor of shape `out` from input 0, where a step along axis i moves
// strides[i] elements (0 repeats). Elements are 4 or 8 bytes.
Kernel make_strided_copy(const Shape& out, const std::vector<std::int64_t>& strides,
                         std::size_t element_bytes);

}  // namespace limen
