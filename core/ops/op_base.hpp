// What the op files share: refusing operands, and plain ops made from a table row.
#pragma once

#include <span>
#include <string_view>

#include <limen/op.hpp>

namespace limen {

// Throw Error E06xx naming the op and the operands unless the condition holds.
void require_float(std::string_view op, std::span<const TensorType> in);
void require_equal(std::string_view op, const TensorType& a, const TensorType& b);
void require_rank(std::string_view op, const TensorType& type, int rank, std::string_view what);

}  // namespace limen
