#include "check/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace limen::check {
namespace {

Judgement judge_smooth(double got, const Derivative& d, const Tolerance& t) {
  const double bound = d.bound + t.allowance;
  Judgement result{Outcome::fail, d.value, bound, {}, bound};
  if (!std::isfinite(d.bound)) {
    if (!std::isnan(got)) result.outcome = Outcome::undecided;
  } else if (std::abs(got - d.value) <= bound) {
    const bool fine = bound <= std::max(t.resolution * std::max(t.scale, d.steepest), t.negligible);
    result.outcome = fine ? Outcome::pass : Outcome::undecided;
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
    result.outcome = slack <= 0.25 * (high - low) ? Outcome::pass : Outcome::undecided;
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
    if (!(bound <= std::max(1e-3 * std::max(t.scale, std::abs(side.value)), t.negligible))) {
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

}  // namespace

double resolution_of(DType dtype) { return dtype == DType::f32 ? 1e-3 : 1e-6; }

Judgement judge(double got, const Derivative& d, const Tolerance& tolerance) {
  switch (d.kind) {
    case PointKind::smooth:
      return judge_smooth(got, d, tolerance);
    case PointKind::kink:
      return judge_kink(got, d, tolerance);
    case PointKind::jump:
      return judge_jump(got, d, tolerance);
    case PointKind::not_finite:
      break;
  }
  return {Outcome::skipped, 0, 0, "f(x) is not finite"};
}

Judgement compare(double got, double expected, double bound, std::string_view note) {
  Judgement result{Outcome::fail, expected, bound, std::string(note), bound};
  if (std::abs(got - expected) <= bound || got == expected ||
      (std::isnan(got) && std::isnan(expected))) {
    result.outcome = Outcome::pass;
  }
  return result;
}

Tally::Tally(std::string op, std::string check, std::string subject, const CheckOptions& options,
             std::string_view test)
    : max_failures_(options.max_failures) {
  result_.test = test;
  result_.op = std::move(op);
  result_.check = std::move(check);
  result_.subject = std::move(subject);
}

void Tally::keep(const Point& point, const Judgement& judgement,
                 std::vector<CheckFailure>& list) const {
  if (list.size() >= max_failures_) return;
  list.push_back({point.tensor, point.element, point.elements, point.x, point.upstream,
                  judgement.expected, judgement.bound, point.got, judgement.note});
}

void Tally::add(const Point& point, const Judgement& judgement) {
  switch (judgement.outcome) {
    case Outcome::skipped:
      return;
    case Outcome::undecided:
      ++result_.undecided;
      keep(point, judgement, undecided_);
      return;
    case Outcome::pass:
      ++result_.passed;
      if (std::isfinite(judgement.resolved)) {
        result_.worst_bound = std::max(result_.worst_bound, judgement.resolved);
      }
      break;
    case Outcome::fail:
      ++result_.failed;
      keep(point, judgement, result_.failures);
      break;
  }
  if (explains_) {
    seen_.push_back({point.x, point.y, judgement.expected, point.got, judgement.bound,
                     judgement.outcome == Outcome::pass});
  }
}

void Tally::require(bool good, std::string_view tensor, std::string_view note) {
  Point point;
  point.tensor = tensor;
  add(point, {good ? Outcome::pass : Outcome::fail, 0, 0, std::string(note)});
}

CheckResult Tally::finish() {
  const std::int64_t all = result_.passed + result_.failed + result_.undecided;
  if (result_.failed > 0) {
    result_.verdict = Verdict::fail;
  } else if (all == 0 || result_.undecided * 50 > all) {
    result_.verdict = Verdict::undecidable;
    result_.failures = std::move(undecided_);
  } else {
    result_.verdict = Verdict::pass;
  }
  if (result_.failed > 0) {
    result_.where = by_x_ ? where() : fmt::format("{} of {} values fail", result_.failed, all);
    result_.likely = likely();
  }
  return std::move(result_);
}

// The simplest region of x that holds all the failing points and hardly any good one.
std::string Tally::where() const {
  const auto good = std::count_if(seen_.begin(), seen_.end(), [](const Seen& s) { return s.good; });
  const auto bad = static_cast<std::ptrdiff_t>(seen_.size()) - good;
  std::string text = fmt::format("{} of {} points fail", bad, seen_.size());
  if (good == 0) return text;
  // All failing points have value(x) >= t; says so unless good ones lie there too. A wrong formula
  // may be right at single points (x = 1 for one that returns x).
  const auto describe = [&](auto value, const char* form, double sign) -> std::string {
    double t = INFINITY;
    for (const Seen& s : seen_) {
      if (!s.good) t = std::min(t, value(s.x));
    }
    const auto inside = std::count_if(seen_.begin(), seen_.end(),
                                      [&](const Seen& s) { return s.good && value(s.x) >= t; });
    if (inside * 50 > bad) return {};
    std::string result = fmt::format(", all with ");
    result += fmt::format(fmt::runtime(form), sign * t);
    if (inside > 0) result += fmt::format(" ({} there pass)", inside);
    return result + fmt::format("; none of the {} others", good - inside);
  };
  for (std::string region :
       {describe([](double x) { return x; }, "x >= {:.6g}", 1),
        describe([](double x) { return -x; }, "x <= {:.6g}", -1),
        describe([](double x) { return std::abs(x); }, "|x| >= {:.6g}", 1),
        describe([](double x) { return -std::abs(x); }, "|x| <= {:.6g}", -1)}) {
    if (!region.empty()) return text + region;
  }
  return text;
}

// The first simple formula that all failing points agree with.
std::string Tally::likely() const {
  std::vector<Seen> bad;
  for (const Seen& s : seen_) {
    if (!s.good && std::isfinite(s.expected)) bad.push_back(s);
  }
  if (bad.size() < 3) return {};
  const auto all = [&](auto hypothesis) {
    return std::all_of(bad.begin(), bad.end(), [&](const Seen& s) {
      const double h = hypothesis(s);
      return std::abs(s.got - h) <= s.bound + 1e-6 * std::abs(h);
    });
  };
  const Seen& first = *std::max_element(bad.begin(), bad.end(), [](const Seen& a, const Seen& b) {
    return std::abs(a.expected) < std::abs(b.expected);
  });
  if (std::all_of(bad.begin(), bad.end(), [](const Seen& s) { return std::isnan(s.got); })) {
    return "the gradient is NaN there: an overflow, 0/0 or inf * 0 inside the backward kernel";
  }
  if (all([](const Seen&) { return 0.0; })) return "the gradient is 0 there";
  if (all([](const Seen& s) { return -s.expected; })) return "the sign is flipped";
  if (all([](const Seen& s) { return s.x; })) {
    return "it returns x (the input) instead of the derivative";
  }
  if (all([](const Seen& s) { return s.y; })) {
    return "it returns y (the output) instead of the derivative";
  }
  if (all([&](const Seen&) { return first.got; })) {
    return fmt::format("it returns the constant {:.6g}", first.got);
  }
  const double ratio = first.got / first.expected;
  if (first.expected != 0 && all([&](const Seen& s) { return ratio * s.expected; })) {
    return fmt::format("the derivative times the constant {:.6g}", ratio);
  }
  const double shift = first.got - first.expected;
  if (all([&](const Seen& s) { return s.expected + shift; })) {
    return fmt::format("the derivative plus the constant {:.6g}", shift);
  }
  return {};
}

}  // namespace limen::check
