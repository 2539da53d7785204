// What kernels make of the same numbers elsewhere: off their alignment, in tiles, in rows that lie
// apart.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "check/contract.hpp"

namespace limen::check {

void Contract::unaligned() {
  Tally t = tally("unaligned", "memory alignment");
  Call all(context_.op, dtype_, rows_, n_, {.offset = 1});
  all.copy_contents(drawn_);
  Call some = make();  // x alone on its boundary
  for (Operands* list : {&some.y, &some.dy, &some.dx}) {
    for (Operand& operand : *list) {
      Operand moved(dtype_, operand.size(), 5);
      moved.copy_contents(operand);
      operand = std::move(moved);
    }
  }
  for (Call* call : {&all, &some}) {
    run_both(*call);
    const std::string which = call == &all ? "all" : "y, dy and dx";
    same(t, call->y, base_.y, "forward with " + which + " off a 64-byte boundary", "y",
         {.elsewhere = true});
    same(t, call->dx, base_.dx, "backward with " + which + " off a 64-byte boundary", "dx",
         {.elsewhere = true});
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
  same(t, y, base_.y, "forward cut into other tiles", "y", {.elsewhere = true});
  same(t, dx, base_.dx, "backward cut into other tiles", "dx", {.elsewhere = true});
}

// How long a tile is tried: of one kernel of each type as long as whole tensors are, because time
// counts; of the others more than 1,024 elements.
std::size_t Contract::long_tile() const {
  std::uint32_t best = 0;
  const std::vector<const limen_kernel*> kernels =
      kernels_of(context_.op.op(), LIMEN_BACKWARD, backward_.dtype, context_.isa);
  for (const limen_kernel* k : kernels) best = std::max(best, k->isa);
  const auto chosen = std::find_if(kernels.begin(), kernels.end(),
                                   [&](const limen_kernel* k) { return k->isa == best; });
  if (!context_.first || *chosen != &backward_) return 1100;
  return dtype_ == DType::f32 || (context_.op.op().dtypes & LIMEN_F32) == 0 ? 70'000 : 16'500;
}

// The same numbers over and over in one tile that is much longer: what kernels do in blocks.
void Contract::in_a_long_tile(Tally& t) const {
  const std::size_t period = rows_ * n_, times = long_tile() / period + 1;
  const bool rows = context_.op.rows();
  Call tile(context_.op, dtype_, rows ? times * rows_ : 1, rows ? n_ : times * n_,
            {.first_order = true});
  for (std::size_t k = 0; k < tile.x.size(); ++k) tile.x[k].repeat(base_.x[k]);
  for (std::size_t k = 0; k < tile.dy.size(); ++k) tile.dy[k].repeat(base_.dy[k]);
  run_both(tile);
  const auto look = [&](const Operands& from, const Operands& right, const char* role,
                        const char* tensor) {
    Operands farthest = right;  // of each number the result that is farthest off
    std::size_t first = times * period;
    for (std::size_t k = 0; k < from.size(); ++k) {
      if (from[k].repeats(right[k])) continue;
      for (std::size_t i = 0; i < from[k].size(); ++i) {
        const double got = from[k].get(i), expected = right[k].get(i % period);
        if (got == expected || (std::isnan(got) && std::isnan(expected))) continue;
        first = std::min(first, i);
        if (!(std::abs(got - expected) <= std::abs(farthest[k].get(i % period) - expected))) {
          farthest[k].set(i % period, got);
        }
      }
    }
    const std::size_t unit = rows ? n_ : 1;
    same(t, farthest, right,
         fmt::format("{} in a tile of {} {}, where the same numbers come again and again: the "
                     "first others are those of {} {}",
                     role, times * period / unit, rows ? "rows" : "elements",
                     rows ? "row" : "element", first / unit),
         tensor, {.elsewhere = true});
  };
  look(tile.y, base_.y, "forward", "y");
  look(tile.dx, base_.dx, "backward", "dx");
}

// The same rows farther apart in memory; what lies between them is nobody's.
void Contract::rows_apart(Tally& t) const {
  constexpr double kBetween = 7;
  Call wide(context_.op, dtype_, rows_, n_, {.gap = 3});
  const std::size_t stride = n_ + wide.settings.gap;
  for (Operands* operands : {&wide.x, &wide.dy, &wide.y, &wide.dx}) fill_all(*operands, kBetween);
  const auto each = [&](auto visit) {
    for (std::size_t i = 0; i < rows_ * n_; ++i) visit(i, i / n_ * stride + i % n_);
  };
  for (std::size_t k = 0; k < wide.x.size(); ++k) {
    each([&](std::size_t i, std::size_t at) { wide.x[k].set(at, base_.x[k].get(i)); });
  }
  for (std::size_t k = 0; k < wide.dy.size(); ++k) {
    each([&](std::size_t i, std::size_t at) { wide.dy[k].set(at, base_.dy[k].get(i)); });
  }
  run_both(wide);
  Operands y = base_.y, dx = base_.dx;
  bool untouched = true;
  const auto collect = [&](Operands& to, const Operands& from) {
    for (std::size_t k = 0; k < to.size(); ++k) {
      each([&](std::size_t i, std::size_t at) { to[k].set(i, from[k].get(at)); });
      for (std::size_t at = 0; at < from[k].size(); ++at) {
        untouched = untouched && (at % stride < n_ || from[k].get(at) == kBetween);
      }
    }
  };
  collect(y, wide.y);
  collect(dx, wide.dx);
  same(t, y, base_.y, "forward of rows that lie apart (row_stride)", "y");
  same(t, dx, base_.dx, "backward of rows that lie apart (row_stride)", "dx");
  t.require(untouched, "between rows", "it writes between rows that lie apart (row_stride)");
}

// An element (a row) must not depend on its neighbours; a draw depends on seed and index alone.
void Contract::tiles() {
  Tally t = tally("tiles-ragged", "independence");
  if (context_.op.rows()) {
    in_tiles(t, {1, 1, 1});
    in_tiles(t, {1, 2});
    if (!context_.op.stochastic()) rows_apart(t);  // draws go by the place in memory
  } else {
    in_tiles(t, std::vector<std::size_t>(n_, 1));
    in_tiles(t, {5, 16, 1, 31, 14});
  }
  if (!context_.op.stochastic()) in_a_long_tile(t);
  context_.add(t);
}

}  // namespace limen::check
