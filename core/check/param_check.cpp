// Gradients of learned parameters: phi(p) = sum_i g_i f(x_i; p) has one variable per parameter, so
// a ladder along p tells what the kernel must add to dw.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "check/param_check.hpp"
#include "check/row_function.hpp"

namespace limen::check {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr std::size_t kMost = 20'000;  // elements of a sum

constexpr auto kNone = [](std::size_t) { return false; };
constexpr auto kExactly = [](std::size_t) { return 0.0; };

}  // namespace

Point ParamCheck::point(std::string_view tensor, double got, std::size_t i) const {
  Point p;
  p.tensor = fmt::format("{} ({}, {} elements{})", tensor,
                         LIMEN_AT(limen_param, context_.op.op().params, p_)->name, size(),
                         in_evaluation() ? ", evaluation" : "");
  p.element = static_cast<std::int64_t>(i);
  p.elements = call_.w_step[p_] == 0 ? 1 : static_cast<std::int64_t>(size());
  p.x = call_.w_step[p_] == 0 ? value_ : call_.x[0].get(i);
  p.got = got;
  return p;
}

template <class Bound, class LeftOut>
void ParamCheck::compare_all(Tally& t, std::string_view tensor, std::span<const double> got,
                             std::span<const double> expected, const Bound& bound,
                             std::string_view note, const LeftOut& left_out) const {
  Point p = point(tensor, 0);  // its words are the same for all
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (left_out(i)) continue;
    p.element = static_cast<std::int64_t>(i);
    if (p.elements > 1) p.x = call_.x[0].get(i);
    p.got = got[i];
    t.add(p, compare(got[i], expected[i], bound(i), note, context_.options));
  }
}

Row ParamCheck::increments(double before) {
  call_.run(forward_);
  call_.dw[p_].fill(before);
  for (Operand& dx : call_.dx) dx.fill(7);
  call_.run(backward_);
  Row result = call_.dw[p_].values();
  for (double& v : result) v -= before;
  return result;
}

double ParamCheck::phi() {
  call_.run(forward_);
  // Neumaier's sum: its own rounding must not hide that of the kernel.
  double sum = 0, rest = 0;
  Row y(size()), dy(size());
  for (std::size_t k = 0; k < call_.y.size(); ++k) {
    call_.y[k].read(y);
    call_.dy[k].read(dy);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double term = dy[i] * y[i], next = sum + term;
      rest += std::abs(sum) >= std::abs(term) ? (sum - next) + term : (term - next) + sum;
      sum = next;
    }
  }
  return sum + rest;
}

double ParamCheck::terms() {
  if (context_.op.rows()) return static_cast<double>(size());
  each(1, value_);
  double sum = 0;
  for (const double v : increments(0)) sum += std::abs(v);
  each(0, value_);
  return sum;
}

double ParamCheck::values() {
  call_.run(forward_);
  double sum = 0;
  for (std::size_t k = 0; k < call_.y.size(); ++k) {
    for (std::size_t i = 0; i < size(); ++i) {
      sum += std::abs(call_.dy[k].get(i) * call_.y[k].get(i));
    }
  }
  return sum;
}

// A learned parameter is read from w; hyper has no say.
void ParamCheck::honoured(Tally& t) {
  call_.learn(p_, Row{});
  call_.w[p_].absent = call_.dw[p_].absent = true;
  call_.hyper[p_] = value_;
  call_.run(forward_);
  call_.run(backward_);
  const Operands y = call_.y, dx = call_.dx;
  call_.hyper[p_] = kNaN;
  const auto same = [&](const char* tensor, const Operands& got, const Operands& expected) {
    for (std::size_t k = 0; k < got.size(); ++k) {
      double scale = 0;
      const Row right = expected[k].values();
      for (const double v : right) scale = std::max(scale, std::abs(v));
      compare_all(
          t, tensor, got[k].values(), right,
          [&](std::size_t) { return 16 * precision_.unit * scale; },
          "with the parameter in w instead of hyper", kNone);
    }
  };
  for (const std::uint32_t step : {0u, 1u}) {
    if (step == 1 && context_.op.rows()) continue;
    each(step, value_);
    increments(0);
    same("y", call_.y, y);
    same("dx", call_.dx, dx);
  }
  each(0, value_);
}

