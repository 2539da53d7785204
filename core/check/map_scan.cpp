#include "check/map_scan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

namespace limen::check {
namespace {

// Nodes on a logarithmic grid, both signs, sorted.
Row octave_grid(MapFunction& function, double low, double high, int decade) {
  Row nodes{0};
  for (int i = 0; i <= 12 * decade; ++i) {
    const double x = std::pow(10.0, -6 + static_cast<double>(i) / decade);
    nodes.push_back(x);
    nodes.push_back(-x);
  }
  std::erase_if(nodes, [&](double x) { return !(x > low && x < high); });
  for (double& x : nodes) x = function.round(x);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

// Where the forward's slope or the backward changes: [min, max] of the active nodes that are not
// thousands of times farther out than the innermost one.
std::pair<double, double> active_region(const Row& nodes, const Row& f, const Row& b) {
  const std::size_t n = nodes.size();
  if (n < 3) return {-6, 6};
  Row slope(n, 0);
  double top_b = 0, top_slope = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isfinite(b[i])) top_b = std::max(top_b, std::abs(b[i]));
    if (i == 0) continue;
    const double width = nodes[i] - nodes[i - 1];
    slope[i] = width > 0 ? (f[i] - f[i - 1]) / width : 0;
    if (std::isfinite(slope[i])) top_slope = std::max(top_slope, std::abs(slope[i]));
  }
  Row active;
  for (std::size_t i = 2; i < n; ++i) {
    if (std::abs(b[i] - b[i - 1]) > 1e-3 * top_b ||
        std::abs(slope[i] - slope[i - 1]) > 1e-3 * top_slope) {
      active.push_back(nodes[i]);
      active.push_back(nodes[i - 1]);
    }
  }
  if (active.empty()) return {-6, 6};
  double inner = INFINITY;
  for (const double x : active) inner = std::min(inner, x == 0 ? INFINITY : std::abs(x));
  double low = INFINITY, high = -INFINITY;
  for (const double x : active) {
    if (std::abs(x) > 3000 * inner) continue;
    low = std::min(low, x);
    high = std::max(high, x);
  }
  return {low, high};
}

// An interval over which b changes.
struct Change {
  double left, right, b_left, b_right;
  double size() const { return std::abs(b_right - b_left); }
};

// Bisects the changes of b, all at a time, to two neighbouring numbers each; those that get small
// on the way are no jumps.
Row find_branches(MapFunction& function, std::vector<Change> changes, double threshold) {
  for (int i = 0; i < 80; ++i) {
    Row middles;
    std::vector<Change*> open;
    for (Change& change : changes) {
      const double middle = function.round(0.5 * (change.left + change.right));
      if (!(middle > change.left && middle < change.right)) continue;
      middles.push_back(middle);
      open.push_back(&change);
    }
    if (open.empty()) break;
    const Row b = function.b(middles);
    for (std::size_t k = 0; k < open.size(); ++k) {
      Change& c = *open[k];
      const bool left = std::abs(b[k] - c.b_left) >= std::abs(b[k] - c.b_right);
      (left ? c.right : c.left) = middles[k];
      (left ? c.b_right : c.b_left) = b[k];
    }
    std::erase_if(changes, [&](const Change& c) { return c.size() <= threshold; });
  }
  Row branches;
  for (const Change& c : changes) {
    if (c.size() > threshold && branches.size() < 128) {
      branches.push_back(c.left);
      branches.push_back(c.right);
    }
  }
  return branches;
}

// Fills all of `result` but where to test; the nodes are few if it is `brief`.
void look(MapFunction& function, double low, double high, bool brief, MapScan& result) {
  Row nodes = octave_grid(function, low, high, brief && function.one_by_one() ? 4 : 16);
  auto [all_f, all_b] = function.both(nodes);
  std::tie(result.low, result.high) = active_region(nodes, all_f, all_b);
  const double center = 0.5 * (result.low + result.high), half = 0.7 * (result.high - result.low);
  const int fine = (brief ? 289 : 1153) / (function.one_by_one() ? 8 : 1);
  Row more;
  for (int i = 0; i < fine; ++i) {
    more.push_back(function.round(-12 + 24 * (i + 0.37) / fine));
    more.push_back(function.round(center + half * (2 * (i + 0.37) / fine - 1)));
  }
  std::erase_if(more, [&](double x) { return !(x > low && x < high); });
  const auto [more_f, more_b] = function.both(more);
  nodes.insert(nodes.end(), more.begin(), more.end());
  all_f.insert(all_f.end(), more_f.begin(), more_f.end());
  all_b.insert(all_b.end(), more_b.begin(), more_b.end());
  std::vector<std::size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&nodes](std::size_t i, std::size_t j) { return nodes[i] < nodes[j]; });
  Row b, value;
  for (const std::size_t i : order) {
    result.overflows = result.overflows || (std::isinf(all_b[i]) && std::abs(nodes[i]) > 1);
    if (!std::isfinite(all_b[i])) continue;
    result.at.push_back(nodes[i]);
    b.push_back(all_b[i]);
    value.push_back(std::isfinite(all_f[i]) ? std::abs(all_f[i]) : 0);
  }
  double top = 0;
  for (const double v : b) top = std::max(top, std::abs(v));
  std::vector<Change> changes;
  for (std::size_t i = 1; i < b.size(); ++i) {
    const Change change{result.at[i - 1], result.at[i], b[i - 1], b[i]};
    if (change.size() > 1e-3 * top) changes.push_back(change);
  }
  result.branches = find_branches(function, std::move(changes), 1e-4 * top);
  for (double& v : b) v = std::abs(v);
  result.size = RangeMax(std::move(b));
  result.value = RangeMax(std::move(value));
}

}  // namespace

