// A function of several numbers with a claimed gradient, and the places it should be tested at:
// kernels that work on rows, and ops that work on whole tensors.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "check/kernel_call.hpp"
#include "check/ladder.hpp"
#include "check/random.hpp"

namespace limen::check {

struct TestRow {
  std::string name;
  Row x;               // values that f32 holds exactly
  bool equal = false;  // some of them are the same number
};

// Rows that are easy, and rows that are hard: ties, saturation, large values.
std::vector<TestRow> test_rows(std::size_t n, Random random);

class VectorFunction {
 public:
  virtual ~VectorFunction() = default;

  virtual std::size_t inputs() const = 0;
  virtual std::size_t outputs() const = 0;
  virtual bool reads_y() const = 0;
  virtual Row f(const Row& x) = 0;
  virtual Row b(const Row& x, const Row& dy) = 0;
  // f(x), or with `dy` b(x, dy), for many x, one behind the other.
  virtual Row many(const Row& x, const Row* dy = nullptr);
  // J[i * inputs + j] = dy_i / dx_j, from one-hot upstreams. If `relative` is not 0, y_k is scaled
  // by 1 + relative before the backward, to see what its rounding does.
  virtual Row jacobian(const Row& x, std::size_t k = 0, double relative = 0) = 0;

  // For each entry of the Jacobian, how far it moves when every x (and y, if read) moves by
  // `relative`.
  Row moves(const Row& x, double relative);
};

// The ladder over x + t direction for each output; with `dy` over <v, b(x + t direction, dy)>, one
// result. `at` is the size of what moves.
std::vector<Derivative> slopes_along(VectorFunction& function, const Row& x, const Row& direction,
                                     double at, const Precision& precision,
                                     LadderOptions options = {}, const Row* dy = nullptr,
                                     const Row* v = nullptr);

// max |J| over the rows, and at least a small part of max |y|: the size that slopes have, also
// where they are all 0.
double slope_scale(VectorFunction& function, const std::vector<TestRow>& rows);

// Rows of n elements: all inputs one behind the other, then all outputs likewise.
class RowFunction : public VectorFunction {
 public:
  RowFunction(const OpCase& op, const limen_kernel& forward, const limen_kernel& backward,
              std::size_t n, const CallSettings& settings = {});

  std::size_t inputs() const override { return one_.x.size() * n_; }
  std::size_t outputs() const override { return one_.y.size() * n_; }
  bool reads_y() const override { return (backward_.reads & LIMEN_Y) != 0; }
  Row f(const Row& x) override;
  Row b(const Row& x, const Row& dy) override;
  Row many(const Row& x, const Row* dy = nullptr) override;
  Row jacobian(const Row& x, std::size_t k = 0, double relative = 0) override;

 private:
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  std::size_t n_;
  bool draws_;  // each row of a call has draws of its own: one call for each
  Call one_;
  std::optional<Call> many_;  // of the most rows that were asked for
  std::optional<Call> all_;   // a row for each row of the Jacobian

  Row jacobian_by_calls(const Row& x, std::size_t k, double relative);
};

// Operands as one row and back.
Row joined(const Operands& operands);
void split(const Row& row, Operands& operands);

}  // namespace limen::check
