#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"

namespace limen::check {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void fill_all(Operands& operands, double value) {
  for (Operand& operand : operands) operand.fill(value);
}

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
        exact_(!context.has(LIMEN_FACT_NONDETERMINISTIC)),
        rows_(context.op.rows() ? 3 : 1),
        n_(context.op.rows() ? 13 : 67),
        base_(make()) {
    base_.run(forward_);
    fill_all(base_.dx, 7);
    base_.run(backward_);
  }

  void linearity();
  void repeat();
  void poison();
  void reads();
  void accumulate();
  void in_place();
  void unwanted();
  void unaligned();
  void tiles();

 private:
  const ActivationContext& context_;
  const limen_kernel& forward_;
  const limen_kernel& backward_;
  DType dtype_;
  Precision precision_;
  bool exact_;
  std::size_t rows_, n_;
  Call base_;  // after forward and backward

  Call make(const CallSettings& settings = {}) const;
  Tally tally(const char* test, const char* check) const {
    return context_.tally(test, check, describe(backward_));
  }
  // Adds one point per element: `got` against `expected`, exactly or up to `bound(i)`.
  template <class Bound>
  void compare_all(Tally& tally, const Operand& got, const Operand& expected,
                   const std::string& tensor, const std::string& note, const Bound& bound) const;
  void same(Tally& tally, const Operands& got, const Operands& expected, const char* note,
            const char* tensor) const;
  void same(Tally& tally, const Operand& got, const Operand& expected, const char* note,
            const std::string& tensor) const {
    compare_all(tally, got, expected, tensor, note, [](std::size_t) { return 0.0; });
  }
  void run_both(Call& call) const {
    call.run(forward_);
    call.run(backward_);
  }
  // The whole computed in tiles of these lengths (in rows for row functions).
  void in_tiles(Tally& tally, const std::vector<std::size_t>& lengths) const;
};

Call Contract::make(const CallSettings& settings) const {
  Call call(context_.op, dtype_, rows_, n_, settings);
  Random random(context_.options.seed, "contract", context_.op.op().name);
  for (Operand& operand : call.x) {
    for (std::size_t i = 0; i < operand.size(); ++i) {
      operand.set(i, context_.inside(random.normal() * 1.5, random));
    }
  }
  for (Operand& operand : call.dy) {
    for (std::size_t i = 0; i < operand.size(); ++i) operand.set(i, random.upstream());
  }
  fill_all(call.y, kNaN);
  fill_all(call.dx, 7);
  return call;
}

template <class Bound>
void Contract::compare_all(Tally& tally, const Operand& got, const Operand& expected,
                           const std::string& tensor, const std::string& note,
                           const Bound& bound) const {
  for (std::size_t i = 0; i < got.size(); ++i) {
    Point point;
    point.tensor = tensor;
    point.element = static_cast<std::int64_t>(i);
    point.elements = static_cast<std::int64_t>(got.size());
    point.x = base_.x[0].get(i);
    point.y = base_.y[0].get(i);
    point.upstream = base_.dy[0].get(i);
    point.got = got.get(i);
    tally.add(point, compare(point.got, expected.get(i), bound(i), note));
  }
}

void Contract::same(Tally& tally, const Operands& got, const Operands& expected, const char* note,
                    const char* tensor) const {
  for (std::size_t k = 0; k < got.size(); ++k) {
    same(tally, got[k], expected[k], note,
         got.size() == 1 ? tensor : fmt::format("{}[{}]", tensor, k));
  }
}

// B(a g) = a B(g) exactly for a = 0, -1 and powers of two: rounding commutes with them.
void Contract::linearity() {
  Tally t = tally("upstream-linear", "upstream linearity");
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
      }
      // Below the normal numbers rounding does not commute with scaling.
      const double bound =
          2048 * precision_.min_normal + (exact_ ? 0.0 : 32 * precision_.unit * scale);
      compare_all(t, call.dx[k], expected, "dx",
                  fmt::format("B({0:g} g) must be {0:g} B(g)", factor),
                  [bound](std::size_t) { return bound; });
    }
  }
  context_.add(t);
}

void Contract::repeat() {
  Tally t = tally("deterministic", "repeat");
  Call call = make();
  call.run(forward_);
  const std::vector<std::byte> state = call.state;
  const Operands y = call.y;
  call.run(backward_);
  const Call fresh = make();
  same(t, call.x, fresh.x, "backward changed its input x", "x");
  same(t, call.dy, fresh.dy, "backward changed its input dy", "dy");
  same(t, call.y, y, "backward changed its input y", "y");
  fill_all(call.dx, 7);
  call.run(backward_);
  if (exact_) same(t, call.dx, base_.dx, "a second backward gave another gradient", "dx");
  t.require(call.state == state, "state", "backward changed the state that forward saved");
  fill_all(call.y, 7);
  call.run(forward_);
  if (exact_) same(t, call.y, y, "a second forward gave another result", "y");
  t.require(call.guards_intact(), "guard bytes", "a kernel wrote outside its operands");
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
    call.run(forward_);
    const Operands y = call.y;
    fill_all(call.y, filling);
    call.run(forward_);
    same(t, call.y, y, "the result depends on what y held before the call", "y");
  }
  context_.add(t);
}

