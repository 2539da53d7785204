// SHA-256 (FIPS 180-4), for content that is to be recognised again.
#pragma once

#include <string>
#include <string_view>

namespace limen {

std::string sha256(std::string_view bytes);  // 64 hexadecimal digits, lower case

}  // namespace limen
