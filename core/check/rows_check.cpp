#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "check/activation.hpp"
#include "check/random.hpp"
#include "check/row_function.hpp"

namespace limen::check {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class RowsCheck {
 public:
  RowsCheck(const ActivationContext& context, const limen_kernel& forward,
            const limen_kernel& backward, std::size_t n)
      : context_(context),
        n_(n),
        precision_(precision_of(dtype_of_bit(backward.dtype))),
        dtype_(dtype_of_bit(backward.dtype)),
        function_(context.op, forward, backward, n),
        rows_(test_rows(n, Random(context.options.seed, "rows", context.op.op().name))) {}

  void differences(Tally& jacobian, Tally& directions);
  void precision(Tally& t, RowFunction& exact);
  void extremes(Tally& t);
  RowFunction& function() { return function_; }

 private:
  const ActivationContext& context_;
  std::size_t n_;
  Precision precision_;
  DType dtype_;
  RowFunction function_;
  std::vector<TestRow> rows_;

  Point point(const TestRow& row, std::size_t i, std::size_t j, double got) const;
  // Slopes of all outputs when x moves along `direction`, each from its own ladder; `at` is the
  // size of what moves.
  std::vector<Derivative> slopes(const Row& x, const Row& direction, double at);
  void along(const TestRow& row, const Row& analytic, const Row& moves, double scale,
             const Row& direction, Tally& t);
};

Point RowsCheck::point(const TestRow& row, std::size_t i, std::size_t j, double got) const {
  Point p;
  p.tensor = fmt::format("jacobian[{}, {}] of a row of {} ({})", i, j, n_, row.name);
  p.element = static_cast<std::int64_t>(i * n_ + j);
  p.elements = static_cast<std::int64_t>(n_ * n_);
  p.x = row.x[j];
  p.got = got;
  return p;
}

std::vector<Derivative> RowsCheck::slopes(const Row& x, const Row& direction, double at) {
  std::map<double, Row> seen;
  const auto values = [&](double offset) -> const Row& {
    const auto [found, fresh] = seen.try_emplace(offset);
    if (fresh) {
      Row moved = x;
      for (std::size_t j = 0; j < n_; ++j) {
        if (direction[j] != 0) moved[j] += offset * direction[j];
      }
      found->second = function_.f(moved);
    }
    return found->second;
  };
  std::vector<Derivative> result;
  for (std::size_t i = 0; i < n_; ++i) {
    result.push_back(
        derivative_at([&](double offset) { return values(offset)[i]; }, at, precision_));
  }
  return result;
}

// At ties an entry may be anywhere between its one-sided slopes, but where both sides of a
// direction agree, the sum over the direction is forced.
void RowsCheck::along(const TestRow& row, const Row& analytic, const Row& moves, double scale,
                      const Row& direction, Tally& t) {
  double largest = 1;
  for (const double x : row.x) largest = std::max(largest, std::abs(x));
  const std::vector<Derivative> d = slopes(row.x, direction, largest);
  for (std::size_t i = 0; i < n_; ++i) {
    double got = 0, size = 0, moved = 0;
    for (std::size_t j = 0; j < n_; ++j) {
      got += analytic[i * n_ + j] * direction[j];
      size += std::abs(analytic[i * n_ + j] * direction[j]);
      moved += moves[i * n_ + j] * std::abs(direction[j]);
    }
    const Tolerance tolerance{16 * precision_.unit * (std::abs(d[i].value) + size) + 16 * moved +
                                  4 * precision_.min_normal + context_.accuracy() * scale,
                              scale, resolution_of(dtype_)};
    Point p = point(row, i, 0, got);
    p.tensor = fmt::format("jacobian row {} times a direction, row of {} ({})", i, n_, row.name);
    t.add(p, judge(got, d[i], tolerance));
  }
}

void RowsCheck::differences(Tally& jacobian, Tally& directions) {
  double scale = slope_scale(function_, rows_);
  const double step = dtype_ == DType::f32 ? 0x1p-10 : 0x1p-20;
  Random random(context_.options.seed, "directions", context_.op.op().name);
  for (const TestRow& row : rows_) {
    const Row analytic = function_.jacobian(row.x);
    Row moves = function_.moves(row.x, step);
    for (double& m : moves) m *= precision_.unit / step;
    std::vector<std::vector<Derivative>> columns;
    for (std::size_t j = 0; j < n_; ++j) {
      Row unit(n_, 0);
      unit[j] = 1;
      columns.push_back(slopes(row.x, unit, row.x[j]));
      for (const Derivative& d : columns.back()) scale = std::max(scale, std::abs(d.value));
    }
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        const Derivative& d = columns[j][i];
        const Tolerance tolerance{16 * precision_.unit * std::abs(d.value) +
                                      16 * moves[i * n_ + j] + 4 * precision_.min_normal +
                                      context_.accuracy() * scale,
                                  scale, resolution_of(dtype_)};
        const double got = analytic[i * n_ + j];
        jacobian.add(point(row, i, j, got), judge(got, d, tolerance));
      }
    }
    along(row, analytic, moves, scale, Row(n_, 1.0), directions);
    Row signs(n_);
    for (double& s : signs) s = random.upstream();
    along(row, analytic, moves, scale, signs, directions);
  }
}

