// Kinks, declared and not, and f32 against f64.
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

#include "check/map_check.hpp"

namespace limen::check {
namespace {

// Where a declared kink is for these parameters.
double place_of(const OpCase& op, const limen_kink& kink) {
  if (kink.param < 0 || static_cast<std::uint32_t>(kink.param) >= op.op().n_params) return kink.at;
  return kink.at + kink.scale * op.hyper()[static_cast<std::size_t>(kink.param)];
}

}  // namespace

Findings MapCheck::declared_kinks() {
  const limen_facts* facts = context_.op.op().facts;
  Findings findings;
  for (std::uint32_t i = 0; facts != nullptr && i < facts->n_kinks; ++i) {
    const limen_kink& kink = facts->kinks[i];
    const double at = place_of(context_.op, kink);
    if (function_.round(at) != at) continue;  // no number of this type lies there
    const Derivative& d = derivative(at);
    const double got = function_.b(at);
    const Point p = point(i, facts->n_kinks, at, function_.f(at), got);
    const double allowed = allowance(at, d.value) + precision_.unit * std::abs(got);
    if (!context_.surrogate()) findings.push_back({p, judge(got, d, tolerance(at, d, allowed))});
    const bool jumps = kink.kind == LIMEN_KINK_JUMP;
    const PointKind other = jumps ? PointKind::kink : PointKind::jump;
    if (context_.first && exact_ == nullptr && kink.kind != 0 && d.kind == other) {
      Judgement judgement{Outcome::fail, 0, 0,
                          jumps ? "declared as LIMEN_KINK_JUMP, but f does not jump here: f' does"
                                : "declared as LIMEN_KINK_CORNER, but f itself jumps here"};
      judgement.property = true;
      findings.push_back({p, std::move(judgement)});
    }
    // A slope may depend on a parameter (leaky_relu's is alpha): then it is not a constant of the
    // descriptor, and only the default's is declared.
    if (context_.op.label() != context_.op.op().name) continue;
    findings.push_back(
        {p, compare(got, kink.slope, 16 * precision_.unit * std::max(1.0, std::abs(kink.slope)),
                    "the slope that the op declares at this kink")});
  }
  return findings;
}

// Where backward jumps, f may have a corner; an op that lists its kinks must list all.
Findings MapCheck::undeclared_kinks() {
  const limen_facts* facts = context_.op.op().facts;
  const Row& x = scan_.branches;
  const std::vector<const Derivative*> d = derivatives(x);
  Findings findings;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const PointKind kind = d[i]->kind;
    if (kind != PointKind::kink && kind != PointKind::jump) continue;
    bool declared = false;
    for (std::uint32_t k = 0; k < facts->n_kinks && !declared; ++k) {
      const double at = place_of(context_.op, facts->kinks[k]);
      declared = std::abs(x[i] - at) <= 16 * precision_.unit * std::max(std::abs(at), 0x1p-20);
    }
    const Point p = point(i, x.size(), x[i], function_.f(x[i]), function_.b(x[i]));
    if (facts->n_kinks == 0) {  // it declares nothing, so nothing wrong
      context_.note(fmt::format("it has a corner at x = {:g} and lists no kinks", x[i]));
      continue;
    }
    findings.push_back(
        {p,
         {declared ? Outcome::pass : Outcome::fail, p.got, 0,
          kind == PointKind::jump ? "the function jumps here, and its list of kinks has no entry"
                                  : "a corner that the op's list of kinks does not have"}});
  }
  if (findings.empty()) findings.push_back({point(0, 1, 0, 0, 0), {}});
  return findings;
}

// A threshold that moved by rounding, of x or of what x is added to: right on the other side.
bool MapCheck::moved_threshold(MapFunction& exact, double x, double got, double expected,
                               double bound) {
  if (std::isnan(got)) return false;
  const double u = precision_.unit, width = scan_.high - scan_.low;
  // So far can rounding move it only if this f does not tell the numbers between from each other.
  constexpr std::size_t kFew = 6;
  const auto rounds = [&](double side, double other) {
    double here = 0, there = 1;
    for (int i = 0; i < 8; ++i) {
      const double middle = 0.5 * (here + there), b = exact.b(x + middle * side);
      (std::abs(b - expected) < std::abs(b - other) ? here : there) = middle;
    }
    const double distance = there * std::abs(side);
    return distance <= 8 * u * std::abs(x) ||
           (different_values(x, distance) <= kFew && different_values(x, -distance) <= kFew);
  };
  for (const double shift :
       {1024 * u * x, 64 * u * x, 1024 * u, 256 * u, 16 * u, 64 * u * width, 16 * u * width}) {
    const bool near = std::abs(shift) <= 1024 * u * std::max(1.0, std::abs(x));
    for (const double side : {shift, -shift}) {
      const double other = exact.b(x + side), step = std::abs(other - expected);
      if (!(step > 16 * bound)) continue;
      if (std::abs(got - other) <= 4 * bound && rounds(side, other)) return true;
      // At the threshold itself, behind which all stays as it is, anything between is right.
      const auto [low, high] = std::minmax(other, expected);
      const bool between = got >= low - 4 * bound && got <= high + 4 * bound;
      if (near && between && std::abs(exact.b(x + 2 * side) - other) <= step / 8 &&
          rounds(side, other)) {
        return true;
      }
    }
  }
  return false;
}

