// The last words of a process that a plugin's kernel has ended.
#pragma once

namespace limen::tools {

// From now on SIGSEGV, SIGBUS, SIGFPE and SIGILL inside of a plugin's code print which kernel, node
// and elements it was and end the process with exit code 5; elsewhere they end it as ever.
void report_crashes_of_plugins();

}  // namespace limen::tools