void RowsCheck::precision(Tally& t, RowFunction& exact) {
  const double u = precision_.unit;
  const double scale = slope_scale(exact, rows_);
  for (const TestRow& row : rows_) {
    const Row expected = exact.jacobian(row.x);
    const Row moves = exact.moves(row.x, 16 * u);
    const Row got = function_.jacobian(row.x);
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        const std::size_t at = i * n_ + j;
        const double bound = 32 * u * std::abs(expected[at]) + moves[at] + 64 * u * scale +
                             precision_.min_normal + context_.accuracy() * scale;
        t.add(point(row, i, j, got[at]),
              compare(got[at], expected[at], bound, "the f64 kernel's Jacobian at the same x"));
      }
    }
  }
}

void RowsCheck::extremes(Tally& t) {
  for (const double size : {1e4, 1e30}) {
    TestRow row{fmt::format("0 and +-{:g}", size), Row(n_, 0)};
    for (std::size_t i = 0; i < n_; ++i) row.x[i] = i % 3 == 0 ? 0 : i % 3 == 1 ? size : -size;
    const Row y = function_.f(row.x);
    if (!std::all_of(y.begin(), y.end(), [](double v) { return std::isfinite(v); })) continue;
    const Row got = function_.jacobian(row.x);
    for (std::size_t at = 0; at < got.size(); ++at) {
      Judgement judgement{std::isfinite(got[at]) ? Outcome::pass : Outcome::fail, 0, 0,
                          "a finite row with finite results must have a finite gradient"};
      t.add(point(row, at / n_, at % n_, got[at]), judgement);
    }
  }
  if (context_.has(LIMEN_FACT_NAN_IGNORED)) return;
  Row x(n_, 0.5);
  x[n_ - 1] = kNaN;
  const Row y = function_.f(x);
  Point p;
  p.tensor = fmt::format("y of a row of {} whose last x is NaN", n_);
  p.x = kNaN;
  p.got = y[n_ - 1];
  const bool propagates = std::any_of(y.begin(), y.end(), [](double v) { return std::isnan(v); });
  t.add(p, {propagates ? Outcome::pass : Outcome::fail, kNaN, 0,
            "NaN must give NaN, or the op must declare LIMEN_FACT_NAN_IGNORED"});
}

}  // namespace

void check_rows(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  std::pair<const limen_kernel*, const limen_kernel*> exact{nullptr, nullptr};
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(op, LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(op, *k, context.isa);
      if (forward == nullptr) {
        context.report.notes.push_back(
            fmt::format("{}: {} has no forward kernel to go with it; not checked",
                        context.op.label(), describe(*k)));
        continue;
      }
      check_contract(context, *forward, *k);
      Tally jacobian = context.tally("jacobian", describe(*k));
      Tally directions = context.tally("jacobian along directions", describe(*k));
      Tally precision = context.tally("f32 against f64", describe(*k));
      Tally extremes = context.tally("extremes", describe(*k));
      for (const std::size_t n : {1u, 2u, 3u, 5u, 8u, 17u}) {
        RowsCheck check(context, *forward, *k, n);
        if (dtype == LIMEN_F32 && exact.first != nullptr) {
          RowFunction reference(context.op, *exact.first, *exact.second, n);
          check.precision(precision, reference);
        } else if (!context.surrogate()) {
          check.differences(jacobian, directions);
        }
        check.extremes(extremes);
      }
      for (Tally* t : {&jacobian, &directions, &precision, &extremes}) context.add(*t);
      if (dtype == LIMEN_F64 && exact.first == nullptr) exact = {forward, k};
    }
  }
  check_row_variants(context);
}

}  // namespace limen::check
