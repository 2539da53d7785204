// Calling the kernels of an op on small operands, with everything around them watched.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <limen/plugin.h>
#include <limen/tensor.hpp>

namespace limen::check {

using Row = std::vector<double>;

// What lies around an operand: bytes that are compared afterwards, or memory that cannot be touched
// right behind its last or right before its first element. Its pages are mapped a second time, for
// reading only: to hand out the one address or the other is much cheaper than to protect pages.
enum class Fence : std::uint8_t { bytes, page_behind, page_before };

struct Unmap {
  std::size_t size = 0;
  void operator()(std::byte* memory) const;
};

// Elements of one type inside a fence, read and written as doubles.
class Operand {
 public:
  // `offset` elements away from a 64-byte boundary (with Fence::bytes).
  Operand(DType dtype, std::size_t n, std::size_t offset = 0, Fence fence = Fence::bytes);
  Operand(const Operand& other) : Operand(other, Fence::bytes) {}
  Operand(const Operand&, Fence fence);
  Operand(Operand&&) = default;
  Operand& operator=(const Operand&) = delete;
  Operand& operator=(Operand&&) = default;

  std::size_t size() const { return n_; }
  DType dtype() const { return dtype_; }
  void* data() { return absent ? nullptr : data_ + view_; }
  double get(std::size_t i) const;
  void set(std::size_t i, double value);                            // rounds to the element type
  void assign(std::span<const double> values, std::size_t at = 0);  // to elements from `at` on
  void read(std::span<double> values, std::size_t at = 0) const;
  void fill(double value);
  Row values() const;
  double largest() const;  // size of its finite elements
  bool guards_intact() const;
  void copy_contents(const Operand& other);  // of the same type and size
  void repeat(const Operand& other);         // its contents, over and over
  bool repeats(const Operand& other, std::size_t first = SIZE_MAX) const;  // bit for bit
  // NaN equals NaN of the same bits. Of both the first elements alone, or all.
  bool same_bits(const Operand& other, std::size_t first = SIZE_MAX) const;
  void protect(bool read_only) { view_ = read_only ? to_view_ : 0; }  // with a fence of pages
  // With a fence of pages: as if made anew, no larger than it was made at first.
  void place(std::size_t n, Fence fence);
  // How many bytes behind the first element `address` lies, if that is in this operand or within a
  // page of it.
  bool near(const void* address, std::ptrdiff_t& bytes) const;

  bool absent = false;  // the kernel gets a null pointer

 private:
  DType dtype_;
  std::size_t n_, offset_;
  Fence fence_;
  std::vector<std::byte> memory_;
  std::unique_ptr<std::byte, Unmap> pages_;
  std::byte* data_ = nullptr;
  std::ptrdiff_t view_ = 0, to_view_ = 0;  // from data_ to what kernels get; to the read-only pages
};

using Operands = std::vector<Operand>;  // one for each input, output or parameter

// An op with resolved parameters and, where it wants one, its instance. Throws Error E0513 if
// create() refuses.
class OpCase {
 public:
  OpCase(const limen_op& op, Row hyper);
  ~OpCase();
  OpCase(const OpCase&) = delete;
  OpCase& operator=(const OpCase&) = delete;

  const limen_op& op() const { return op_; }
  std::span<const double> hyper() const { return hyper_; }
  void* instance() const { return instance_; }
  Row& lent() const { return lent_; }  // what create() got as `hyper`
  std::string label() const;           // "leaky_relu" or "leaky_relu{alpha=0.3}"
  bool rows() const { return op_.kind == LIMEN_ROWS; }
  bool stochastic() const { return (op_.flags & LIMEN_OP_STOCHASTIC) != 0; }

 private:
  const limen_op& op_;
  Row hyper_;
  mutable Row lent_;
  void* instance_ = nullptr;
};

// The kernels of `op` that run at level `isa`, in the order of its table.
std::vector<const limen_kernel*> kernels_of(const limen_op& op, std::uint32_t role,
                                            std::uint32_t dtype, std::uint32_t isa);

// The forward kernel that goes with a backward kernel: of its variant, at its instruction set where
// there is one. nullptr if none runs.
const limen_kernel* forward_for(const limen_op& op, const limen_kernel& kernel, std::uint32_t isa);

std::string describe(const limen_kernel& kernel);  // "f64 backward, x86-64-v4, reads x"

// An index whose low 16 and low 32 bits are others.
inline constexpr std::uint64_t kFarElement = (std::uint64_t{1} << 32) + 70'028;

// What a call has besides its operands; two calls with equal settings see the same function.
struct CallSettings {
  std::uint32_t flags = 0;
  std::uint64_t base = 0;  // of the first element in the whole tensor
  // Both halves of the key, with bits that neither 32 of them nor a double can hold.
  std::uint64_t seed = 0x9e37'79b9'7f4a'7c15, second_seed = 0xd1b5'4a32'd192'ed03;
  std::size_t offset = 0;
  Fence fence = Fence::bytes;
  std::size_t gap = 0;       // elements between the end of a row and the next
  bool first_order = false;  // gx, gy, tx and ty stay empty
};

// All operands of one call: `rows` rows of `n` elements. x, dy, gx, tx, w are inputs.
struct Call {
  Call(const OpCase& op, DType dtype, std::size_t rows, std::size_t n,
       const CallSettings& settings = {});

  const OpCase& op;
  std::size_t rows, n;
  CallSettings settings;
  Operands x, y, dy, dx, gx, gy, tx, ty;
  Row hyper;
  Operands w, dw;                     // of the parameters; all absent at first
  std::vector<std::uint32_t> w_step;  // of each parameter; 1: one value per element
  std::vector<std::byte> state;
  bool y_in_x = false;    // in place: y[0] is the memory of x[0]
  bool dx_in_dy = false;  // dx[0] is the memory of dy[0]
  bool dx_in_x = false;   // dx[0] is the memory of x[0]
  bool one_x = false;     // all inputs are the memory of x[0]

  void run(const limen_kernel& kernel);
  void spoil_scratch();  // fills it with NaN, of any type
  // As if made anew with what `other` holds, which has the same op, type, size and settings.
  void copy_contents(const Call& other);
  // As if made anew with this size and fence, which must be one of pages, as it was.
  void place(std::size_t row_count, std::size_t length, Fence fence);
  // Makes parameter p a learned one, with these values: one, or one for each element.
  void learn(std::size_t p, std::span<const double> values);
  bool guards_intact() const;
  bool state_intact() const;      // nothing was written behind it
  Operand& dx_at(std::size_t k);  // where dx[k] is
  // Every operand with its name: "x[0]", "dx[1]", "dw[0]", for messages.
  std::vector<std::pair<std::string, Operand*>> named();
  // x, y, dy, dx, gx, gy, tx, ty.
  std::array<Operands*, 8> tensors() { return {&x, &y, &dy, &dx, &gx, &gy, &tx, &ty}; }

 private:
  std::size_t behind_state_ = 0;  // bytes
  std::vector<std::byte> scratch_;
  std::vector<void*> pointers_;  // of operands, list behind list
  std::vector<double*> sums_;

  void renew_memory();  // state and scratch
};

inline DType dtype_of_bit(std::uint32_t bit) { return bit == LIMEN_F32 ? DType::f32 : DType::f64; }

}  // namespace limen::check
