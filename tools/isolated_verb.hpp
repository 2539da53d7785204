// A verb's work on plugins, in a child: a library may crash or hang.
#pragma once

#include <functional>
#include <string>

#include "context.hpp"
#include "isolate.hpp"

namespace limen::tools {

// What `work` answers, in a child; an exception is shown there and becomes its exit code.
IsolatedAnswer answer_of(Context& context, const std::function<IsolatedAnswer()>& work);

// Runs `work` in a child and gives its payload to `show`. Errors are shown by the child; its exit
// code is returned. A crash is Error E0519 about `subject`.
Exit run_on_plugins(Context& context, const std::string& subject, int seconds,
                    const std::function<IsolatedAnswer()>& work,
                    const std::function<void(const std::string&)>& show);

}  // namespace limen::tools
