// A graph compiled to an array of steps over one arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <limen/graph.hpp>
#include <limen/tensor.hpp>

namespace limen {

struct CompileOptions {
  int threads = 1;
  bool optimize = true;      // run the passes first
  bool reuse_memory = true;  // let buffers of dead tensors be used again, and ops run in place
  bool reference = false;    // plain kernels (Eigen, loops) instead of the fast ones
  std::uint32_t isa = 0;     // highest instruction set; 0: the machine's (LIMEN_ISA respected)
};

struct ExecutableStats {
  std::size_t steps = 0;
  std::size_t arena_bytes = 0;
  std::size_t scratch_bytes = 0;
  double flops = 0;  // multiply-adds of matrix products count as two
};

// Bind every input and parameter, run, read the outputs. run() allocates nothing of its own. One
// thread at a time per Executable; different ones may run at once. The graph may be destroyed after
// compile(); so may the plugin registry.
class Executable {
 public:
  Executable(Executable&&) noexcept;
  Executable& operator=(Executable&&) noexcept;
  ~Executable();

  // Keeps `tensor` (sharing its buffer) as the memory of that input or parameter. A name the graph
  // lacks throws Error E0405, another type Error E0602.
  void bind(std::string_view name, const Tensor& tensor);
  // Computes all outputs. Throws Error E0408 if something was never bound.
  void run();
  // The memory of an output: valid until the next run() or until the Executable goes. A name the
  // graph lacks throws Error E0405, a leaf that was never bound E0408.
  TensorView output(std::string_view name) const;

  std::vector<std::string> input_names() const;
  std::vector<std::string> output_names() const;
  const ExecutableStats& stats() const;

  // Time per kind of op in one instrumented run: (identity, seconds, calls), slowest first.
  struct OpTime {
    std::string op;
    double seconds = 0;
    int calls = 0;
  };
  std::vector<OpTime> profile(int repeats);

 private:
  friend Executable compile(const Graph&, const CompileOptions&);
  struct Impl;
  explicit Executable(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

Executable compile(const Graph& graph, const CompileOptions& options = {});

}  // namespace limen