double ParamCheck::moves(double relative) {
  double result = 0;
  const auto change = [&](const auto& set) {
    set(1 + relative);
    const double up = increments(0)[0];
    set(1 - relative);
    const double moved = 0.5 * std::abs(up - increments(0)[0]);
    set(1);
    if (std::isfinite(moved)) result += moved;
  };
  change([&](double by) { call_.w[p_].set(0, value_ * by); });
  std::vector<Row> x;
  for (const Operand& operand : call_.x) x.push_back(operand.values());
  change([&](double by) {
    for (std::size_t k = 0; k < x.size(); ++k) {
      for (std::size_t i = 0; i < size(); ++i) call_.x[k].set(i, x[k][i] * by);
    }
  });
  return result;
}

void ParamCheck::gradient(Tally& t, const KernelPair& exact, bool open) {
  const bool narrow = backward_.dtype == LIMEN_F32 && exact.backward->dtype == LIMEN_F64;
  if (narrow || &backward_ != exact.backward) {
    const double got = increments(0)[0];
    Judgement judgement = beside(exact, got);
    // Within one type rounding may be more than that: then a ladder decides.
    if (narrow || judgement.outcome == Outcome::pass) return t.add(point("dw", got), judgement);
  }
  derivative(t, open);
}

void ParamCheck::derivative(Tally& t, bool open) {
  const double sum = terms(), weight = values();
  const double got = increments(0)[0];
  LadderOptions options;
  options.value_scale = weight;
  const Derivative d = derivative_at(
      [&](double offset) {
        call_.w[p_].set(0, value_ + offset);
        const double result = phi();
        call_.w[p_].set(0, value_);
        return result;
      },
      value_, precision_, options);
  const double step = backward_.dtype == LIMEN_F32 ? 0x1p-10 : 0x1p-20;
  const Tolerance tolerance{
      16 * precision_.unit * (std::abs(d.value) + weight + sum + moves(step) / step) +
          context_.accuracy() * sum + underflow(),
      std::max(sum, 0.1 * weight), resolution_of(dtype_of_bit(backward_.dtype))};
  Judgement judgement = judge(got, d, tolerance);
  if (open && judgement.outcome == Outcome::undecided) judgement.outcome = Outcome::skipped;
  judgement.note += "; sum_i g_i f(x_i) as a function of the parameter";
  if (size() == 1) judgement.note += fmt::format(", at x = {:g}", call_.x[0].get(0));
  if (judgement.outcome == Outcome::fail && size() < 100 && !in_evaluation()) {
    if (std::string text = mistake(got, judgement.bound); !text.empty()) t.suspect(text);
  }
  t.add(point("dw", got), judgement);
}

// The terms may be rounded, their sum may not.
Judgement ParamCheck::beside(const KernelPair& exact, double got) {
  ParamCheck other(context_, p_, *exact.forward, *exact.backward, draws_, size(), call_.settings);
  return compare(
      got, other.increments(0)[0],
      64 * precision_.unit * (other.terms() + other.values()) + other.moves(16 * precision_.unit) +
          underflow(),
      fmt::format("the dw of the kernel \"{}\" at the same x", describe(*exact.backward)));
}

void ParamCheck::prefills(Tally& t) {
  const Row clean = increments(0);
  for (const double before : {7.0, -3e5}) {
    const Row other = increments(before);
    // Adding in double to `before` rounds once per addition.
    const double bound = 0x1p-52 * (std::abs(before) + std::abs(clean[0])) * 4 *
                         std::sqrt(static_cast<double>(size()));
    t.add(point("dw", other[0]),
          compare(other[0], clean[0], bound,
                  fmt::format("what is added to dw, which held {:g} before", before)));
  }
}

