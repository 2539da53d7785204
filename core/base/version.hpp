// Which limen this is.
#pragma once

#include <string_view>

namespace limen {

std::string_view version();  // "0.1.0"

}  // namespace limen
