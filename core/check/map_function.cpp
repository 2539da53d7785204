#include "check/map_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "check/activation.hpp"

namespace limen::check {
namespace {

// Nodes on a logarithmic grid, both signs, sorted.
std::vector<double> octave_grid(MapFunction& function, double low, double high) {
  std::vector<double> nodes{0};
  for (int i = 0; i <= 192; ++i) {
    const double x = std::pow(10.0, -6 + i / 16.0);
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
std::pair<double, double> active_region(MapFunction& function, const std::vector<double>& nodes) {
  const std::size_t n = nodes.size();
  if (n < 3) return {-6, 6};
  std::vector<double> b(n), slope(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    b[i] = function.b(nodes[i]);
    if (i == 0) continue;
    const double width = nodes[i] - nodes[i - 1];
    slope[i] = width > 0 ? (function.f(nodes[i]) - function.f(nodes[i - 1])) / width : 0;
  }
  double top_b = 0, top_slope = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isfinite(b[i])) top_b = std::max(top_b, std::abs(b[i]));
    if (std::isfinite(slope[i])) top_slope = std::max(top_slope, std::abs(slope[i]));
  }
  std::vector<double> active;
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

// Bisects a change of b to two neighbouring numbers, if it is a jump.
void find_branch(MapFunction& function, double left, double right, double threshold,
                 std::vector<double>& branches) {
  double b_left = function.b(left), b_right = function.b(right);
  for (int i = 0; i < 80; ++i) {
    const double middle = function.round(0.5 * (left + right));
    if (!(middle > left && middle < right)) break;
    const double b = function.b(middle);
    if (std::abs(b - b_left) >= std::abs(b - b_right)) {
      right = middle;
      b_right = b;
    } else {
      left = middle;
      b_left = b;
    }
  }
  if (std::abs(b_right - b_left) > threshold && branches.size() < 128) {
    branches.push_back(left);
    branches.push_back(right);
  }
}

}  // namespace

std::vector<Slice> slices_of(const OpCase& op, std::uint64_t seed) {
  const std::size_t arity = op.op().arity, outputs = op.op().outputs;
  std::vector<CallSettings> draws(1);
  if (op.stochastic()) {
    draws.assign(5, {});
    for (std::size_t i = 0; i < 4; ++i) draws[i].base = 7 * i * i;
    draws[4].flags = LIMEN_TILE_EVAL;
  }
  Random random(seed, "slices", op.op().name);
  std::vector<Slice> result;
  for (const CallSettings& draw : draws) {
    for (std::size_t place = 0; place < (arity == 1 ? 1u : 3u); ++place) {
      for (std::size_t k = 0; k < arity; ++k) {
        Slice slice;
        slice.input = k;
        slice.settings = draw;
        // Numbers that f32 holds, of both signs.
        for (std::size_t j = 0; j < arity; ++j) {
          const double size = std::round(64 * random.uniform(0.3, 2)) / 64;
          slice.others.push_back(place == 2 ? 2 * size * random.sign() : place == 0 ? size : -size);
        }
        for (slice.output = 0; slice.output < outputs; ++slice.output) {
          if (arity > 1 || outputs > 1) {
            slice.tensor = fmt::format("dx[{}] of y[{}]", k, slice.output);
          }
          if (op.stochastic()) {
            slice.tensor +=
                draw.flags != 0 ? " (evaluation)" : fmt::format(" (draw of element {})", draw.base);
          }
          result.push_back(slice);
        }
      }
    }
  }
  return result;
}

MapFunction::MapFunction(const OpCase& op, const limen_kernel& forward,
                         const limen_kernel& backward, const Slice& slice)
    : forward_(forward),
      backward_(backward),
      slice_(slice),
      dtype_(dtype_of_bit(backward.dtype)),
      call_(op, dtype_, 1, 1, slice.settings) {
  for (std::size_t k = 0; k < slice.others.size(); ++k) call_.x[k].set(0, slice.others[k]);
}

double MapFunction::round(double x) const {
  return dtype_ == DType::f32 ? static_cast<double>(static_cast<float>(x)) : x;
}

double MapFunction::f(double x) {
  call_.x[slice_.input].set(0, x);
  call_.run(forward_);
  return call_.y[slice_.output].get(0);
}

double MapFunction::b(double x, double upstream) {
  f(x);
  for (Operand& dy : call_.dy) dy.set(0, 0);
  call_.dy[slice_.output].set(0, upstream);
  call_.run(backward_);
  return call_.dx[slice_.input].get(0);
}

double MapFunction::b_with_y(double x, double relative) {
  f(x);
  for (Operand& y : call_.y) y.set(0, y.get(0) * (1 + relative));
  for (Operand& dy : call_.dy) dy.set(0, 0);
  call_.dy[slice_.output].set(0, 1);
  call_.run(backward_);
  return call_.dx[slice_.input].get(0);
}

double MapFunction::pull(double x, const Row& dy, const Row& v) {
  f(x);
  for (std::size_t i = 0; i < dy.size(); ++i) call_.dy[i].set(0, dy[i]);
  call_.run(backward_);
  double sum = 0;
  for (std::size_t k = 0; k < v.size(); ++k) sum += v[k] * call_.dx[k].get(0);
  return sum;
}

double MapFunction::along(double x, const Row& v) {
  Row dy(call_.dy.size(), 0);
  dy[slice_.output] = 1;
  return pull(x, dy, v);
}

Derivative MapFunction::derivative(double x) {
  return derivative_at([&](double offset) { return f(x + offset); }, x, precision_of(dtype_));
}

double MapScan::scale(double x) const { return largest(x, 0); }
double MapScan::slope_scale(double x) const { return largest(x, 0.1); }

double MapScan::largest(double x, double of_f) const {
  const double reach = std::max(4.0, 2 * std::abs(x));
  double result = 0;
  const auto from = std::lower_bound(at.begin(), at.end(), x - reach);
  for (auto i = static_cast<std::size_t>(from - at.begin()); i < at.size() && at[i] <= x + reach;
       ++i) {
    result = std::max({result, size[i], of_f * value[i] / reach});
  }
  return result;
}

MapScan scan(MapFunction& function, double low, double high, int points, Random random) {
  MapScan result;
  std::vector<double> nodes = octave_grid(function, low, high);
  const auto [inner, outer] = active_region(function, nodes);
  const double center = 0.5 * (inner + outer), half = 0.7 * (outer - inner);
  const auto inside = [&](double x) { return x > low && x < high; };
  std::vector<double> line;
  for (int i = 0; i <= 1152; ++i) {
    line.push_back(function.round(-12 + 24 * (i + 0.37) / 1153));
    line.push_back(function.round(center + half * (2 * (i + 0.37) / 1153 - 1)));
  }
  nodes.insert(nodes.end(), line.begin(), line.end());
  std::erase_if(nodes, [&](double x) { return !inside(x); });
  std::sort(nodes.begin(), nodes.end());
  for (const double x : nodes) {
    const double b = function.b(x);
    if (!std::isfinite(b)) continue;
    result.at.push_back(x);
    result.size.push_back(b);
    const double f = std::abs(function.f(x));
    result.value.push_back(std::isfinite(f) ? f : 0);
  }
  double top = 0;
  for (const double b : result.size) top = std::max(top, std::abs(b));
  for (std::size_t i = 1; i < result.at.size(); ++i) {
    if (std::abs(result.size[i] - result.size[i - 1]) > 1e-3 * top) {
      find_branch(function, result.at[i - 1], result.at[i], 1e-4 * top, result.branches);
    }
  }
  for (double& b : result.size) b = std::abs(b);

  result.points = special_values(function.dtype());
  for (int i = 0; i < points; ++i) {
    result.points.push_back(i % 5 < 2 ? random.uniform(-6, 6)
                                      : random.uniform(center - half, center + half));
  }
  result.points.insert(result.points.end(), result.branches.begin(), result.branches.end());
  std::erase_if(result.points, [&](double x) { return !inside(x); });
  for (double& x : result.points) x = function.round(x);
  return result;
}

std::vector<double> special_values(DType dtype) {
  std::vector<double> values;
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
