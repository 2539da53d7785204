// limen gradcheck FILE.so: every op of a plugin, in children that may crash, hang or leave.
#pragma once

#include <cstdint>
#include <string>

#include <limen/gradient_check.hpp>

#include "context.hpp"
#include "gradcheck_report.hpp"

namespace limen::tools {

struct GradcheckRequest {
  CheckOptions options;
  bool exhaustive = false;
  std::string case_id;       // --case; empty: everything
  std::int64_t seconds = 0;  // of silence, then a child hangs; 0: never
  std::string arguments;     // of the command that repeats it, " --seed 3"
  int children = 1;          // that may share the checks of a library; the report is the same
};

// Gives each failure the command that looks at it alone.
void add_repros(CheckReport& report, const std::string& subject, const GradcheckRequest& request);
// Usage: exit code 2.
Error unknown_case(const std::string& id, const std::string& subject,
                   const std::string& suggestion);

// Loads the library in a child; nothing of it runs in this process. Throws Error (usage) where no
// such case is.
Collected check_library(Context& context, const std::string& file, const GradcheckRequest& request);

}  // namespace limen::tools
