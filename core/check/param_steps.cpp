// Learned parameters whose values differ from element to element, all of them or some of several,
// in every role: an element gets what it gets alone, from its own values.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "check/param_check.hpp"

namespace limen::check {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kElements = 37;  // vectors of any length and a tail

using Steps = std::vector<std::uint32_t>;

// One for each parameter: which of the learned ones have a value for each element.
std::vector<Steps> steps_of(const Steps& learned) {
  std::vector<Steps> result{Steps(learned.size(), 0), learned};
  if (std::count(learned.begin(), learned.end(), 1u) < 2) return result;
  for (std::size_t p = 0; p < learned.size(); ++p) {
    if (learned[p] == 0) continue;
    result.emplace_back(learned.size(), 0)[p] = 1;
  }
  return result;
}

class StepsCheck {
 public:
  StepsCheck(const ActivationContext& context, const KernelPair& pair, const Steps& learned)
      : context_(context),
        pair_(pair),
        learned_(learned),
        precision_(precision_of(dtype_of_bit(pair.backward->dtype))),
        tile_(drawn_call(context, dtype_of_bit(pair.backward->dtype), 1, kElements)),
        one_(context.op, dtype_of_bit(pair.backward->dtype), 1, 1) {
    for (std::size_t p = 0; p < learned.size(); ++p) {
      if (learned[p] != 0) one_.learn(p, Row(1));
    }
  }

  void with(const Steps& steps, Tally& t);

 private:
  // What one element gives alone: of each result its value, then of each parameter its part of dw.
  struct Alone {
    Row results, dw;
  };

  const ActivationContext& context_;
  KernelPair pair_;
  const Steps& learned_;
  Precision precision_;
  Call tile_, one_;

  void give_values(const Steps& steps);
  void run(Call& call);
  Alone alone(std::size_t i);
  void compare_all(const Row& got, const Row& expected, const std::string& tensor,
                   const std::string& note, Tally& t);
};

// A parameter that is one for all has NaN behind it, and slots of dw that must stay empty.
void StepsCheck::give_values(const Steps& steps) {
  Random random(context_.options.seed, "learned values", context_.op.op().name);
  for (std::size_t p = 0; p < learned_.size(); ++p) {
    if (learned_[p] == 0) continue;
    const double middle = context_.op.hyper()[p];
    Row values(kElements, kNaN);
    for (std::size_t i = 0; i < (steps[p] != 0 ? kElements : 1); ++i) {
      const double other = draw(*LIMEN_AT(limen_param, context_.op.op().params, p), random);
      values[i] = static_cast<double>(static_cast<float>(middle + 0.25 * (other - middle)));
    }
    tile_.learn(p, values);
    tile_.hyper[p] = kNaN;
  }
  tile_.w_step = steps;
}

void StepsCheck::run(Call& call) {
  for (Operands* operands : {&call.dx, &call.gy, &call.dw}) {
    for (Operand& operand : *operands) operand.fill(0);
  }
  call.run(*pair_.forward);
  if (pair_.backward != pair_.forward) call.run(*pair_.backward);
}

StepsCheck::Alone StepsCheck::alone(std::size_t i) {
  for (auto [to, from] : {std::pair{&one_.x, &tile_.x}, std::pair{&one_.dy, &tile_.dy},
                          std::pair{&one_.gx, &tile_.gx}, std::pair{&one_.tx, &tile_.tx}}) {
    for (std::size_t k = 0; k < to->size(); ++k) (*to)[k].set(0, (*from)[k].get(i));
  }
  for (std::size_t p = 0; p < learned_.size(); ++p) {
    if (learned_[p] == 0) continue;
    one_.hyper[p] = tile_.w[p].get(tile_.w_step[p] != 0 ? i : 0);
    one_.w[p].set(0, one_.hyper[p]);
  }
  one_.settings.base = i;
  run(one_);
  Alone result;
  for (const Operand* operand : results_of(one_, pair_.backward->role)) {
    const bool sum = std::any_of(one_.dw.begin(), one_.dw.end(),
                                 [&](const Operand& dw) { return &dw == operand; });
    if (!sum) result.results.push_back(operand->get(0));
  }
  for (std::size_t p = 0; p < learned_.size(); ++p) {
    result.dw.push_back(learned_[p] != 0 ? one_.dw[p].get(0) : 0);
  }
  return result;
}

void StepsCheck::compare_all(const Row& got, const Row& expected, const std::string& tensor,
                             const std::string& note, Tally& t) {
  double size = 0;
  for (const double v : expected) size = std::max(size, std::abs(v));
  // Vectors and single elements may round differently.
  const double bound = 4096 * precision_.unit * size + 64 * precision_.min_normal;
  for (std::size_t i = 0; i < got.size(); ++i) {
    Point p;
    p.tensor = tensor;
    p.element = static_cast<std::int64_t>(i);
    p.elements = static_cast<std::int64_t>(got.size());
    p.x = tile_.x[0].get(i);
    p.got = got[i];
    t.add(p,
          compare(got[i], expected[i], std::isfinite(bound) ? bound : 0, note, context_.options));
  }
}

void StepsCheck::with(const Steps& steps, Tally& t) {
  give_values(steps);
  run(tile_);
  std::vector<Alone> right;
  for (std::size_t i = 0; i < kElements; ++i) right.push_back(alone(i));
  std::string which;
  for (std::size_t p = 0; p < learned_.size(); ++p) {
    if (learned_[p] == 0) continue;
    const char* name = LIMEN_AT(limen_param, context_.op.op().params, p)->name;
    which += fmt::format("{}{}: w_step[{}] = {}", which.empty() ? "" : ", ", name, p, steps[p]);
  }
  const std::string note = fmt::format(
      "what this element gives alone, with the same numbers ({}): parameter p of element i is "
      "w[p][w_step[p] ? i : 0], not in hyper, and its gradient goes to the same place of dw[p]",
      which);
  std::size_t k = 0;
  for (auto& [name, operand] : tile_.named()) {
    const auto results = results_of(tile_, pair_.backward->role);
    if (std::find(results.begin(), results.end(), operand) == results.end()) continue;
    if (name.starts_with("dw")) continue;
    Row expected;
    for (const Alone& element : right) expected.push_back(element.results[k]);
    compare_all(operand->values(), expected, name, note, t);
    ++k;
  }
  for (std::size_t p = 0; pair_.backward->role == LIMEN_BACKWARD && p < learned_.size(); ++p) {
    if (learned_[p] == 0) continue;
    Row expected(kElements, 0);
    for (std::size_t i = 0; i < kElements; ++i) expected[steps[p] != 0 ? i : 0] += right[i].dw[p];
    compare_all(tile_.dw[p].values(), expected, fmt::format("dw[{}]", p), note, t);
  }
}

}  // namespace

void check_param_steps(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  Steps learned;
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    learned.push_back(is_trainable(*LIMEN_AT(limen_param, op.params, p)) ? 1 : 0);
  }
  if (context.op.rows() || std::count(learned.begin(), learned.end(), 1u) == 0) return;
  for (const KernelPair& pair : all_kernels(context)) {
    if (!context.wants("param-gradient")) continue;
    Tally t = context.tally("param-gradient", "a value for each element", describe(*pair.backward));
    StepsCheck check(context, pair, learned);
    for (const Steps& steps : steps_of(learned)) check.with(steps, t);
    context.add(t);
  }
}

}  // namespace limen::check
