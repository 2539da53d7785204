#include "plugin_pictures.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "base/isa.hpp"
#include "base/philox.hpp"
#include "kernel_run.hpp"
#include "plugin/formula.hpp"
#include "svg.hpp"

namespace limen::tools {
namespace {

constexpr const char* kColors[] = {"#1f6feb", "#d9480f", "#2b8a3e", "#9c36b5", "#c92a2a"};
constexpr double kWidth = 640, kHeight = 360;
constexpr Panel::Box kBox{56, 34, kWidth - 80, kHeight - 76};
constexpr double kReach = 5;  // of x

std::vector<double> evenly(double low, double high, int intervals) {
  std::vector<double> x;
  for (int i = 0; i <= intervals; ++i) x.push_back(low + (high - low) * i / intervals);
  return x;
}

bool drawable(const Activation& f) {
  const std::span<const double> hyper = f.hyper();
  return std::none_of(hyper.begin(), hyper.end(), [](double h) { return std::isnan(h); });
}

Panel::Limits reach_of(const Activation& f) {
  Panel::Limits reach{-kReach, kReach};
  const limen_facts* facts = f.op().facts;
  if (facts != nullptr && (facts->flags & LIMEN_FACT_DOMAIN) != 0) {
    reach = {std::max(reach.low, facts->x_min), std::min(reach.high, facts->x_max)};
  }
  return reach;
}

struct KinkAt {
  double x = 0;
  bool jump = false;
};

std::vector<KinkAt> kinks_of(const Activation& f) {
  std::vector<KinkAt> found;
  const limen_facts* facts = f.op().facts;
  for (std::uint32_t i = 0; facts != nullptr && i < facts->n_kinks; ++i) {
    const limen_kink& kink = facts->kinks[i];
    const double shift =
        kink.param < 0 ? 0 : kink.scale * f.hyper()[static_cast<std::size_t>(kink.param)];
    found.push_back({kink.at + shift, kink.kind == LIMEN_KINK_JUMP});
  }
  return found;
}

std::vector<double> positions(const std::vector<KinkAt>& kinks, bool jumps_only) {
  std::vector<double> x;
  for (const KinkAt& kink : kinks) {
    if (kink.jump || !jumps_only) x.push_back(kink.x);
  }
  return x;
}

void legend(Svg& svg, std::initializer_list<std::string> words) {
  double x = kBox.left + kBox.width;
  std::size_t i = words.size();
  for (auto word = std::rbegin(words); word != std::rend(words); ++word) {
    --i;
    svg.text(x, kBox.top - 7, *word, "end", kColors[i], 13);
    x -= 12 + 7.0 * static_cast<double>(word->size());
  }
}

// Values that a parameter's picture shows: over its range, around its default where that is open.
std::vector<double> values_over(const ParamInfo& param) {
  if (param.type == LIMEN_P_CHOICE || param.type == LIMEN_P_BOOL) {
    const std::size_t n = param.type == LIMEN_P_BOOL ? 2 : param.choices.size();
    std::vector<double> values(n);
    std::iota(values.begin(), values.end(), 0.0);
    return values;
  }
  const double scale = std::max(1.0, std::fabs(param.def));
  double low = std::isfinite(param.min) ? param.min : param.def - scale;
  double high = std::isfinite(param.max) ? param.max : param.def + scale;
  low = std::max(low, param.def - 4 * scale);
  high = std::min(high, param.def + 4 * scale);
  if ((param.flags & LIMEN_PF_OPEN_MIN) != 0 && low == param.min) low += (high - low) * 0.05;
  if ((param.flags & LIMEN_PF_OPEN_MAX) != 0 && high == param.max) high -= (high - low) * 0.05;
  std::vector<double> values = evenly(low, high, 4);
  if (param.type == LIMEN_P_INT) {
    for (double& value : values) value = std::round(value);
    values.erase(std::unique(values.begin(), values.end()), values.end());
  }
  return values;
}

std::string value_text(const ParamInfo& param, double value) {
  const auto index = static_cast<std::size_t>(value);
  if (param.type == LIMEN_P_CHOICE && index < param.choices.size()) {
    return std::string(param.choices[index]);
  }
  return fmt::format("{:.3g}", value);
}

std::optional<Formula> formula_of(const Activation& f) {
  FormulaNames names;
  for (const ParamInfo& param : f.params()) {
    names.params.emplace_back(param.name);
    for (std::size_t i = 0; i < param.choices.size(); ++i) {
      names.choices.emplace_back(param.choices[i]);
      names.choice_values.push_back(static_cast<double>(i));
    }
  }
  try {
    if (f.op().formula != nullptr && f.op().arity == 1)
      return Formula::parse(f.op().formula, names);
  } catch (const Error&) {  // a formula for people
  }
  return std::nullopt;
}

// Error in units in the last place of the type, of the exact value or of 2^-10 if that is smaller.
double ulps(double got, long double exact, int digits) {
  if (!std::isfinite(got) || !std::isfinite(static_cast<double>(exact))) return NAN;
  const long double size = std::max(std::fabs(exact), 0x1p-10L);
  const long double unit = std::ldexp(1.0L, std::ilogb(size) - digits + 1);
  return static_cast<double>((static_cast<long double>(got) - exact) / unit);
}

}  // namespace

std::string curves_picture(const Activation& f) {
  if (f.op().kind != LIMEN_MAP || !drawable(f)) return {};
  const Panel::Limits reach = reach_of(f);
  const std::vector<double> x = evenly(reach.low, reach.high, 1000);
  const Curves curves = curves_of(f, x);
  if (curves.y.empty()) return {};
  Svg svg(kWidth, kHeight);
  Panel panel(svg, kBox, reach, limits_of({curves.y, curves.slope, curves.bend}, kReach + 1));
  panel.axes(fmt::format("{}{}", f.name(), f.op().arity > 1 ? " of its first piece, others 1" : ""),
             "x");
  legend(svg, {"f", "f'", "f''"});
  const std::vector<KinkAt> kinks = kinks_of(f);
  const std::vector<double> all = positions(kinks, false), jumps = positions(kinks, true);
  for (const double at : all) panel.vertical(at, "#aaa");
  panel.curve(x, curves.bend, kColors[2], all, 1.5);
  panel.curve(x, curves.slope, kColors[1], all);
  panel.curve(x, curves.y, kColors[0], jumps, 2.5);
  const Curves there = curves_of(f, all);
  for (std::size_t i = 0; i < all.size(); ++i) panel.dot(all[i], there.y[i], kColors[0]);
  return svg.str();
}

std::string thumbnail_picture(const Activation& f) {
  if (f.op().kind != LIMEN_MAP || !drawable(f)) return {};
  const Panel::Limits reach = reach_of(f);
  const std::vector<double> x = evenly(reach.low, reach.high, 200);
  const std::vector<double> y = curves_of(f, x).y;
  if (y.empty()) return {};
  Svg svg(140, 90);
  Panel panel(svg, {8, 8, 124, 74}, reach, limits_of({y}, kReach + 1));
  panel.vertical(0, "#ccc");
  panel.curve(x, y, kColors[0], positions(kinks_of(f), true));
  return svg.str();
}

std::string rows_picture(const Activation& f) {
  constexpr std::size_t kEntries = 3;
  if (!f.rows() || !drawable(f)) return {};
  const limen_kernel* kernel = f.kernel(LIMEN_FORWARD, LIMEN_F64, detect_isa());
  if (kernel == nullptr) return {};
  const std::vector<double> x = evenly(-kReach, kReach, 400);
  KernelRun data(f, LIMEN_F64, kEntries, x.size());
  for (std::size_t r = 0; r < x.size(); ++r) {
    data.set(KernelRun::x, r * kEntries, x[r]);
    data.set(KernelRun::x, r * kEntries + 1, 0);
    data.set(KernelRun::x, r * kEntries + 2, 1);
  }
  data.run(*kernel);
  std::vector<std::vector<double>> y(kEntries);
  for (std::size_t r = 0; r < x.size(); ++r) {
    for (std::size_t k = 0; k < kEntries; ++k) {
      y[k].push_back(data.get(KernelRun::y, r * kEntries + k));
    }
  }
  Svg svg(kWidth, kHeight);
  Panel panel(svg, kBox, {-kReach, kReach}, limits_of({y[0], y[1], y[2]}, kReach + 1));
  panel.axes(fmt::format("{} of the row (x, 0, 1)", f.name()), "x");
  legend(svg, {"of x", "of 0", "of 1"});
  for (std::size_t k = 0; k < kEntries; ++k) panel.curve(x, y[k], kColors[k]);
  return svg.str();
}

std::string parameters_picture(const Activation& f) {
  const std::vector<ParamInfo> params = f.params();
  if (f.op().kind != LIMEN_MAP || params.empty() || !drawable(f)) return {};
  constexpr double kPanelWidth = 150, kPanelHeight = 130;
  const Panel::Limits reach = reach_of(f);
  const std::vector<double> x = evenly(reach.low, reach.high, 200);
  Svg svg(56 + 5 * (kPanelWidth + 30),
          static_cast<double>(params.size()) * (kPanelHeight + 60) + 10);
  for (std::size_t row = 0; row < params.size(); ++row) {
    const std::vector<double> values = values_over(params[row]);
    std::vector<std::pair<std::string, std::vector<double>>> panels;
    for (std::size_t i = 0; i < std::min<std::size_t>(5, values.size()); ++i) {
      try {
        const Activation g = f.with({{std::string(params[row].name), values[i]}});
        panels.emplace_back(
            fmt::format("{} = {}", params[row].name, value_text(params[row], values[i])),
            curves_of(g, x).y);
      } catch (const Error&) {  // the op refuses this value beside the other defaults
      }
    }
    std::vector<double> all;
    for (const auto& panel : panels)
      all.insert(all.end(), panel.second.begin(), panel.second.end());
    const Panel::Limits limits = limits_of({all}, kReach + 1);
    for (std::size_t i = 0; i < panels.size(); ++i) {
      Panel panel(svg,
                  {46 + static_cast<double>(i) * (kPanelWidth + 30),
                   28 + static_cast<double>(row) * (kPanelHeight + 60), kPanelWidth, kPanelHeight},
                  reach, limits);
      panel.axes(panels[i].first);
      panel.curve(x, panels[i].second, kColors[0], positions(kinks_of(f), true));
    }
  }
  return svg.str();
}

std::string error_picture(const Activation& f) {
  const std::optional<Formula> formula = formula_of(f);
  if (!formula || f.op().kind != LIMEN_MAP || !drawable(f)) return {};
  const std::vector<long double> hyper(f.hyper().begin(), f.hyper().end());
  std::vector<double> x;  // that both types hold
  for (const double at : evenly(-10, 10, 2000)) x.push_back(static_cast<float>(at));
  std::vector<std::vector<double>> errors;
  for (const auto& [dtype, digits] : {std::pair{LIMEN_F32, 24}, std::pair{LIMEN_F64, 53}}) {
    const std::vector<double> y = values_of(f, dtype, x);
    errors.emplace_back();
    for (std::size_t i = 0; i < y.size(); ++i) {
      const long double at = x[i];
      errors.back().push_back(
          ulps(y[i], formula->evaluate(std::span(&at, 1), hyper).value, digits));
    }
  }
  Svg svg(kWidth, kHeight);
  const Panel::Limits limits = limits_of({errors[0], errors[1], std::vector<double>{-1, 1}}, 20);
  Panel panel(svg, kBox, {-10, 10}, limits);
  panel.axes("error of forward against the formula in long double, ulp", "x");
  legend(svg, {"f32", "f64"});
  panel.curve(x, errors[0], kColors[0], {}, 1);
  panel.curve(x, errors[1], kColors[1], {}, 1);
  return svg.str();
}

std::string speed_picture(const Activation& f) {
  const std::vector<KernelTime> times = time_kernels(f, false);
  if (times.empty()) return {};
  constexpr double kRow = 20, kNames = 250;
  double most = 0;
  for (const KernelTime& time : times) most = std::max(most, time.near_ns);
  Svg svg(kWidth, 40 + kRow * static_cast<double>(times.size()));
  svg.text(10, 20, "ns for an element, operands in cache, on the machine that made this page",
           "start", "#333", 13);
  double top = 32;
  for (const KernelTime& time : times) {
    const char* color = time.kernel->dtype == LIMEN_F64 ? kColors[1] : kColors[0];
    svg.text(kNames - 8, top + 13, kernel_text(*time.kernel), "end", "#333", 11);
    const double width = time.near_ns / most * (kWidth - kNames - 70);
    svg.rect(kNames, top + 2, width, kRow - 6, fmt::format("fill=\"{}\"", color));
    svg.text(kNames + width + 6, top + 13, fmt::format("{:.3f}", time.near_ns), "start", "#555",
             11);
    top += kRow;
  }
  return svg.str();
}

Spread spread_of(const Activation& f) {
  Spread spread;
  if (f.op().kind != LIMEN_MAP || !drawable(f)) return spread;
  constexpr std::size_t kSamples = 200'000, kBars = 60;
  std::vector<double> x(kSamples);
  const RandomKey key = random_key(0, "doc");
  for (std::size_t i = 0; i < kSamples; ++i) x[i] = random_normal(key, i);
  std::vector<double> y = curves_of(f, x).y;
  std::erase_if(y, [](double value) { return !std::isfinite(value); });
  if (y.empty()) return spread;
  spread.mean = std::accumulate(y.begin(), y.end(), 0.0) / static_cast<double>(y.size());
  for (const double value : y) spread.variance += (value - spread.mean) * (value - spread.mean);
  spread.variance /= static_cast<double>(y.size());
  const Panel::Limits limits = limits_of({y}, kReach);
  const double step = (limits.high - limits.low) / kBars;
  std::vector<double> bars(kBars);
  for (const double value : y) {
    const double at = (value - limits.low) / step;
    if (at >= 0 && at < kBars) {
      bars[static_cast<std::size_t>(at)] += 100.0 / static_cast<double>(y.size());
    }
  }
  Svg svg(kWidth, kHeight);
  Panel panel(svg, kBox, limits, {0, *std::max_element(bars.begin(), bars.end()) * 1.05});
  panel.axes(fmt::format("y for x ~ N(0, 1), percent: mean {:.4f}, variance {:.4f}", spread.mean,
                         spread.variance),
             "y");
  panel.bars(limits.low, step, bars, kColors[0]);
  panel.vertical(spread.mean, kColors[1]);
  spread.picture = svg.str();
  return spread;
}

}  // namespace limen::tools
