#include "allocations/counting.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include <dlfcn.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMEN_OWN_MALLOC 0
#else
#define LIMEN_OWN_MALLOC 1
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}
#endif

namespace {

std::atomic<bool> counting = false;
std::atomic<long> by_limen, by_onednn, by_openmp;

void count(const void* caller) {
  if (!counting.load(std::memory_order_relaxed)) return;
  Dl_info info{};
  const char* file = dladdr(caller, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
  (std::strstr(file, "libdnnl") != nullptr   ? by_onednn
   : std::strstr(file, "libgomp") != nullptr ? by_openmp
                                             : by_limen)++;
}

void* plain(std::size_t size) {
#if LIMEN_OWN_MALLOC
  return __libc_malloc(size);
#else
  return std::malloc(size);
#endif
}

void* aligned(std::size_t alignment, std::size_t size) {
#if LIMEN_OWN_MALLOC
  return __libc_memalign(alignment, size);
#else
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
#endif
}

void* checked(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

#define CALLER __builtin_return_address(0)

void* operator new(std::size_t size) { return count(CALLER), checked(plain(size == 0 ? 1 : size)); }
void* operator new[](std::size_t size) {
  return count(CALLER), checked(plain(size == 0 ? 1 : size));
}
void* operator new(std::size_t size, std::align_val_t a) {
  return count(CALLER), checked(aligned(static_cast<std::size_t>(a), size));
}
void* operator new[](std::size_t size, std::align_val_t a) {
  return count(CALLER), checked(aligned(static_cast<std::size_t>(a), size));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return count(CALLER), plain(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return count(CALLER), plain(size);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

#if LIMEN_OWN_MALLOC
extern "C" {
void* malloc(std::size_t size) { return count(CALLER), __libc_malloc(size); }
void* calloc(std::size_t n, std::size_t size) { return count(CALLER), __libc_calloc(n, size); }
void* realloc(void* p, std::size_t size) { return count(CALLER), __libc_realloc(p, size); }
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return count(CALLER), __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  return count(CALLER), __libc_memalign(alignment, size);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
  count(CALLER);
  *p = __libc_memalign(alignment, size);
  return *p == nullptr ? ENOMEM : 0;
}
}
#endif

namespace limen::test {

AllocationCounter::AllocationCounter() {
  by_limen = by_onednn = by_openmp = 0;
  counting = true;
}

AllocationCounts AllocationCounter::counts() const {
  counting = false;
  return {by_limen, by_onednn, by_openmp};
}

}  // namespace limen::test
