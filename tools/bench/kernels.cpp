// Kernels alone, with Google Benchmark: which product to choose at which size, and what the loops
// cost.
#include <vector>

#include <benchmark/benchmark.h>

#include "base/isa.hpp"
#include "kernels/cross_entropy.hpp"
#include "kernels/matmul.hpp"
#include "kernels/reduce.hpp"

namespace {

using limen::DType;
using limen::MatmulKernel;
using limen::MatmulSpec;
using limen::Target;

enum Candidate { kSmall, kOnednn, kEigen };

// Arguments: candidate, m, n, k, transpose_a, transpose_b.
void matmul(benchmark::State& state) {
  const MatmulSpec spec{.m = state.range(1),
                        .n = state.range(2),
                        .k = state.range(3),
                        .transpose_a = state.range(4) != 0,
                        .transpose_b = state.range(5) != 0};
  const Target target{.threads = 1, .isa = limen::detect_isa()};
  const MatmulKernel kernel = state.range(0) == kSmall ? make_matmul_small(spec, target)
                              : state.range(0) == kOnednn
                                  ? make_matmul_onednn(spec, target)
                                  : make_matmul_eigen(spec, DType::f32, target);
  const auto floats = [](std::int64_t n) { return limen::Tensor({{n}, DType::f32}); };
  const limen::Tensor a = floats(spec.m * spec.k), b = floats(spec.k * spec.n),
                      c = floats(spec.m * spec.n);
  const limen::Tensor scratch = floats(static_cast<std::int64_t>(kernel.scratch_bytes / 4 + 16));
  for (auto _ : state) {
    kernel.run(a.data(), b.data(), nullptr, c.data(), scratch.data());
    benchmark::ClobberMemory();
  }
  state.counters["flops"] =
      benchmark::Counter(spec.flops(), benchmark::Counter::kIsIterationInvariantRate);
}

void products(benchmark::internal::Benchmark* b) {
  b->ArgNames({"candidate", "m", "n", "k", "ta", "tb"});
  for (const int candidate : {kSmall, kOnednn, kEigen}) {
    b->Args({candidate, 32, 16, 2, 0, 1})->Args({candidate, 32, 16, 16, 0, 1});
    b->Args({candidate, 16, 16, 32, 1, 0})->Args({candidate, 32, 2, 16, 0, 1});
    b->Args({candidate, 64, 10, 128, 0, 1})->Args({candidate, 10, 128, 64, 1, 0});
    b->Args({candidate, 64, 128, 10, 0, 0})->Args({candidate, 10, 30, 784, 0, 1});
    b->Args({candidate, 30, 784, 10, 1, 0})->Args({candidate, 64, 128, 784, 0, 1});
  }
}
BENCHMARK(matmul)->Apply(products);

void column_sums(benchmark::State& state) {
  const limen::Tensor x({{state.range(0), state.range(1)}, DType::f32});
  const limen::Tensor y({{state.range(1)}, DType::f32});
  for (auto _ : state) {
    reduce(limen::Reduction::sum, DType::f32, {1, state.range(0), state.range(1)}, x.data(),
           y.data(), 1, limen::detect_isa());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(column_sums)->Args({64, 128})->Args({128, 512})->Args({32, 2});

void cross_entropy_vjp(benchmark::State& state) {
  const limen::CrossEntropySizes sizes{state.range(0), state.range(1), 0};
  const limen::Tensor z({{state.range(0), state.range(1)}, DType::f32}), dz = z.clone();
  const limen::Tensor labels({{state.range(0)}, DType::i32});
  const limen::Tensor d = limen::Tensor::scalar(1, DType::f32);
  for (auto _ : state) {
    limen::cross_entropy_vjp(sizes, DType::f32, z.data(), labels.as<std::int32_t>().data(),
                             d.data(), dz.data(), 1, limen::detect_isa());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(cross_entropy_vjp)->Args({64, 10})->Args({32, 2})->Args({128, 1000});

}  // namespace

BENCHMARK_MAIN();
