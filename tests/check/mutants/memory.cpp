// Kernels of x * x that are wrong about memory, state, threads or the processor.
#include <cstdlib>
#include <cstring>

#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "mutant.hpp"

namespace {

using namespace limen_test;  // a test plugin is one file

enum Bug {
  kRight,
  kRightScratch,
  kStaticScratch,
  kRunningSum,
  kAlwaysAdds,
  kNeverAdds,
  kWritesBehind,
  kWritesBefore,
  kReadsBehind,
  kReadsBefore,
  kWritesInput,
  kWritesX,
  kLeavesMasked,
  kLeavesTail,
  kWrongTail,
  kLongOnly,
  kEarlyInTile,
  kAligned,
  kByAddress,
  kLazyTable,
  kHangsOnNan,
  kHangsOnSubnormal,
  kOldScratch,
  kExits,
  kAborts,
  kThrows,
  kFlushes,
  kRounds,
  kReadsY,
  kOnlyAccumulating,
};

#if defined(__x86_64__)
inline void set_control(unsigned bits) { _mm_setcsr(_mm_getcsr() | bits); }
#else
inline void set_control(unsigned) {}
#endif

// Stops the process for good, without the processor.
inline void hang() {
  for (volatile bool forever = true; forever;) ::usleep(1000);
}

template <class T, Bug B>
void before_forward(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    if (B == kHangsOnNan && x[i] != x[i]) hang();
    if (B == kHangsOnSubnormal && std::fpclassify(x[i]) == FP_SUBNORMAL) hang();
  }
  if (B == kWritesX) const_cast<T*>(x)[0] = 1;
  if (B == kFlushes) set_control(0x8040u);
  if (B == kRounds) set_control(0x2000u);
}

template <class T, Bug B>
void forward(const limen_tile* t) {
  before_forward<T, B>(t);
  const T* const x = static_cast<const T*>(t->x[0]);
  T* const y = static_cast<T*>(t->y[0]);
  const std::uint64_t n = t->n;
  if (B == kStaticScratch) {
    static T scratch[4096];
    for (std::uint64_t i = 0; i < n && i < 4096; ++i) scratch[i] = x[i];
    __asm__ volatile("" ::: "memory");
    for (std::uint64_t i = 0; i < n; ++i) y[i] = scratch[i % 4096] * scratch[i % 4096];
    return;
  }
  if (B == kRightScratch) {
    T* const scratch = static_cast<T*>(t->scratch);
    for (std::uint64_t i = 0; i < n; ++i) {
      scratch[i % 64] = x[i];
      y[i] = scratch[i % 64] * scratch[i % 64];
    }
    return;
  }
  for (std::uint64_t i = 0; i < n; ++i) y[i] = x[i] * x[i];
  if (B == kRunningSum) {
    static T mean = 0;
    mean += T(0.01) * (y[0] - mean);
    for (std::uint64_t i = 0; i < n; ++i) y[i] -= mean;
  }
  if (B == kReadsBehind) y[n - 1] += 0 * static_cast<const volatile T*>(x)[n];
  if (B == kReadsBefore) y[0] += 0 * static_cast<const volatile T*>(x)[-1];
}

// 2 x from a table of one number that the first call fills in two steps.
template <class T>
T lazy_two() {
  static volatile T two = 0;
  static volatile bool ready = false;
  if (!ready) {
    ready = true;
    for (int i = 0; i < 1'000'000; ++i) __asm__ volatile("");
    two = 2;
  }
  return two;
}

template <class T, Bug B>
T slope(const limen_tile* t, std::uint64_t i) {
  const T* const x = static_cast<const T*>(t->x[0]);
  const std::uint64_t n = t->n;
  T d = B == kLazyTable ? lazy_two<T>() * x[i] : 2 * x[i];
  if (B == kWrongTail && i >= n - n % 8) d *= T(1.001);
  if (B == kLongOnly && n > 64) d *= T(1.001);
  if (B == kEarlyInTile && i == 0 && n > 16) d *= T(1.001);
  if (B == kByAddress && reinterpret_cast<std::uintptr_t>(x) % 64 != 0) d *= T(1.001);
  if (B == kOldScratch) d += 0 * static_cast<T*>(t->scratch)[0];
  if (B == kOnlyAccumulating && (t->flags & LIMEN_TILE_ACCUMULATE) != 0) d *= T(1.001);
  if (B == kReadsY) d += 0 * static_cast<const T*>(t->y[0])[i];
  return d;
}

template <class T, Bug B>
void backward(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  const T* const dy = static_cast<const T*>(t->dy[0]);
  T* const dx = static_cast<T*>(t->dx[0]);
  if (B == kExits) std::exit(0);
  if (B == kAborts) std::abort();
#if defined(__x86_64__)
  if (B == kAligned && t->n >= 4) {
    __m128i v;
    __asm__ volatile("movdqa (%1), %0" : "=x"(v) : "r"(x) : "memory");
  }
#endif
  const bool add = B == kAlwaysAdds || (B != kNeverAdds && (t->flags & LIMEN_TILE_ACCUMULATE) != 0);
  const std::uint64_t n = B == kLeavesTail && t->n > 8 ? t->n - t->n % 8 : t->n;
  for (std::uint64_t i = 0; i < n; ++i) {
    if (B == kLeavesMasked && x[i] < 0 && x[i] > T(-1)) continue;
    const T d = slope<T, B>(t, i) * dy[i];
    dx[i] = add ? dx[i] + d : d;
  }
  if (B == kWritesBehind) dx[n] = 0;
  if (B == kWritesBefore) dx[-1] = 0;
  if (B == kWritesInput) const_cast<T*>(dy)[0] = dx[0];
}

