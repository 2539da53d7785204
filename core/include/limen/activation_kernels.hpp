// What the kernels of the SDK share: one loop over blocks of lanes, and one plain function per
// instruction set. Authors include limen/activation.hpp instead.
#pragma once

#include <limen/plugin.h>
#include <limen/math.hpp>

#include <cstddef>

#if !defined(__OPTIMIZE__) || \
    (defined(__GNUC__) && !defined(__clang__) && !defined(__NO_TRAPPING_MATH__))
#warning \
    "limen: these kernels will not vectorise; use limen_add_plugin(), or add -O3 -fno-math-errno -fno-trapping-math"
#endif

#if defined(__clang__)
#define LIMEN_LOOP \
  _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) interleave(disable)")
#define LIMEN_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define LIMEN_LOOP _Pragma("GCC ivdep")
#define LIMEN_ROLLED _Pragma("GCC unroll 1")
#endif
#define LIMEN_LAMBDA __attribute__((always_inline))

#if defined(__x86_64__)
#define LIMEN_TARGET_V3_ISA "avx,avx2,fma,bmi,bmi2,lzcnt,popcnt"
#define LIMEN_TARGET_V4_ISA LIMEN_TARGET_V3_ISA ",avx512f,avx512bw,avx512cd,avx512dq,avx512vl"
#if defined(__clang__)
#define LIMEN_V4 __attribute__((target(LIMEN_TARGET_V4_ISA), flatten, min_vector_width(512)))
#else
#define LIMEN_V4 __attribute__((target(LIMEN_TARGET_V4_ISA ",prefer-vector-width=512"), flatten))
#endif
#define LIMEN_V3 __attribute__((target(LIMEN_TARGET_V3_ISA), flatten))
#endif

namespace limen::detail {

inline constexpr std::uint64_t kLanes = 16;   // a block: one AVX-512 register of floats
inline constexpr std::uint64_t kChunk = 256;  // elements of a buffer on the stack

template <class F>
LIMEN_INLINE const F* input(const void* const* list, std::size_t k) {
  return list ? static_cast<const F*>(list[k]) : nullptr;
}
template <class F>
LIMEN_INLINE F* output(void* const* list, std::size_t k) {
  return list ? static_cast<F*>(list[k]) : nullptr;
}

template <std::size_t N, class Body>
LIMEN_INLINE void unrolled(Body body) {
  [&]<std::size_t... K>(std::index_sequence<K...>) LIMEN_LAMBDA {
    (body(std::integral_constant<std::size_t, K>{}), ...);
  }
  (std::make_index_sequence<N>{});
}

// A few elements, one by one: not worth a vector loop nor a call of memcpy, so the asm forbids
// both.
template <class F>
LIMEN_INLINE void copy_rest(F* to, const F* from, std::uint64_t n) {
  LIMEN_ROLLED
  for (std::uint64_t i = 0; i < n; ++i) {
    to[i] = from[i];
    __asm__("" ::: "memory");
  }
}

template <class F>
LIMEN_INLINE void fill(F* to, F with, std::uint64_t n) {
  LIMEN_ROLLED
  for (std::uint64_t i = 0; i < n; ++i) {
    to[i] = with;
    __asm__("" ::: "memory");
  }
}

// body(in, out) for each of n elements, `in` and `out` holding one value per operand. The elements
// that do not fill a block are copied to one on the stack and pass through the same instructions,
// so that a value does not depend on where a tile begins and ends.
template <class F, std::size_t In, std::size_t Out, class Body>
LIMEN_INLINE void for_blocks(std::uint64_t n, const F* (&in)[In], F* (&out)[Out],
                             const Body& body) {
  F in_block[In][kLanes] = {}, out_block[Out][kLanes];
  F* rest_out[Out] = {};
  const std::uint64_t rest = n % kLanes, whole = n - rest;
  for (int pass = whole ? 0 : 1; pass < 2; ++pass) {
    if (pass == 1) {
      if (rest == 0) return;
      unrolled<In>([&](auto k) LIMEN_LAMBDA {
        copy_rest(in_block[k], in[k] + whole, rest);
        in[k] = in_block[k];
      });
      unrolled<Out>([&](auto k) LIMEN_LAMBDA {
        rest_out[k] = out[k] + whole;
        out[k] = out_block[k];
      });
    }
    const std::uint64_t end = pass == 1 ? kLanes : whole / kLanes * kLanes;  // no remainder loop
    LIMEN_LOOP
    for (std::uint64_t i = 0; i < end; ++i) {
      F a[In], r[Out];
      unrolled<In>([&](auto k) LIMEN_LAMBDA { a[k] = in[k][i]; });
      body(a, r);
      unrolled<Out>([&](auto k) LIMEN_LAMBDA { out[k][i] = r[k]; });
    }
  }
  unrolled<Out>([&](auto k) LIMEN_LAMBDA { copy_rest(rest_out[k], out_block[k], rest); });
}

// The same where operands may be null: such an input reads as zeros, such an output is dropped.
template <class F, std::size_t In, std::size_t Out, class Body>
LIMEN_INLINE void for_elements(std::uint64_t n, const F* const (&in)[In], F* const (&out)[Out],
                               const Body& body) {
  F zeros[kChunk], dropped[kChunk];
  bool complete = true;
  unrolled<In>([&](auto k) LIMEN_LAMBDA { complete = complete && in[k]; });
  unrolled<Out>([&](auto k) LIMEN_LAMBDA { complete = complete && out[k]; });
  if (!complete) fill(zeros, F(0), kChunk);
  const std::uint64_t chunk = complete ? n : kChunk;
  for (std::uint64_t begin = 0; begin < n; begin += chunk) {
    const F* from[In];
    F* to[Out];
    unrolled<In>([&](auto k) LIMEN_LAMBDA { from[k] = in[k] ? in[k] + begin : zeros; });
    unrolled<Out>([&](auto k) LIMEN_LAMBDA { to[k] = out[k] ? out[k] + begin : dropped; });
    for_blocks<F>(chunk < n - begin ? chunk : n - begin, from, to, body);
  }
}

// One plain function per instruction set around Kernel::run.
template <class Kernel>
struct compiled {
  __attribute__((flatten)) static void any(const limen_tile* t) { Kernel::run(t); }
#if defined(__x86_64__)
  LIMEN_V3 static void v3(const limen_tile* t) { Kernel::run(t); }
  LIMEN_V4 static void v4(const limen_tile* t) { Kernel::run(t); }
#endif
};

}  // namespace limen::detail