RangeMax::RangeMax(Row values) : values_(std::move(values)) {
  levels_.emplace_back();
  for (std::size_t i = 0; i + kBlock <= values_.size(); i += kBlock) {
    levels_[0].push_back(over(i, i + kBlock));
  }
  for (std::size_t reach = 1; 2 * reach <= levels_[0].size(); reach *= 2) {
    const Row& half = levels_.back();
    Row level(half.size() - reach);
    for (std::size_t i = 0; i < level.size(); ++i) level[i] = std::max(half[i], half[i + reach]);
    levels_.push_back(std::move(level));
  }
}

double RangeMax::over(std::size_t begin, std::size_t end) const {
  double result = 0;
  for (std::size_t i = begin; i < end; ++i) result = std::max(result, values_[i]);
  return result;
}

double RangeMax::operator()(std::size_t begin, std::size_t end) const {
  const std::size_t first = (begin + kBlock - 1) / kBlock, last = end / kBlock;
  if (first >= last) return over(begin, end);
  const auto k = static_cast<std::size_t>(std::bit_width(last - first) - 1);
  const double whole = std::max(levels_[k][first], levels_[k][last - (std::size_t{1} << k)]);
  return std::max({over(begin, first * kBlock), whole, over(last * kBlock, end)});
}

std::pair<std::size_t, std::size_t> MapScan::near(double x, double least) const {
  // A search without branches, which nobody could predict: it is asked for at every place.
  const auto first = [this](const auto& behind) {
    const double* begin = at.data();
    for (std::size_t n = at.size(); n > 0;) {
      const std::size_t half = (n + 1) / 2;
      begin += behind(begin[half - 1]) ? 0 : half;
      n -= half;
    }
    return static_cast<std::size_t>(begin - at.data());
  };
  const double reach = std::max(least, 2 * std::abs(x)), from = x - reach, to = x + reach;
  return {first([from](double v) { return v >= from; }), first([to](double v) { return v > to; })};
}

double MapScan::largest(double x, double of_f) const {
  const auto [from, to] = near(x, 4);
  if (of_f == 0) return size(from, to);
  return std::max(size(from, to), of_f * value(from, to) / std::max(4.0, 2 * std::abs(x)));
}

MapScan scan(MapFunction& function, double low, double high, int points, Random random) {
  MapScan result;
  const bool brief = points == kBriefPoints;
  look(function, low, high, brief, result);
  if (brief) {
    result.points = {0, 0.5, -0.5, 1, -1, 2.5, -2.5, 8, -8, 30, -30};
  } else {
    result.points = special_values(function.dtype());
    // Where a function ends it is often steep, and its slope guarded by too much.
    const double least = function.dtype() == DType::f64 ? 6e-7 : 1e-4;
    for (const double end : {low, high}) {
      const double inwards = std::min(1.0, high - low) * (end == low ? 1 : -1);
      for (double part = 0.0937; std::isfinite(end); part /= 10) {
        if (!(part * std::abs(inwards) > least * std::max(1.0, std::abs(end)))) break;
        result.points.push_back(end + part * inwards);
      }
    }
  }
  const double center = 0.5 * (result.low + result.high), half = 0.7 * (result.high - result.low);
  const int random_points = brief && function.one_by_one() ? points / 2 : points;
  for (int i = 0; i < random_points; ++i) {
    result.points.push_back(i % 5 < 2 ? random.uniform(-6, 6)
                                      : random.uniform(center - half, center + half));
  }
  result.points.insert(result.points.end(), result.branches.begin(), result.branches.end());
  std::erase_if(result.points, [&](double x) { return !(x > low && x < high); });
  for (double& x : result.points) x = function.round(x);
  return result;
}

Row special_values(DType dtype) {
  Row values;
  for (const double x :
       {1.0,  2.0,  0.5,  3.0,  0.25, 4.0,   0.1,   1.5,   2.5,   5.0,    6.0,   7.0,
        8.0,  10.0, 12.0, 16.0, 0.0,  20.0,  30.0,  40.0,  60.0,  80.0,   100.0, 200.0,
        1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-12, 1e-20, 1e-30, 700.0, 1000.0, 1e4,   1e6}) {
    const double value = dtype == DType::f32 ? static_cast<double>(static_cast<float>(x)) : x;
    values.push_back(value);
    values.push_back(-value);
  }
  return values;
}

}  // namespace limen::check
