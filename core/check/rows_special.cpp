// Rows: f32 against f64, large numbers, NaN.
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "check/rows_check.hpp"

namespace limen::check {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

void RowsCheck::precision(Tally& t, VectorFunction& exact, double scale) {
  const double u = precision_.unit, ratio = u / precision_of(DType::f64).unit;
  for (const TestRow& row : rows_) {
    const Row expected = exact.jacobian(row.x);
    const Row moves = exact.moves(row.x, 16 * u);
    const Row got = function_.jacobian(row.x);
    const double largest = largest_of(row.x), rounded = largest > 64 ? 4 * u * largest * scale : 0;
    const bool beyond = largest_of(exact.f(row.x)) > FLT_MAX;
    Row noise;  // asked for where it matters
    for (std::size_t at = 0; at < got.size(); ++at) {
      // No number of this type, or 0 times none.
      if (std::abs(expected[at]) > FLT_MAX || (beyond && !std::isfinite(got[at]))) continue;
      const char* const note = "the f64 kernel's Jacobian at the same x";
      const double bound = 32 * u * std::abs(expected[at]) + moves[at] + 64 * u * scale + rounded +
                           precision_.min_normal + 2 * context_.accuracy() * scale;
      Judgement judgement = compare(got[at], expected[at], bound, note);
      if (judgement.outcome != Outcome::pass) {
        const auto jacobian = [&](const Row& x) { return exact.jacobian(x); };
        if (noise.empty()) noise = rounding_noise(jacobian, row.x, ties_random_);
        judgement = compare(got[at], expected[at], bound + 2 * ratio * noise[at], note);
      }
      t.add(point(row, at / n_, at % n_, got[at]), judgement);
    }
  }
}

void RowsCheck::extremes(Tally& t) {
  for (const TestRow& row : rows_) {
    const Row y = function_.f(row.x);
    if (!all_finite(y)) overflow(row, y, t);
  }
  for (const double size : {1e4, 1e30}) {
    TestRow row{fmt::format("0 and +-{:g}", size), Row(n_, 0)};
    for (std::size_t i = 0; i < n_; ++i) row.x[i] = i % 3 == 0 ? 0 : i % 3 == 1 ? size : -size;
    const Row y = function_.f(row.x);
    if (!all_finite(y)) continue;
    const Row got = function_.jacobian(row.x);
    for (std::size_t at = 0; at < got.size(); ++at) {
      const bool beyond = std::isinf(got[at]) && dtype_ == DType::f32 && size > 1e20;
      Judgement judgement{std::isfinite(got[at]) || beyond ? Outcome::pass : Outcome::fail, 0, 0,
                          "a finite row with finite results must have a finite gradient"};
      t.add(point(row, at / n_, at % n_, got[at]), judgement);
    }
  }
}

// Where a constant that is added to a row is added to the results, or makes no difference, f of the
// row less its maximum tells what an f that is not finite should have been.
void RowsCheck::overflow(const TestRow& row, const Row& y, Tally& t) {
  const auto moved = [&](const Row& x, double by) {
    Row to = x;
    for (double& v : to) v += by;
    return function_.f(to);
  };
  for (const double factor : {0.0, 1.0}) {
    bool follows = true;
    for (const double by : {1.0, -7.0, 20.0}) {
      const Row before = function_.f(rows_[0].x), after = moved(rows_[0].x, by);
      const double bound = 256 * precision_.unit * (largest_of(before) + std::abs(by));
      for (std::size_t i = 0; i < outputs_; ++i) {
        follows = follows && std::abs(after[i] - before[i] - factor * by) <= bound;
      }
    }
    const double top = *std::max_element(row.x.begin(), row.x.end());
    const Row right = moved(row.x, -top);
    for (std::size_t i = 0; follows && i < outputs_; ++i) {
      if (std::isfinite(y[i]) || !std::isfinite(right[i])) continue;
      Point p = point(row, i, 0, y[i]);
      p.tensor = fmt::format("y[{}] of {} ({})", i, place_, row.name);
      t.add(p, {Outcome::fail, right[i] + factor * top, 0,
                "f of the same row less its maximum is finite, and a constant added to a row " +
                    std::string(factor == 0 ? "changes nothing" : "is added to the results")});
      t.suspect(
          "exp(x) overflows to infinity in forward: subtract the row's maximum before exp, which "
          "changes no result");
    }
  }
}

void RowsCheck::not_a_number(Tally& t) {
  if (context_.has(LIMEN_FACT_NAN_IGNORED)) return;
  for (const std::size_t at : {n_ - 1, std::size_t{0}}) {
    Row x(n_, 0.5);
    x[at] = kNaN;
    const Row y = function_.f(x);
    Point p;
    p.tensor = fmt::format("y of {} whose x[{}] is NaN", place_, at);
    p.x = kNaN;
    p.got = y.back();
    const bool propagates = std::any_of(y.begin(), y.end(), [](double v) { return std::isnan(v); });
    t.add(p, {propagates ? Outcome::pass : Outcome::fail, kNaN, 0,
              "NaN must give NaN, or the op must declare LIMEN_FACT_NAN_IGNORED"});
    function_.b(x, Row(outputs_, 1));  // must come back
  }
}

}  // namespace limen::check