bool scatters(const Row& got, const Row& right, double error, double most) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    sum += got[i] - right[i];
    squares += (got[i] - right[i]) * (got[i] - right[i]);
  }
  const double n = static_cast<double>(got.size()), mean = sum / n;
  const double spread = std::sqrt(std::max(0.0, squares / n - mean * mean));
  return std::abs(error) <= 6 * spread && std::abs(mean) <= 2 * spread && spread <= most;
}

// Rounding of larger terms (1 - t * t far out) scatters from place to place; a mistake does not.
bool MapCheck::rounds_so(MapFunction& exact, double x, double error) {
  const double u = precision_.unit, wide = scan_.wide_scale(x);
  if (std::abs(error) <= 4 * u * scan_.steady_scale(x)) return true;
  const KernelPair pair{forward_for(context_.op.op(), *exact_, context_.isa), exact_};
  if (std::abs(error) <= 4 * u * size_elsewhere(context_, pair, slice_, x, false)) return true;
  Row places;
  double rounded = 0;  // where f is flat it shows no grain, but it does beside
  for (const double beside : {0.0, 0.3, -0.3, 0.8, -0.8}) {
    const double at = function_.round(x + beside * std::max(1.0, std::abs(x)));
    if (rounded > 0 || !(at > low_ && at < high_)) continue;
    rounded = 4 * grain([this](const Row& near) { return function_.f(near); }, exact, at);
  }
  const Row b = exact.b(Row{x - rounded, x, x + rounded});
  if (!std::isfinite(b[0]) || !std::isfinite(b[2])) return true;  // the domain may end there
  if (std::abs(error) <= std::max(std::abs(b[0] - b[1]), std::abs(b[2] - b[1]))) return true;
  const double step = 3.7e-4 * std::max({1.0, std::abs(x), scan_.high - scan_.low});
  for (int i = -8; i <= 8; ++i) places.push_back(function_.round(x + i * step));
  return scatters(function_.b(places), exact.b(places), error, 64 * u * wide);
}

MapFunction MapCheck::exact_function() const {
  return {context_.op, *forward_for(context_.op.op(), *exact_, context_.isa), *exact_, slice_};
}

// f32 gradients against the f64 kernel at the same x.
Findings MapCheck::precision_at(const Row& x, const Row& y, const Row& got) {
  const double u = precision_.unit;
  MapFunction exact = exact_function();
  const auto [exact_f, expected] = exact.both(x);
  const auto moved = [&](double e) {
    Row result = x;
    for (double& v : result) v *= 1 + e;
    return exact.b(result);
  };
  Row change(x.size(), 0);
  const auto widen = [&](const Row& other) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      change[i] = std::max(change[i], std::abs(other[i] - expected[i]));
    }
  };
  for (const double e : kRoundings) {
    widen(moved(e * u));
    if ((pair_.backward->reads & LIMEN_Y) != 0) widen(exact.b_with_y(x, e * u / 4));
  }
  Findings findings;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(exact_f[i]) || !std::isfinite(y[i])) continue;
    if (!std::isfinite(expected[i]) || std::abs(expected[i]) > FLT_MAX) continue;
    const double scale = scan_.scale(x[i]);
    const double bound = 32 * u * std::abs(expected[i]) + 2 * change[i] + 64 * u * scale +
                         precision_.min_normal + 2 * context_.accuracy() * scale +  // each may
                         (function_.dtype() == DType::f64 ? 1e-11 * scale : 0);
    Judgement judgement = compare(got[i], expected[i], bound,
                                  "the f64 kernel's gradient at the same x", context_.options);
    if (judgement.outcome != Outcome::pass) {
      if (change[i] > 0.1 * scale) continue;  // f32 does not resolve this function here
      if (moved_threshold(exact, x[i], got[i], expected[i], bound) ||
          rounds_so(exact, x[i], got[i] - expected[i])) {
        judgement.outcome = Outcome::skipped;
      }
    }
    findings.push_back({point(i, x.size(), x[i], y[i], got[i]), std::move(judgement)});
  }
  return findings;
}

Findings MapCheck::precision() {
  if (exact_ == nullptr) return {};  // the f64 kernel itself
  Row points = scan_.points;
  Random random(context_.options.seed, "precision", context_.op.op().name);
  for (int i = 0; i < 4 * this->points(); ++i) {
    const double x = function_.round(i % 2 == 0 ? random.uniform(-12, 12) : 3 * random.normal());
    if (x > low_ && x < high_) points.push_back(x);
  }
  if (!dense_.empty()) {
    const std::span<const double> got = at_dense();
    const Row expected = exact_function().b(dense_);
    const std::size_t most = points.size() + 1000;
    const double least = scan_.least_scale();
    for (std::size_t i = 0; i < dense_.size() && points.size() < most; ++i) {
      const double error = std::abs(got[i] - expected[i]), size = std::abs(expected[i]);
      const auto small = [&](double scale) {
        return error <= 16 * precision_.unit * (size + scale);
      };
      if (!small(least) && !small(scan_.scale(dense_[i]))) points.push_back(dense_[i]);
    }
  }
  const auto [f, b] = function_.both(points);
  return precision_at(points, f, b);
}

}  // namespace limen::check
