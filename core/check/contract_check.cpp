#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "check/contract.hpp"
#include "check/signals.hpp"

namespace limen::check {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Call Contract::draw(double spread) const {
  Call call(context_.op, dtype_, rows_, n_);
  Random random(context_.options.seed, "contract", context_.op.op().name);
  for (Operand& operand : call.x) {
    for (std::size_t i = 0; i < operand.size(); ++i) {
      operand.set(i, context_.inside(random.normal() * spread, random));
    }
  }
  for (Operand& operand : call.dy) {
    for (std::size_t i = 0; i < operand.size(); ++i) operand.set(i, random.upstream());
  }
  fill_all(call.y, kNaN);
  fill_all(call.dx, 7);
  return call;
}

// x must spread so that it meets gradients that are not 0: where they are, nothing can be seen.
Call Contract::draw() const {
  std::optional<Call> best;
  std::ptrdiff_t most = 0;
  for (const double spread : {1.5, 12.0, 0.1, 100.0, 1000.0}) {
    Call call = draw(spread), tried = call;
    run_both(tried);
    const Row dx = tried.dx[0].values();
    const auto live = std::count_if(dx.begin(), dx.end(), [](double v) { return v != 0; });
    if (!best || live > 2 * most) {
      most = live;
      best.emplace(std::move(call));
    }
    if (8 * most >= std::ssize(dx)) break;
  }
  go_far(context_, {&forward_, &backward_}, *best);
  return *std::move(best);
}

void Contract::same(Tally& tally, const Operands& got, const Operands& expected,
                    const std::string& note, const char* tensor, const Elements& part) const {
  for (std::size_t k = 0; k < got.size(); ++k) {
    same(tally, got[k], expected[k], note,
         got.size() == 1 ? tensor : fmt::format("{}[{}]", tensor, k), part);
  }
}

void Contract::same(Tally& tally, const Operand& got, const Operand& expected,
                    const std::string& note, const std::string& tensor,
                    const Elements& part) const {
  if (!context_.options.wants_point && got.same_bits(expected, part.count)) {
    return tally.add_more(static_cast<std::int64_t>(std::min(part.count, got.size())), 0);
  }
  const double rounding = 32 * precision_.unit * expected.largest();
  const bool elsewhere = part.elsewhere && !context_.op.rows();
  compare_all(
      tally, got, expected, tensor, note,
      [&](std::size_t i) {
        const bool loose = part.loose || !exact_ || (elsewhere && beside_far(i, n_));
        return loose ? rounding : 0;  // 0: bit for bit
      },
      part.count);
}

// B(a g) = a B(g) exactly for a = 0, -1 and powers of two: rounding commutes with them.
void Contract::linearity() {
  Tally t = tally("upstream-linear", "upstream linearity");
  std::vector<Scaling> scalings;
  for (const double factor : {2.0, -1.0, 0.0, 0.25, 1024.0}) {
    Call call = make();
    call.run(forward_);
    for (Operand& dy : call.dy) {
      for (std::size_t i = 0; i < dy.size(); ++i) dy.set(i, factor * dy.get(i));
    }
    call.run(backward_);
    for (std::size_t k = 0; k < call.dx.size(); ++k) {
      Operand expected = base_.dx[k];
      double scale = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        expected.set(i, factor * expected.get(i));
        scale = std::max(scale, std::abs(expected.get(i)));
        if (base_.dx[k].get(i) != 0 || call.dx[k].get(i) != 0) {
          scalings.push_back({factor, expected.get(i), call.dx[k].get(i)});
        }
      }
      // Below the normal numbers rounding does not commute with scaling.
      const double bound =
          2048 * precision_.min_normal + (exact_ ? 0.0 : 32 * precision_.unit * scale);
      compare_all(t, call.dx[k], expected, "dx",
                  fmt::format("B({0:g} g) must be {0:g} B(g)", factor),
                  [bound](std::size_t) { return bound; });
    }
  }
  if (t.failed()) t.suspect(upstream_mistake(scalings));
  context_.add(t);
}

