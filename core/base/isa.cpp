#include "base/isa.hpp"

#include <limen/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace limen {
namespace {

// __builtin_cpu_supports asks XGETBV too: AVX levels count only where the system saves the wide
// registers.
std::uint32_t machine_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? kIsaX86V4 : v3 ? kIsaX86V3 : kIsaBase;
#else
  return kIsaBase;
#endif
}

std::uint32_t parse_isa(std::string_view text) {
  if (text == "base" || text == "sse2") return kIsaBase;
  if (text == "x86-64-v3" || text == "avx2") return kIsaX86V3;
  if (text == "x86-64-v4" || text == "avx512") return kIsaX86V4;
  throw Error("", fmt::format("LIMEN_ISA is `{}`, which is no instruction set", text),
              {"set it to base, x86-64-v3 or x86-64-v4 (or sse2, avx2, avx512), or unset it"});
}

}  // namespace

std::uint32_t detect_isa() {
  const std::uint32_t machine = machine_isa();
  const char* forced = std::getenv("LIMEN_ISA");
  return forced == nullptr || *forced == '\0' ? machine : std::min(machine, parse_isa(forced));
}

std::string isa_name(std::uint32_t isa) {
  switch (isa) {
    case kIsaBase:
      return "base";
    case kIsaX86V3:
      return "x86-64-v3";
    case kIsaX86V4:
      return "x86-64-v4";
    default:
      return fmt::format("{:#x}", isa);
  }
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace limen
