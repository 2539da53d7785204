// Which plugin kernel a thread is in, for the report of a crash: a signal handler can look at
// nothing but memory that is there already.
#pragma once

#include <cstdint>

namespace limen {

// Texts live as long as the kernel may run. `node` may be empty.
struct KernelSite {
  const char* plugin = "";          // "org.example.mish"
  const char* op = "";              // "mish"
  const char* kernel = "";          // "backward f32 x86-64-v4"
  const char* node = "";            // "layer3.act"
  std::int64_t begin = 0, end = 0;  // elements of the whole tensor
};

// The site of the calling thread; null outside of kernels. Set by KernelGuard alone.
inline thread_local const KernelSite* current_kernel_site = nullptr;

// Two stores around a call.
class KernelGuard {
 public:
  explicit KernelGuard(const KernelSite& site) : before_(current_kernel_site) {
    current_kernel_site = &site;
  }
  ~KernelGuard() { current_kernel_site = before_; }
  KernelGuard(const KernelGuard&) = delete;
  KernelGuard& operator=(const KernelGuard&) = delete;

 private:
  const KernelSite* before_;
};

}  // namespace limen