void ParamCheck::equal_terms(Tally& t) {
  if (context_.op.rows() || context_.op.stochastic()) return;  // no equal terms
  const double x = call_.x[0].get(0), g = 1.0 / 3;
  for (Operand& operand : call_.x) operand.fill(x);
  for (Operand& operand : call_.dy) operand.fill(g);
  Call one(context_.op, call_.x[0].dtype(), 1, 1);
  for (std::size_t k = 0; k < one.x.size(); ++k) one.x[k].set(0, call_.x[k].get(0));
  for (Operand& operand : one.dy) operand.set(0, g);
  one.learn(p_, Row{value_});
  one.run(forward_);
  one.run(backward_);
  const double term = one.dw[p_].get(0), expected = term * static_cast<double>(size());
  const Row sum = increments(0);
  t.add(point("dw", sum[0]),
        compare(sum[0], expected,
                (4 * precision_.unit + 0x1p-52 * static_cast<double>(size())) * std::abs(expected),
                "the sum of equal terms: dw is a sum over the tile, in double"));
}

// One value for each element: dw[i] belongs to element i alone, and their sum is that for one
// value.
void ParamCheck::per_element(Tally& t) {
  if (context_.op.rows()) return;
  each(0, value_);
  const double shared = increments(0)[0];
  each(1, value_);
  const Row parts = increments(0);
  double sum = 0, size_of_terms = 0;
  for (const double v : parts) {
    sum += v;
    size_of_terms += std::abs(v);
  }
  t.add(point("dw", sum), compare(sum, shared, 16 * precision_.unit * size_of_terms,
                                  "the sum of dw for one value per element"));
  compare_all(
      t, "dw", increments(7), parts,
      [&](std::size_t i) { return 0x1p-50 * (7 + std::abs(parts[i])); },
      "what is added to dw, which held 7 before", kNone);
  // Another value for one element changes that element only.
  const std::size_t at = size() / 2;
  const auto moved = [at](std::size_t i) { return i == at; };
  const Row y = call_.y[0].values();
  call_.w[p_].set(at, value_ + 0.125 * std::max(1.0, std::abs(value_)));
  compare_all(t, "dw", increments(0), parts, kExactly, "dw depends on another element's parameter",
              moved);
  compare_all(t, "y", call_.y[0].values(), y, kExactly, "y depends on another element's parameter",
              moved);
  // So do other upstreams: those of the odd elements, as one of them may have no gradient.
  call_.w[p_].set(at, value_);
  for (const double factor : {-2.0, -0.5}) {
    for (Operand& dy : call_.dy) {
      for (std::size_t i = 1; i < size(); i += 2) dy.set(i, factor * dy.get(i));
    }
    if (factor == -0.5) break;  // as they were
    compare_all(t, "dw", increments(0), parts, kExactly, "dw depends on another element's upstream",
                [](std::size_t i) { return i % 2 == 1; });
  }
  each(0, value_);
}

