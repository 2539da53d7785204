#include "check/integral.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>

#include "check/panel.hpp"

namespace limen::check {
namespace {

constexpr int kLevels = 16;          // halvings towards a kink
constexpr int kPlain = 6;            // of these, while the quadrature is at fault for all it knows
constexpr std::size_t kWide = 8192;  // panels of one level
constexpr int kDepth = 40;           // quarterings towards a jump
constexpr int kEnough = 16;          // failures that are followed to their place
constexpr double kNarrow = 1.0 / 64;
constexpr double kNear = 12;
constexpr double kEffort = 2e4;       // values for one suspicion
constexpr double kAllEffort = 1.5e6;  // values for all suspicions

class Integral {
 public:
  explicit Integral(const IntegralSubject& subject) : s_(subject), u_(subject.precision.unit) {}

  std::vector<PanelFinding> run(std::vector<Panel> open, std::size_t wide);
  std::vector<MeasuredPanel> measure(const std::vector<Panel>& panels);
  // Whether noise of f and rounding of b, measured in this panel, explain the gap.
  bool excused(const Panel& panel, const MeasuredPanel& m);
  bool persists(const Panel& panel, const MeasuredPanel& whole);

 private:
  const IntegralSubject& s_;
  double u_;
  double left_ = kAllEffort, effort_ = 0;  // in all, and for the suspicion at hand

  // Past this even the question whether a miss persists is left alone: f is no function at all.
  bool exhausted() const { return left_ <= -kAllEffort / 3; }

  std::vector<double> nodes_, b_, f_;

