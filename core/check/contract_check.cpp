#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"

namespace limen::check {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The operands that every test starts from, and the gradient that is right by definition here.
class Contract {
 public:
  Contract(const ActivationContext& context, const limen_kernel& forward,
           const limen_kernel& backward)
      : context_(context),
        forward_(forward),
        backward_(backward),
        dtype_(dtype_of_bit(backward.dtype)),
        precision_(precision_of(dtype_)),
        rows_(context.op.rows() ? 3 : 1),
        n_(context.op.rows() ? 13 : 67),
        base_(make(0)) {
    base_.run(forward_);
    base_.dx.fill(7);
    base_.run(backward_);
  }

  void linearity();
  void repeat();
  void poison();
  void reads();
  void accumulate();
  void in_place();
  void neighbours();

 private:
  const ActivationContext& context_;
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  DType dtype_;
  Precision precision_;
  std::size_t rows_, n_;
  Call base_;  // after forward and backward

  Call make(std::size_t offset) const;
  Tally tally(const char* check) const { return context_.tally(check, describe(backward_)); }
  // Adds one point per element: `got` against `expected`, exactly or up to `bound(i)`.
  template <class Bound>
  void compare_all(Tally& tally, Operand& got, Operand& expected, const char* note,
                   const Bound& bound) const;
  void same(Tally& tally, Operand& got, Operand& expected, const char* note,
            const char* tensor) const;
};

Call Contract::make(std::size_t offset) const {
  Call call(context_.op, dtype_, rows_, n_, offset);
  Random random(context_.options.seed, "contract", context_.op.op().name);
  const limen_facts* facts = context_.op.op().facts;
  for (std::size_t i = 0; i < call.x.size(); ++i) {
    double x = random.normal() * 1.5;
    if (context_.has(LIMEN_FACT_DOMAIN) && !(x > facts->x_min && x < facts->x_max)) {
      const double low = std::max(facts->x_min, -4.0), high = std::min(facts->x_max, 4.0);
      x = low <= high ? random.uniform(low, high) : facts->x_min;
    }
    call.x.set(i, x);
    call.dy.set(i, random.upstream());
  }
  call.y.fill(kNaN);
  call.dx.fill(7);
  return call;
}

template <class Bound>
void Contract::compare_all(Tally& tally, Operand& got, Operand& expected, const char* note,
                           const Bound& bound) const {
  for (std::size_t i = 0; i < got.size(); ++i) {
    Point point;
    point.element = static_cast<std::int64_t>(i);
    point.elements = static_cast<std::int64_t>(got.size());
    point.x = base_.x.get(i);
    point.y = base_.y.get(i);
    point.upstream = base_.dy.get(i);
    point.got = got.get(i);
    tally.add(point, compare(point.got, expected.get(i), bound(i), note));
  }
}

void Contract::same(Tally& tally, Operand& got, Operand& expected, const char* note,
                    const char* tensor) const {
  for (std::size_t i = 0; i < got.size(); ++i) {
    Point point;
    point.tensor = tensor;
    point.element = static_cast<std::int64_t>(i);
    point.elements = static_cast<std::int64_t>(got.size());
    point.x = base_.x.get(i);
    point.upstream = base_.dy.get(i);
    point.got = got.get(i);
    tally.add(point, compare(point.got, expected.get(i), 0, note));
  }
}

// B(a g) = a B(g) exactly for a = 0, -1 and powers of two: rounding commutes with them.
void Contract::linearity() {
  Tally t = tally("upstream linearity");
  for (const double factor : {2.0, -1.0, 0.0, 0.25, 1024.0}) {
    Call call = make(0);
    call.run(forward_);
    Operand expected = base_.dx;
    for (std::size_t i = 0; i < call.dy.size(); ++i) {
      call.dy.set(i, factor * base_.dy.get(i));
      expected.set(i, factor * base_.dx.get(i));
    }
    call.run(backward_);
    const std::string note = fmt::format("B({0:g} g) must be {0:g} B(g)", factor);
    const bool loose = context_.has(LIMEN_FACT_NONDETERMINISTIC);
    double scale = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      scale = std::max(scale, std::abs(expected.get(i)));
    }
    compare_all(t, call.dx, expected, note.c_str(), [&](std::size_t) {
      // Below the normal numbers rounding does not commute with scaling.
      return 2048 * precision_.min_normal + (loose ? 32 * precision_.unit * scale : 0.0);
    });
  }
  context_.add(t);
}

void Contract::repeat() {
  Tally t = tally("repeat");
  Call call = make(0);
  call.run(forward_);
  const std::vector<std::byte> state = call.state;
  Operand y = call.y;
  call.run(backward_);
  Operand x = make(0).x, dy = make(0).dy;
  same(t, call.x, x, "backward changed its input x", "x");
  same(t, call.dy, dy, "backward changed its input dy", "dy");
  same(t, call.y, y, "backward changed its input y", "y");
  call.dx.fill(7);
  call.run(backward_);
  if (!context_.has(LIMEN_FACT_NONDETERMINISTIC)) {
    same(t, call.dx, base_.dx, "a second backward gave another gradient", "dx");
  }
  if (call.state != state) {
    Point point;
    point.tensor = "state";
    t.add(point, {Outcome::fail, 0, 0, "backward changed the state that forward saved"});
  }
  call.y.fill(7);
  call.run(forward_);
  if (!context_.has(LIMEN_FACT_NONDETERMINISTIC)) {
    same(t, call.y, y, "a second forward gave another result", "y");
  }
  Point point;
  point.tensor = "guard bytes";
  t.add(point, {call.guards_intact() ? Outcome::pass : Outcome::fail, 0, 0,
                "a kernel wrote outside its operands"});
  context_.add(t);
}

