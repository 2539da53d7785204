// Kernels stopped in the middle: where one touches memory that is not its own, and at any place.
#pragma once

#include <functional>

namespace limen::check {

// Runs `body`. If it touches memory that it may not touch, it is left at that point and the address
// is returned; null if all went well. For kernels: code that holds no lock and owns nothing.
const void* first_fault(const std::function<void()>& body);

// Runs `body` again and again and, from a signal handler at some places in its midst, `intruder`:
// what two threads in one function do to each other, without luck. `after` looks at each run that
// was interrupted. Both must not lock; while malloc() is at work, nothing interrupts it.
void run_interrupted(const std::function<void()>& body, const std::function<void()>& intruder,
                     const std::function<void()>& after);

}  // namespace limen::check