  std::vector<Panel> split(const Panel& panel, int parts) const;
  Panel jump_in(const Panel& panel, const MeasuredPanel& whole);
  double noise(const Panel& panel);
  PanelFinding finding(Outcome outcome, const Panel& panel, const MeasuredPanel& m,
                       std::string note = {}) const;
  PanelFinding beside(const Panel& jump, const Panel& panel, const MeasuredPanel& whole, int depth);
  PanelFinding examine(const Panel& panel, const MeasuredPanel& whole, int depth);
  void examine_all(std::vector<std::pair<Panel, MeasuredPanel>> suspicious,
                   std::vector<PanelFinding>& findings, std::vector<Panel>& again);
  void not_finite(const Panel& panel, std::vector<PanelFinding>& findings);
};

std::vector<MeasuredPanel> Integral::measure(const std::vector<Panel>& panels) {
  nodes_.clear();
  std::vector<double> ends;
  for (const Panel& panel : panels) {
    nodes_of(panel, nodes_);
    ends.push_back(panel.low);
    ends.push_back(panel.high);
  }
  b_.resize(nodes_.size());
  f_.resize(ends.size());
  s_.b(nodes_, b_);
  s_.f(ends, f_);
  effort_ -= static_cast<double>(nodes_.size());
  std::vector<MeasuredPanel> result;
  result.reserve(panels.size());
  for (std::size_t i = 0; i < panels.size(); ++i) {
    result.push_back(check::measure(s_, panels[i], std::span(nodes_).subspan(i * kNodes, kNodes),
                                    std::span(b_).subspan(i * kNodes, kNodes), f_[2 * i],
                                    f_[2 * i + 1]));
  }
  return result;
}

// The noise of f at both ends: the ladder knows how to find it, also where f is flat from number to
// number because a larger one was added to x.
double Integral::noise(const Panel& panel) {
  double sum = 0;
  std::vector<double> moved;
  for (const double x : {panel.low, panel.high}) {
    const BatchFunction at = [&](std::span<const double> offsets, std::span<double> to) {
      moved.assign(offsets.begin(), offsets.end());
      for (double& v : moved) v += x;
      s_.f(moved, to);
    };
    LadderOptions options;
    options.one_sided = false;
    options.range = s_.range(x);
    const Derivative d = derivative_at(at, x, s_.precision, options);
    sum += d.noise;
    effort_ -= d.evaluations;
  }
  return 8 * sum;
}

bool Integral::excused(const Panel& panel, const MeasuredPanel& m) {
  std::vector<double> nodes;
  nodes_of(panel, nodes);
  std::vector<double> allowed(kNodes);
  s_.allowance(nodes, allowed);
  double more = panel.width() * *std::max_element(allowed.begin(), allowed.end());
  if (m.agrees(more)) return true;
  if (s_.product) more += 4 * u_ * s_.product(panel.low);
  if (m.rise == 0) more += 16 * u_ * s_.range(panel.low);  // f may be cut off to a constant
  if (m.agrees(more)) return true;
  return m.agrees(more + noise(panel));
}

std::vector<Panel> Integral::split(const Panel& panel, int parts) const {
  std::vector<Panel> result;
  double from = panel.low;
  for (int i = 1; i <= parts; ++i) {
    const double to = i == parts ? panel.high : s_.round(panel.low + panel.width() * i / parts);
    if (to > from) result.push_back({from, to});
    from = to;
  }
  return result;
}

PanelFinding Integral::finding(Outcome outcome, const Panel& panel, const MeasuredPanel& m,
                               std::string note) const {
  const double width = panel.width();
  const double slope = m.rise / width, bound = (m.quad + m.rounding) / width;
  return {panel, slope, m.integral / width, {outcome, slope, bound, std::move(note), bound}};
}

// At least 40 of 64 parts, each for itself, miss in the same direction; and so do the parts of one
// of them, as long as the numbers can show it: steps that lie closely look like a slope from afar.
bool Integral::persists(const Panel& panel, const MeasuredPanel& whole) {
  const double more = noise(panel);
  for (Panel at = panel;;) {
    const std::vector<Panel> parts = split(at, 64);
    const std::vector<MeasuredPanel> measured = measure(parts);
    std::vector<std::size_t> bad;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const MeasuredPanel& m = measured[i];
      if (m.finite && !m.agrees(more) && m.gap * whole.gap > 0) bad.push_back(i);
    }
    if (bad.size() < 40) return false;
    const std::size_t middle = bad[bad.size() / 2];
    const MeasuredPanel& m = measured[middle];
    if (std::abs(m.gap) / 64 < 4 * (m.quad + m.rounding + more)) return true;
    at = parts[middle];
  }
}

// Where f jumps by a good part of the gap, in numbers that are next to each other; else no width.
Panel Integral::jump_in(const Panel& panel, const MeasuredPanel& whole) {
  const double slope = whole.integral / panel.width();
  const double far = std::max(std::abs(panel.low), std::abs(panel.high));
  Panel at = panel;
  for (std::vector<double> places, f;;) {
    places = {at.low};
    for (const Panel& part : split(at, 16)) places.push_back(part.high);
    f.resize(places.size());
    s_.f(places, f);
    effort_ -= static_cast<double>(places.size());
    double most = 0;
    for (std::size_t i = 1; i < places.size(); ++i) {
      const double rise = std::abs(f[i] - f[i - 1] - slope * (places[i] - places[i - 1]));
      if (!(rise > most)) continue;
      most = rise;
      at = {places[i - 1], places[i]};
    }
    if (!(most > 0.25 * std::abs(whole.gap))) return {};
    if (at.width() <= 64 * ulp(far, s_.precision)) return at;
  }
}

// Beside a jump there may be a mistake, too.
PanelFinding Integral::beside(const Panel& jump, const Panel& panel, const MeasuredPanel& whole,
                              int depth) {
  PanelFinding result = finding(Outcome::skipped, jump, whole, "f jumps here");
  for (const Panel& side : {Panel{panel.low, jump.low}, Panel{jump.high, panel.high}}) {
    if (side.width() <= 0) continue;
    const MeasuredPanel m = measure({side})[0];
    if (!m.finite || m.agrees()) continue;
    PanelFinding part = examine(side, m, depth + 1);
    if (part.judgement.outcome == Outcome::fail) return part;
    if (part.judgement.outcome == Outcome::undecided) result = std::move(part);
  }
  return result;
}

// A gap that nothing explains is a wrong gradient if it is there in all parts of the panel; it is a
// jump of f if it sits in one place, and the quadrature's own if it vanishes in smaller panels.
PanelFinding Integral::examine(const Panel& panel, const MeasuredPanel& whole, int depth) {
  const double far = std::max(std::abs(panel.low), std::abs(panel.high));
  if (panel.width() <= 64 * ulp(far, s_.precision)) {
    return finding(Outcome::skipped, panel, whole, "f jumps here");
  }
  if (depth == kDepth || effort_ <= 0) {
    const bool doubtful = whole.converged() && persists(panel, whole);
    return finding(doubtful ? Outcome::undecided : Outcome::skipped, panel, whole,
                   "f and the gradient vary on a smaller scale than could be followed");
  }
  if (depth > 0) {
    const Panel jump = jump_in(panel, whole);
    if (jump.width() > 0) return beside(jump, panel, whole, depth);
  }
  const std::vector<Panel> parts = split(panel, 4);
  const std::vector<MeasuredPanel> measured = measure(parts);
  std::vector<std::size_t> bad;
  std::size_t worst = 0;
  double gap = 0, quad = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const MeasuredPanel& m = measured[i];
    gap += m.gap;
    quad += m.quad;
    if (!m.finite || m.agrees() || excused(parts[i], m)) continue;
    bad.push_back(i);
    if (bad.size() == 1 || std::abs(m.gap) > std::abs(measured[worst].gap)) worst = i;
  }
  // Deep down it is a jump that the noise at the ends of the panel took in.
  if (bad.empty()) return finding(depth < 5 ? Outcome::pass : Outcome::skipped, panel, whole);
  const MeasuredPanel& most = measured[worst];
  if (!(std::abs(most.gap) < 0.75 * std::abs(whole.gap))) {
    PanelFinding result = examine(parts[worst], most, depth + 1);
    for (const std::size_t i : bad) {
      if (i == worst || result.judgement.outcome == Outcome::fail) continue;
      PanelFinding part = examine(parts[i], measured[i], depth + 1);
      if (part.judgement.outcome == Outcome::fail) result = std::move(part);
    }
    return result;
  }
  const double close = 0.05 * std::abs(whole.gap);
  if (bad.size() == 4 && std::abs(gap - whole.gap) <= close && quad <= close &&
      persists(panel, whole)) {
    return finding(Outcome::fail, parts[worst], most,
                   fmt::format("over [{:.9g}, {:.9g}] f rises by {:.9g}, the gradient's integral "
                               "is {:.9g}",
                               panel.low, panel.high, whole.rise, whole.integral));
  }
  PanelFinding result = finding(Outcome::pass, panel, whole);
  for (const std::size_t i : bad) {
    PanelFinding part = examine(parts[i], measured[i], depth + 1);
    if (part.judgement.outcome == Outcome::fail) return part;
    if (part.judgement.outcome != Outcome::pass && result.judgement.outcome != Outcome::undecided) {
      result = std::move(part);
    }
  }
  return result;
}

