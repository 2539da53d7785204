// Stochastic ops: what a draw may depend on. Their derivatives are checked at fixed draws, like any
// other function's.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "check/activation.hpp"

namespace limen::check {
namespace {

// One call over many elements, all at the same x.
Row draws(const ActivationContext& context, const limen_kernel& forward, std::size_t n, double x,
          CallSettings settings) {
  settings.first_order = true;
  const bool rows = context.op.rows();
  Call call(context.op, dtype_of_bit(forward.dtype), rows ? n / 8 : 1, rows ? 8 : n, settings);
  for (Operand& operand : call.x) operand.fill(x);
  call.run(forward);
  return call.y[0].values();
}

}  // namespace

void check_stochastic(const ActivationContext& context) {
  constexpr std::size_t kMany = 4096;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(context.op.op(), LIMEN_FORWARD, dtype, context.isa)) {
      if (!context.wants("stochastic-counter")) continue;
      Tally t = context.tally("stochastic-counter", "draws", describe(*k));
      // An op may draw nothing at some parameters (a rate of 0); no x lies on a grid of halves.
      bool draws_any = false, by_seed = false, by_index = false;
      // All parts of a key and an index are of the generator: once is enough.
      bool by_second = !context.first, by_low = !context.first, by_high = !context.first;
      for (const double x : {-1.2345, 0.7654}) {
        const Row first = draws(context, *k, kMany, x, {});
        t.require(first == draws(context, *k, kMany, x, {}), "y",
                  "the same seed gave other numbers: a generator outside of (seed, base + i)");
        const auto differs = [&](const CallSettings& settings) {
          return first != draws(context, *k, kMany, x, settings);
        };
        by_seed = by_seed || differs({.seed = 0x77777});
        by_second = by_second || differs({.second_seed = 0x77777});
        by_low = by_low || differs({.base = 1u << 16});
        by_high = by_high || differs({.base = std::uint64_t{1} << 32});
        const Row later = draws(context, *k, kMany / 2, x, {.base = kMany / 2});
        t.require(std::equal(later.begin(), later.end(), first.begin() + kMany / 2), "y",
                  "the numbers depend on where a tile begins, not on seed and base + i alone");
        by_index = by_index || std::adjacent_find(first.begin(), first.end(),
                                                  std::not_equal_to<>()) != first.end();
        const CallSettings eval{.flags = LIMEN_TILE_EVAL};
        const Row calm = draws(context, *k, kMany, x, eval);
        draws_any = draws_any || first != calm;
        t.require(calm == draws(context, *k, kMany, x, {.flags = LIMEN_TILE_EVAL, .seed = 5}), "y",
                  "in evaluation the result depends on the seed");
        const bool equal =
            std::adjacent_find(calm.begin(), calm.end(), std::not_equal_to<>()) == calm.end();
        t.require(context.op.rows() || equal, "y",
                  "in evaluation equal inputs give different results");
      }
      t.require(by_seed || !draws_any, "y", "another seed gave the same numbers");
      t.require(by_low || !by_seed, "y", "elements 65,536 apart got the same numbers");
      if (by_seed && !by_second) context.note("its draws ignore seed[1], half of the key");
      if (by_seed && !by_high) context.note("its draws repeat after 2^32 elements");
      t.require(by_index || !draws_any, "y", "all elements got the same number");
      context.add(t);
    }
  }
}

namespace {

// How far each element's gradient is from a difference, relative, or in f32 from the `exact` one of
// f64, if that is known; leaves `exact` filled.
Row distances(const ActivationContext& context, const KernelPair& pair, std::uint64_t base,
              std::size_t n, Row& exact) {
  const DType dtype = dtype_of_bit(pair.backward->dtype);
  const double x = 0.7654, h = dtype == DType::f32 ? 0x1p-6 : 0x1p-17;
  Call call(context.op, dtype, 1, n, {.base = base, .first_order = true});
  const auto f = [&](double at) {
    for (Operand& operand : call.x) operand.fill(at);
    call.run(*pair.forward);
    return call.y[0].values();
  };
  const Row above = f(x + h), below = f(x - h);
  f(x);
  call.dy[0].fill(1);
  call.run(*pair.backward);
  Row b(n, 0), result(n);
  for (const Operand& dx : call.dx) {
    for (std::size_t i = 0; i < n; ++i) b[i] += dx.get(i);
  }
  const bool narrow = dtype == DType::f32 && !exact.empty();
  for (std::size_t i = 0; i < n; ++i) {
    const double expected = narrow ? exact[i] : (above[i] - below[i]) / (2 * h);
    result[i] = std::abs(b[i] - expected) / (1e-3 + std::abs(b[i]) + std::abs(expected));
  }
  if (!narrow) exact = std::move(b);
  return result;
}

}  // namespace

std::vector<std::uint64_t> doubtful_draws(const ActivationContext& context) {
  constexpr std::size_t kMany = 2048, kMost = 3;
  std::vector<std::uint64_t> elements;
  if (!context.op.stochastic() || !context.first || context.surrogate()) return elements;
  for (const std::uint64_t base : {std::uint64_t{0}, kFarElement}) {
    Row exact;
    for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
      for (const limen_kernel* k :
           kernels_of(context.op.op(), LIMEN_BACKWARD, dtype, context.isa)) {
        const limen_kernel* forward = forward_for(context.op.op(), *k, context.isa);
        if (forward == nullptr) continue;
        const Row off = distances(context, {forward, k}, base, kMany, exact);
        const auto worst = std::max_element(off.begin(), off.end());
        const std::uint64_t element = base + static_cast<std::uint64_t>(worst - off.begin());
        const bool known = std::find(elements.begin(), elements.end(), element) != elements.end();
        if (*worst > 5e-3 && !known && elements.size() < kMost) elements.push_back(element);
      }
    }
  }
  return elements;
}

}  // namespace limen::check
