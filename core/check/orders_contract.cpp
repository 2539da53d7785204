// What the contract says of forward mode and second order, which get no other look at single calls:
// most of it bit for bit against one call on the same numbers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check/contract.hpp"

namespace limen::check {
namespace {

constexpr double kBefore = 7;  // what results hold before a call
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The calls of one element type, which its kernels share: to make operands is what costs.
class OrdersContract {
 public:
  OrdersContract(const ActivationContext& context, const KernelPair& pair, DType dtype)
      : context_(context),
        precision_(precision_of(dtype)),
        exact_(!context.has(LIMEN_FACT_NONDETERMINISTIC)),
        drawn_(numbers(context, pair, dtype)),
        ready_(drawn_),
        base_(drawn_),
        call_(drawn_) {}

  void check(const KernelPair& pair) {
    forward_ = pair.forward;
    kernel_ = pair.backward;
    begun_ = false;
    test("upstream-linear", "linearity", &OrdersContract::linearity);
    test("overwrites", "poison", &OrdersContract::poison);
    if (!context_.op.stochastic()) {
      test("stochastic-counter", "evaluation", &OrdersContract::evaluation);
    }
    if (!jvp()) test("accumulate", "accumulate", &OrdersContract::accumulate);
    if (kernel_->alias != 0) test("in-place", "in place", &OrdersContract::in_place);
    test("null-outputs", "unwanted results", &OrdersContract::unwanted);
    test("unaligned", "memory alignment", &OrdersContract::unaligned);
    test("tiles-ragged", "independence", &OrdersContract::tiles);
  }

 private:
  using Part = void (OrdersContract::*)(Tally&);
  struct Result {
    const char* name;
    Operands Call::*list;
  };

  const ActivationContext& context_;
  Precision precision_;
  bool exact_, begun_ = false;
  const limen_kernel *forward_ = nullptr, *kernel_ = nullptr;
  Call drawn_, ready_;  // as drawn; after the forward kernel
  Call base_;           // after the kernel
  Call call_;           // what a test does
  std::optional<Call> moved_, apart_, long_;

  static Call numbers(const ActivationContext& context, const KernelPair& pair, DType dtype) {
    const bool rows = context.op.rows();
    Call call = drawn_call(context, dtype, rows ? 3 : 1, rows ? 13 : 67);
    go_far(context, pair, call);
    return call;
  }
  bool jvp() const { return kernel_->role == LIMEN_JVP; }
  std::array<Result, 2> results() const {
    if (jvp()) return {{{"ty", &Call::ty}, {"y", &Call::y}}};
    return {{{"gy", &Call::gy}, {"dx", &Call::dx}}};
  }
  void test(const char* name, const char* check, Part part) {
    if (!context_.wants(name)) return;
    begin();
    Tally t = context_.tally(name, check, describe(*kernel_));
    (this->*part)(t);
    context_.add(t);
  }
  void begin();
  void fill(Call& call, double value) const {
    for (const Result& r : results()) fill_all(call.*r.list, value);
  }
  // A call on the same numbers that `change` has been at.
  template <class Change>
  void run(const Change& change) {
    call_.copy_contents(ready_);
    change();
    call_.run(*kernel_);
  }
  // Result number r must be `add` + `factor` times that of the base call; of these elements.
  struct Expected {
    double factor = 1, add = 0;
    Elements part{};
  };
  void expect(Tally& t, Call& call, std::size_t r, const std::string& note,
              const Expected& how) const;
  static bool equals(const Operand& got, const Operand& right, std::size_t n, const Expected& how);
  void same(Tally& t, Call& call, const std::string& note, const Elements& part = {}) const {
    for (std::size_t r = 0; r < 2; ++r) expect(t, call, r, note, {.part = part});
  }
  // Result r[first] .. r[last - 1] are not wanted.
  void without(Tally& t, std::size_t r, std::size_t first, std::size_t last);
  void without_cotangent(Tally& t, std::size_t k);
  void rows_apart(Tally& t);