void Contract::poison() {
  Tally t = tally("poison");
  for (const double filling : {kNaN, -3.0}) {
    Call call = make(0);
    call.run(forward_);
    call.dx.fill(filling);
    call.run(backward_);
    same(t, call.dx, base_.dx, "the result depends on what dx held before the call", "dx");
  }
  context_.add(t);
}

void Contract::reads() {
  Tally t = tally("reads");
  for (const std::uint32_t bit : {LIMEN_X, LIMEN_Y}) {
    if ((backward_.reads & bit) != 0) continue;
    Call call = make(0);
    call.run(forward_);
    (bit == LIMEN_X ? call.x : call.y).fill(kNaN);
    call.run(backward_);
    same(t, call.dx, base_.dx,
         bit == LIMEN_X ? "it reads x, which `reads` does not say"
                        : "it reads y, which `reads` does not say",
         "dx");
  }
  context_.add(t);
}

void Contract::accumulate() {
  Tally t = tally("accumulate");
  Call call = make(0);
  call.run(forward_);
  Operand before = base_.dx, expected = base_.dx;
  Random random(context_.options.seed, "accumulate");
  for (std::size_t i = 0; i < before.size(); ++i) {
    before.set(i, random.normal());
    call.dx.set(i, before.get(i));
    expected.set(i, before.get(i) + base_.dx.get(i));
  }
  call.flags = LIMEN_TILE_ACCUMULATE;
  call.run(backward_);
  compare_all(t, call.dx, expected, "with LIMEN_TILE_ACCUMULATE it must add to dx",
              [&](std::size_t i) {
                return 8 * precision_.unit * (std::abs(before.get(i)) + std::abs(base_.dx.get(i)));
              });
  context_.add(t);
}

void Contract::in_place() {
  Tally t = tally("in place");
  if ((forward_.alias & LIMEN_ALIAS_Y_X) != 0) {
    Call call = make(0);
    call.y_in_x = true;
    call.run(forward_);
    same(t, call.x, base_.y, "forward with y in the memory of x", "y");
  }
  for (const std::uint32_t bit : {LIMEN_ALIAS_DX_DY, LIMEN_ALIAS_DX_X}) {
    if ((backward_.alias & bit) == 0) continue;
    Call call = make(0);
    call.run(forward_);
    (bit == LIMEN_ALIAS_DX_DY ? call.dx_in_dy : call.dx_in_x) = true;
    call.run(backward_);
    same(t, call.dx_result(), base_.dx,
         bit == LIMEN_ALIAS_DX_DY ? "dx in the memory of dy" : "dx in the memory of x", "dx");
  }
  context_.add(t);
}

// An element (a row) must not depend on its neighbours, nor on where in memory it lies.
void Contract::neighbours() {
  Tally t = tally("independence");
  // Vector code and its scalar tail may round differently.
  const auto bound_of = [&](const Operand& expected) {
    double scale = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      scale = std::max(scale, std::abs(expected.get(i)));
    }
    return [bound = 16 * precision_.unit * scale](std::size_t) { return bound; };
  };
  Call moved = make(1);
  moved.run(forward_);
  moved.run(backward_);
  compare_all(t, moved.y, base_.y, "forward off a 64-byte boundary", bound_of(base_.y));
  compare_all(t, moved.dx, base_.dx, "backward off a 64-byte boundary", bound_of(base_.dx));

  const std::size_t piece = context_.op.rows() ? n_ : 1;
  Operand y = base_.y, dx = base_.dx;
  Call one(context_.op, dtype_, 1, piece);
  for (std::size_t at = 0; at < base_.x.size(); at += piece) {
    for (std::size_t i = 0; i < piece; ++i) {
      one.x.set(i, base_.x.get(at + i));
      one.dy.set(i, base_.dy.get(at + i));
    }
    one.run(forward_);
    one.run(backward_);
    for (std::size_t i = 0; i < piece; ++i) {
      y.set(at + i, one.y.get(i));
      dx.set(at + i, one.dx.get(i));
    }
  }
  compare_all(t, y, base_.y, "forward of one piece alone", bound_of(base_.y));
  compare_all(t, dx, base_.dx, "backward of one piece alone", bound_of(base_.dx));
  context_.add(t);
}

}  // namespace

void check_contract(const ActivationContext& context, const limen_kernel& forward,
                    const limen_kernel& backward) {
  Contract contract(context, forward, backward);
  contract.linearity();
  contract.repeat();
  contract.poison();
  contract.reads();
  contract.accumulate();
  contract.in_place();
  if ((context.op.op().flags & LIMEN_OP_STOCHASTIC) == 0) contract.neighbours();
}

}  // namespace limen::check
