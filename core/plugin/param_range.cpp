#include "plugin/param_range.hpp"

#include <fmt/format.h>

#include <cmath>

namespace limen {

bool allows(const limen_param& param, double value) {
  if (!std::isfinite(value)) return false;
  if (param.type == LIMEN_P_BOOL) return value == 0 || value == 1;
  if (param.type == LIMEN_P_CHOICE) {
    return value >= 0 && value < param.n_choices && value == std::floor(value);
  }
  if (param.type == LIMEN_P_INT && value != std::floor(value)) return false;
  const bool above = param.flags & LIMEN_PF_OPEN_MIN ? value > param.min : value >= param.min;
  const bool below = param.flags & LIMEN_PF_OPEN_MAX ? value < param.max : value <= param.max;
  return above && below;
}

std::string range_text(const limen_param& param) {
  if (param.type == LIMEN_P_BOOL) return "0 or 1";
  if (param.type == LIMEN_P_CHOICE) {
    std::string names;
    for (std::uint32_t i = 0; i < param.n_choices; ++i) {
      names += fmt::format("{}{}", i ? ", " : "one of ", param.choices[i]);
    }
    return names;
  }
  const bool open_min = param.flags & LIMEN_PF_OPEN_MIN || std::isinf(param.min);
  const bool open_max = param.flags & LIMEN_PF_OPEN_MAX || std::isinf(param.max);
  return fmt::format("{}{}{}, {}{}", param.type == LIMEN_P_INT ? "an integer in " : "",
                     open_min ? '(' : '[', number_text(param.min), number_text(param.max),
                     open_max ? ')' : ']');
}

std::string number_text(double value) { return fmt::format("{}", value); }

}  // namespace limen
