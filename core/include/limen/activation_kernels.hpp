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

// A call of a kernel: the tile, and the instruction set.
struct work {
  const limen_tile* tile;
  std::uint32_t isa;
  LIMEN_INLINE const limen_tile* operator->() const { return tile; }
};

// The elements behind the last whole block, n < kLanes of them, go through a block on the stack.
// Where there are masks, a loop of fixed length over a condition becomes one masked load or store.
template <class F>
using lane_number = std::conditional_t<sizeof(F) == 8, std::int64_t, std::int32_t>;
template <class F>
LIMEN_INLINE void load_masked(F* block, const F* from, std::uint32_t n) {
  const auto end = static_cast<lane_number<F>>(n);
  LIMEN_LOOP
  for (lane_number<F> i = 0; i < lane_number<F>{kLanes}; ++i) block[i] = i < end ? from[i] : F(0);
}
template <class F>
LIMEN_INLINE void store_masked(F* to, const F* block, std::uint32_t n) {
  const auto end = static_cast<lane_number<F>>(n);
  LIMEN_LOOP
  for (lane_number<F> i = 0; i < lane_number<F>{kLanes}; ++i) {
    if (i < end) to[i] = block[i];
  }
}

// The same for several operands, compiled once for all kernels of an instruction set.
template <class F>
struct rest_of {
  using block = F[kLanes];
#if defined(__x86_64__)
  LIMEN_V4 __attribute__((noinline)) static void load_v4(block* to, const F* const* from,
                                                         std::size_t count, std::uint32_t n) {
    for (std::size_t k = 0; k < count; ++k) load_masked(to[k], from[k], n);
  }
  LIMEN_V4 __attribute__((noinline)) static void store_v4(F* const* to, const block* from,
                                                          std::size_t count, std::uint32_t n) {
    for (std::size_t k = 0; k < count; ++k) store_masked(to[k], from[k], n);
  }
  LIMEN_V3 __attribute__((noinline)) static void load_v3(block* to, const F* const* from,
                                                         std::size_t count, std::uint32_t n) {
    for (std::size_t k = 0; k < count; ++k) load_masked(to[k], from[k], n);
  }
#endif
  __attribute__((noinline)) static void load(block* to, const F* const* from, std::size_t count,
                                             std::uint32_t n) {
    for (std::size_t k = 0; k < count; ++k) {
      LIMEN_ROLLED
      for (std::uint32_t i = 0; i < kLanes; ++i) {
        to[k][i] = i < n ? from[k][i] : F(0);
        __asm__("" ::: "memory");  // not a vector loop for a few elements
      }
    }
  }
  __attribute__((noinline)) static void store(F* const* to, const block* from, std::size_t count,
                                              std::uint32_t n) {
    for (std::size_t k = 0; k < count; ++k) {
      LIMEN_ROLLED
      for (std::uint32_t i = 0; i < n; ++i) {
        to[k][i] = from[k][i];
        __asm__("" ::: "memory");
      }
    }
  }
};

template <class F, std::size_t In>
LIMEN_INLINE void load_rest(const work& t, F (*blocks)[kLanes], const F* const (&from)[In],
                            std::uint32_t n) {
#if defined(__x86_64__)
  if (t.isa == LIMEN_ISA_X86_V4) {
    if constexpr (In == 1)
      load_masked(blocks[0], from[0], n);
    else
      rest_of<F>::load_v4(blocks, from, In, n);
    return;
  }
  if (t.isa == LIMEN_ISA_X86_V3) return rest_of<F>::load_v3(blocks, from, In, n);
#endif
  rest_of<F>::load(blocks, from, In, n);
}
template <class F, std::size_t Out>
LIMEN_INLINE void store_rest(const work& t, F* const (&to)[Out], const F (*blocks)[kLanes],
                             std::uint32_t n) {
#if defined(__x86_64__)
  if (t.isa == LIMEN_ISA_X86_V4) {
    if constexpr (Out == 1)
      store_masked(to[0], blocks[0], n);
    else
      rest_of<F>::store_v4(to, blocks, Out, n);
    return;
  }
#endif
  rest_of<F>::store(to, blocks, Out, n);
}

template <class F>
LIMEN_INLINE void fill(F* to, F with, std::uint64_t n) {
  LIMEN_ROLLED
  for (std::uint64_t i = 0; i < n; ++i) {
    to[i] = with;
    __asm__("" ::: "memory");  // not a call of memset
  }
}
template <class F>
LIMEN_INLINE void fill_chunk(F (&to)[kChunk], F with) {
  LIMEN_LOOP
  for (std::uint64_t i = 0; i < kChunk; ++i) to[i] = with;
}

