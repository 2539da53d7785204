// Softmax and softmax cross entropy over rows of scores.
#pragma once

#include <cstddef>
#include <cstdint>

#include <limen/tensor.hpp>

namespace limen {

struct CrossEntropySizes {
  std::int64_t rows = 0, classes = 0;
  double label_smoothing = 0;
};

// Bytes of scratch for cross_entropy().
std::size_t cross_entropy_scratch(const CrossEntropySizes& sizes, DType dtype);

// The mean over rows of log(sum_j e^z_j) - sum_j t_j z_j with t = (1 - s) onehot(label) + s /
// classes, with the largest score subtracted first. A label outside [0, classes) makes the loss
// NaN.
void cross_entropy(const CrossEntropySizes& sizes, DType dtype, const void* logits,
                   const std::int32_t* labels, void* loss, std::byte* scratch, int threads,
                   std::uint32_t isa);

// dlogits = (softmax(logits) - t) dloss / rows; NaN in the row of a label outside.
void cross_entropy_vjp(const CrossEntropySizes& sizes, DType dtype, const void* logits,
                       const std::int32_t* labels, const void* dloss, void* dlogits, int threads,
                       std::uint32_t isa);

// Rows of softmax; may work in place.
void softmax_rows(std::int64_t rows, std::int64_t classes, DType dtype, const void* in, void* out,
                  int threads, std::uint32_t isa);

}  // namespace limen
