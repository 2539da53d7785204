// The instruction set of this machine, as the levels that plugins compile kernels for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace limen {

// Equal to the LIMEN_ISA_* numbers of limen/plugin.h: within a family, higher contains lower.
inline constexpr std::uint32_t kIsaBase = 0;        // what the compiler targets by default
inline constexpr std::uint32_t kIsaX86V3 = 0x103u;  // AVX2 + FMA + BMI
inline constexpr std::uint32_t kIsaX86V4 = 0x104u;  // AVX-512 F/BW/CD/DQ/VL

// The highest level that processor and operating system support, lowered to what the environment
// variable LIMEN_ISA names: base or sse2, x86-64-v3 or avx2, x86-64-v4 or avx512. A level above the
// machine's has no effect. Throws Error (usage) for any other text.
std::uint32_t detect_isa();

// "base", "x86-64-v3", "x86-64-v4", or the number in hexadecimal.
std::string isa_name(std::uint32_t isa);

// What the system calls the processor, or "unknown".
std::string processor_name();

// Whether code for `kernel` runs on a machine of level `machine`.
inline bool isa_runs(std::uint32_t kernel, std::uint32_t machine) {
  return kernel == kIsaBase || (kernel >> 8 == machine >> 8 && kernel <= machine);
}

}  // namespace limen
