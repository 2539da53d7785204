// How a graph uses one op of a plugin: all that decides the values of its nodes, their types, and
// how their tensors are laid out for kernels.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <limen/op.hpp>
#include <limen/plugin_registry.hpp>

namespace limen {

inline std::uint32_t dtype_bit(DType dtype) { return dtype == DType::f64 ? LIMEN_F64 : LIMEN_F32; }

// Throws Error E0603 if the op has no kernels of this type.
void need_dtype(const Activation& f, DType dtype);

// Which backward kernel reads the least; `variant` is that of the forward kernel it belongs to.
struct BackwardChoice {
  std::uint32_t reads = LIMEN_X | LIMEN_Y;
  std::uint32_t variant = 0;  // not 0: forward keeps state for it
  bool state() const { return variant != 0; }
};

// Nodes of the op have the inputs: its tensors, [those of the role], its learned parameters, and
// its counter if it is random.
struct ActivationUse {
  Activation f;
  bool cut = false;          // one tensor holds all the pieces that f reads
  std::vector<int> learned;  // the parameters that are tensors, by number, ascending
  int channel_axis = 1;
  bool random = false;  // draws random numbers; a stochastic op that does not is in evaluation
  std::uint64_t seed = 0;

  int arity() const { return static_cast<int>(f.op().arity); }
  int outputs() const { return static_cast<int>(f.op().outputs); }
  int tensors() const { return cut ? 1 : arity(); }
  bool joint() const { return cut || outputs() > 1; }  // some tensor holds several pieces
  int axis(const Shape& shape) const;  // of rows, pieces and joined outputs; rows have it last

  // Equal texts, equal values from equal inputs.
  std::string identity() const;
  // The type of a forward node. Throws Error E06xx for tensors that the op does not take.
  TensorType infer(std::span<const TensorType> in) const;
  TensorType piece(const TensorType& first) const;  // of one piece, from the first tensor

  // The least that a backward kernel of the table reads: nothing, y, x, or both; y before x,
  // because the next op keeps it alive anyway. What forward keeps for it (LIMEN_STATE) is chosen
  // where there is nothing else, or where the table gives all costs and the pair of kernels is
  // cheaper.
  BackwardChoice backward(DType dtype) const;
  // Per element that forward keeps. Of all instruction sets: a type must not depend on the machine.
  std::uint32_t state_bits(DType dtype, std::uint32_t variant) const;
  // Throws Error E0610 if the table has none; `what` says what for.
  const limen_kernel* need_kernel(std::uint32_t role, DType dtype, std::uint32_t isa,
                                  std::uint32_t may_read, std::uint32_t variant,
                                  std::string_view what) const;
};

// The tensors of one piece as a row of elements, cut into runs: within a run every operand is
// contiguous, and the elements have one channel or consecutive ones.
struct ActivationLayout {
  std::int64_t elements = 0;     // of one piece
  std::int64_t piece = 0;        // of them that lie side by side in a tensor of several pieces
  std::int64_t row = 1;          // elements of a row of a row function
  std::int64_t run = 0;          // elements; a whole number of rows
  std::int64_t channels = 1;     // values of a learned parameter
  std::int64_t channel_run = 0;  // neighbours that share a channel; 1: w_step is 1

  std::int64_t tile = 1;           // elements of one kernel call, at most
  std::int64_t calls_per_run = 1;  // that is ceil(run / tile)
  std::int64_t calls = 0;

  bool plain() const { return run == elements; }
};
ActivationLayout layout_of(const ActivationUse& use, std::span<const TensorType> in,
                           const TensorType& piece, int first_learned);

// What create() made for these parameters, destroyed with the last kernel that uses it.
std::shared_ptr<void> make_instance(const Activation& f);

}  // namespace limen
