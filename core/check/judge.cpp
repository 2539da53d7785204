#include "check/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.hpp"

namespace limen::check {
namespace {

// Beside a kink differences of both sides reach over it or drown in rounding; those of the side
// away from it do not.
bool agrees_with_side(double got, const Derivative& d, const Tolerance& t) {
  const auto agrees = [&](const Slope& side) {
    const double bound = side.bound + t.allowance;
    return side.bound > 0 && std::abs(got - side.value) <= bound &&
           bound - t.declared <= t.resolution * std::max(t.scale, std::abs(side.value));
  };
  return agrees(d.left) || agrees(d.right);
}

Judgement judge_smooth(double got, const Derivative& d, const Tolerance& t) {
  const double bound = d.bound + t.allowance;
  Judgement result{Outcome::fail, d.value, bound, {}, bound};
  if (!std::isfinite(d.bound)) {
    if (!std::isnan(got)) result.outcome = Outcome::undecided;
  } else if (std::abs(got - d.value) <= bound) {
    const double off = std::abs(got - d.value),
                 sharp = t.resolution * std::max(t.scale, d.steepest);
    const double most = std::max({sharp, t.negligible, t.declared});
    // What is within the difference's own bound needs no allowance. Values that agree as sharply as
    // they should say more than a bound that is not much larger.
    const bool fine = (off <= d.bound ? d.bound : bound - t.declared) <= most ||
                      (off <= sharp && bound <= 16 * sharp);
    // f does not move at any step, and what could hide in its rounding is next to nothing.
    const bool flat = got == 0 && d.value == 0 && d.steepest == 0 && bound <= 1e-9;
    result.outcome =
        fine || flat || agrees_with_side(got, d, t) ? Outcome::pass : Outcome::undecided;
  }
  if (result.outcome != Outcome::pass) {
    result.note = fmt::format("4th order, h = {:.2g}, noise {:.2g}, {} evaluations", d.step,
                              d.noise, d.evaluations);
  }
  return result;
}

Judgement judge_kink(double got, const Derivative& d, const Tolerance& t) {
  const double low = std::min(d.left.value, d.right.value);
  const double high = std::max(d.left.value, d.right.value);
  const double slack = d.left.bound + d.right.bound + t.allowance;
  Judgement result{Outcome::fail, 0.5 * (low + high), 0.5 * (high - low) + slack,
                   fmt::format("kink: slope {:.6g} on the left, {:.6g} on the right", d.left.value,
                               d.right.value),
                   slack};
  if (got >= low - slack && got <= high + slack) {
    const double enough = std::max(0.25 * (high - low), t.resolution * t.scale);
    result.outcome = slack - t.declared <= enough ? Outcome::pass : Outcome::undecided;
  }
  return result;
}

Judgement judge_jump(double got, const Derivative& d, const Tolerance& t) {
  Judgement result{Outcome::fail, d.left.value, d.left.bound + t.allowance,
                   fmt::format("jump: slope {:.6g} on the left, {:.6g} on the right", d.left.value,
                               d.right.value)};
  if (std::isnan(got)) return result;
  bool resolved = true;
  for (const Slope& side : {d.left, d.right}) {
    const double bound = side.bound + t.allowance;
    if (!(bound - t.declared <=
          std::max(1e-3 * std::max(t.scale, std::abs(side.value)), t.negligible))) {
      resolved = false;
    } else if (std::abs(got - side.value) <= bound) {
      result.expected = side.value;
      result.bound = result.resolved = bound;
      result.outcome = Outcome::pass;
      return result;
    }
  }
  if (!resolved) result.outcome = Outcome::undecided;
  return result;
}

Severity severity_of(double got, const Judgement& judgement) {
  const double error = std::abs(got - judgement.expected);
  const double size = std::max(judgement.scale, std::abs(judgement.expected));
  return judgement.scale > 0 && error <= 1e-3 * size ? Severity::inexact : Severity::wrong;
}

}  // namespace

double resolution_of(DType dtype) { return dtype == DType::f32 ? 1e-3 : 1e-6; }

bool too_fine(const Derivative& d, double x, const Precision& precision) {
  const DType dtype = precision.digits == 24 ? DType::f32 : DType::f64;
  return 24 * precision.unit * std::abs(x) >= 0.5 * resolution_of(dtype) * d.step;
}

Judgement judge(double got, const Derivative& d, const Tolerance& tolerance) {
  Judgement result{Outcome::skipped, 0, 0, "f(x) is not finite"};
  if (d.kind == PointKind::smooth) result = judge_smooth(got, d, tolerance);
  if (d.kind == PointKind::kink) result = judge_kink(got, d, tolerance);
  if (d.kind == PointKind::jump) result = judge_jump(got, d, tolerance);
  if (d.unbounded && std::isinf(got)) {
    const bool cusp = (d.left.value > 0) != (d.right.value > 0);
    result.outcome = cusp || got * d.value > 0 ? Outcome::pass : Outcome::undecided;
  }
  result.scale = std::max(tolerance.scale, d.steepest);
  result.measured = d;
  return result;
}

Judgement compare(double got, double expected, double bound, std::string_view note) {
  Judgement result{Outcome::fail, expected, bound, std::string(note), bound};
  if (std::abs(got - expected) <= bound || got == expected ||
      (std::isnan(got) && std::isnan(expected))) {
    result.outcome = Outcome::pass;
  }
  return result;
}

Judgement compare(double got, double expected, double bound, std::string_view note,
                  const CheckOptions& options) {
  Judgement result = compare(got, expected, bound);
  if (result.outcome != Outcome::pass || options.wants_point) result.note = note;
  return result;
}

Tally::Tally(std::string op, std::string check, std::string subject, const CheckOptions& options,
             std::string_view test)
    : options_(options) {
  result_.test = test;
  result_.op = std::move(op);
  result_.check = std::move(check);
  result_.subject = std::move(subject);
  id_ = result_.id();
}

// "x=0x1.4p+1", "dx[3]", "jacobian-0-1-of-a-row-of-5-random".
std::string Tally::place(const Point& point) const {
  std::string place = point.tensor == "dx" && evidence_.by_x ? "" : as_word(point.tensor);
  if (evidence_.by_x) return fmt::format("{}{}x={:a}", place, place.empty() ? "" : "/", point.x);
  if (point.elements > 1) place += fmt::format("[{}]", point.element);
  return place;
}

void Tally::keep(const Point& point, const Judgement& judgement,
                 std::vector<CheckFailure>& list) const {
  if (list.size() >= options_.max_failures) return;
  CheckFailure f{point.tensor,       point.element,   point.elements, point.x,       point.upstream,
                 judgement.expected, judgement.bound, point.got,      judgement.note};
  f.point = place(point);
  const Derivative& d = judgement.measured;
  if (judgement.property) {
    f.kind = "property";
  } else if (d.evaluations > 0) {
    f.kind = d.kind == PointKind::kink ? "kink" : d.kind == PointKind::jump ? "jump" : "smooth";
    f.left = d.left.value;
    f.right = d.right.value;
    f.step = d.step;
    f.noise = d.noise;
    f.evaluations = d.evaluations;
  }
  list.push_back(std::move(f));
}

bool Tally::count(const Judgement& judgement) {
  result_.evaluations += judgement.measured.evaluations;
  if (judgement.outcome == Outcome::undecided) ++result_.undecided;
  if (judgement.outcome == Outcome::fail) ++result_.failed;
  if (judgement.outcome != Outcome::pass) return false;
  ++result_.passed;
  if (std::isfinite(judgement.resolved)) bounds_.push_back(judgement.resolved);
  return true;
}

void Tally::add(const Point& point, const Judgement& judgement) {
  if (judgement.outcome == Outcome::skipped) return;
  const bool chosen = static_cast<bool>(options_.wants_point);
  if (chosen && !options_.wants_point(id_ + "/" + place(point))) return;
  const bool good = count(judgement);
  if (judgement.outcome == Outcome::undecided) return keep(point, judgement, undecided_);
  if (!good) {
    result_.severity = std::max(result_.severity, severity_of(point.got, judgement));
  }
  if (!good || chosen) keep(point, judgement, good ? passed_ : result_.failures);
  if (explains_ && !settled_ && !judgement.property) {
    const Derivative& d = judgement.measured;
    evidence_.samples.push_back({point.x, point.y, judgement.expected, point.got, judgement.bound,
                                 good, point.element, d.kind, d.left.value, d.right.value,
                                 point.upstream});
  }
}

void Tally::next_function() {
  settled_ = settled_ || failed();
  if (!settled_) evidence_.samples.clear();
}

void Tally::require(bool good, std::string_view tensor, std::string_view note) {
  Point point;
  point.tensor = tensor;
  Judgement judgement{good ? Outcome::pass : Outcome::fail, 0, 0, std::string(note)};
  judgement.property = true;
  add(point, judgement);
}

CheckResult Tally::finish() {
  const std::int64_t all = result_.points();
  if (result_.failed > 0) {
    result_.verdict = Verdict::fail;
  } else if (all == 0 || result_.undecided * 50 > all) {
    result_.verdict = Verdict::undecidable;
    result_.failures = std::move(undecided_);
  } else {
    result_.verdict = Verdict::pass;
    result_.failures = std::move(passed_);
  }
  if (!bounds_.empty()) {
    const auto middle = bounds_.begin() + static_cast<std::ptrdiff_t>(bounds_.size() / 2);
    std::nth_element(bounds_.begin(), middle, bounds_.end());
    result_.bound_median = *middle;
    result_.bound_max = *std::max_element(middle, bounds_.end());
  }
  if (result_.failed > 0) {
    if (explains_) result_.where = region_of(evidence_);
    if (result_.where.empty()) {
      result_.where = fmt::format("{} of {} values fail", result_.failed, all);
    }
    evidence_.subject = result_.subject;
    result_.likely = suspicion_;
    if (result_.likely.empty()) result_.likely = contract_mistake(result_);
    if (result_.likely.empty()) result_.likely = likely_mistake(evidence_);
  }
  return std::move(result_);
}

}  // namespace limen::check