// dw without dx, and dx without dw.
void ParamCheck::unwanted(Tally& t) {
  const Row both = increments(0);
  const Operands dx = call_.dx;
  for (Operand& operand : call_.dx) operand.absent = true;
  const Row alone = increments(0);
  t.add(point("dw", alone[0]), compare(alone[0], both[0], 0, "dw without dx"));
  for (Operand& operand : call_.dx) operand.absent = false;
  call_.settings.flags |= LIMEN_TILE_ACCUMULATE;
  const Row added = increments(0);
  t.add(point("dw", added[0]), compare(added[0], both[0], 0, "dw where dx accumulates"));
  call_.dw[p_].absent = true;
  increments(0);
  for (std::size_t k = 0; k < dx.size(); ++k) {
    Row sums = call_.dx[k].values();
    for (double& v : sums) v -= 7;
    compare_all(
        t, "dx", sums, dx[k].values(),
        [&](std::size_t i) { return 8 * precision_.unit * (7 + std::abs(dx[k].get(i))); },
        "dx without dw, where the parameter is learned and dx accumulates: what the call adds to 7",
        kNone);
  }
  call_.settings.flags &= ~LIMEN_TILE_ACCUMULATE;
  call_.run(backward_);
  for (std::size_t k = 0; k < dx.size(); ++k) {
    compare_all(t, "dx", call_.dx[k].values(), dx[k].values(), kExactly, "dx without dw", kNone);
  }
  call_.dw[p_].absent = false;
}

namespace {

void check_param(const ActivationContext& context, std::size_t p, const limen_kernel& forward,
                 const limen_kernel& backward, const KernelPair& exact, const Draws& draws) {
  Tally honoured = context.tally("param-gradient", "learned parameter", describe(backward));
  Tally gradient = context.tally("param-gradient", "gradient of a parameter", describe(backward));
  Tally sums = context.tally("param-gradient", "sum over the tile", describe(backward));
  for (const std::size_t n : {1u, 13u, 1000u}) {
    if (!context.first && n > 13) break;  // sums are sums at any value of the parameter
    ParamCheck check(context, p, forward, backward, draws, n);
    if (n <= 13) {
      check.honoured(honoured);
      check.unwanted(honoured);
    }
    if (!context.surrogate()) check.gradient(gradient, exact);
    check.per_element(sums);
    check.prefills(sums);
    if (n <= 13) check.equal_terms(sums);
  }
  if (context.first) ParamCheck(context, p, forward, backward, draws, kMost).equal_terms(sums);
  if (context.first && !context.surrogate()) {
    for (const double x : {-100.0, -30.0, 30.0, 100.0}) {
      Draws far(context, 5);  // enough for a row
      for (Row& row : far.x) row.assign(5, x);
      if (!context.defined_at(x)) continue;
      ParamCheck(context, p, forward, backward, far, context.op.rows() ? 5 : 1)
          .gradient(gradient, exact, true);
    }
    if (context.op.stochastic()) {
      ParamCheck(context, p, forward, backward, draws, 13, {.flags = LIMEN_TILE_EVAL})
          .gradient(gradient, exact, true);
    }
  }
  for (Tally* t : {&honoured, &gradient, &sums}) context.add(*t);
}

}  // namespace

void check_params(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  const KernelPair exact = reference_pair(context);
  std::optional<Draws> draws;
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    const limen_param& param = *LIMEN_AT(limen_param, op.params, p);
    if (!is_trainable(param)) continue;
    for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
      for (const limen_kernel* k : kernels_of(op, LIMEN_BACKWARD, dtype, context.isa)) {
        const limen_kernel* forward = forward_for(op, *k, context.isa);
        if (forward == nullptr || !context.wants("param-gradient")) continue;
        if (!draws) draws.emplace(context, 1000);
        check_param(context, p, *forward, *k, exact, *draws);
      }
    }
  }
  check_param_steps(context);
}

std::int64_t check_params_briefly(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  const KernelPair reference = reference_pair(context);
  std::int64_t passed = 0;
  if (reference.backward == nullptr || context.surrogate()) return passed;
  const Draws draws(context, 13);
  for (std::uint32_t p = 0; p < op.n_params; ++p) {
    if (!is_trainable(*LIMEN_AT(limen_param, op.params, p))) continue;
    Tally t = context.tally("param-gradient", kOtherSettings, describe(*reference.backward));
    ParamCheck(context, p, *reference.forward, *reference.backward, draws, 13)
        .gradient(t, reference, true);
    passed += context.add_if_failed(t);
  }
  return passed;
}

}  // namespace limen::check