template <Bug B>
inline constexpr limen_kernel kKernels[4] = {
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, forward<double, B>),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, backward<double, B>),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, forward<float, B>),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, backward<float, B>)};
template <Bug B>
constexpr limen_op square(const char* name, const char* what, const char* caught_by) {
  limen_op o = told(op(name, LIMEN_MAP, kKernels<B>, 4), what, caught_by);
  if (B == kOldScratch || B == kRightScratch) o.scratch_bytes = 64 * sizeof(double);
  return o;
}

LISTED(c62, square<kRight>("c62_square", "a square, on which the others plant their mistakes", ""))
LISTED(c63, square<kRightScratch>("c63_scratch", "scratch memory of the call's own", ""))
LISTED(s02, square<kStaticScratch>("s02_static_scratch", "scratch memory shared by all calls",
                                   "64-threads"))
LISTED(s03,
       square<kRunningSum>("s03_running_mean", "forward keeps a running mean", "deterministic"))
LISTED(s04,
       square<kNeverAdds>("s04_never_adds", "overwrites where it should accumulate", "accumulate"))
LISTED(s05, square<kAlwaysAdds>("s05_always_adds", "accumulates where it should overwrite",
                                "overwrites"))
LISTED(s08, square<kWritesBehind>("s08_writes_behind", "writes one element behind the end",
                                  "canary deterministic"))
LISTED(s09, square<kWritesBefore>("s09_writes_before", "writes one element before the front",
                                  "canary deterministic"))
LISTED(s14,
       square<kLeavesMasked>("s14_leaves_masked", "leaves some elements unwritten", "overwrites"))
LISTED(s15,
       square<kAligned>("s15_aligned_loads", "aligned loads from unaligned memory", "unaligned"))
LISTED(s16, square<kLazyTable>("s16_lazy_table", "a table that is used before it is whole",
                               "64-threads"))
LISTED(s18, square<kHangsOnNan>("s18_hangs_on_nan", "never returns on NaN", "nan-in"))
LISTED(s18b, square<kHangsOnSubnormal>("s18_hangs_on_subnormal", "never returns on small numbers",
                                       "extremes"))
LISTED(s20, square<kOldScratch>("s20_old_scratch", "uses what scratch memory held before",
                                "overwrites derivative-fd"))
LISTED(s21,
       square<kByAddress>("s21_by_address", "the result depends on the address of x", "unaligned"))
LISTED(s23, square<kExits>("s23_exits", "calls exit()", "deterministic 64-threads"))
LISTED(s23b, square<kAborts>("s23_aborts", "calls abort()", "deterministic 64-threads"))
LISTED(s30, square<kReadsBehind>("s30_reads_behind", "reads one element behind the end", "canary"))
LISTED(s31,
       square<kReadsBefore>("s31_reads_before", "reads one element before the front", "canary"))
LISTED(s32, square<kWritesInput>("s32_writes_upstream", "backward writes to the upstream",
                                 "canary deterministic"))
LISTED(s33, square<kWritesX>("s33_writes_x", "forward writes to its input", "canary deterministic"))
LISTED(s34, square<kLeavesTail>("s34_leaves_tail", "leaves a tail of less than 8 unwritten",
                                "overwrites"))
LISTED(s35, square<kWrongTail>("s35_wrong_tail", "wrong in a tail of less than 8",
                               "tiles-ragged derivative-fd"))
LISTED(s36, square<kLongOnly>("s36_long_only", "wrong in tiles of more than 64", "tiles-ragged"))
LISTED(s37, square<kEarlyInTile>("s37_first_of_tile", "wrong in the first of more than 16",
                                 "tiles-ragged"))
LISTED(s38, square<kFlushes>("s38_flushes_to_zero", "sets flush-to-zero", "fp-environment"))
LISTED(s39, square<kRounds>("s39_rounds_down", "changes the rounding mode", "fp-environment"))
LISTED(s40, square<kReadsY>("s40_reads_y", "reads y without saying so", "reads-honest"))
LISTED(s41, square<kOnlyAccumulating>("s41_wrong_accumulating", "wrong only where it accumulates",
                                      "accumulate"))

