// What the keys of a file are.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/calls.hpp"

namespace limen::language {

std::vector<std::string> top_level_keys();

std::span<const CallInfo> optimizers();
std::span<const CallInfo> schedules();

}  // namespace limen::language
