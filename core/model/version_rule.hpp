// Rules on versions: ">=1.2", ">=1.2, <2", "==1.2.0".
#pragma once

#include <string_view>

namespace limen::language {

bool is_version_rule(std::string_view rule);
// Numbers are compared one by one, missing ones are 0; what follows the numbers is left aside.
bool version_fits(std::string_view version, std::string_view rule);

}  // namespace limen::language
