// What kernels make of the same numbers elsewhere: off their alignment, in tiles, in rows that lie
// apart.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "check/contract.hpp"

namespace limen::check {

// Of elements that a 32-bit index counts below 0.
constexpr std::uint64_t kFarBase = (std::uint64_t{3} << 31) + 12'345;

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

void Contract::compute(Operands& y, Operands& dx, const std::vector<std::size_t>& lengths,
                       std::uint64_t base, std::size_t stride) const {
  const std::size_t unit = context_.op.rows() ? n_ : 1;
  std::size_t begin = 0;
  std::optional<Call> made;
  for (std::size_t part = 0; part < lengths.size(); ++part) {
    const std::size_t length = lengths[part], size = length * unit;
    if (part == 0 || length != lengths[part - 1]) {
      made.emplace(context_.op, dtype_, context_.op.rows() ? length : 1,
                   context_.op.rows() ? n_ : length);
    }
    Call& tile = *made;
    tile.settings.base = base + begin / unit * stride;
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
}

void Contract::in_tiles(Tally& t, const std::vector<std::size_t>& lengths,
                        std::uint64_t base) const {
  Operands y = base_.y, dx = base_.dx;
  compute(y, dx, lengths, base, context_.op.rows() ? n_ : 1);
  const std::string how = base == 0 ? "cut into other tiles" : fmt::format("with base = {}", base);
  same(t, y, base_.y, "forward " + how, "y", {.elsewhere = true});
  same(t, dx, base_.dx, "backward " + how, "dx", {.elsewhere = true});
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
  repeats(t, tile.y, base_.y, "forward", "y", times * period, false);
  repeats(t, tile.dx, base_.dx, "backward", "dx", times * period, false);
  if (t.failed()) return;
  // Added to what it gave before; a fused sum is rounded once.
  const std::size_t some = std::min<std::size_t>(times, 16);
  (rows ? tile.rows : tile.n) = some * (rows ? rows_ : n_);
  tile.run(forward_);
  tile.settings.flags = LIMEN_TILE_ACCUMULATE;
  tile.run(backward_);
  Operands twice = base_.dx;
  for (Operand& dx : twice) {
    for (std::size_t i = 0; i < dx.size(); ++i) dx.set(i, 2 * dx.get(i));
  }
  repeats(t, tile.dx, twice, "backward with LIMEN_TILE_ACCUMULATE", "dx", some * period, true);
}

Operand farthest_off(const Operand& got, const Operand& right, std::size_t elements,
                     std::size_t& first) {
  Operand farthest = right;
  if (got.repeats(right, elements)) return farthest;
  for (std::size_t i = 0; i < elements; ++i) {
    const std::size_t at = i % right.size();
    const double value = got.get(i), expected = right.get(at);
    if (value == expected || (std::isnan(value) && std::isnan(expected))) continue;
    first = std::min(first, i);
    if (!(std::abs(value - expected) <= std::abs(farthest.get(at) - expected))) {
      farthest.set(at, value);
    }
  }
  return farthest;
}

void Contract::repeats(Tally& t, const Operands& got, const Operands& right,
                       const std::string& role, const char* tensor, std::size_t elements,
                       bool loose) const {
  Operands farthest;
  std::size_t first = elements;
  for (std::size_t k = 0; k < got.size(); ++k) {
    farthest.push_back(farthest_off(got[k], right[k], elements, first));
  }
  const std::size_t unit = context_.op.rows() ? n_ : 1;
  const char* const word = context_.op.rows() ? "row" : "element";
  same(t, farthest, right,
       fmt::format("{} in a tile of {} {}s, where the same numbers come again and again: the first "
                   "others are those of {} {}",
                   role, elements / unit, word, word, first / unit),
       tensor, {.elsewhere = true, .loose = loose});
}

// The first numbers alone: each length has another tail.
void Contract::lengths(Tally& t) const {
  Call call = make();
  for (call.n = 1; call.n < n_; ++call.n) {
    run_both(call);
    const std::string how = fmt::format("in a tile of {}", call.n);
    same(t, call.y, base_.y, "forward " + how, "y", {call.n, true});
    same(t, call.dx, base_.dx, "backward " + how, "dx", {call.n, true});
  }
}

// Where elements are `kept` they get what they got before.
void Contract::same_where(Tally& t, Call& call, const std::vector<bool>& kept,
                          const std::string& how) const {
  const auto forget = [&](Operands& got, const Operands& right) {
    for (std::size_t k = 0; k < got.size(); ++k) {
      for (std::size_t i = 0; i < n_; ++i) {
        if (!kept[i]) got[k].set(i, right[k].get(i));
      }
    }
  };
  run_both(call);
  forget(call.y, base_.y);
  forget(call.dx, base_.dx);
  same(t, call.y, base_.y, "forward " + how, "y", {.loose = true});
  same(t, call.dx, base_.dx, "backward " + how, "dx", {.loose = true});
}

// A tile may hold numbers of one sign alone.
void Contract::of_one_sign(Tally& t) const {
  for (const double sign : {-1.0, 1.0}) {
    Call call = make();
    std::vector<bool> kept(n_, true);
    for (Operand& x : call.x) {
      for (std::size_t i = 0; i < n_; ++i) {
        kept[i] = kept[i] && x.get(i) * sign > 0;
        x.set(i, sign * std::abs(x.get(i)));
      }
    }
    same_where(t, call, kept, sign < 0 ? "among negative x alone" : "among positive x alone");
  }
}

// What is no number stays where it is.
void Contract::beside_others() {
  if (context_.op.rows() || !context_.first) return;
  Tally t = tally("nan-in", "neighbours");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Call call = make();
  std::vector<bool> kept(n_, true);
  for (std::size_t i = 5; i < n_; i += 8) {
    const double odd = std::array{kNaN, kInfinity, -kInfinity}[i / 8 % 3];
    Operands& list = i / 8 % 2 == 0 && !context_.has(LIMEN_FACT_DOMAIN) ? call.x : call.dy;
    for (Operand& operand : list) operand.set(i, odd);
    kept[i] = false;
  }
  same_where(t, call, kept, "beside elements whose x or dy is NaN or infinite");
  context_.add(t);
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
  Operands right_y = base_.y, right_dx = base_.dx;
  // Draws may go by the place in memory, which lies row_stride behind that of the row before, or
  // as if rows were tight: in both kernels.
  if (context_.op.stochastic() && !y[0].same_bits(base_.y[0])) {
    compute(right_y, right_dx, {1, 1, 1}, 0, stride);
    if (!y[0].same_bits(right_y[0])) return;
  }
  same(t, y, right_y, "forward of rows that lie apart (row_stride)", "y");
  same(t, dx, right_dx, "backward of rows that lie apart (row_stride)", "dx");
  t.require(untouched, "between rows", "it writes between rows that lie apart (row_stride)");
}

// An element (a row) must not depend on its neighbours; a draw depends on seed and index alone.
void Contract::tiles() {
  Tally t = tally("tiles-ragged", "independence");
  const bool draws = context_.op.stochastic();
  if (context_.op.rows()) {
    in_tiles(t, {1, 1, 1});
    in_tiles(t, {1, 2});
    rows_apart(t);
  } else {
    if (context_.first) lengths(t);
    if (!context_.first) in_tiles(t, std::vector<std::size_t>(n_, 1));
    in_tiles(t, {5, 16, 14, 1, 3, 7, 21});
    if (context_.first && !context_.has(LIMEN_FACT_DOMAIN)) of_one_sign(t);
  }
  if (!draws && context_.first) in_tiles(t, {context_.op.rows() ? rows_ : n_}, kFarBase);
  if (!draws && repeatable_) in_a_long_tile(t);
  if (t.failed() && !draws) {
    Call other = make();
    other.settings.seed = 0x4321;
    run_both(other);
    if (!other.y[0].same_bits(base_.y[0])) {
      t.suspect(
          "it draws (another seed gives other results), and an op that draws must say so with "
          "LIMEN_OP_STOCHASTIC");
    }
  }
  context_.add(t);
}

}  // namespace limen::check
