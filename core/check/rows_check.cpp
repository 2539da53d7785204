#include "check/rows_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "check/general_function.hpp"

namespace limen::check {

Point RowsCheck::point(const TestRow& row, std::size_t i, std::size_t j, double got) const {
  Point p;
  p.tensor = fmt::format("jacobian[{}, {}] of {} ({})", i, j, place_, row.name);
  p.element = static_cast<std::int64_t>(i * n_ + j);
  p.elements = static_cast<std::int64_t>(n_ * outputs_);
  p.x = row.x[j];
  p.got = got;
  return p;
}

RowsCheck::Line RowsCheck::line(const TestRow& row, const Row& direction, double size) {
  return {direction, size, slopes_along(function_, row.x, direction, size, precision_),
          row.name == "zero" ? slopes_at_zero(function_, direction) : std::vector<Sides>(outputs_)};
}

// Whether f goes up and down from number to number by a hundredth of its size and more.
bool RowsCheck::by_chance(const Row& x, double noise) {
  double most = 0;
  for (const double part : {0.99, 1.0, 1.01}) {
    Row beside = x;
    for (double& v : beside) v *= part;
    for (const double y : function_.f(beside)) most = std::max(most, std::abs(y));
  }
  return noise > 0.01 * most && most > 0;
}

// `got` is row i of the Jacobian along a line.
Judgement RowsCheck::judge_at(const TestRow& row, const Line& line, std::size_t i, double got,
                              const Tolerance& tolerance) {
  const Derivative& d = line.slopes[i];
  Judgement judgement = judge(got, d, tolerance);
  if (judgement.outcome == Outcome::pass) return judgement;
  // A cusp; 0 times a slope that is infinite because f is; a tie that rounding decides: what is
  // kept where it is at least the mean.
  const bool cusp = judgement.outcome == Outcome::undecided && d.unbounded && row.name == "zero";
  const bool beyond = !std::isfinite(got) && overflows(function_, row.x, precision_);
  const bool chance =
      judgement.outcome == Outcome::undecided && row.equal && by_chance(row.x, d.noise);
  if (cusp || beyond || chance) judgement.outcome = Outcome::skipped;
  // Where f32 stands alone and its numbers lie too far apart there is nothing to decide. What is
  // taken from all elements, a mean, is rounded like the largest of them.
  if (dtype_ == DType::f32 && judgement.outcome != Outcome::pass) {
    const bool far = line.size > 64 && (d.kind != PointKind::smooth ||
                                        std::abs(got - judgement.expected) <= 32 * judgement.bound);
    const bool undecided = judgement.outcome == Outcome::undecided;
    const bool blind = !std::isfinite(d.bound) || too_fine(d, line.size, precision_);
    if (far || (undecided && blind)) judgement.outcome = Outcome::skipped;
  }
  judge_at_zero(line.at_zero[i], got, d, judgement);
  if (dtype_ == DType::f32 && !row.equal) {
    Row dy(outputs_, 0);
    dy[i] = 1;
    judge_along(function_, row.x, line.direction, dy, got, tolerance, judgement);
  }
  if (judgement.outcome == Outcome::fail && row.equal) {
    if (!ties_) ties_.emplace(function_, row.x, precision_, ties_random_);
    if (ties_->allow(i, line.direction, got, tolerance)) judgement.outcome = Outcome::pass;
  }
  return judgement;
}

// Whether the sum of a row of the Jacobian is `over` because inputs that are equal each get what
// one of them should, or what they should share.
bool RowsCheck::goes_to_each(const TestRow& row, const Row& analytic, std::size_t i, double over,
                             double slack) const {
  for (std::size_t j = 0; j < n_; ++j) {
    const double whole = analytic[i * n_ + j];
    std::size_t equal = 0, with_it = 0;
    for (std::size_t k = 0; k < n_; ++k) {
      equal += row.x[k] == row.x[j];
      with_it += row.x[k] == row.x[j] && k != i && analytic[i * n_ + k] == whole;
    }
    const bool all = with_it + 1 >= equal;  // x_i itself may have something besides
    const double more = static_cast<double>(equal) * whole - whole;
    if (all && std::abs(more) > 4 * slack && std::abs(over - more) <= slack) return true;
  }
  return false;
}

// At ties an entry may be anywhere between its one-sided slopes, but where both sides of a
// direction agree, the sum over the direction is forced.
void RowsCheck::along(const TestRow& row, const Row& analytic, const Row& moves, double scale,
                      const Row& direction, Tally& t) {
  const Line there = line(row, direction, largest_of(row.x));
  double length = 0;
  for (const double v : direction) length += std::abs(v);
  for (std::size_t i = 0; i < outputs_; ++i) {
    double got = 0, size = 0, moved = 0;
    for (std::size_t j = 0; j < n_; ++j) {
      got += analytic[i * n_ + j] * direction[j];
      size += std::abs(analytic[i * n_ + j] * direction[j]);
      moved += moves[i * n_ + j] * std::abs(direction[j]);
    }
    const double whole = scale * std::max(1.0, length);
    const Tolerance tolerance{16 * precision_.unit * (std::abs(there.slopes[i].value) + size) +
                                  16 * moved + rounding(whole),
                              whole, resolution_of(dtype_), 1e-300, context_.accuracy() * whole};
    Point p = point(row, i, 0, got);
    p.tensor = fmt::format("jacobian row {} times a direction, {} ({})", i, place_, row.name);
    const Judgement judgement = judge_at(row, there, i, got, tolerance);
    const double over = got - judgement.expected, slack = judgement.bound + 1e-6 * std::abs(over);
    if (judgement.outcome == Outcome::fail && length == static_cast<double>(n_)) {
      whole_to_each_ = whole_to_each_ || goes_to_each(row, analytic, i, over, slack);
    }
    t.add(p, judgement);
  }
}

void RowsCheck::differences(Tally& jacobian, Tally& directions) {
  double scale = slope_scale(function_, rows_);
  const double step = dtype_ == DType::f32 ? 0x1p-10 : 0x1p-20;
  Random random(context_.options.seed, "directions", context_.op.op().name);
  for (const TestRow& row : rows_) {
    ties_.reset();
    const Row analytic = function_.jacobian(row.x);
    const std::int64_t failures = jacobian.failures();
    JacobianSample sample{outputs_, n_, row.x, function_.f(row.x), {}, analytic, {}};
    Row moves = function_.moves(row.x, step);
    for (double& m : moves) m *= precision_.unit / step;
    std::vector<Line> columns;
    for (std::size_t j = 0; j < n_; ++j) {
      Row unit(n_, 0);
      unit[j] = 1;
      columns.push_back(line(row, unit, std::abs(row.x[j])));
      for (const Derivative& d : columns.back().slopes) scale = std::max(scale, std::abs(d.value));
    }
    for (std::size_t i = 0; i < outputs_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        const Derivative& d = columns[j].slopes[i];
        const Tolerance tolerance{
            16 * precision_.unit * std::abs(d.value) + 16 * moves[i * n_ + j] + rounding(scale),
            scale, resolution_of(dtype_), 1e-300, context_.accuracy() * scale};
        const double got = analytic[i * n_ + j];
        const Judgement judgement = judge_at(row, columns[j], i, got, tolerance);
        jacobian.add(point(row, i, j, got), judgement);
        sample.expected.push_back(judgement.expected);
        sample.bound.push_back(judgement.bound);
      }
    }
    if (jacobian.failures() > failures) jacobian.evidence().jacobians.push_back(std::move(sample));
    along(row, analytic, moves, scale, Row(n_, 1.0), directions);
    Row signs(n_);
    for (double& s : signs) s = random.upstream();
    along(row, analytic, moves, scale, signs, directions);
  }
  if (whole_to_each_ && !jacobian.failed()) {
    directions.suspect(
        "single entries are possible, their sums are not: where inputs are equal (ties) each gets "
        "the whole gradient, and they should share it");
  }
}