// What forward leaves for backward belongs to the call (y, state), what create() makes to the
// instance.
void Contract::after_others(Tally& t, Call& call) const {
  Call other = make();
  take_inputs(other, drawn_, 1);
  other.run(forward_);
  call.run(backward_);
  same(t, call.dx, base_.dx, "forward on other numbers came between forward and backward", "dx");
  if (context_.op.op().create == nullptr) return;
  Call later = make();
  Row& lent = context_.op.lent();
  lent.assign(lent.size(), kNaN);
  run_both(later);
  std::copy(context_.op.hyper().begin(), context_.op.hyper().end(), lent.begin());
  const char* const note = "`hyper` of create() holds other numbers by now: R2, it is the engine's";
  same(t, later.y, base_.y, note, "y");
  same(t, later.dx, base_.dx, note, "dx");
  const OpCase second(context_.op.op(), *context_.other);
  Call there(second, dtype_, rows_, n_);
  take_inputs(there, drawn_);
  there.run(forward_);
  call.run(backward_);
  same(t, call.dx, base_.dx, "another instance was made and used before backward", "dx");
}

void Contract::repeat() {
  Tally t = tally("deterministic", "repeat");
  Call call = make();
  call.run(forward_);
  const std::vector<std::byte> state = call.state;
  const Operands y = call.y;
  after_others(t, call);
  same(t, call.x, drawn_.x, "backward changed its input x", "x");
  same(t, call.dy, drawn_.dy, "backward changed its input dy", "dy");
  same(t, call.y, y, "backward changed its input y", "y");
  fill_all(call.dx, 7);
  call.run(backward_);
  same(t, call.dx, base_.dx, "a second backward gave another gradient", "dx");
  t.require(call.state == state, "state", "backward changed the state that forward saved");
  fill_all(call.y, 7);
  call.run(forward_);
  same(t, call.y, y, "a second forward gave another result", "y");
  t.require(call.guards_intact(), "guard bytes",
            call.state_intact() ? "a kernel wrote outside its operands"
                                : "more of `state` is written than the kernel's state_bits for "
                                  "each element of the tile");
  repeatable_ = !t.failed();
  context_.add(t);
}

void Contract::poison() {
  Tally t = tally("overwrites", "poison");
  for (const double filling : {kNaN, -3.0}) {
    Call call = make();
    call.run(forward_);
    fill_all(call.dx, filling);
    call.run(backward_);
    same(t, call.dx, base_.dx, "the result depends on what dx held before the call", "dx");
    for (std::size_t i = 0; i < call.dx[0].size(); ++i) {  // base_ began with 7
      const double got = call.dx[0].get(i), base = base_.dx[0].get(i);
      if (got == filling && base == 7) {
        t.suspect("elements of dx are never written, perhaps where the gradient is 0: assign 0");
      } else if (got != base && std::abs(got - base - (filling - 7)) < 1e-3) {
        t.suspect("it adds to what dx held: assign, unless LIMEN_TILE_ACCUMULATE is set");
      }
    }
    call.run(forward_);
    const Operands y = call.y;
    fill_all(call.y, filling);
    call.run(forward_);
    same(t, call.y, y, "the result depends on what y held before the call", "y");
  }
  if (context_.op.op().scratch_bytes > 0) {
    Call call = make();
    call.run(forward_);
    call.spoil_scratch();
    call.run(backward_);
    same(t, call.dx, base_.dx, "scratch holds something else than forward left in it", "dx");
  }
  saved_state(t, 0);
  if (context_.op.stochastic()) saved_state(t, LIMEN_TILE_EVAL);
  context_.add(t);
}

// All that backward reads of the state must have been written by forward.
void Contract::saved_state(Tally& t, std::uint32_t flags) const {
  if ((backward_.reads & LIMEN_STATE) == 0) return;
  std::optional<Operands> first;
  for (const unsigned char before : {0x00, 0xff}) {
    Call call = make();
    call.settings.flags = flags;
    std::fill(call.state.begin(), call.state.end(), std::byte{before});
    run_both(call);
    if (first) {
      same(t, call.dx, *first,
           flags == 0
               ? "backward reads a part of the state that forward did not write"
               : "in evaluation backward reads a part of the state that forward did not write",
           "dx");
    }
    first = std::move(call.dx);
  }
}

void Contract::reads() {
  if (!repeatable_) return;  // other numbers prove nothing then
  Tally t = tally("reads-honest", "reads");
  for (const std::uint32_t bit : {LIMEN_X, LIMEN_Y}) {
    if ((backward_.reads & bit) != 0) continue;
    Call call = make();
    call.run(forward_);
    fill_all(bit == LIMEN_X ? call.x : call.y, kNaN);
    call.run(backward_);
    same(t, call.dx, base_.dx,
         bit == LIMEN_X ? "it reads x, which `reads` does not say"
                        : "it reads y, which `reads` does not say",
         "dx");
  }
  context_.add(t);
}

