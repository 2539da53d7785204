// Learned parameters whose values differ from element to element, all of them or some of several,
// in every role: an element gets what it gets alone, from its own values.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "check/param_check.hpp"

namespace limen::check {
namespace {

constexpr std::size_t kElements = 37;  // vectors of any length and a tail
using Steps = std::vector<std::uint32_t>;

class StepsCheck {
 public:
  StepsCheck(const ActivationContext& context, const KernelPair& pair, const Steps& learned)
      : context_(context),
        pair_(pair),
        learned_(learned),
        tile_(drawn_call(context, dtype_of_bit(pair.backward->dtype), 1, kElements)),
        one_(context.op, dtype_of_bit(pair.backward->dtype), 1, 1) {
    for (std::size_t p = 0; p < learned.size(); ++p) {
      if (learned[p] != 0) one_.learn(p, Row(1));
    }
    go_far(context, pair, tile_);
  }

  void with(const Steps& steps, Tally& t);

 private:
  const ActivationContext& context_;
  KernelPair pair_;
  const Steps& learned_;
  Call tile_, one_;

  const limen_param& param(std::size_t p) const {
    return *LIMEN_AT(limen_param, context_.op.op().params, p);
  }
  void give_values(const Steps& steps);
  std::vector<Operand*> run(Call& call);
  Row alone(std::size_t i);
  void compare_all(const Operand& got, const Row& expected, const std::string& note, Tally& t);
  void adds(Tally& t);
};

// A parameter that is one for all has NaN behind it, and slots of dw that must stay empty.
void StepsCheck::give_values(const Steps& steps) {
  Random random(context_.options.seed, "learned values", context_.op.op().name);
  for (std::size_t p = 0; p < learned_.size(); ++p) {
    if (learned_[p] == 0) continue;
    const double middle = context_.op.hyper()[p];
    tile_.hyper[p] = std::numeric_limits<double>::quiet_NaN();
    Row values(kElements, tile_.hyper[p]);
    for (std::size_t i = 0; i < (steps[p] != 0 ? kElements : 1); ++i) {
      const double value = middle + 0.25 * (draw(param(p), random) - middle);
      values[i] = static_cast<double>(static_cast<float>(value));
    }
    tile_.learn(p, values);
  }
  tile_.w_step = steps;
}

std::vector<Operand*> StepsCheck::run(Call& call) {
  for (Operand& sum : call.dw) sum.fill(0);
  call.run(*pair_.forward);
  if (pair_.backward != pair_.forward) call.run(*pair_.backward);
  std::vector<Operand*> results = results_of(call, pair_.backward->role);
  std::erase_if(results, [](const Operand* result) { return result->size() == 0; });
  return results;
}

// What element i gives alone, with its own values for both w and hyper.
Row StepsCheck::alone(std::size_t i) {
  const auto take = [i](Operands& to, const Operands& from) {
    for (std::size_t k = 0; k < to.size(); ++k) to[k].set(0, from[k].get(i));
  };
  take(one_.x, tile_.x), take(one_.dy, tile_.dy), take(one_.gx, tile_.gx), take(one_.tx, tile_.tx);
  for (std::size_t p = 0; p < learned_.size(); ++p) {
    if (learned_[p] == 0) continue;
    one_.hyper[p] = tile_.w[p].get(tile_.w_step[p] != 0 ? i : 0);
    one_.w[p].set(0, one_.hyper[p]);
  }
  one_.settings.base = i;
  Row values;
  for (const Operand* result : run(one_)) values.push_back(result->get(0));
  return values;
}

void StepsCheck::compare_all(const Operand& got, const Row& expected, const std::string& note,
                             Tally& t) {
  std::string tensor;
  for (const auto& [name, operand] : tile_.named()) {
    if (operand == &got) tensor = name;
  }
  double size = 0;
  for (const double v : expected) size = std::isfinite(v) ? std::max(size, std::abs(v)) : size;
  const Precision precision = precision_of(tile_.x[0].dtype());
  // Vectors and single elements may round differently.
  const double bound = 4096 * precision.unit * size + 64 * precision.min_normal;
  for (std::size_t i = 0; i < kElements; ++i) {
    Point p{tensor, static_cast<std::int64_t>(i), kElements, tile_.x[0].get(i)};
    p.got = got.get(i);
    const Judgement judgement = compare(p.got, expected[i], bound, note, context_.options);
    if (judgement.outcome == Outcome::fail && !t.failed()) {
      if ((tile_.settings.flags & LIMEN_TILE_ACCUMULATE) != 0) {
        t.suspect("LIMEN_TILE_ACCUMULATE is lost, or concerns more than dx, where w_step is 1");
      } else if (std::isnan(p.got)) {
        t.suspect("it reads hyper[p], or w[p][i] where w_step[p] is 0: these hold NaN here");
      } else if (!tensor.starts_with("dw")) {
        t.suspect(
            "it takes another element's value of a parameter, or reads `w` as another type than "
            "the tile's (float in f32 kernels): each parameter has its own w_step[p]");
      }
    }
    t.add(p, judgement);
  }
}

void StepsCheck::with(const Steps& steps, Tally& t) {
  give_values(steps);
  const std::string note = fmt::format(
      "what this element gives alone; here w_step is {{{}}}, so parameter p of element i is "
      "w[p][w_step[p] ? i : 0], never hyper[p], and its gradient goes to the same place of dw[p]",
      fmt::join(steps, ", "));
  const std::vector<Operand*> results = run(tile_);
  std::vector<Row> expected(results.size(), Row(kElements, 0));
  for (std::size_t i = 0; i < kElements; ++i) {
    const Row values = alone(i);
    for (std::size_t k = 0; k < results.size(); ++k) {
      bool shared = false;
      for (std::size_t p = 0; p < steps.size(); ++p) {
        shared = shared || (results[k] == &tile_.dw[p] && steps[p] == 0);
      }
      expected[k][shared ? 0 : i] += values[k];
    }
  }
  for (std::size_t k = 0; k < results.size(); ++k) compare_all(*results[k], expected[k], note, t);
  if (pair_.backward->role == LIMEN_BACKWARD && steps == learned_) adds(t);
}

// The same call, where dx holds something to which its gradient is added.
void StepsCheck::adds(Tally& t) {
  std::vector<Row> expected;
  const std::vector<Operand*> results = results_of(tile_, LIMEN_BACKWARD);
  for (const Operand* result : results) expected.push_back(result->values());
  for (std::size_t k = 0; k < tile_.dx.size(); ++k) {
    tile_.dx[k].fill(7);
    for (double& v : expected[k]) v += 7;
  }
  tile_.settings.flags |= LIMEN_TILE_ACCUMULATE;
  run(tile_);
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (results[k]->size() == 0) continue;
    compare_all(*results[k], expected[k],
                "with LIMEN_TILE_ACCUMULATE: dx held 7, to which its gradient must be added, and "
                "dw[p][i] gets what it gets without",
                t);
  }
  tile_.settings.flags &= ~LIMEN_TILE_ACCUMULATE;
}

}  // namespace

void check_param_steps(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  Steps learned;
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    learned.push_back(is_trainable(*LIMEN_AT(limen_param, op.params, p)) ? 1 : 0);
  }
  const auto count = std::count(learned.begin(), learned.end(), 1u);
  if (context.op.rows() || count == 0 || !(context.first || context.brief)) return;
  std::vector<Steps> all{Steps(learned.size(), 0), learned};
  for (std::size_t p = 0; count > 1 && p < learned.size(); ++p) {
    if (learned[p] != 0) all.emplace_back(learned.size(), 0)[p] = 1;
  }
  for (const KernelPair& pair : all_kernels(context)) {
    if (!context.wants("param-gradient")) continue;
    Tally t = context.tally("param-gradient", "a value for each element", describe(*pair.backward));
    StepsCheck check(context, pair, learned);
    for (const Steps& steps : all) check.with(steps, t);
    context.brief ? void(context.add_if_failed(t)) : context.add(t);
  }
}

}  // namespace limen::check
