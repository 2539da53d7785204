// What kernels make of LIMEN_TILE_ACCUMULATE and LIMEN_TILE_EVAL.
#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "check/contract.hpp"

namespace limen::check {

// An op that draws nothing does the same in evaluation.
void Contract::evaluation() {
  if (context_.op.stochastic() || !context_.first) return;
  Tally t = tally("stochastic-counter", "evaluation");
  const auto run = [&](std::uint32_t flags) {
    Call call = make();
    for (std::uint32_t p = 0; p < call.w.size(); ++p) {
      const bool learned =
          (LIMEN_AT(limen_param, context_.op.op().params, p)->flags & LIMEN_PF_TRAINABLE) != 0;
      if (learned) call.learn(p, std::span(&call.hyper[p], 1));
    }
    call.settings.flags = flags;
    run_both(call);
    return call;
  };
  const Call usual = run(0), calm = run(LIMEN_TILE_EVAL);
  same(t, calm.y, usual.y, "forward with LIMEN_TILE_EVAL", "y");
  same(t, calm.dx, usual.dx, "backward with LIMEN_TILE_EVAL", "dx");
  for (std::size_t p = 0; p < calm.dw.size(); ++p) {
    if (calm.dw[p].absent) continue;
    same(t, calm.dw[p], usual.dw[p], "backward with LIMEN_TILE_EVAL", fmt::format("dw[{}]", p));
  }
  context_.add(t);
}

void Contract::accumulate() {
  Tally t = tally("accumulate", "accumulate");
  accumulate(t, base_);
  const bool draws = context_.op.stochastic();
  const auto as_well = [&](const CallSettings& settings) {
    Call plain = make();
    plain.settings = settings;
    run_both(plain);
    accumulate(t, plain);
  };
  if (draws || context_.first) as_well({.flags = LIMEN_TILE_EVAL});
  if (draws && context_.first) as_well({.base = kFarElement});
  context_.add(t);
}

// As in the call `plain`, and added.
void Contract::accumulate(Tally& t, const Call& plain) const {
  Call call = make();
  call.settings = plain.settings;
  call.run(forward_);
  Random random(context_.options.seed, "accumulate");
  for (Operand& dx : call.dx) {
    for (std::size_t i = 0; i < dx.size(); ++i) dx.set(i, i % 5 == 0 ? 0 : random.normal());
  }
  const Operands before = call.dx;
  const std::vector<std::byte> state = call.state;
  call.settings.flags |= LIMEN_TILE_ACCUMULATE;
  call.run(backward_);
  t.require(call.state == state, "state",
            "with LIMEN_TILE_ACCUMULATE backward changed the state that forward saved");
  const bool calm = (plain.settings.flags & LIMEN_TILE_EVAL) != 0;
  for (std::size_t k = 0; k < before.size(); ++k) {
    Operand expected = before[k];
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected.set(i, before[k].get(i) + plain.dx[k].get(i));
    }
    double most = 0;
    for (const double d : plain.dx[k].values()) most = std::max(most, std::abs(d));
    compare_all(t, call.dx[k], expected, "dx",
                calm ? "with LIMEN_TILE_ACCUMULATE in evaluation it must add what it gives without"
                     : "with LIMEN_TILE_ACCUMULATE it must add to dx",
                [&](std::size_t i) {
                  // A sum that takes what was there first, or fused, shows what its terms round.
                  const double held = std::abs(before[k].get(i));
                  return 8 * precision_.unit * (held + 4 * most);
                });
  }
}

}  // namespace limen::check
