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
          const CallSettings& settings) {
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
      for (const double x : {-1.2345, 0.7654}) {
        const Row first = draws(context, *k, kMany, x, {});
        t.require(first == draws(context, *k, kMany, x, {}), "y",
                  "the same seed gave other numbers: a generator outside of (seed, base + i)");
        by_seed = by_seed || first != draws(context, *k, kMany, x, {.seed = 0x77777});
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
      t.require(by_index || !draws_any, "y", "all elements got the same number");
      context.add(t);
    }
  }
}

}  // namespace limen::check
