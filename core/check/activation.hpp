// The parts of check_activation(): each adds its checks of one op case to a report.
#pragma once

#include <cstdint>
#include <string>

#include <limen/gradient_check.hpp>

#include "check/judge.hpp"
#include "check/kernel_call.hpp"

namespace limen::check {

struct ActivationContext {
  const OpCase& op;
  const CheckOptions& options;
  std::uint32_t isa = 0;  // the highest level that runs
  CheckReport& report;

  Tally tally(std::string check, std::string subject) const {
    return {op.label(), std::move(check), std::move(subject), options};
  }
  void add(Tally& tally) const {
    if (tally.any()) report.add(tally.finish());
  }
  bool has(std::uint32_t fact) const {
    return op.op().facts != nullptr && (op.op().facts->flags & fact) != 0;
  }
  double accuracy() const { return op.op().facts == nullptr ? 0 : op.op().facts->accuracy; }
  bool surrogate() const { return (op.op().flags & LIMEN_OP_SURROGATE) != 0; }
};

inline DType dtype_of_bit(std::uint32_t bit) { return bit == LIMEN_F32 ? DType::f32 : DType::f64; }

// Linearity in the upstream, repeatability, poison, honesty of `reads`, ACCUMULATE, in-place, guard
// bytes, independence of neighbours: bit for bit, no derivative needed. Map and row kernels.
void check_contract(const ActivationContext& context, const limen_kernel& forward,
                    const limen_kernel& backward);

// Element-wise functions.
void check_map(const ActivationContext& context);
// Forward kernels against each other, JVP and BACKWARD2 kernels against the backward kernels.
void check_map_variants(const ActivationContext& context);
// Functions of rows: the whole Jacobian.
void check_rows(const ActivationContext& context);
void check_row_variants(const ActivationContext& context);

}  // namespace limen::check