namespace {

// Functions to check, longest last; made once, because an f64 one is compared with all f32 ones.
using Functions = std::vector<std::pair<std::string, std::unique_ptr<VectorFunction>>>;

// A backward whose first order was looked at, and what was found.
struct Proven {
  const limen_kernel* kernel;
  const Functions* exact;
  std::vector<Row> values;  // of f and of the Jacobian, at all test rows of all lengths
  std::vector<CheckResult> results;
};

std::vector<TestRow> rows_of(const ActivationContext& context, const VectorFunction& function) {
  return test_rows(function.inputs(), Random(context.options.seed, "rows", context.op.op().name));
}

std::vector<Row> values_of(const ActivationContext& context, const Functions& functions) {
  std::vector<Row> values;
  for (const auto& [name, function] : functions) {
    for (const TestRow& row : rows_of(context, *function)) {
      values.push_back(function->f(row.x));
      values.push_back(function->jacobian(row.x));
    }
  }
  return values;
}

// Bit for bit, or up to `roundings` of the largest number in a row.
bool same_values(const std::vector<Row>& a, const std::vector<Row>& b, double roundings) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Row& left, const Row& right) {
    double size = 0;
    for (const double v : left) size = std::max(size, std::abs(v));
    return std::equal(
        left.begin(), left.end(), right.begin(), right.end(), [&](double l, double r) {
          return l == r ? std::signbit(l) == std::signbit(r) || roundings > 0
                        : (std::isnan(l) && std::isnan(r)) || std::abs(l - r) <= roundings * size;
        });
  });
}

