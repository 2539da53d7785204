// Runs a loop compiled for the instruction set of the target: one lambda, three machine versions.
#pragma once

#include <cstdint>

#include <limen/plugin.h>

// `flatten` inlines the lambda and all it calls into the function that carries the target
// attribute, which is what lets GCC vectorise it for that target. The lambda must be a plain loop
// over pointers.
#if defined(__x86_64__)
#define LIMEN_TARGET_V3 \
  __attribute__((target("avx,avx2,fma,bmi,bmi2,lzcnt,popcnt"), flatten, noinline))
#define LIMEN_TARGET_V4                                                                 \
  __attribute__((target("avx,avx2,fma,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd," \
                        "avx512dq,avx512vl,prefer-vector-width=512"),                   \
                 flatten, noinline))
#endif

namespace limen {
namespace detail {

template <class Body>
__attribute__((flatten, noinline)) void run_base(const Body& body) {
  body();
}
#if defined(__x86_64__)
template <class Body>
LIMEN_TARGET_V3 void run_v3(const Body& body) {
  body();
}
template <class Body>
LIMEN_TARGET_V4 void run_v4(const Body& body) {
  body();
}
#endif

}  // namespace detail

template <class Body>
void vectorised(std::uint32_t isa, const Body& body) {
#if defined(__x86_64__)
  if (isa >= LIMEN_ISA_X86_V4) return detail::run_v4(body);
  if (isa >= LIMEN_ISA_X86_V3) return detail::run_v3(body);
#endif
  static_cast<void>(isa);
  detail::run_base(body);
}

}  // namespace limen
