// Every op as a row: how to build it and where to try it.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "support/gradients.hpp"

namespace limen::test {

struct OpRow {
  std::string name;
  Build build;
  std::vector<std::vector<TensorType>> operands;  // lists of operand types to try
  double low = -2, high = 2;                      // of float operands
  bool second = true;                             // has second derivatives everywhere
};

// What a failed test shows of its row, instead of its bytes.
inline void PrintTo(const OpRow& row, std::ostream* out) { *out << row.name; }

const std::vector<OpRow>& op_table();

// Operands of one try: floats in [low, high), i32 in [0, 3).
std::vector<Tensor> operands_of(const OpRow& row, const std::vector<TensorType>& types,
                                DType dtype);

}  // namespace limen::test
