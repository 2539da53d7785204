#include "ops/op_base.hpp"

#include <fmt/format.h>
#include <limen/error.hpp>

namespace limen {

void require_float(std::string_view op, std::span<const TensorType> in) {
  for (const TensorType& type : in) {
    if (!is_float(type.dtype)) {
      throw Error("E0603", fmt::format("`{}` needs f32 or f64, got {}", op, to_string(type)));
    }
    if (type.dtype != in.front().dtype) {
      throw Error("E0603", fmt::format("`{}` needs operands of one element type, got {} and {}", op,
                                       to_string(in.front()), to_string(type)));
    }
  }
}

void require_equal(std::string_view op, const TensorType& a, const TensorType& b) {
  if (a != b) {
    throw Error("E0607", fmt::format("`{}` needs equal shapes, got {} and {}", op, to_string(a),
                                     to_string(b)));
  }
}

void require_rank(std::string_view op, const TensorType& type, int rank, std::string_view what) {
  if (type.shape.rank() != rank) {
    throw Error("E0601",
                fmt::format("`{}` needs {} with {} axes, got {}", op, what, rank, to_string(type)));
  }
}

}  // namespace limen
