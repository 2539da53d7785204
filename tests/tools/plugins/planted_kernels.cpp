// Squares with forward, backward, forward mode and second order, each with one mistake in a kernel.
#include <cerrno>
#include <cmath>
#include <type_traits>

#include <immintrin.h>

#include "planted.hpp"

namespace {

using namespace planted;  // a test plugin is one file

enum Bug {
  kRight,
  kWrongSlope,
  kWrongSign,
  kMissingUpstream,
  kFloatConstant,
  kOverflow,
  kWritesBehind,
  kReadsBehind,
  kWritesInput,
  kLeavesTail,
  kAlwaysAdds,
  kNeverAdds,
  kReadsY,
  kUsesLength,
  kStaticScratch,
  kAliasTooFar,
  kWidestDiffers,
  kCoarseFloat,
  kLosesNan,
  kSetsErrno,
  kChangesRounding,
  kWrongTangent,
  kWrongSecond,
};

template <class T, Bug B>
T slope(T x) {
  if (B == kWrongSlope) return 3 * x;
  if (B == kWrongSign) return -2 * x;
  if (B == kFloatConstant) return 20 * T(0.1f) * x;
  if (B == kCoarseFloat && sizeof(T) == 4) return T(2.002) * x;
  if (B == kOverflow) return 2 * x * (std::exp(-9 * x) / std::exp(-9 * x));
  return 2 * x;
}

template <class T, Bug B>
void forward(const limen_tile* t) {
  const T* const x = in<T>(t->x);
  T* const y = out<T>(t->y);
  const std::uint64_t n = t->n;
  if (B == kStaticScratch) {
    static T scratch[4096];
    for (std::uint64_t i = 0; i < n && i < 4096; ++i) scratch[i] = x[i];
    __asm__ volatile("" ::: "memory");
    for (std::uint64_t i = 0; i < n; ++i) y[i] = scratch[i % 4096] * scratch[i % 4096];
    return;
  }
  for (std::uint64_t i = 0; i < n; ++i) {
    y[i] = B == kLosesNan && x[i] != x[i] ? T(0) : x[i] * x[i];
  }
  if (B == kReadsBehind) y[n - 1] += 0 * static_cast<const volatile T*>(x)[n];
  if (B == kUsesLength && n > 30) y[0] *= 1 + T(1e-5);
  if (B == kSetsErrno) errno = ERANGE;
  if (B == kChangesRounding) _mm_setcsr(_mm_getcsr() | 0x8000u);
}

template <class T, Bug B>
void backward(const limen_tile* t) {
  const T* const x = in<T>(t->x);
  const T* const dy = in<T>(t->dy);
  T* const dx = out<T>(t->dx);
  const bool add = B == kAlwaysAdds || (B != kNeverAdds && adds(t));
  std::uint64_t n = t->n;
  if (B == kLeavesTail && n > 8) n -= n % 8;
  if (B == kAliasTooFar && !add) {  // writes all before it reads all
    for (std::uint64_t i = 0; i < n; ++i) dx[i] = 0;
  }
  for (std::uint64_t i = 0; i < n; ++i) {
    T d = slope<T, B>(x[i]);
    if (B != kMissingUpstream) d *= dy[i];
    if (B == kReadsY) d += 0 * in<T>(t->y)[i];
    dx[i] = add ? dx[i] + d : d;
  }
  if (B == kWritesBehind) dx[n] = 0;
  if (B == kWritesInput) const_cast<T*>(dy)[0] = dx[0];
}

template <class T, Bug B>
void tangent(const limen_tile* t) {
  const T* const x = in<T>(t->x);
  const T* const tx = in<T>(t->tx);
  T* const ty = out<T>(t->ty);
  T* const y = out<T>(t->y);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T value = x[i] * x[i];
    if (ty != nullptr) ty[i] = (B == kWrongTangent ? x[i] : 2 * x[i]) * tx[i];
    if (y != nullptr) y[i] = value;
  }
}