  void linearity(Tally& t);
  void poison(Tally& t);
  void evaluation(Tally& t);
  void accumulate(Tally& t);
  void in_place(Tally& t);
  void unwanted(Tally& t);
  void unaligned(Tally& t);
  void tiles(Tally& t);
  void in_a_long_tile(Tally& t);
};

void OrdersContract::begin() {
  if (begun_) return;
  begun_ = true;
  ready_.copy_contents(drawn_);
  ready_.run(*forward_);  // y and a state, for those that read them
  fill(ready_, kBefore);
  base_.copy_contents(ready_);
  base_.run(*kernel_);
}

bool OrdersContract::equals(const Operand& got, const Operand& right, std::size_t n,
                            const Expected& how) {
  if (how.factor == 1 && how.add == 0 && got.same_bits(right, n)) return true;
  std::size_t i = 0;
  while (i < n && got.get(i) == how.add + how.factor * right.get(i)) ++i;
  return i == n;
}

void OrdersContract::expect(Tally& t, Call& call, std::size_t r, const std::string& note,
                            const Expected& how) const {
  const auto [name, list] = results()[r];
  for (std::size_t k = 0; k < (call.*list).size(); ++k) {
    const bool in_x = jvp() && r == 1 && k == 0 && call.y_in_x, dx = !jvp() && r == 1;
    const Operand& got = in_x ? call.x[0] : dx ? call.dx_at(k) : (call.*list)[k];
    const Operand& right = (base_.*list)[k];
    if (got.absent) continue;
    const std::size_t n = std::min(how.part.count, right.size());
    const bool equal = how.factor == 1 && how.add == 0;
    if (!context_.options.wants_point && equals(got, right, n, how)) {  // without a look at each
      t.add_more(static_cast<std::int64_t>(n), 0);
      continue;
    }
    Point point;
    point.tensor = (call.*list).size() == 1 ? name : fmt::format("{}[{}]", name, k);
    point.elements = static_cast<std::int64_t>(n);
    double most = 0;
    for (std::size_t i = 0; i < n; ++i) most = std::max(most, std::abs(right.get(i)));
    const bool elsewhere = how.part.elsewhere && !context_.op.rows();
    for (std::size_t i = 0; i < n; ++i) {
      const double expected = how.add + how.factor * right.get(i);
      const bool loose = elsewhere && beside_far(i, drawn_.n);
      const double size = std::abs(how.add) + (loose ? most : std::abs(expected));
      // Below the normal numbers rounding does not commute with scaling.
      const double bound = (equal ? 0 : 2048 * precision_.min_normal) + (how.add != 0       ? 8
                                                                         : exact_ && !loose ? 0
                                                                                            : 32) *
                                                                            precision_.unit * size;
      point.element = static_cast<std::int64_t>(i);
      point.x = drawn_.x[0].get(i);
      point.upstream = (jvp() ? call.tx : call.dy)[0].get(i);
      point.got = got.get(i);
      t.add(point, compare(point.got, expected, bound, note, context_.options));
    }
  }
}

// Forward mode is linear in tx; second order in dy, and in gx. Powers of two change no rounding.
void OrdersContract::linearity(Tally& t) {
  const auto scaled = [&](const char* name, Operands Call::*list, std::array<bool, 2> moves) {
    for (const double factor : {-1.0, 1024.0}) {
      run([&] {
        for (Operand& in : call_.*list) {
          for (std::size_t i = 0; i < in.size(); ++i) in.set(i, factor * in.get(i));
        }
      });
      for (std::size_t r = 0; r < 2; ++r) {
        const std::string note =
            moves[r] ? fmt::format("it must be linear in {0}: {1:g} times as large for {1:g} {0}",
                                   name, factor)
                     : fmt::format("it must not depend on {}", name);
        const std::int64_t before = t.failures();
        expect(t, call_, r, note, {.factor = moves[r] ? factor : 1});
        if (!moves[r] || factor < 0 || t.failures() == before) continue;
        Tally unmoved = context_.tally("", "", "");
        expect(unmoved, call_, r, note, {});
        if (!unmoved.failed()) {
          t.suspect(fmt::format("{} does not depend on {}: it must be multiplied in",
                                results()[r].name, name));
        }
      }
    }
  };
  if (jvp()) return scaled("tx", &Call::tx, {true, false});
  scaled("dy", &Call::dy, {false, true});
  scaled("gx", &Call::gx, {true, true});
}

void OrdersContract::poison(Tally& t) {
  for (const double filling : {kNaN, -3.0}) {
    run([&] { fill(call_, filling); });
    same(t, call_, "the result depends on what was in its memory before the call");
  }
  if (jvp() || (kernel_->reads & LIMEN_Y) != 0) return;
  run([&] { fill_all(call_.y, kNaN); });
  same(t, call_, "it reads y, which `reads` does not say");
}

// An op that draws nothing does the same in evaluation.
void OrdersContract::evaluation(Tally& t) {
  call_.settings.flags = LIMEN_TILE_EVAL;
  run([] {});
  call_.settings.flags = 0;
  same(t, call_, "with LIMEN_TILE_EVAL an op that draws nothing must do the same");
}

void OrdersContract::accumulate(Tally& t) {
  for (const std::uint32_t calm : {0u, LIMEN_TILE_EVAL}) {
    if (calm != 0 && context_.op.stochastic()) continue;
    call_.settings.flags = LIMEN_TILE_ACCUMULATE | calm;
    run([] {});
    call_.settings.flags = 0;
    expect(t, call_, 0, "LIMEN_TILE_ACCUMULATE concerns dx alone: gy is overwritten", {});
    expect(t, call_, 1,
           calm != 0 ? "with LIMEN_TILE_ACCUMULATE in evaluation it must add to dx"
                     : "with LIMEN_TILE_ACCUMULATE it must add to dx",
           {.add = kBefore});
  }
}

void OrdersContract::in_place(Tally& t) {
  const auto shared = [&](std::uint32_t bit, bool Call::*where, const char* note) {
    if ((kernel_->alias & bit) == 0) return;
    run([&] { call_.*where = true; });
    same(t, call_, note);
    call_.*where = false;
  };
  if (jvp()) return shared(LIMEN_ALIAS_Y_X, &Call::y_in_x, "y in the memory of x");
  shared(LIMEN_ALIAS_DX_DY, &Call::dx_in_dy, "dx in the memory of dy");
  shared(LIMEN_ALIAS_DX_X, &Call::dx_in_x, "dx in the memory of x");
}

void OrdersContract::without(Tally& t, std::size_t r, std::size_t first, std::size_t last) {
  const auto [name, list] = results()[r];
  call_.copy_contents(ready_);
  for (std::size_t k = first; k < last; ++k) (call_.*list)[k].absent = true;
  const std::string what =
      last - first == (call_.*list).size() ? name : fmt::format("{}[{}]", name, first);
  if (survives_null(t, call_, *kernel_, what)) {
    same(t, call_, fmt::format("the other results depend on whether {} is wanted", what));
  }
}

void OrdersContract::unwanted(Tally& t) {
  for (std::size_t r = 0; r < 2; ++r) without(t, r, 0, (call_.*results()[r].list).size());
  if (jvp() || call_.dx.size() == 1) return;
  for (std::size_t k = 0; k < call_.dx.size(); ++k) {
    without(t, 1, k, k + 1);
    without_cotangent(t, k);
    begin();
  }
}

// A null pointer in gx stands for zeros: nothing came back to that gradient.
void OrdersContract::without_cotangent(Tally& t, std::size_t k) {
  base_.copy_contents(ready_);
  base_.gx[k].fill(0);
  base_.run(*kernel_);
  call_.copy_contents(ready_);
  call_.gx[k].absent = true;
  if (survives_null(t, call_, *kernel_, fmt::format("gx[{}]", k))) {
    same(t, call_, fmt::format("gx[{}] is NULL, which stands for zeros", k));
  }
  begun_ = false;
}

void OrdersContract::unaligned(Tally& t) {
  if (!moved_) {
    moved_.emplace(context_.op, drawn_.x[0].dtype(), drawn_.rows, drawn_.n,
                   CallSettings{.offset = 1});
  }
  moved_->copy_contents(ready_);
  moved_->run(*kernel_);
  same(t, *moved_, "off a 64-byte boundary", {.elsewhere = true});
}

// An element (a row) must not depend on how many come with it.
void OrdersContract::tiles(Tally& t) {
  const std::size_t all = drawn_.n;
  call_.copy_contents(ready_);
  if (context_.op.rows()) {
    for (call_.rows = 1; call_.rows < drawn_.rows; ++call_.rows) {
      call_.run(*kernel_);
      same(t, call_, "in a tile of fewer rows", {.count = call_.rows * all});
    }
    if (!context_.op.stochastic()) rows_apart(t);  // draws go by the place in memory
    return;
  }
  for (call_.n = 1; call_.n < all; ++call_.n) {
    call_.run(*kernel_);
    same(t, call_, fmt::format("in a tile of {}", call_.n), {call_.n, true});
  }
  call_.n = all;
  if (!context_.op.stochastic()) in_a_long_tile(t);
}

// The same numbers over and over.
void OrdersContract::in_a_long_tile(Tally& t) {
  if (!long_) {
    long_.emplace(context_.op, drawn_.x[0].dtype(), 1, 16 * drawn_.n);
    for (std::size_t list = 0; list < 8; ++list) {
      for (std::size_t k = 0; k < drawn_.tensors()[list]->size(); ++k) {
        (*long_->tensors()[list])[k].repeat((*drawn_.tensors()[list])[k]);
      }
    }
  }
  Call& tile = *long_;
  tile.run(*forward_);
  tile.run(*kernel_);
  std::size_t first = tile.n;
  for (const Result& r : results()) {
    for (std::size_t k = 0; k < (tile.*r.list).size(); ++k) {
      (call_.*r.list)[k].copy_contents(
          farthest_off((tile.*r.list)[k], (base_.*r.list)[k], tile.n, first));
    }
  }
  same(t, call_,
       fmt::format("in a tile of {}, where the same numbers come again and again: the first others "
                   "are those of element {}",
                   tile.n, first),
       {.elsewhere = true});
}

// The same rows farther apart in memory; what lies between them is nobody's.
void OrdersContract::rows_apart(Tally& t) {
  const std::size_t n = drawn_.n, gap = 3;
  if (!apart_) {
    apart_.emplace(context_.op, drawn_.x[0].dtype(), drawn_.rows, n, CallSettings{.gap = gap});
  }
  const auto each = [&](Operands& far, Operands& near, auto visit) {
    for (std::size_t k = 0; k < near.size(); ++k) {
      for (std::size_t i = 0; i < far[k].size(); ++i) {
        const std::size_t row = i / (n + gap), at = i % (n + gap);
        visit(far[k], i, near[k], at < n ? row * n + at : SIZE_MAX);
      }
    }
  };
  for (std::size_t list = 0; list < 8; ++list) {
    each(*apart_->tensors()[list], *drawn_.tensors()[list],
         [](Operand& far, std::size_t i, Operand& near, std::size_t from) {
           far.set(i, from == SIZE_MAX ? kBefore : near.get(from));
         });
  }
  apart_->run(*forward_);
  fill(*apart_, kBefore);
  apart_->run(*kernel_);
  bool untouched = true;
  for (const Result& r : results()) {
    each((*apart_).*r.list, call_.*r.list,
         [&](Operand& far, std::size_t i, Operand& near, std::size_t to) {
           if (to != SIZE_MAX) return near.set(to, far.get(i));
           untouched = untouched && far.get(i) == kBefore;
         });
  }
  same(t, call_, "in rows that lie apart (row_stride)");
  t.require(untouched, "between rows", "it writes between rows that lie apart (row_stride)");
}

}  // namespace

void check_orders_contract(const ActivationContext& context) {
  if (!context.first) return;
  std::map<std::uint32_t, OrdersContract> contracts;  // by element type
  for (const KernelPair& pair : all_kernels(context)) {
    const auto [role, dtype] = std::pair(pair.backward->role, pair.backward->dtype);
    if (role != LIMEN_JVP && role != LIMEN_BACKWARD2) continue;
    contracts.try_emplace(dtype, context, pair, dtype_of_bit(dtype)).first->second.check(pair);
  }
}

}  // namespace limen::check
