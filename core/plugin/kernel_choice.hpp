// Which entry of an op's table of kernels is used.
#pragma once

#include <limen/plugin.h>

#include <cstdint>

namespace limen {

// The kernel of a role, element type and variant that runs at level `isa` and reads nothing outside
// `may_read`: the highest level, then the first of the table. Null if there is none.
const limen_kernel* choose_kernel(const limen_op& op, std::uint32_t role, std::uint32_t dtype,
                                  std::uint32_t isa, std::uint32_t may_read,
                                  std::uint32_t variant) noexcept;

}  // namespace limen