template <class T, Bug B>
void second(const limen_tile* t) {
  const T* const x = in<T>(t->x);
  const T* const dy = in<T>(t->dy);
  const T* const gx = in<T>(t->gx);
  T* const dx = out<T>(t->dx);
  T* const gy = out<T>(t->gy);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    if (gy != nullptr) gy[i] = 2 * x[i] * gx[i];
    if (dx == nullptr) continue;
    const T d = (B == kWrongSecond ? T(1) : T(2)) * dy[i] * gx[i];
    dx[i] = adds(t) ? dx[i] + d : d;
  }
}

constexpr std::uint32_t kAlias = LIMEN_ALIAS_DX_DY;

template <class T, Bug B>
inline constexpr std::uint32_t kType = sizeof(T) == 4 ? LIMEN_F32 : LIMEN_F64;

#define KERNELS_OF(T, B)                                           \
  kernel(LIMEN_FORWARD, kType<T, B>, forward<T, B>, 0),            \
      kernel(LIMEN_BACKWARD, kType<T, B>, backward<T, B>, LIMEN_X, \
             B == kAliasTooFar ? kAlias : 0),                      \
      kernel(LIMEN_JVP, kType<T, B>, tangent<T, B>),               \
      kernel(LIMEN_BACKWARD2, kType<T, B>, second<T, B>)

template <Bug B>
inline constexpr limen_kernel kKernels[] = {KERNELS_OF(float, B), KERNELS_OF(double, B)};

// Two levels of vectors, one of which rounds another way.
template <class T>
void forward_wide(const limen_tile* t) {
  forward<T, kRight>(t);
  out<T>(t->y)[0] *= 1 + (sizeof(T) == 4 ? T(1.2e-7) : T(2.3e-16));
}
constexpr limen_kernel kLevels[] = {
    KERNELS_OF(float, kRight), KERNELS_OF(double, kRight),
    kernel(LIMEN_FORWARD, LIMEN_F32, forward_wide<float>, 0, 0, LIMEN_ISA_X86_V4),
    kernel(LIMEN_FORWARD, LIMEN_F32, forward<float, kRight>, 0, 0, LIMEN_ISA_X86_V3)};

#define OP(tag, bug)                                            \
  constexpr limen_op tag = op(#tag, kKernels<bug>, 8, "x * x"); \
  LIMEN_DECLARE_OP(tag, #tag);

OP(right_square, kRight)
OP(wrong_slope, kWrongSlope)
OP(wrong_sign, kWrongSign)
OP(missing_upstream, kMissingUpstream)
OP(float_constant, kFloatConstant)
OP(slope_overflows, kOverflow)
OP(writes_behind, kWritesBehind)
OP(reads_behind, kReadsBehind)
OP(writes_input, kWritesInput)
OP(leaves_tail, kLeavesTail)
OP(always_adds, kAlwaysAdds)
OP(never_adds, kNeverAdds)
OP(reads_y, kReadsY)
OP(uses_length, kUsesLength)
OP(static_scratch, kStaticScratch)
OP(alias_too_far, kAliasTooFar)
OP(coarse_float, kCoarseFloat)
OP(loses_nan, kLosesNan)
OP(sets_errno, kSetsErrno)
OP(changes_rounding, kChangesRounding)
OP(wrong_tangent, kWrongTangent)
OP(wrong_second, kWrongSecond)
constexpr limen_op widest_differs = op("widest_differs", kLevels, 10, "x ^ 2");
constexpr limen_op wrong_formula = op("wrong_formula", kKernels<kRight>, 8, "x * x * x");
LIMEN_DECLARE_OP(wrong_formula, "wrong_formula");
LIMEN_DECLARE_OP(widest_differs, "widest_differs");

}  // namespace

PLANTED_PLUGIN("org.limen.test.planted_kernels", &right_square, &wrong_slope, &wrong_sign,
               &missing_upstream, &float_constant, &slope_overflows, &writes_behind, &reads_behind,
               &writes_input, &leaves_tail, &always_adds, &never_adds, &reads_y, &uses_length,
               &static_scratch, &alias_too_far, &coarse_float, &loses_nan, &sets_errno,
               &changes_rounding, &wrong_tangent, &wrong_second, &widest_differs, &wrong_formula)
