#include "check/panel.hpp"

#include <algorithm>
#include <array>

namespace limen::check {
namespace {

// Kronrod's rule of 15 nodes and Gauss's of 7 on the odd ones of them (QUADPACK, dqk15).
constexpr std::array<double, 8> kPlaces{
    0.991455371120812639, 0.949107912342758525, 0.864864423359769073, 0.741531185599394440,
    0.586087235467691130, 0.405845151377397167, 0.207784955007898468, 0};
constexpr std::array<double, 8> kKronrod{
    0.0229353220105292250, 0.0630920926299785533, 0.104790010322250184, 0.140653259715525919,
    0.169004726639267903,  0.190350578064785410,  0.204432940075298892, 0.209482141084727828};
constexpr std::array<double, 4> kGauss{0.129484966168869693, 0.279705391489276668,
                                       0.381830050505118945, 0.417959183673469388};

}  // namespace

void nodes_of(const Panel& panel, std::vector<double>& nodes) {
  const double center = 0.5 * (panel.low + panel.high), half = 0.5 * panel.width();
  for (std::size_t i = 0; i < kNodes; ++i) {
    nodes.push_back(i < 7 ? center - half * kPlaces[i] : center + half * kPlaces[14 - i]);
  }
}

MeasuredPanel measure(const IntegralSubject& s, const Panel& panel, std::span<const double> nodes,
                      std::span<const double> b, double f_low, double f_high) {
  MeasuredPanel m;
  double kronrod = 0, gauss = 0, size = 0, variation = 0;
  for (std::size_t i = 0; i < kNodes; ++i) {
    const std::size_t k = std::min(i, 14 - i);
    kronrod += kKronrod[k] * b[i];
    size += kKronrod[k] * std::abs(b[i]);
    if (k % 2 == 1) gauss += kGauss[k / 2] * b[i];
    if (i > 0) variation += std::abs(b[i] - b[i - 1]);
  }
  const double half = 0.5 * panel.width();
  const double far = std::max(std::abs(nodes[0]), std::abs(nodes[kNodes - 1]));
  m.integral = half * kronrod;
  m.rise = f_high - f_low;
  m.gap = m.rise - m.integral;
  m.quad = std::abs(half * (kronrod - gauss));
  // Of the values at the ends, of the sum, and of the arguments: of f at the ends, of b at the
  // nodes.
  m.rounding =
      16 * s.precision.unit *
          (std::abs(f_low) + std::abs(f_high) + half * size + far * (0.25 * size + variation)) +
      16 * s.precision.min_normal;
  if (!m.agrees() || !(m.quad <= m.rounding)) {  // else nobody asks, and to find it takes time
    m.scale = s.scale(panel.low);
    m.rounding += 16 * s.precision.min_normal * m.scale;
  }
  m.finite = std::isfinite(m.gap) && std::isfinite(m.rounding);
  return m;
}

std::vector<Panel> integral_panels(const Panel& active, double low, double high, int density,
                                   const std::function<double(double)>& round) {
  std::vector<Panel> panels;
  const auto add = [&](double from, double to) {
    from = round(std::max(from, low)), to = round(std::min(to, high));
    if (from > low && to < high && to > from) panels.push_back({from, to});
  };
  const auto line = [&](double from, double to, int n) {
    for (int i = 0; i < n; ++i) {
      add(from + (to - from) * i / n, from + (to - from) * (i + 1) / n);
    }
  };
  line(-6, 6, density);
  line(6, 12, density / 16);
  line(-12, -6, density / 16);
  const double width = 12.0 / density;
  const int decade = std::clamp(density / 6, 8, 64);
  for (int i = 0; i < 6 * decade; ++i) {
    const double from = std::pow(10, -3 + i / static_cast<double>(decade));
    const double to = std::pow(10, -3 + (i + 1) / static_cast<double>(decade));
    if (from < 12 && to - from > width) continue;
    add(from, to);
    add(-to, -from);
  }
  const double center = 0.5 * (active.low + active.high), reach = 0.6 * active.width();
  if (std::abs(center) + reach > 12 || reach / 192 < width) {
    line(center - reach, center + reach, density / 4);
  }
  return panels;
}

}  // namespace limen::check
