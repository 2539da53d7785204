#include "check/path_integral.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace limen::check {
namespace {

constexpr double kHalfWidth = 0.80901699437494745 * 0x1p-10;
constexpr std::size_t kMostPanels = 24;
// Dense kinks are seen one by one by no rule: a mean slope that is known so well is believed.
constexpr double kResolution = 1e-4;

struct Panel {
  double from, to, kronrod, error, size;  // size: integral of |slope|
};

// Gauss-Kronrod 7/15 (Piessens et al., QUADPACK, 1983).
Panel integrate(const Function& slope, double from, double to) {
  constexpr std::array<double, 8> kNodes{
      0.991455371120812639206854697526329, 0.949107912342758524526189684047851,
      0.864864423359769072789712788640926, 0.741531185599394439863864773280788,
      0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
      0.207784955007898467600689403773245, 0};
  constexpr std::array<double, 8> kKronrod{
      0.022935322010529224963732008058970, 0.063092092629978553290700663189204,
      0.104790010322250183839876322541518, 0.140653259715525918745189590510238,
      0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
      0.204432940075298892414161999234649, 0.209482141084727828012999174891714};
  constexpr std::array<double, 4> kGauss{
      0.129484966168869693270611432679082, 0.279705391489276667901467771423780,
      0.381830050505118944950369775488975, 0.417959183673469387755102040816327};
  const double middle = 0.5 * (from + to), half = 0.5 * (to - from);
  double kronrod = 0, gauss = 0, size = 0;
  for (std::size_t i = 0; i < kNodes.size(); ++i) {
    for (const double side : {1.0, -1.0}) {
      if (kNodes[i] == 0 && side < 0) break;
      const double value = slope(middle + side * half * kNodes[i]);
      kronrod += kKronrod[i] * value;
      size += kKronrod[i] * std::abs(value);
      if (i % 2 == 1) gauss += kGauss[i / 2] * value;
    }
  }
  return {from, to, half * kronrod, half * std::abs(kronrod - gauss), half * size};
}

}  // namespace

Judgement judge_path(const Function& f, const Function& slope, double noise, double scale,
                     const Judgement& undecided) {
  const double width = 2 * kHalfWidth, gain = f(kHalfWidth) - f(-kHalfWidth);
  std::vector<Panel> panels{integrate(slope, -kHalfWidth, kHalfWidth)};
  const auto sum = [&](double Panel::*part) {
    double total = 0;
    for (const Panel& panel : panels) total += panel.*part;
    return total;
  };
  while (panels.size() < kMostPanels && sum(&Panel::error) > 0.1 * kResolution * scale * width) {
    const auto worst =
        std::max_element(panels.begin(), panels.end(),
                         [](const Panel& a, const Panel& b) { return a.error < b.error; });
    const double from = worst->from, to = worst->to, middle = 0.5 * (from + to);
    *worst = integrate(slope, from, middle);
    panels.push_back(integrate(slope, middle, to));
  }
  const double u = precision_of(DType::f64).unit;
  const double error = std::abs(gain - sum(&Panel::kronrod)) / width;
  const double bound =
      (sum(&Panel::error) + 16 * noise + 16 * u * (std::abs(f(0)) + sum(&Panel::size))) / width;
  Judgement result = undecided;
  if (!(bound <= kResolution * scale)) return result;
  result.expected = gain / width;
  result.bound = result.resolved = bound;
  result.note = fmt::format(
      "kinks too dense for differences; the gradient's integral over {:.2g} is off by {:.2g}",
      width, error);
  result.outcome = error <= bound       ? Outcome::pass
                   : error > 16 * bound ? Outcome::fail
                                        : Outcome::undecided;
  return result;
}

}  // namespace limen::check
