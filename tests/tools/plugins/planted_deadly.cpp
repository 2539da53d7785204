// Squares whose kernels end or hold up the process on certain numbers.
#include <cmath>
#include <cstdlib>

#include <immintrin.h>
#include <unistd.h>

#include "planted.hpp"

namespace {

using namespace planted;  // a test plugin is one file

enum class Death { on_nan, on_subnormal, always_exits, aligned };

template <class T, Death D>
void forward(const limen_tile* t) {
  const T* const x = in<T>(t->x);
  if (D == Death::aligned && t->n >= 4) {
    __m128i v;
    __asm__ volatile("movdqa (%1), %0" : "=x"(v) : "r"(x) : "memory");
  }
  for (std::uint64_t i = 0; i < t->n; ++i) {
    if (D == Death::on_nan && x[i] != x[i]) std::abort();
    if (D == Death::on_subnormal && std::fpclassify(x[i]) == FP_SUBNORMAL) {
      for (volatile bool forever = true; forever;) ::usleep(1000);
    }
    out<T>(t->y)[i] = x[i] * x[i];
  }
}
template <class T, Death D>
void backward(const limen_tile* t) {
  if (D == Death::always_exits) std::exit(0);
  T* const dx = out<T>(t->dx);
  for (std::uint64_t i = 0; i < t->n; ++i) {
    const T d = 2 * in<T>(t->x)[i] * in<T>(t->dy)[i];
    dx[i] = adds(t) ? dx[i] + d : d;
  }
}
template <Death D>
inline constexpr limen_kernel kKernels[] = {kernel(LIMEN_FORWARD, LIMEN_F64, forward<double, D>, 0),
                                            kernel(LIMEN_BACKWARD, LIMEN_F64, backward<double, D>),
                                            kernel(LIMEN_FORWARD, LIMEN_F32, forward<float, D>, 0),
                                            kernel(LIMEN_BACKWARD, LIMEN_F32, backward<float, D>)};

constexpr limen_op crashes_on_nan = op("crashes_on_nan", kKernels<Death::on_nan>, 4);
constexpr limen_op needs_alignment = op("needs_alignment", kKernels<Death::aligned>, 4);
constexpr limen_op exits = op("exits", kKernels<Death::always_exits>, 4);
constexpr limen_op hangs_on_subnormal = op("hangs_on_subnormal", kKernels<Death::on_subnormal>, 4);
LIMEN_DECLARE_OP(a, "crashes_on_nan");
LIMEN_DECLARE_OP(b, "needs_alignment");
LIMEN_DECLARE_OP(c, "exits");
LIMEN_DECLARE_OP(d, "hangs_on_subnormal");

}  // namespace

PLANTED_PLUGIN("org.limen.test.planted_deadly", &crashes_on_nan, &needs_alignment, &exits,
               &hangs_on_subnormal)
