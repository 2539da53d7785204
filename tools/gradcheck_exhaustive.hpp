// limen gradcheck --exhaustive: every float, with a line of progress.
#pragma once

#include <functional>
#include <string>

#include <limen/gradient_check.hpp>

#include "context.hpp"

namespace limen::tools {

// check_exhaustive() of an op that has no obstacle to it, in the process that may run its code;
// else throws Error (usage). Looks at a single float if `case_id` (may be empty) names one. Calls
// `alive` twice a second.
CheckReport check_every_float(const Context& context, const limen_op& op,
                              const CheckOptions& options, const std::string& case_id,
                              const std::function<void()>& alive);

// Usage: `subject` "takes 2 inputs".
Error no_exhaustive(const std::string& subject, const std::string& obstacle);

}  // namespace limen::tools
