// Finding out where a kernel touches memory that is not its own.
#pragma once

#include <functional>

namespace limen::check {

// Runs `body`. If it touches memory that it may not touch, it is left at that point and the address
// is returned; null if all went well. For kernels: code that holds no lock and owns nothing.
const void* first_fault(const std::function<void()>& body);

}  // namespace limen::check
