#include "check/fp_environment.hpp"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/text.hpp"

namespace limen::check {

std::string fp_change(std::uint64_t before, std::uint64_t after) {
  constexpr std::uint64_t kFlush = 0x8000, kZero = 0x0040, kRounding = 0x6000, kMasks = 0x1f80;
  constexpr std::array<const char*, 4> kModes{"to nearest", "down", "up", "to zero"};
  const std::uint64_t changed = before ^ after;
  std::vector<std::string> parts;
  const auto bit = [&](std::uint64_t mask, const char* name) {
    if ((changed & mask) != 0) {
      parts.push_back(fmt::format("{} {}", (after & mask) != 0 ? "sets" : "clears", name));
    }
  };
  bit(kFlush, "flush-to-zero (results below the normal numbers become 0)");
  bit(kZero, "denormals-are-zero (arguments below the normal numbers count as 0)");
  if ((changed & kRounding) != 0) {
    parts.push_back(fmt::format("sets rounding {}", kModes[(after & kRounding) >> 13]));
  }
  if ((changed & kMasks) != 0) parts.emplace_back("changes which exceptions trap");
  if ((changed >> 32) != 0) parts.emplace_back("changes the control word of the x87 unit");
  return fmt::format("it {} and leaves it so ({:#x}, was {:#x})", join(parts, ", "), after, before);
}

}  // namespace limen::check
