// The part of the floating-point environment that a plugin must leave as it was (rule R5).
#pragma once

#include <array>
#include <cfenv>
#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace limen {

// Rounding, traps, flushing to zero, and which registers of the old stack are in use; not the flags
// that every operation sets. Equal values: nothing was changed.
inline std::array<std::uint32_t, 3> fp_state() {
#if defined(__x86_64__)
  struct {
    std::uint32_t control, status, tags, others[4];
  } x87;
  __asm__ volatile("fnstenv %0\n\tfldenv %0" : "=m"(x87));
  return {x87.control & 0xffff, x87.tags & 0xffff, _mm_getcsr() & ~0x3fu};
#else
  return {static_cast<std::uint32_t>(std::fegetround()), 0, 0};
#endif
}

}  // namespace limen
