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

}  // namespace

Point ParamCheck::point(std::string tensor, double got, std::size_t i) const {
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
  for (std::size_t k = 0; k < call_.y.size(); ++k) {
    for (std::size_t i = 0; i < size(); ++i) {
      const double term = call_.dy[k].get(i) * call_.y[k].get(i), next = sum + term;
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

std::vector<Term> ParamCheck::parts() {
  const double h = std::cbrt(2 * precision_.unit) * std::max(1.0, std::abs(value_));
  std::vector<Term> terms(size(), Term{});
  for (const double step : {h, -h}) {
    each(0, value_ + step);
    call_.run(forward_);
    for (std::size_t i = 0; i < size(); ++i) {
      for (std::size_t k = 0; k < call_.y.size(); ++k) {
        terms[i].part += call_.dy[k].get(i) * call_.y[k].get(i) / (2 * step);
      }
    }
  }
  each(0, value_);
  call_.run(forward_);
  for (std::size_t i = 0; i < size(); ++i) {
    terms[i].upstream = call_.dy[0].get(i);
    terms[i].x = call_.x[0].get(i);
    terms[i].y = call_.y[0].get(i);
  }
  return terms;
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
      for (const double v : expected[k].values()) scale = std::max(scale, std::abs(v));
      for (std::size_t i = 0; i < size(); ++i) {
        t.add(point(tensor, got[k].get(i), i),
              compare(got[k].get(i), expected[k].get(i), 16 * precision_.unit * scale,
                      "with the parameter in w instead of hyper"));
      }
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
  if (backward_.dtype == LIMEN_F32 && exact.backward->dtype == LIMEN_F64) {
    return precision(t, *exact.forward, *exact.backward);
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
  if (judgement.outcome == Outcome::fail && size() > 1 && size() < 100 && !in_evaluation()) {
    t.suspect(parameter_mistake(parts(), got, judgement.bound));
  }
  t.add(point("dw", got), judgement);
}

// An f32 kernel against the f64 one: the terms may be rounded, their sum may not.
void ParamCheck::precision(Tally& t, const limen_kernel& forward, const limen_kernel& backward) {
  ParamCheck exact(context_, p_, forward, backward, draws_, size(), call_.settings);
  const double expected = exact.increments(0)[0], got = increments(0)[0];
  t.add(point("dw", got), compare(got, expected,
                                  64 * precision_.unit * (exact.terms() + exact.values()) +
                                      exact.moves(16 * precision_.unit) + underflow(),
                                  "the f64 kernel's dw at the same x"));
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
  // Equal terms round the same way each time: a sum in float drifts off.
  const double x = call_.x[0].get(0), g = 1.0 / 3;
  for (Operand& operand : call_.x) operand.fill(x);
  for (Operand& operand : call_.dy) operand.fill(g);
  Call one(context_.op, call_.x[0].dtype(), 1, 1);
  if (context_.op.rows() || context_.op.stochastic()) return;  // no equal terms
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
  const Row more = increments(7);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    t.add(point("dw", more[i], i), compare(more[i], parts[i], 0x1p-50 * (7 + std::abs(parts[i])),
                                           "what is added to dw, which held 7 before"));
  }
  // Another value for one element changes that element only.
  const std::size_t at = size() / 2;
  const Operands y = call_.y;
  call_.w[p_].set(at, value_ + 0.125 * std::max(1.0, std::abs(value_)));
  const Row moved = increments(0);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i == at) continue;
    t.add(point("dw", moved[i], i),
          compare(moved[i], parts[i], 0, "dw depends on another element's parameter"));
    t.add(point("y", call_.y[0].get(i), i),
          compare(call_.y[0].get(i), y[0].get(i), 0, "y depends on another element's parameter"));
  }
  // So do other upstreams: those of the odd elements, as one of them may have no gradient.
  call_.w[p_].set(at, value_);
  for (const double factor : {-2.0, -0.5}) {
    for (Operand& dy : call_.dy) {
      for (std::size_t i = 1; i < size(); i += 2) dy.set(i, factor * dy.get(i));
    }
    if (factor == -0.5) break;  // as they were
    const Row turned = increments(0);
    for (std::size_t i = 0; i < parts.size(); i += 2) {
      t.add(point("dw", turned[i], i),
            compare(turned[i], parts[i], 0, "dw depends on another element's upstream"));
    }
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
  call_.settings.flags &= ~LIMEN_TILE_ACCUMULATE;
  call_.dw[p_].absent = true;
  call_.run(backward_);
  for (std::size_t k = 0; k < dx.size(); ++k) {
    for (std::size_t i = 0; i < dx[k].size(); ++i) {
      t.add(point("dx", call_.dx[k].get(i), i),
            compare(call_.dx[k].get(i), dx[k].get(i), 0, "dx without dw"));
    }
  }
  call_.dw[p_].absent = false;
}

namespace {

void check_param(const ActivationContext& context, std::size_t p, const limen_kernel& forward,
                 const limen_kernel& backward, const KernelPair& exact, const Draws& draws) {
  Tally honoured = context.tally("param-gradient", "learned parameter", describe(backward));
  Tally gradient = context.tally("param-gradient", "gradient of a parameter", describe(backward));
  Tally sums = context.tally("param-gradient", "sum over the tile", describe(backward));
  for (const std::size_t n : {1u, 13u, 1000u, 20'000u}) {
    if (!context.first && n > 13) break;  // sums are sums at any value of the parameter
    ParamCheck check(context, p, forward, backward, draws, n);
    if (n <= 13) {
      check.honoured(honoured);
      check.unwanted(honoured);
    }
    if (n <= 1000 && !context.surrogate()) check.gradient(gradient, exact);
    if (n <= 1000) check.per_element(sums);
    if (n != 1000) check.prefills(sums);
  }
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
        if (!draws) draws.emplace(context, 20'000);
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