// All tests of one backward; `exact` are the f64 functions that f32 ones are held against. The
// verdict on first order of a kernel that gives the same values is `taken` over; else it is
// returned.
std::vector<CheckResult> check_functions(const ActivationContext& context,
                                         const Functions& functions, DType dtype,
                                         const std::string& subject, const Functions* exact,
                                         std::vector<CheckResult> taken = {}) {
  std::vector<CheckResult> found;
  const auto add = [&](Tally& t) {
    const std::size_t before = context.report.checks.size();
    context.add(t);
    if (context.report.checks.size() > before) found.push_back(context.report.checks.back());
  };
  const auto take = [&] {
    for (CheckResult& result : taken) {
      result.subject = subject;
      context.add(std::move(result));
    }
    return !taken.empty();
  };
  const auto each = [&](auto part) {
    for (std::size_t i = 0; i < functions.size(); ++i) {
      RowsCheck check(context, *functions[i].second, dtype, functions[i].first);
      part(check, i);
    }
  };
  if (exact != nullptr) {
    if (context.wants("dtype-agree") && !take()) {
      Tally t = context.tally("dtype-agree", "f32 against f64", subject);
      double scale = 0;
      for (const auto& [name, function] : *exact) {
        scale = std::max(scale, slope_scale(*function, rows_of(context, *function)));
      }
      each([&](RowsCheck& check, std::size_t i) {
        const auto like = std::find_if(exact->begin(), exact->end(), [&](const auto& other) {
          return other.first == functions[i].first;
        });
        if (like != exact->end()) check.precision(t, *like->second, scale);
      });
      add(t);
    }
  } else if (!context.surrogate() && context.wants("derivative-fd") && !take()) {
    Tally jacobian = context.tally("derivative-fd", "jacobian", subject);
    Tally directions = context.tally("derivative-fd", "jacobian along directions", subject);
    each([&](RowsCheck& check, std::size_t) { check.differences(jacobian, directions); });
    add(jacobian);
    add(directions);
  }
  if (context.wants("extremes")) {
    Tally t = context.tally("extremes", "extremes", subject);
    each([&](RowsCheck& check, std::size_t) { check.extremes(t); });
    context.add(t);
  }
  if (context.wants("nan-in")) {
    Tally t = context.tally("nan-in", "NaN", subject);
    each([&](RowsCheck& check, std::size_t) { check.not_a_number(t); });
    context.add(t);
  }
  return found;
}

}  // namespace

void check_rows(const ActivationContext& context) {
  const limen_op& op = context.op.op();
  const auto functions_of = [&](const limen_kernel& forward, const limen_kernel& backward) {
    Functions functions;
    const auto add = [&](std::size_t n, std::string name, const CallSettings& settings) {
      functions.emplace_back(std::move(name), std::make_unique<RowFunction>(context.op, forward,
                                                                            backward, n, settings));
    };
    for (const std::size_t n : {1u, 2u, 3u, 5u, 8u, 17u}) {
      // Draws cost a call for every row of a Jacobian.
      const std::size_t most = context.op.stochastic() ? 5 : context.first ? 24 : 8;
      if (n * op.arity > (n > 1 ? most : 24)) break;
      add(n, fmt::format("a row of {}", n), {.base = n > 2 ? kFarElement : 0});
      if (context.op.stochastic()) {
        add(n, fmt::format("a row of {} in evaluation", n), {.flags = LIMEN_TILE_EVAL});
      }
    }
    return functions;
  };
  std::optional<Functions> exact;
  std::vector<Proven> proven;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    for (const limen_kernel* k : kernels_of(op, LIMEN_BACKWARD, dtype, context.isa)) {
      const limen_kernel* forward = forward_for(op, *k, context.isa);
      if (forward == nullptr) {
        context.no_forward(*k);
        continue;
      }
      check_contract(context, *forward, *k);
      Functions functions = functions_of(*forward, *k);
      Proven mine{
          k, dtype == LIMEN_F32 && exact ? &*exact : nullptr, values_of(context, functions), {}};
      const auto twin = std::find_if(proven.begin(), proven.end(), [&](const Proven& p) {
        return p.kernel->dtype == dtype && p.kernel->reads == k->reads && p.exact == mine.exact &&
               same_values(p.values, mine.values, dtype == LIMEN_F64 ? 0x1p-47 : 0);
      });
      mine.results =
          check_functions(context, functions, dtype_of_bit(dtype), describe(*k), mine.exact,
                          twin != proven.end() ? twin->results : std::vector<CheckResult>{});
      if (twin == proven.end()) proven.push_back(std::move(mine));
      if (dtype == LIMEN_F64 && !exact) exact = std::move(functions);
    }
  }
}

void check_general(const ActivationContext& context) {
  std::optional<Functions> exact;
  for (const std::uint32_t dtype : {LIMEN_F64, LIMEN_F32}) {
    if ((context.op.op().dtypes & dtype) == 0) continue;
    Functions functions;
    for (auto& function : general_functions(context.op, dtype_of_bit(dtype))) {
      functions.emplace_back(function->name(), std::move(function));
    }
    if (functions.empty()) {
      context.note(
          "infer() accepts none of the shapes tried at some values of the parameters, or there is "
          "no "
          "backward");
      return;
    }
    const std::string subject = dtype == LIMEN_F32 ? "f32 execute" : "f64 execute";
    for (auto& [name, function] : functions) {
      check_general_contract(context, static_cast<GeneralFunction&>(*function), subject);
    }
    check_functions(context, functions, dtype_of_bit(dtype), subject,
                    dtype == LIMEN_F32 && exact ? &*exact : nullptr);
    if (dtype == LIMEN_F64) exact = std::move(functions);
  }
  check_whole_tensors(context);
}

}  // namespace limen::check
