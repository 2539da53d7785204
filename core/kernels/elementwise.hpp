// Loops over elements: one function applied everywhere, vectorised for the target, cut in pieces of
// a fixed size.
#pragma once

#include <cstdint>

#include <limen/op.hpp>
#include "base/parallel.hpp"
#include "base/simd.hpp"

namespace limen {

inline constexpr std::int64_t kElementGrain = 16384;  // elements per piece: 64 KiB of f32

// out[i] = f(in[i]...) for i in [0, n), with the inputs given by number. f must be a pure function
// of T arguments that the compiler can inline. out may be one of the inputs.
template <class T, int Arity, class F>
CompiledOp map_elements(std::int64_t n, const Target& target, F f) {
  const int threads = target.threads;
  const std::uint32_t isa = target.isa;
  return {[n, threads, isa, f](const KernelArgs& args) {
    T* out = args.output<T>();
    const T* a = args.input<T>(0);
    const T* b = Arity > 1 ? args.input<T>(1) : nullptr;
    parallel_ranges(threads, n, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      vectorised(isa, [=] {
#pragma GCC ivdep
        for (std::int64_t i = begin; i < end; ++i) {
          if constexpr (Arity == 1) {
            out[i] = f(a[i]);
          } else {
            out[i] = f(a[i], b[i]);
          }
        }
      });
    });
  }};
}

}  // namespace limen
