// A report on its way from process to process. Text that is parsed again and again took more time
// than many a test.
#pragma once

#include <string>
#include <string_view>

#include "gradcheck_report.hpp"

namespace limen::tools {

std::string packed(const CheckReport& report);
std::string packed(const Collected& collected);

// What packed() has written, on the same machine; an Error (E0519) if it has not.
CheckReport unpacked_report(std::string_view bytes);
Collected unpacked(std::string_view bytes);

}  // namespace limen::tools
