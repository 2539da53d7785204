#include "fact_texts.hpp"

#include <fmt/format.h>

namespace limen::tools {

std::vector<std::string> fact_texts(const limen_op& op) {
  std::vector<std::string> all;
  if ((op.flags & LIMEN_OP_EXPERIMENTAL) != 0) all.emplace_back("experimental");
  if ((op.flags & LIMEN_OP_STOCHASTIC) != 0) all.emplace_back("draws random numbers in training");
  if ((op.flags & LIMEN_OP_SURROGATE) != 0) {
    all.push_back(fmt::format("backward is that of {}",
                              op.surrogate_of != nullptr ? op.surrogate_of : "another function"));
  }
  if (op.facts == nullptr) return all;
  const limen_facts& facts = *op.facts;
  const auto add = [&](std::uint32_t flag, std::string text) {
    if ((facts.flags & flag) != 0) all.push_back(std::move(text));
  };
  add(LIMEN_FACT_RANGE, fmt::format("y in [{:.6g}, {:.6g}]", facts.y_min, facts.y_max));
  add(LIMEN_FACT_DOMAIN, fmt::format("x in [{:.6g}, {:.6g}]", facts.x_min, facts.x_max));
  add(LIMEN_FACT_ODD, "odd");
  add(LIMEN_FACT_EVEN, "even");
  add(LIMEN_FACT_INCREASING, "never decreasing");
  add(LIMEN_FACT_ZERO_AT_ZERO, "f(0) = 0");
  add(LIMEN_FACT_HOMOGENEOUS, "f(a x) = a f(x) for a >= 0");
  add(LIMEN_FACT_IDEMPOTENT, "f(f(x)) = f(x)");
  add(LIMEN_FACT_LIPSCHITZ, fmt::format("|f'| <= {:.6g}", facts.lipschitz));
  add(LIMEN_FACT_GAIN, fmt::format("gain for initialisation {:.4g}", facts.gain));
  for (std::uint32_t i = 0; i < facts.n_kinks; ++i) {
    const limen_kink& kink = facts.kinks[i];
    all.push_back(fmt::format("{} at {:.6g}{}, slope there {:.6g}",
                              kink.kind == LIMEN_KINK_JUMP ? "jump" : "kink", kink.at,
                              kink.param < 0 ? "" : " shifted by a parameter", kink.slope));
  }
  return all;
}

}  // namespace limen::tools
