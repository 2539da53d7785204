#include "check/row_places.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace limen::check {
namespace {

constexpr double kStep = 0x1p-96, kEighth = 0x1p-3;

struct Stretch {
  double rise = 0, mean = 0, size = 0;  // size of f
  double error = 0;  // of the mean at most, if the slope is monotone between two places
  double low = INFINITY, high = -INFINITY;  // slopes beside x

  Stretch(VectorFunction& function, const Row& x, const Row& direction, const Row& dy,
          double reach);
};

}  // namespace

NearTies::NearTies(VectorFunction& function, const Row& x, const Precision& precision,
                   Random random) {
  const std::size_t n = x.size();
  const auto zero = [](double v) { return v == 0; };
  const bool all_zero = std::all_of(x.begin(), x.end(), zero);
  const double step = all_zero ? kStep : 256 * precision.unit * largest_of(x);
  // Those whose place is below `shift` move down, or, `outward`, towards 0.
  const auto add = [&](const std::vector<double>& places, double shift, bool outward) {
    Row near = x;
    for (std::size_t j = 0; j < n; ++j) {
      near[j] += step * (places[j] - shift) * (outward && x[j] < 0 ? -1 : 1);
    }
    jacobians_.push_back(function.jacobian(near));
  };
  std::vector<double> places(n);
  std::iota(places.begin(), places.end(), 1.0);
  auto first = places;  // who takes the first of equals, or the last one, sorts them by place
  for (std::size_t j = n; j > 1; --j) {
    std::swap(places[j - 1], places[static_cast<std::size_t>(random.below(j))]);
  }
  const double half = static_cast<double>(n / 2) + 0.5, all = static_cast<double>(n) + 1;
  const bool sides = std::any_of(x.begin(), x.end(), [](double v) { return v < 0; }) &&
                     std::any_of(x.begin(), x.end(), [](double v) { return v > 0; });
  for (int way = 0; way < 2; ++way) {
    for (const bool outward : {false, true}) {
      if (outward && !sides) continue;
      for (const double shift : {0.0, half, all}) add(first, shift, outward);
    }
    // Turned around and around, and backwards: each input takes each place.
    for (std::size_t turn = 0; turn < n; ++turn) {
      add(places, static_cast<double>(turn) + 0.5, false);
      std::rotate(places.begin(), places.begin() + 1, places.end());
    }
    std::reverse(places.begin(), places.end());
    std::reverse(first.begin(), first.end());
  }
}

bool NearTies::allow(std::size_t i, const Row& direction, double got, const Tolerance& t) const {
  double low = INFINITY, high = -INFINITY, size = 0;
  for (const Row& jacobian : jacobians_) {
    double sum = 0, sizes = 0;
    for (std::size_t j = 0; j < direction.size(); ++j) {
      const double term = jacobian[i * direction.size() + j] * direction[j];
      sum += term;
      sizes += std::abs(term);
    }
    low = std::min(low, sum);
    high = std::max(high, sum);
    size = std::max(size, sizes);
  }
  const double slack = t.allowance + t.resolution * size;
  return high - low > 4 * slack && got >= low - slack && got <= high + slack;
}

std::vector<Sides> slopes_at_zero(VectorFunction& function, const Row& direction) {
  constexpr double kSteps[] = {0, kStep, kEighth * kStep, -kStep, -kEighth * kStep};
  const std::size_t m = function.outputs();
  Row moved;
  for (const double h : kSteps) {
    for (const double v : direction) moved.push_back(h * v);
  }
  const Row y = function.many(moved);
  std::vector<Sides> sides(m);
  for (std::size_t i = 0; i < m; ++i) {
    const auto side = [&](std::size_t k) {
      const double wide = y[k * m + i] / kSteps[k], narrow = y[(k + 1) * m + i] / kSteps[k + 1];
      return y[i] == 0 && std::abs(wide - narrow) <= 1e-3 * std::abs(wide) ? wide : NAN;
    };
    sides[i] = {side(3), side(1)};
  }
  return sides;
}

void judge_at_zero(const Sides& sides, double got, const Derivative& d, Judgement& judgement) {
  constexpr double kSteep = 1e3;  // ladders reach what is less steep
  const double low = std::min(sides.left, sides.right), high = std::max(sides.left, sides.right);
  const double steepest = std::max(std::abs(low), std::abs(high));
  if (!(steepest > kSteep) || std::isnan(sides.left) || std::isnan(sides.right)) return;
  const Judgement there =
      compare(got, 0.5 * (low + high), 0.5 * (high - low) + 1e-2 * steepest,
              high - low > 1e-3 * steepest ? "between both slopes over steps of 1e-29"
                                           : "the slope over steps of 1e-29");
  const bool hidden = d.kind == PointKind::smooth && steepest > 64 * (std::abs(d.value) + d.bound);
  if (there.outcome == Outcome::pass || hidden) judgement = there;
}