// body(in, out) for each of n elements, `in` and `out` holding one value per operand. The elements
// that do not fill a block pass through one on the stack, and so through the same instructions: a
// value does not depend on where a tile begins and ends. `Room`: the outputs have room for a whole
// last block, which may be overwritten.
template <class F, bool Room = false, std::size_t In, std::size_t Out, class Body>
LIMEN_INLINE void for_blocks(const work& t, std::uint64_t n, const F* (&in)[In], F* (&out)[Out],
                             const Body& body) {
  F in_block[In][kLanes], out_block[Out][kLanes];
  F* rest_out[Out] = {};
  const auto rest = static_cast<std::uint32_t>(n % kLanes);
  const std::uint64_t whole = n - rest;
  for (int pass = whole ? 0 : 1; pass < 2; ++pass) {
    if (pass == 1) {
      if (rest == 0) return;
      const F* from[In];
      unrolled<In>([&](auto k) LIMEN_LAMBDA {
        from[k] = in[k] + whole;
        in[k] = in_block[k];
      });
      load_rest(t, in_block, from, rest);
      unrolled<Out>([&](auto k) LIMEN_LAMBDA {
        rest_out[k] = out[k] + whole;
        out[k] = Room ? rest_out[k] : out_block[k];
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
  if constexpr (!Room) store_rest(t, rest_out, out_block, rest);
}

// What a missing operand reads as.
template <class F>
inline constexpr F kZeros[kChunk] = {};

// for_blocks where operands may be null, which is asked once per call: such an input reads as
// zeros, such an output is dropped. `more` makes `More` further inputs, a chunk at a time:
// more(begin, count, buffers, pointers).
template <class F, std::size_t More, std::size_t In, std::size_t Out, class Body, class Make>
LIMEN_INLINE void for_elements(const work& t, std::uint64_t n, const F* const (&in)[In],
                               F* const (&out)[Out], const Body& body, const Make& more) {
  F buffers[More + 1][kChunk], dropped[kChunk];
  bool whole = More == 0;
  unrolled<In>([&](auto k) LIMEN_LAMBDA { whole = whole && in[k]; });
  unrolled<Out>([&](auto k) LIMEN_LAMBDA { whole = whole && out[k]; });
  const std::uint64_t chunk = whole ? n : kChunk;
  for (std::uint64_t begin = 0; begin < n; begin += chunk) {
    const std::uint64_t count = chunk < n - begin ? chunk : n - begin;
    const F* from[In + More];
    F* to[Out];
    unrolled<In>([&](auto k) LIMEN_LAMBDA { from[k] = in[k] ? in[k] + begin : kZeros<F>; });
    unrolled<Out>([&](auto k) LIMEN_LAMBDA { to[k] = out[k] ? out[k] + begin : dropped; });
    if constexpr (More > 0) more(begin, count, buffers, from + In);
    for_blocks<F>(t, count, from, to, body);
  }
}

// lanes[0] = all lanes joined pairwise
template <class F, class Join>
LIMEN_INLINE void join_lanes(F (&lanes)[kLanes], const Join& join) {
  unrolled<4>([&](auto step) LIMEN_LAMBDA {
    constexpr std::uint32_t half = kLanes >> (step + 1);
    LIMEN_LOOP
    for (std::uint32_t i = 0; i < half; ++i) lanes[i] = join(lanes[i], lanes[i + half]);
  });
}

// A sum in a fixed order: element i goes to lane i % kLanes, the lanes are joined pairwise.
template <class F>
LIMEN_INLINE void add_lanes(double (&lanes)[kLanes], const F* terms, std::uint64_t n) {
  const auto rest = static_cast<std::uint32_t>(n % kLanes);
  LIMEN_ROLLED
  for (std::uint64_t begin = 0; begin < n - rest; begin += kLanes) {
    LIMEN_LOOP
    for (std::uint64_t i = 0; i < kLanes; ++i) lanes[i] += static_cast<double>(terms[begin + i]);
  }
  LIMEN_LOOP
  for (std::uint32_t i = 0; i < kLanes; ++i) {
    lanes[i] += i < rest ? static_cast<double>(terms[n - rest + i]) : 0.0;
  }
}

// One plain function per instruction set around Kernel::run.
template <class Kernel>
struct compiled {
  __attribute__((flatten)) static void any(const limen_tile* t) { Kernel::run({t, LIMEN_ISA_ANY}); }
#if defined(__x86_64__)
  LIMEN_V3 static void v3(const limen_tile* t) { Kernel::run({t, LIMEN_ISA_X86_V3}); }
  LIMEN_V4 static void v4(const limen_tile* t) { Kernel::run({t, LIMEN_ISA_X86_V4}); }
#endif
};

}  // namespace limen::detail
