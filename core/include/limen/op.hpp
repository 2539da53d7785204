// Op: what a node of a graph does. An op is immutable and shared between graphs; its identity is
// name() + attributes(), the one text that printing, sharing of equal nodes and checkpoints use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/tensor.hpp>

namespace limen {

class Value;

// What a kernel is compiled for. Results may depend on `isa` and `reference`, never on `threads`.
struct Target {
  int threads = 1;
  std::uint32_t isa = 0;  // a LIMEN_ISA_* level of limen/plugin.h; detect_isa() gives the machine's
  bool reference = false;      // the plain (Eigen or loop) version of every kernel
  std::string_view node = {};  // what the model calls the node, for reports; may be empty
};

// The buffers of one call: in[i] and out hold whole tensors, 64-byte aligned; scratch has the bytes
// that the kernel asked for, its content undefined.
struct KernelArgs {
  const std::byte* const* in;
  std::byte* out;
  std::byte* scratch;
  std::byte* second = nullptr;  // the result of the node that shares the call

  template <class T>
  const T* input(int i) const {
    return reinterpret_cast<const T*>(in[i]);
  }
  template <class T>
  T* output() const {
    return reinterpret_cast<T*>(out);
  }
};

// A kernel with every decision already made: types, sizes, instruction set. Calls allocate nothing
// and may come from any thread, one at a time per scratch buffer.
using Kernel = std::function<void(const KernelArgs&)>;

struct CompiledOp {
  Kernel run;
  std::size_t scratch_bytes = 0;
};

class Op {
 public:
  virtual ~Op() = default;

  virtual std::string_view name() const = 0;
  virtual std::string attributes() const { return {}; }

  // The type of the result. The only place where shapes are computed and operands are refused:
  // throws Error E06xx that names the op, the operands and what was expected.
  virtual TensorType infer(std::span<const TensorType> in) const = 0;

  // Vector-Jacobian product: given y = op(x...) and the cotangent dy of y, appends ordinary nodes
  // that compute the cotangent of each input. An invalid Value means "no gradient" (labels,
  // counters). The default throws Error E0610, "not differentiable".
  virtual std::vector<Value> vjp(Value y, Value dy) const;
  // Throws Error E0610 if vjp() has nothing for this input though the result depends on it.
  virtual void require_vjp(int input) const { static_cast<void>(input); }

  // Makes the kernel. Called after infer() has accepted the types.
  virtual CompiledOp compile(std::span<const TensorType> in, const TensorType& out,
                             const Target& target) const = 0;

  // True: `node`, which is of this op, can be written by the call that computes its first input,
  // and does not read that; compile_joint() makes the kernel of both from the other node's types.
  virtual bool shares_call(const Value& node) const { return static_cast<void>(node), false; }
  virtual CompiledOp compile_joint(std::span<const TensorType> in, const TensorType& out,
                                   const Target& target) const {
    return compile(in, out, target);
  }

  // False: the kernel does not read this input, so nothing keeps it alive for this node.
  virtual bool reads(int input) const { return static_cast<void>(input), true; }
  // True: the result is the memory of input 0 under another shape; then compile() is never called.
  virtual bool is_view() const { return false; }
  // Floating-point operations of one call, where they are worth counting (products).
  virtual double flops(std::span<const TensorType> in, const TensorType& out) const {
    return static_cast<void>(in), static_cast<void>(out), 0;
  }
  // True: a result of type `out`, computed at level `isa`, may lie in the memory of this input
  // (same number of bytes).
  virtual bool may_overwrite(int input, const TensorType& out, std::uint32_t isa) const {
    return static_cast<void>(input), static_cast<void>(out), static_cast<void>(isa), false;
  }
};

}  // namespace limen