bool overflows(VectorFunction& function, const Row& x, const Precision& precision) {
  double finite = 0, infinite = 2, most = 0;
  for (int step = 0; step < 16; ++step) {
    const double part = 0.5 * (finite + infinite);
    Row nearer = x;
    for (double& v : nearer) v *= part;
    const Row y = function.f(nearer);
    const bool good = all_finite(y);
    if (good && step == 0) return false;
    (good ? finite : infinite) = part;
    for (const double v : y) most = good ? std::max(most, std::abs(v)) : most;
  }
  return most > 1 / std::sqrt(precision.min_normal);
}

// What f gains over x +- reach along a line, and what its backward says, for each unit of it.
Stretch::Stretch(VectorFunction& function, const Row& x, const Row& direction, const Row& dy,
                 double reach) {
  constexpr int kHalf = 16;  // panels of the trapezoidal rule on each side
  Row moved;
  for (int k = -kHalf; k <= kHalf; ++k) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      moved.push_back(x[j] + reach / kHalf * k * direction[j]);
    }
  }
  const Row y = function.many(moved), dx = function.many(moved, &dy);
  const auto dot = [](const Row& a, const Row& all, std::size_t k) {
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(k * a.size());
    return std::inner_product(a.begin(), a.end(), from, 0.0);
  };
  rise = (dot(dy, y, 2 * kHalf) - dot(dy, y, 0)) / (2 * reach);
  for (std::size_t i = 0; i < dy.size(); ++i) size += std::abs(dy[i] * y[kHalf * dy.size() + i]);
  for (std::size_t k = 0; k < 2 * kHalf; ++k) {
    const double left = dot(direction, dx, k), right = dot(direction, dx, k + 1);
    mean += (left + right) / (4 * kHalf);
    error += std::abs(right - left) / (4 * kHalf);
    const std::size_t at = k == kHalf ? k + 1 : k;  // never x itself
    if (at < kHalf - 2 || at > kHalf + 2) continue;
    low = std::min(low, at == k ? left : right);
    high = std::max(high, at == k ? left : right);
  }
}

void judge_along(VectorFunction& function, const Row& x, const Row& direction, const Row& dy,
                 double got, const Tolerance& tolerance, Judgement& judgement) {
  if (judgement.outcome != Outcome::fail && judgement.outcome != Outcome::undecided) return;
  const double u = precision_of(DType::f32).unit, enough = tolerance.resolution * tolerance.scale;
  double size = 0;
  for (const double v : x) size = std::max(size, std::abs(v));
  bool agreed = false;
  for (const double part : {0x1p-2, 0x1p-5, 0x1p-8, 0x1p-11}) {
    const double reach = part * (size > 0 ? size : 1);
    const Stretch s(function, x, direction, dy, reach);
    const double rounding = 4 * u * (s.size + tolerance.scale * size) / reach;
    const double bound = s.error + rounding + tolerance.allowance;
    if (!(bound - tolerance.declared <= enough)) continue;
    if (!(std::abs(s.rise - s.mean) <= bound)) return;
    agreed = agreed || (got >= s.low - bound && got <= s.high + bound);
  }
  if (agreed) judgement.outcome = Outcome::pass;
}

Row rounding_noise(const std::function<Row(const Row&)>& exact, const Row& x, Random random) {
  constexpr int kDraws = 16;
  const double reach = 16 * precision_of(DType::f64).unit;
  const Row center = exact(x);
  Row noise(center.size(), 0);
  for (int draw = 0; draw < kDraws; ++draw) {
    Row near = x;
    for (double& v : near) v *= 1 + random.uniform(-reach, reach);
    const Row there = exact(near);
    for (std::size_t at = 0; at < noise.size(); ++at) {
      const double change = std::abs(there[at] - center[at]);
      if (std::isfinite(change)) noise[at] = std::max(noise[at], change);
    }
  }
  return noise;
}

bool all_finite(const Row& y) {
  return std::all_of(y.begin(), y.end(), [](double v) { return std::isfinite(v); });
}

double largest_of(const Row& x) {
  double largest = 1;
  for (const double v : x) largest = std::max(largest, std::abs(v));
  return largest;
}

}  // namespace limen::check