// A gradient that is NaN on a stretch where f is finite; an isolated one is for others to judge.
void Integral::not_finite(const Panel& panel, std::vector<PanelFinding>& findings) {
  std::vector<double> nodes, f(3), b(3);
  nodes_of(panel, nodes);
  for (const double node : nodes) {
    const double x = s_.round(node), gap = ulp(x, s_.precision);
    const std::vector<double> near{x - gap, x, x + gap};
    s_.f(near, f);
    s_.b(near, b);
    const bool bad = std::all_of(f.begin(), f.end(), [](double v) { return std::isfinite(v); }) &&
                     std::all_of(b.begin(), b.end(), [](double v) { return std::isnan(v); });
    if (!bad) continue;
    findings.push_back({{x, x}, 0, b[1], {Outcome::fail, 0, 0, "f is finite around this x", 0}});
    return;
  }
  findings.push_back({panel, 0, 0, {Outcome::skipped, 0, 0, {}, 0}});
}

// Looks at suspicious panels, the clearest first, until enough of them turned out to be wrong.
void Integral::examine_all(std::vector<std::pair<Panel, MeasuredPanel>> suspicious,
                           std::vector<PanelFinding>& findings, std::vector<Panel>& again) {
  std::stable_sort(suspicious.begin(), suspicious.end(), [](const auto& a, const auto& b) {
    const bool wide_a = a.first.width() > kNarrow, wide_b = b.first.width() > kNarrow;
    if (wide_a != wide_b) return wide_b;
    return std::abs(a.second.gap) * (b.second.quad + b.second.rounding) >
           std::abs(b.second.gap) * (a.second.quad + a.second.rounding);
  });
  int fails = 0;
  for (const auto& [panel, m] : suspicious) {
    if (fails == kEnough) return;
    if (exhausted()) {
      findings.push_back(finding(Outcome::skipped, panel, m));
      continue;
    }
    const double given = std::clamp(left_, 0.0, kEffort);
    effort_ = given;
    const Panel jump = jump_in(panel, m);
    if (jump.width() > 0) {
      again.insert(again.end(), {{panel.low, jump.low}, {jump.high, panel.high}});
      findings.push_back(finding(Outcome::skipped, jump, m, "f jumps here"));
      left_ -= given - effort_;
      continue;
    }
    PanelFinding result = examine(panel, m, 0);
    left_ -= given - effort_;
    if (result.judgement.outcome == Outcome::fail) ++fails;
    if (result.judgement.outcome == Outcome::pass) {
      again.push_back(panel);
    } else {
      findings.push_back(std::move(result));
    }
  }
}

