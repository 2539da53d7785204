// Ctrl-C and SIGTERM as a question that a loop can ask.
#pragma once

namespace limen::tools {

// While it lives, the first SIGINT or SIGTERM is only remembered; a second one ends the process at
// once with 128 + its number. At most one at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  static int signal();  // the number of the signal that came; 0: none yet
};

}  // namespace limen::tools
