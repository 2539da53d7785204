// Runs every kernel of a shipped activation that this machine can run.
#pragma once

#include <limen/plugin_registry.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "base/isa.hpp"

namespace limen::test {

template <class F>
constexpr std::uint32_t kDtype = std::is_same_v<F, float> ? LIMEN_F32 : LIMEN_F64;

inline const PluginRegistry& shipped() {
  static const PluginRegistry kRegistry = [] {
    PluginRegistry registry;
    registry.load_directory(LIMEN_SHIPPED_PLUGINS);
    return registry;
  }();
  return kRegistry;
}

template <class F>
std::vector<const limen_kernel*> kernels(const Activation& activation, std::uint32_t role) {
  std::vector<const limen_kernel*> all;
  const limen_op& op = activation.op();
  for (std::size_t i = 0; i < op.n_kernels; ++i) {
    const limen_kernel* k = LIMEN_AT(limen_kernel, op.kernels, i);
    if (k->role == role && k->dtype == kDtype<F> && isa_runs(k->isa, detect_isa()))
      all.push_back(k);
  }
  return all;
}

// Points everywhere: near 0, far out, every exponent, both zeros, subnormal numbers.
template <class F>
std::vector<F> everywhere(unsigned seed, int count) {
  using limits = std::numeric_limits<F>;
  using bits = std::conditional_t<sizeof(F) == 4, std::uint32_t, std::uint64_t>;
  std::vector<F> x;
  for (const F a : {F(0),
                    limits::denorm_min(),
                    5 * limits::denorm_min(),
                    limits::min(),
                    F(0.25),
                    F(0.5),
                    F(1),
                    F(1.5),
                    F(2),
                    F(3),
                    F(6),
                    F(20),
                    F(22),
                    F(60),
                    F(88),
                    F(100),
                    F(104),
                    F(700),
                    F(745),
                    F(800),
                    F(1e4),
                    F(1e30),
                    limits::max()}) {
    for (const F b : {std::nextafter(a, F(0)), a, std::nextafter(a, limits::max())}) {
      x.push_back(b);
      x.push_back(-b);
    }
  }
  std::mt19937_64 random(seed);
  std::normal_distribution<double> near(0, 3);
  std::uniform_real_distribution<double> far(-60, 60);
  for (int i = 0; i < count; ++i) {
    x.push_back(static_cast<F>(near(random)));
    x.push_back(static_cast<F>(far(random)));
    const F any = std::bit_cast<F>(static_cast<bits>(random()));
    if (std::isfinite(any)) x.push_back(any);
  }
  return x;
}

// |got - exact| in units of the last place of max(|exact|, scale) as an F; 0 where both are the
// same infinity, infinite where got is not a number. Results that may be subnormal have the unit
// that their type has there.
template <class F>
double ulp_error(F got, long double exact, long double scale = 0) {
  using limits = std::numeric_limits<F>;
  const F rounded = static_cast<F>(exact);
  if (std::isinf(rounded) || !std::isfinite(got)) {
    const bool near_overflow = std::isfinite(rounded) && std::abs(rounded) > limits::max() / 2;
    return got == rounded || (std::isinf(got) && near_overflow)
               ? 0
               : std::numeric_limits<double>::infinity();
  }
  int exponent = 0;
  std::frexp(std::max(std::abs(exact), scale), &exponent);
  exponent = std::max(exponent, limits::min_exponent) - limits::digits;
  return static_cast<double>(std::abs(got - exact) / std::ldexp(1.0L, exponent));
}

}  // namespace limen::test
