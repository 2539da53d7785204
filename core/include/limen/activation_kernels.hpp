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

inline constexpr std::uint64_t kLanes = 16;     // a block: one AVX-512 register of floats
inline constexpr std::size_t kMasked = 3;       // operands that a kernel's own masks serve
inline constexpr std::uint64_t kChunk = 256;    // elements of a buffer on the stack
inline constexpr std::uintptr_t kAhead = 4096;  // bytes that inputs are fetched ahead of their use

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

// A signed integer as wide as F: what a compiler makes masks of lanes from.
template <class F>
using lane_number = std::conditional_t<sizeof(F) == 8, std::int64_t, std::int32_t>;

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

// One stream of inputs is fetched early enough by itself; of two, out of cache, a tenth is gained.
// The address may lie behind the end.
template <class F, std::size_t In>
LIMEN_INLINE void fetch_ahead(const F* const (&in)[In], std::uint64_t begin) {
  if constexpr (In > 1) {
    unrolled<In>([&](auto k) LIMEN_LAMBDA {
      const auto at = reinterpret_cast<std::uintptr_t>(in[k]) + begin * sizeof(F) + kAhead;
      __builtin_prefetch(reinterpret_cast<const void*>(at));
    });
  }
}

// body(in, out) for each of n elements, n a multiple of kLanes: no code for a remainder.
template <class F, std::size_t In, std::size_t Out, class Body>
LIMEN_INLINE void whole_blocks(std::uint64_t n, const F* const (&in)[In], F* const (&out)[Out],
                               const Body& body) {
  LIMEN_ROLLED
  for (std::uint64_t begin = 0; begin < n; begin += kLanes) {
    fetch_ahead<F, In>(in, begin);
    LIMEN_LOOP
    LIMEN_ROLLED
    for (std::uint32_t j = 0; j < kLanes; ++j) {
      const std::uint64_t i = begin + j;
      F a[In], r[Out];
      unrolled<In>([&](auto k) LIMEN_LAMBDA { a[k] = in[k][i]; });
      body(a, r);
      unrolled<Out>([&](auto k) LIMEN_LAMBDA { out[k][i] = r[k]; });
    }
  }
}

// The n < kLanes elements behind the last whole block go through a block on the stack, and so
// through the very code of whole blocks: another copy of a formula might fuse other products and
// sums. Here each way is one masked and one plain instruction; a masked load of what was just
// stored would wait for the store.
template <class F>
LIMEN_INLINE void load_masked(F* block, const F* from, std::uint32_t n) {
  const auto end = static_cast<lane_number<F>>(n);
  LIMEN_LOOP
  LIMEN_ROLLED
  for (lane_number<F> j = 0; j < lane_number<F>{kLanes}; ++j) block[j] = j < end ? from[j] : F(0);
}
template <class F>
LIMEN_INLINE void store_masked(F* to, const F* block, std::uint32_t n) {
  const auto end = static_cast<lane_number<F>>(n);
  LIMEN_LOOP
  LIMEN_ROLLED
  for (lane_number<F> j = 0; j < lane_number<F>{kLanes}; ++j) {
    const F value = block[j];
    if (j < end) to[j] = value;
  }
}

// The same elements by way of blocks on the stack, where masks are not to be had, or not worth
// their code: functions for any number of operands, compiled once for all kernels.
template <class F>
struct rest_of {
  using block = F[kLanes];
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
#if defined(__x86_64__)
  LIMEN_V4 __attribute__((noinline)) static void load_v4(block* to, const F* const* from,
                                                         std::size_t count, std::uint32_t n) {
    for (std::size_t k = 0; k < count; ++k) load_masked(to[k], from[k], n);
  }
  LIMEN_V4 __attribute__((noinline)) static void store_v4(F* const* to, const block* from,
                                                          std::size_t count, std::uint32_t n) {
    for (std::size_t k = 0; k < count; ++k) store_masked(to[k], from[k], n);
  }
#endif
};
template <bool Masks, class F, std::size_t In>
LIMEN_INLINE void load_rest(const work& t, F (*to)[kLanes], const F* const (&from)[In],
                            std::uint32_t n) {
#if defined(__x86_64__)
  if (Masks && t.isa != LIMEN_ISA_ANY) {
    unrolled<In>([&](auto k) LIMEN_LAMBDA { load_masked(to[k], from[k], n); });
    return;
  }
  if (t.isa == LIMEN_ISA_X86_V4) return rest_of<F>::load_v4(to, from, In, n);
#endif
  rest_of<F>::load(to, from, In, n);
}
template <bool Masks, class F, std::size_t Out>
LIMEN_INLINE void store_rest(const work& t, F* const (&to)[Out], const F (*from)[kLanes],
                             std::uint32_t n) {
#if defined(__x86_64__)
  if (Masks && t.isa != LIMEN_ISA_ANY) {
    unrolled<Out>([&](auto k) LIMEN_LAMBDA { store_masked(to[k], from[k], n); });
    return;
  }
  if (t.isa == LIMEN_ISA_X86_V4) return rest_of<F>::store_v4(to, from, Out, n);
#endif
  rest_of<F>::store(to, from, Out, n);
}

// body(in, out) for each of n elements, `in` and `out` holding one value per operand. What does not
// fill a block passes through the same instructions as whole blocks: a value does not depend on
// where a tile begins and ends. `Room`: the outputs have room for a whole last block.
template <class F, bool Room = false, std::size_t In, std::size_t Out, class Body>
LIMEN_INLINE void for_blocks(const work& t, std::uint64_t n, const F* (&in)[In], F* (&out)[Out],
                             const Body& body) {
  const auto rest = static_cast<std::uint32_t>(n % kLanes);
  const std::uint64_t whole = n - rest;
  constexpr bool kMasks = In + Out <= kMasked;
  F in_block[In][kLanes], out_block[Out][kLanes];
  F* rest_out[Out] = {};
  for (int pass = whole ? 0 : 1; pass < 2; ++pass) {
    if (pass == 1) {
      if (rest == 0) return;
      const F* from[In];
      unrolled<In>([&](auto k) LIMEN_LAMBDA {
        from[k] = in[k] + whole;
        in[k] = in_block[k];
      });
      load_rest<kMasks>(t, in_block, from, rest);
      unrolled<Out>([&](auto k) LIMEN_LAMBDA {
        rest_out[k] = out[k] + whole;
        out[k] = Room ? rest_out[k] : out_block[k];
      });
    }
    whole_blocks(pass == 1 ? kLanes : whole, in, out, body);
  }
  if constexpr (!Room) store_rest<kMasks>(t, rest_out, out_block, rest);
}

// What a missing operand reads as.
template <class F>
inline constexpr F kZeros[kChunk] = {};

// What can be added to any number, the zeros too, and leaves it: -0.
template <class F>
struct chunk {
  F values[kChunk];
};
template <class F>
inline constexpr chunk<F> kNothing = [] {
  chunk<F> all{};
  for (F& value : all.values) value = F(-0.0);
  return all;
}();

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
