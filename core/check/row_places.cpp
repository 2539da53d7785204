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
  const double step = 256 * precision.unit * largest_of(x);
  std::vector<double> places(x.size());
  std::iota(places.begin(), places.end(), 1.0);
  for (std::size_t j = x.size(); j > 1; --j) {
    std::swap(places[j - 1], places[static_cast<std::size_t>(random.below(j))]);
  }
  // Turned around and around, and backwards: each input takes each place.
  for (const bool back : {false, true}) {
    for (std::size_t turn = 0; turn < x.size(); ++turn) {
      Row near = x;
      for (std::size_t j = 0; j < x.size(); ++j) near[j] += step * places[j];
      jacobians_.push_back(function.jacobian(near));
      std::rotate(places.begin(), places.begin() + 1, places.end());
    }
    if (!back) std::reverse(places.begin(), places.end());
  }
}

bool NearTies::allow(std::size_t i, const Row& direction, double got, double slack) const {
  double low = INFINITY, high = -INFINITY;
  for (const Row& jacobian : jacobians_) {
    double sum = 0;
    for (std::size_t j = 0; j < direction.size(); ++j) {
      sum += jacobian[i * direction.size() + j] * direction[j];
    }
    low = std::min(low, sum);
    high = std::max(high, sum);
  }
  return high - low > 4 * slack && got >= low - slack && got <= high + slack;
}

Row slopes_at_zero(VectorFunction& function) {
  const std::size_t n = function.inputs(), m = function.outputs();
  const Row center = function.f(Row(n, 0));
  Row slopes(n * m, NAN);
  for (std::size_t j = 0; j < n; ++j) {
    Row moved;
    for (const double h : {kStep, -kStep, kEighth * kStep, -kEighth * kStep}) {
      Row x(n, 0);
      x[j] = h;
      moved.insert(moved.end(), x.begin(), x.end());
    }
    const Row y = function.many(moved);
    for (std::size_t i = 0; i < m; ++i) {
      const double wide = (y[i] - y[m + i]) / (2 * kStep);
      const double narrow = (y[2 * m + i] - y[3 * m + i]) / (2 * kEighth * kStep);
      const bool steady = std::abs(wide - narrow) <= 1e-3 * std::abs(wide);
      if (center[i] == 0 && steady) slopes[i * n + j] = wide;
    }
  }
  return slopes;
}

void judge_at_zero(double slope, double got, const Derivative& d, Judgement& judgement) {
  constexpr double kSteep = 1e3;  // ladders reach what is less steep
  if (!(std::abs(slope) > kSteep)) return;
  const Judgement there =
      compare(got, slope, 1e-2 * std::abs(slope), "the slope over steps of 1e-29");
  const bool hidden =
      d.kind == PointKind::smooth && std::abs(slope) > 64 * (std::abs(d.value) + d.bound);
  if (there.outcome == Outcome::pass || hidden) judgement = there;
}

bool overflows(VectorFunction& function, const Row& x, const Precision& precision) {
  double finite = 0, infinite = 2, most = 0;
  for (int step = 0; step < 16; ++step) {
    const double part = 0.5 * (finite + infinite);
    Row nearer = x;
    for (double& v : nearer) v *= part;
    const Row y = function.f(nearer);
    const bool good = std::all_of(y.begin(), y.end(), [](double v) { return std::isfinite(v); });
    if (good && step == 0) return false;
    (good ? finite : infinite) = part;
    for (const double v : y) most = good ? std::max(most, std::abs(v)) : most;
  }
  return most > 1 / std::sqrt(precision.min_normal);
}

double largest_of(const Row& x) {
  double largest = 1;
  for (const double v : x) largest = std::max(largest, std::abs(v));
  return largest;
}

}  // namespace limen::check