// All results, not only the one in place: they may be computed from what it lies on.
void Contract::in_place() {
  Tally t = tally("in-place", "in place");
  for (const std::size_t n : {n_, n_ - 1}) {  // odd and even
    if (n != n_ && context_.op.rows()) continue;
    const Elements part{context_.op.rows() ? SIZE_MAX : n, n != n_};
    if ((forward_.alias & LIMEN_ALIAS_Y_X) != 0) {
      Call call = make();
      call.n = n;
      call.y_in_x = true;
      call.run(forward_);
      for (std::size_t k = 0; k < call.y.size(); ++k) {
        same(t, k == 0 ? call.x[0] : call.y[k], base_.y[k],
             "forward with y[0] in the memory of x[0]: it lost an x that another element or result "
             "is computed from",
             fmt::format("y[{}]", k), part);
      }
    }
    for (const std::uint32_t bit : {LIMEN_ALIAS_DX_DY, LIMEN_ALIAS_DX_X}) {
      if ((backward_.alias & bit) == 0) continue;
      Call call = make();
      call.n = n;
      call.run(forward_);
      (bit == LIMEN_ALIAS_DX_DY ? call.dx_in_dy : call.dx_in_x) = true;
      call.run(backward_);
      for (std::size_t k = 0; k < call.dx.size(); ++k) {
        same(t, call.dx_at(k), base_.dx[k],
             fmt::format("dx[0] in the memory of {0}[0]: {0}[0] must be read for all results "
                         "before dx[0] is written",
                         bit == LIMEN_ALIAS_DX_DY ? "dy" : "x"),
             fmt::format("dx[{}]", k), part);
      }
    }
  }
  context_.add(t);
}

// One tensor may be all inputs, as in x * x: their gradients are those of two with equal numbers.
void Contract::one_tensor() {
  if (context_.op.op().arity < 2 || !context_.first) return;
  Tally t = tally("in-place", "one tensor for all inputs");
  Call apart = make();
  for (Operand& x : apart.x) x.copy_contents(drawn_.x[0]);
  Call together = apart;
  together.one_x = true;
  for (Call* call : {&apart, &together}) run_both(*call);
  const char* const note = "x[0] and x[1] are one tensor here";
  same(t, together.y, apart.y, note, "y");
  same(t, together.dx, apart.dx, note, "dx");
  context_.add(t);
}

bool survives_null(Tally& tally, Call& call, const limen_kernel& kernel, const std::string& which) {
  const bool good = first_fault([&] { call.run(kernel); }) == nullptr;
  tally.require(good, which,
                good ? "" : fmt::format("{} is NULL, and the kernel follows it", which));
  return good;
}

// A null pointer in dx says that this gradient is not wanted.
void Contract::unwanted() {
  Tally t = tally("null-outputs", "unwanted gradients");
  for (std::size_t k = 0; k < base_.dx.size() && base_.dx.size() > 1; ++k) {
    Call call = make();
    call.run(forward_);
    call.dx[k].absent = true;
    if (!survives_null(t, call, backward_, fmt::format("dx[{}]", k))) continue;
    for (std::size_t j = 0; j < base_.dx.size(); ++j) {
      if (j == k) continue;
      same(t, call.dx[j], base_.dx[j],
           "the gradient depends on whether that of another input is wanted",
           fmt::format("dx[{}] without dx[{}]", j, k));
    }
  }
  context_.add(t);
}

bool check_contract(const ActivationContext& context, const limen_kernel& forward,
                    const limen_kernel& backward) {
  std::optional<Contract> contract;
  const auto test = [&](const char* name, void (Contract::*part)()) {
    if (!context.wants(name)) return;
    if (!contract) contract.emplace(context, forward, backward);
    ((*contract).*part)();
  };
  test("deterministic", &Contract::repeat);
  test("upstream-linear", &Contract::linearity);
  test("overwrites", &Contract::poison);
  test("reads-honest", &Contract::reads);
  test("stochastic-counter", &Contract::evaluation);
  test("accumulate", &Contract::accumulate);
  test("in-place", &Contract::in_place);
  test("in-place", &Contract::one_tensor);
  test("null-outputs", &Contract::unwanted);
  test("unaligned", &Contract::unaligned);
  test("tiles-ragged", &Contract::tiles);
  test("nan-in", &Contract::beside_others);
  return !contract || contract->repeatable();
}

}  // namespace limen::check
