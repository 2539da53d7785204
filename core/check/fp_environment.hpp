// The control words of the floating-point unit: rounding, flush to zero, masks. Not its status
// bits.
#pragma once

#include <cstdint>
#include <string>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace limen::check {

inline std::uint64_t fp_environment() {
#if defined(__x86_64__)
  std::uint16_t x87 = 0;
  __asm__ volatile("fnstcw %0" : "=m"(x87));
  return (std::uint64_t{x87} << 32) | (_mm_getcsr() & ~0x3fu);
#else
  return 0;
#endif
}

// As a program starts: round to nearest, no flush to zero, all exceptions masked.
inline constexpr std::uint64_t kDefaultFpEnvironment = (std::uint64_t{0x37f} << 32) | 0x1f80u;

inline void restore_fp_environment([[maybe_unused]] std::uint64_t words) {
#if defined(__x86_64__)
  const auto x87 = static_cast<std::uint16_t>(words >> 32);
  __asm__ volatile("fldcw %0" : : "m"(x87));
  _mm_setcsr(static_cast<std::uint32_t>(words));
#endif
}

// What code has done that found `before` and left `after`, in words; they must differ.
std::string fp_change(std::uint64_t before, std::uint64_t after);

}  // namespace limen::check
