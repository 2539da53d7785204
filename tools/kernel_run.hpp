// Kernels of plugins called directly, on numbers of the caller's choice.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <limen/plugin_registry.hpp>

namespace limen::tools {

class Context;

// Memory for the operands of one op, of one element type. Not for LIMEN_GENERAL ops.
class KernelRun {
 public:
  // `n` elements; of a row function, in each of `rows` rows. Throws Error E0513 where the op
  // refuses its parameters.
  KernelRun(const Activation& activation, std::uint32_t dtype, std::size_t n, std::size_t rows = 1);
  ~KernelRun();
  KernelRun(const KernelRun&) = delete;
  KernelRun& operator=(const KernelRun&) = delete;

  enum Operand : std::uint8_t { x, y, dy, dx, tx, ty, gx, gy, kOperands };
  void set(Operand operand, std::size_t i, double value, std::size_t piece = 0);
  double get(Operand operand, std::size_t i, std::size_t piece = 0) const;
  void fill(Operand operand, double value);

  void run(const limen_kernel& kernel) const { kernel.run(&tile_); }
  std::size_t size() const { return n_ * rows_; }

 private:
  Activation activation_;  // keeps the parameters alive
  std::uint32_t dtype_;
  std::size_t n_, rows_;
  std::vector<std::vector<double>> memory_[kOperands];
  std::vector<void*> pointers_[kOperands];
  std::vector<const void*> learned_;
  std::vector<std::uint32_t> steps_;
  std::vector<double*> gradients_;
  std::vector<double> state_, scratch_;
  void* instance_ = nullptr;
  limen_tile tile_{};
};

// The function of one number that an op is: its first piece runs over `x`, the others stand at 1.
// In f64 if the op has it. Parts without a kernel stay empty.
struct Curves {
  std::vector<double> y, slope, bend;  // f, f', f''
  std::uint32_t dtype = LIMEN_F64;
};
Curves curves_of(const Activation& activation, std::span<const double> x);
// Outputs of a forward kernel of this type, or nothing.
std::vector<double> values_of(const Activation& activation, std::uint32_t dtype,
                              std::span<const double> x);

struct KernelTime {
  const limen_kernel* kernel = nullptr;
  double near_ns = 0, far_ns = 0;  // for an element: operands in the first cache; in none
  double call_ns = 0;              // for one call with a single element
};
// Every kernel of the op that this machine runs. `far` false: near_ns alone.
std::vector<KernelTime> time_kernels(const Activation& activation, bool far);

std::string role_text(std::uint32_t role);            // "forward"
std::string kernel_text(const limen_kernel& kernel);  // "f32 backward x86-64-v3 reads y"

// The ops of a FILE.so, of a plugin's name, or the op of that name. A file gets a registry of its
// own.
std::vector<Activation> ops_of_subject(Context& context, const std::string& subject);

}  // namespace limen::tools
