// A library with a good op and everything wrong around it: an export too many, code at load that
// sets flush-to-zero, thread-local data, a note for an op that it has not, another descriptor each
// time.
#include <immintrin.h>

#include "planted.hpp"

namespace {

using namespace planted;  // a test plugin is one file

struct FlushToZero {
  FlushToZero() { _mm_setcsr(_mm_getcsr() | 0x8040u); }
} flush;

thread_local int calls = 0;

template <class T>
void forward(const limen_tile* t) {
  ++calls;
  for (std::uint64_t i = 0; i < t->n; ++i) out<T>(t->y)[i] = in<T>(t->x)[i];
}
template <class T>
void backward(const limen_tile* t) {
  T* const dx = out<T>(t->dx);
  for (std::uint64_t i = 0; i < t->n; ++i) dx[i] = (adds(t) ? dx[i] : T(0)) + in<T>(t->dy)[i];
}
constexpr limen_kernel kKernels[] = {kernel(LIMEN_FORWARD, LIMEN_F64, forward<double>, 0),
                                     kernel(LIMEN_BACKWARD, LIMEN_F64, backward<double>, 0),
                                     kernel(LIMEN_FORWARD, LIMEN_F32, forward<float>, 0),
                                     kernel(LIMEN_BACKWARD, LIMEN_F32, backward<float>, 0)};
constexpr limen_op same = op("same", kKernels, 4);
constexpr const limen_op* kOps[] = {&same};

}  // namespace

LIMEN_DECLARE_PLUGIN(0);
LIMEN_DECLARE_OP(other, "other");

extern "C" LIMEN_EXPORT int limen_plugin_values() { return calls; }

extern "C" LIMEN_EXPORT const limen_plugin* limen_plugin_v1(const limen_host* host,
                                                            limen_error* error) noexcept {
  if (host->abi_minor > LIMEN_ABI_MINOR) {
    error->code = LIMEN_E_HOST;
    return nullptr;
  }
  static limen_plugin plugins[256];
  static int next = 0;
  limen_plugin& plugin = plugins[next++ % 256];
  plugin = {sizeof plugin,
            LIMEN_ABI_MAJOR,
            LIMEN_ABI_MINOR,
            0,
            0,
            1,
            nullptr,
            "org.limen.test.planted_library",
            "1.0.0",
            "tests",
            "MIT",
            "",
            "",
            kOps};
  return &plugin;
}
