#include "check/row_places.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace limen::check {
namespace {

constexpr double kStep = 0x1p-96, kEighth = 0x1p-3;

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

void judge_along(VectorFunction& function, const Row& x, const Row& direction, const Row& dy,
                 double got, const Tolerance& tolerance, Judgement& judgement) {
  if (judgement.outcome != Outcome::fail && judgement.outcome != Outcome::undecided) return;
  constexpr int kHalf = 16;  // panels of the trapezoidal rule on each side
  constexpr double kPanels = 2 * kHalf;
  const double u = precision_of(DType::f32).unit, enough = tolerance.resolution * tolerance.scale;
  double size = 0;
  for (const double v : x) size = std::max(size, std::abs(v));
  bool agreed = false;
  for (const double part : {0x1p-2, 0x1p-5, 0x1p-8, 0x1p-11}) {
    const double h = part * (size > 0 ? size : 1) / kHalf;
    Row moved;
    for (int k = -kHalf; k <= kHalf; ++k) {
      for (std::size_t j = 0; j < x.size(); ++j) moved.push_back(x[j] + k * h * direction[j]);
    }
    const Row y = function.many(moved), dx = function.many(moved, &dy);
    Row slopes;
    double size_of_f = 0;
    for (std::size_t k = 0; k <= 2 * kHalf; ++k) {
      const auto from = dx.begin() + static_cast<std::ptrdiff_t>(k * x.size());
      slopes.push_back(std::inner_product(direction.begin(), direction.end(), from, 0.0));
    }
    const auto value = [&](std::size_t k) {
      double sum = 0, sizes = 0;
      for (std::size_t i = 0; i < dy.size(); ++i) {
        sum += dy[i] * y[k * dy.size() + i];
        sizes += std::abs(dy[i] * y[k * dy.size() + i]);
      }
      size_of_f = std::max(size_of_f, sizes);
      return sum;
    };
    const double rise = (value(2 * kHalf) - value(0)) / (kPanels * h);
    double mean = 0.5 * (slopes.front() + slopes.back()), rough = mean;
    for (std::size_t k = 1; k < 2 * kHalf; ++k) {
      mean += slopes[k];
      if (k % 2 == 0) rough += slopes[k];
    }
    mean /= kPanels;
    rough /= kHalf;
    const double rounding = 8 * u * (size_of_f + tolerance.scale * size) / (kPanels * h);
    const double bound = 2 * std::abs(mean - rough) + rounding + tolerance.allowance;
    if (!(bound - tolerance.declared <= enough)) continue;
    if (!(std::abs(rise - mean) <= bound)) return;
    const auto [low, high] =
        std::minmax({slopes[kHalf - 2], slopes[kHalf - 1], slopes[kHalf + 1], slopes[kHalf + 2]});
    agreed = agreed || (got >= low - bound && got <= high + bound);
  }
  if (agreed) judgement.outcome = Outcome::pass;
}

double largest_of(const Row& x) {
  double largest = 1;
  for (const double v : x) largest = std::max(largest, std::abs(v));
  return largest;
}

}  // namespace limen::check
