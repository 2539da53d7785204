// Calling the kernels of an op on small operands, with everything around them watched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <limen/plugin.h>
#include <limen/tensor.hpp>

namespace limen::check {

// Elements of one type between guard bytes, read and written as doubles.
class Operand {
 public:
  // `offset` elements away from a 64-byte boundary.
  Operand(DType dtype, std::size_t n, std::size_t offset = 0);
  Operand(const Operand&);
  Operand& operator=(const Operand&) = delete;

  std::size_t size() const { return n_; }
  void* data() { return data_; }
  double get(std::size_t i) const;
  void set(std::size_t i, double value);  // rounds to the element type
  void assign(std::span<const double> values);
  void fill(double value);
  std::vector<double> values() const;
  bool guards_intact() const;
  bool same_bits(const Operand& other) const;  // NaN equals NaN of the same bits

 private:
  DType dtype_;
  std::size_t n_, offset_;
  std::vector<std::byte> memory_;
  std::byte* data_ = nullptr;
};

// An op with resolved parameters and, where it wants one, its instance. Throws Error E0513 if
// create() refuses.
class OpCase {
 public:
  OpCase(const limen_op& op, std::vector<double> hyper);
  ~OpCase();
  OpCase(const OpCase&) = delete;
  OpCase& operator=(const OpCase&) = delete;

  const limen_op& op() const { return op_; }
  std::span<const double> hyper() const { return hyper_; }
  const void* instance() const { return instance_; }
  std::string label() const;  // "leaky_relu" or "leaky_relu{alpha=0.3}"
  bool rows() const { return op_.kind == LIMEN_ROWS; }

 private:
  const limen_op& op_;
  std::vector<double> hyper_;
  void* instance_ = nullptr;
};

// The kernels of `op` that run at level `isa`, in the order of its table.
std::vector<const limen_kernel*> kernels_of(const limen_op& op, std::uint32_t role,
                                            std::uint32_t dtype, std::uint32_t isa);

// The forward kernel that goes with a backward kernel: of its variant, at its instruction set where
// there is one. nullptr if none runs.
const limen_kernel* forward_for(const limen_op& op, const limen_kernel& kernel, std::uint32_t isa);

std::string describe(const limen_kernel& kernel);  // "f64 backward, x86-64-v4, reads x"

// All operands of one call: `rows` rows of `n` elements. x, dy, gx, tx are inputs.
struct Call {
  Call(const OpCase& op, DType dtype, std::size_t rows, std::size_t n, std::size_t offset = 0);

  const OpCase& op;
  std::size_t rows, n;
  Operand x, y, dy, dx, gx, gy, tx, ty;
  std::vector<std::byte> state;
  bool y_in_x = false;    // in place: y is the memory of x
  bool dx_in_dy = false;  // dx is the memory of dy
  bool dx_in_x = false;   // dx is the memory of x
  std::uint32_t flags = 0;

  void run(const limen_kernel& kernel);
  bool guards_intact() const;
  Operand& dx_result() { return dx_in_dy ? dy : dx_in_x ? x : dx; }

 private:
  std::vector<std::byte> scratch_;
};

}  // namespace limen::check