void Contract::reads() {
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

void Contract::accumulate() {
  Tally t = tally("accumulate", "accumulate");
  Call call = make();
  call.run(forward_);
  Random random(context_.options.seed, "accumulate");
  for (Operand& dx : call.dx) {
    for (std::size_t i = 0; i < dx.size(); ++i) dx.set(i, random.normal());
  }
  const Operands before = call.dx;
  call.settings.flags |= LIMEN_TILE_ACCUMULATE;
  call.run(backward_);
  for (std::size_t k = 0; k < before.size(); ++k) {
    Operand expected = before[k];
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected.set(i, before[k].get(i) + base_.dx[k].get(i));
    }
    compare_all(t, call.dx[k], expected, "dx", "with LIMEN_TILE_ACCUMULATE it must add to dx",
                [&](std::size_t i) {
                  return 8 * precision_.unit *
                         (std::abs(before[k].get(i)) + std::abs(base_.dx[k].get(i)));
                });
  }
  context_.add(t);
}

void Contract::in_place() {
  Tally t = tally("in-place", "in place");
  if ((forward_.alias & LIMEN_ALIAS_Y_X) != 0) {
    Call call = make();
    call.y_in_x = true;
    call.run(forward_);
    same(t, call.x[0], base_.y[0], "forward with y in the memory of x", "y");
  }
  for (const std::uint32_t bit : {LIMEN_ALIAS_DX_DY, LIMEN_ALIAS_DX_X}) {
    if ((backward_.alias & bit) == 0) continue;
    Call call = make();
    call.run(forward_);
    (bit == LIMEN_ALIAS_DX_DY ? call.dx_in_dy : call.dx_in_x) = true;
    call.run(backward_);
    same(t, call.dx_at(0), base_.dx[0],
         bit == LIMEN_ALIAS_DX_DY ? "dx in the memory of dy" : "dx in the memory of x", "dx");
  }
  context_.add(t);
}

// A null pointer in dx says that this gradient is not wanted.
void Contract::unwanted() {
  Tally t = tally("null-outputs", "unwanted gradients");
  for (std::size_t k = 0; k < base_.dx.size() && base_.dx.size() > 1; ++k) {
    Call call = make();
    call.run(forward_);
    call.dx[k].absent = true;
    call.run(backward_);
    for (std::size_t j = 0; j < base_.dx.size(); ++j) {
      if (j == k) continue;
      same(t, call.dx[j], base_.dx[j],
           "the gradient depends on whether that of another input is wanted",
           fmt::format("dx[{}] without dx[{}]", j, k));
    }
  }
  context_.add(t);
}

void Contract::unaligned() {
  Tally t = tally("unaligned", "memory alignment");
  for (const std::size_t offset : {1u, 5u}) {
    Call moved = make({.offset = offset});
    run_both(moved);
    same(t, moved.y, base_.y, "forward off a 64-byte boundary", "y");
    same(t, moved.dx, base_.dx, "backward off a 64-byte boundary", "dx");
  }
  context_.add(t);
}

void Contract::in_tiles(Tally& t, const std::vector<std::size_t>& lengths) const {
  const std::size_t unit = context_.op.rows() ? n_ : 1;
  Operands y = base_.y, dx = base_.dx;
  std::size_t begin = 0;
  std::optional<Call> made;
  for (std::size_t part = 0; part < lengths.size(); ++part) {
    const std::size_t length = lengths[part], size = length * unit;
    if (part == 0 || length != lengths[part - 1]) {
      made.emplace(context_.op, dtype_, context_.op.rows() ? length : 1,
                   context_.op.rows() ? n_ : length);
    }
    Call& tile = *made;
    tile.settings.base = begin;
    const auto copy = [size](Operands& to, std::size_t at, const Operands& from, std::size_t in) {
      for (std::size_t k = 0; k < to.size(); ++k) {
        for (std::size_t i = 0; i < size; ++i) to[k].set(at + i, from[k].get(in + i));
      }
    };
    copy(tile.x, 0, base_.x, begin);
    copy(tile.dy, 0, base_.dy, begin);
    run_both(tile);
    copy(y, begin, tile.y, 0);
    copy(dx, begin, tile.dx, 0);
    begin += size;
  }
  same(t, y, base_.y, "forward cut into other tiles", "y");
  same(t, dx, base_.dx, "backward cut into other tiles", "dx");
}

// An element (a row) must not depend on its neighbours; a draw depends on seed and index alone.
void Contract::tiles() {
  Tally t = tally("tiles-ragged", "independence");
  if (context_.op.rows()) {
    in_tiles(t, {1, 1, 1});
    in_tiles(t, {1, 2});
  } else {
    in_tiles(t, std::vector<std::size_t>(n_, 1));
    in_tiles(t, {5, 16, 1, 31, 14});
  }
  context_.add(t);
}

}  // namespace

void check_contract(const ActivationContext& context, const limen_kernel& forward,
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
  test("accumulate", &Contract::accumulate);
  test("in-place", &Contract::in_place);
  test("null-outputs", &Contract::unwanted);
  test("unaligned", &Contract::unaligned);
  test("tiles-ragged", &Contract::tiles);
}

}  // namespace limen::check