// swish in two steps, y = sigmoid(x), y *= x, which says that y may be the memory of x.
template <class T>
void swish_in_steps(const limen_tile* t) {
  const T* const x = static_cast<const T*>(t->x[0]);
  T* const y = static_cast<T*>(t->y[0]);
  for (std::uint64_t i = 0; i < t->n; ++i) y[i] = sigmoid(x[i]);
  for (std::uint64_t i = 0; i < t->n; ++i) y[i] *= x[i];
}
struct Swish {
  template <class T>
  static T b(T x, T, T g) {
    return g * (sigmoid(x) + x * (sigmoid(x) * sigmoid(-x)));
  }
};
constexpr limen_kernel in_place(limen_kernel k, std::uint32_t alias) {
  k.alias = alias;
  return k;
}
constexpr limen_kernel kSwish[] = {
    in_place(kernel(LIMEN_FORWARD, LIMEN_F64, 0, swish_in_steps<double>), LIMEN_ALIAS_Y_X),
    kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_X, limen_test::backward<Swish, double>),
    in_place(kernel(LIMEN_FORWARD, LIMEN_F32, 0, swish_in_steps<float>), LIMEN_ALIAS_Y_X),
    kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_X, limen_test::backward<Swish, float>)};
LISTED(s06, told(op("s06_in_place", LIMEN_MAP, kSwish, 4),
                 "in place it multiplies by what it has written", "in-place"))

// sigmoid that keeps its derivative as state, and multiplies the upstream into it.
template <class T, bool Overwrites>
struct Kept {
  static void forward(const limen_tile* t) {
    const T* const x = static_cast<const T*>(t->x[0]);
    T* const state = static_cast<T*>(t->state);
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T y = sigmoid(x[i]);
      static_cast<T*>(t->y[0])[i] = y;
      if (state != nullptr) state[i] = y * (1 - y);
    }
  }
  static void backward(const limen_tile* t) {
    const T* const dy = static_cast<const T*>(t->dy[0]);
    T* const dx = static_cast<T*>(t->dx[0]);
    T* const state = static_cast<T*>(t->state);
    const bool add = (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
    for (std::uint64_t i = 0; i < t->n; ++i) {
      const T d = state[i] * dy[i];
      if (Overwrites) state[i] = d;
      dx[i] = add ? dx[i] + d : d;
    }
  }
};
constexpr limen_kernel with_state(limen_kernel k, std::uint32_t bits) {
  k.variant = 1;
  k.state_bits = bits;
  return k;
}
template <bool O>
inline constexpr limen_kernel kKept[6] = {
    with_state(kernel(LIMEN_FORWARD, LIMEN_F64, 0, Kept<double, O>::forward), 64),
    with_state(kernel(LIMEN_BACKWARD, LIMEN_F64, LIMEN_STATE, Kept<double, O>::backward), 64),
    with_state(kernel(LIMEN_FORWARD, LIMEN_F32, 0, Kept<float, O>::forward), 32),
    with_state(kernel(LIMEN_BACKWARD, LIMEN_F32, LIMEN_STATE, Kept<float, O>::backward), 32),
    kernel(LIMEN_FORWARD, LIMEN_F64, 0, Kept<double, O>::forward),
    kernel(LIMEN_FORWARD, LIMEN_F32, 0, Kept<float, O>::forward)};
LISTED(s01, told(op("s01_state_overwritten", LIMEN_MAP, kKept<true>, 6),
                 "backward overwrites the mask that forward saved: a second backward is wrong",
                 "deterministic"))
LISTED(c64, told(op("c64_state_kept", LIMEN_MAP, kKept<false>, 6),
                 "a saved mask that backward only reads", ""))

// An instance that is never given back, a megabyte each.
int32_t leaky_create(const double*, void** instance, limen_error*) {
  *instance = std::malloc(1 << 20);
  if (*instance == nullptr) return LIMEN_E_MEMORY;
  std::memset(*instance, 1, 1 << 20);
  return LIMEN_OK;
}
void forgetful_destroy(void*) {}
constexpr limen_op leaking() {
  limen_op o = square<kRight>("s19_leaks_instance", "each instance leaks a megabyte", "resources");
  o.create = leaky_create;
  o.destroy = forgetful_destroy;
  return o;
}
LISTED(s19, leaking())

// Rows that are taken to lie one behind the other.
template <class T, bool Backward>
void tight_rows(const limen_tile* t) {
  const T* const from = static_cast<const T*>(Backward ? t->dy[0] : t->x[0]);
  T* const to = static_cast<T*>(Backward ? t->dx[0] : t->y[0]);
  const bool add = Backward && (t->flags & LIMEN_TILE_ACCUMULATE) != 0;
  for (std::uint64_t i = 0; i < t->rows * t->n; ++i) to[i] = (add ? to[i] : T(0)) + 2 * from[i];
}
constexpr limen_kernel kTight[4] = {kernel(LIMEN_FORWARD, LIMEN_F64, 0, tight_rows<double, false>),
                                    kernel(LIMEN_BACKWARD, LIMEN_F64, 0, tight_rows<double, true>),
                                    kernel(LIMEN_FORWARD, LIMEN_F32, 0, tight_rows<float, false>),
                                    kernel(LIMEN_BACKWARD, LIMEN_F32, 0, tight_rows<float, true>)};
LISTED(s10, told(op("s10_tight_rows", LIMEN_ROWS, kTight, 4),
                 "takes rows to lie one behind the other", "row-stride tiles-ragged canary"))

}  // namespace

SELFTEST_PLUGIN("memory")
