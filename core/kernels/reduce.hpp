// Sums and maxima over the middle of [outer, count, inner] arrays, with a summation order that
// depends on the sizes alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include <limen/tensor.hpp>

namespace limen {

struct ReduceSizes {
  std::int64_t outer = 1, count = 1, inner = 1;
};

enum class Reduction { sum, max };

// out[o, i] = reduction over c of in[o, c, i]. Sums of floats keep 32 partial sums, add blocks of
// 1024 in f64 and round once; columns add blocks of 64 rows. An empty sum is 0, an empty maximum
// -inf. The maximum of anything with a NaN is NaN.
void reduce(Reduction kind, DType dtype, const ReduceSizes& sizes, const void* in, void* out,
            int threads, std::uint32_t isa);

}  // namespace limen