std::vector<PanelFinding> Integral::run(std::vector<Panel> open, std::size_t wide) {
  std::vector<PanelFinding> findings;
  for (int level = 0; !open.empty(); ++level) {
    const std::vector<MeasuredPanel> measured = measure(open);
    effort_ = 0;
    findings.reserve(findings.size() + open.size());
    std::vector<std::pair<Panel, MeasuredPanel>> suspicious;
    std::vector<Panel> again;  // what a kink, an oscillation or several jumps leave open
    for (std::size_t i = 0; i < open.size(); ++i) {
      const MeasuredPanel& m = measured[i];
      const double fine = std::max(m.rounding, 1e-8 * m.scale * open[i].width());
      // Several waves in a panel: to look for a reason before it is halved would be in vain.
      const bool coarse = level < kPlain && m.quad > fine && !m.converged();
      if (!m.finite) {
        not_finite(open[i], findings);
      } else if (!m.agrees() && !coarse &&
                 (left_ + effort_ <= -kAllEffort / 3 || !excused(open[i], m))) {
        suspicious.emplace_back(open[i], m);
      } else if (m.quad > fine) {
        again.push_back(open[i]);
      } else {
        findings.push_back(finding(Outcome::pass, open[i], m));
      }
    }
    left_ += effort_;
    examine_all(std::move(suspicious), findings, again);
    std::vector<Panel> next;
    for (const Panel& panel : again) {
      if (level < kLevels && next.size() < wide && !exhausted()) {
        const std::vector<Panel> halves = split(panel, 2);
        next.insert(next.end(), halves.begin(), halves.end());
      } else {
        findings.push_back({panel, 0, 0, {Outcome::skipped, 0, 0, {}, 0}});
      }
    }
    open = std::move(next);
  }
  return findings;
}

}  // namespace

std::vector<PanelFinding> check_integral(const IntegralSubject& subject,
                                         const std::vector<Panel>& panels) {
  // Near 0 to the end first: far out the jumps of a staircase can take all the effort.
  std::vector<Panel> near, far;
  for (const Panel& panel : panels) {
    (std::max(-panel.low, panel.high) <= kNear ? near : far).push_back(panel);
  }
  Integral integral(subject);
  std::vector<PanelFinding> findings = integral.run(std::move(near), kWide);
  // Of waves far out the nearest: the panels come in that order.
  for (PanelFinding& finding : integral.run(std::move(far), panels.size() / 2)) {
    findings.push_back(std::move(finding));
  }
  return findings;
}

bool integral_disagrees(const IntegralSubject& subject, const Panel& panel) {
  Integral integral(subject);
  const MeasuredPanel m = integral.measure({panel})[0];
  return m.finite && m.converged() && !m.agrees() && !integral.excused(panel, m) &&
         integral.persists(panel, m);
}

bool integral_agrees(const IntegralSubject& subject, const Panel& panel, double sharp) {
  const MeasuredPanel m = Integral(subject).measure({panel})[0];
  return m.finite && m.agrees() && m.quad + m.rounding <= sharp * panel.width();
}

}  // namespace limen::check
