// A pair of row kernels as a function of one row, and the rows it should be tested on.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "check/kernel_call.hpp"
#include "check/random.hpp"

namespace limen::check {

using Row = std::vector<double>;

struct TestRow {
  std::string name;
  Row x;  // values that f32 holds exactly
};

// Rows that are easy, and rows that are hard: ties, saturation, large values.
std::vector<TestRow> test_rows(std::size_t n, Random random);

// max |J| over the rows, and at least a small part of max |y|: the size that slopes have, also
// where they are all 0.
class RowFunction;
double slope_scale(RowFunction& function, const std::vector<TestRow>& rows);

class RowFunction {
 public:
  RowFunction(const OpCase& op, const limen_kernel& forward, const limen_kernel& backward,
              std::size_t n);

  Row f(const Row& x);
  Row b(const Row& x, const Row& dy);
  // J[i * n + j] = dy_i / dx_j, from n one-hot upstreams in one call. If `relative` is not 0, y_k
  // is scaled by 1 + relative before the backward, to see what its rounding does.
  Row jacobian(const Row& x, std::size_t k = 0, double relative = 0);
  // For each entry of the Jacobian, how far it moves when every x (and y, if read) moves by
  // `relative`.
  Row moves(const Row& x, double relative);

 private:
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  std::size_t n_;
  Call one_, all_;
};

}  // namespace limen::check
