#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "check/graph_check.hpp"
#include "check/judge.hpp"
#include "check/random.hpp"

namespace limen::check {
namespace {

constexpr double kPerturbation = 0x1p-30;
constexpr int kDepth = 32;  // octaves of the ladder: a forward of a model is dear

class LeafCheck {
 public:
  LeafCheck(GraphFunction& function, const GraphCheckOptions& options, CheckReport& report)
      : function_(function), options_(options), report_(report) {
    loss_ = function_.loss();
    save_gradients();
  }

  bool finite() const { return std::isfinite(loss_); }
  double loss() const { return loss_; }
  void check(const Leaf& leaf);

 private:
  GraphFunction& function_;
  const GraphCheckOptions& options_;
  CheckReport& report_;
  double loss_ = 0;
  std::vector<std::vector<double>> gradients_;  // by Leaf::output
  std::vector<std::vector<double>> moves_;  // how far each moves with the last bits of all leaves

  Precision precision_ = precision_of(DType::f64);

  void save_gradients();
  std::string name(const Leaf& leaf) const { return options_.op.empty() ? leaf.name : options_.op; }
  Tally tally(const Leaf& leaf, std::string check) const {
    return {name(leaf), std::move(check), fmt::format("f64 {}", leaf.name), options_};
  }
  bool affordable(std::int64_t elements) const;
  void by_element(const Leaf& leaf);
  void by_direction(const Leaf& leaf);
  // Moves leaf along `direction` (0 where it must stay) and measures.
  Derivative along(const Leaf& leaf, const std::vector<double>& direction);
  Judgement judge_direction(const Leaf& leaf, const std::vector<double>& direction, double& got);
  Judgement judge_element(const Leaf& leaf, std::size_t i);
  Point element_point(const Leaf& leaf, std::size_t i) const;
  void bisect(const Leaf& leaf, std::vector<double> direction);
};

// The gradient at the point, and at two points a few last bits away: rounding may move it as much.
void LeafCheck::save_gradients() {
  const auto copy = [&](std::vector<std::vector<double>>& to) {
    to.clear();
    for (const Leaf& leaf : function_.leaves()) {
      if (!leaf.checked) continue;
      const auto g = function_.gradient(leaf);
      to.emplace_back(g.begin(), g.end());
    }
  };
  function_.run_gradient();
  copy(gradients_);
  for (const auto& g : gradients_) moves_.emplace_back(g.size(), 0.0);
  std::vector<Tensor> saved;
  for (const Leaf& leaf : function_.leaves()) saved.push_back(leaf.value.clone());
  for (int sample = 0; sample < 2; ++sample) {
    Random random(options_.seed, "perturb", sample == 0 ? "a" : "b");
    for (Leaf& leaf : function_.leaves()) {
      if (leaf.value.type().dtype != DType::f64) continue;
      for (double& v : leaf.value.as<double>()) v *= 1 + kPerturbation * random.sign();
    }
    function_.run_gradient();
    std::vector<std::vector<double>> moved;
    copy(moved);
    for (std::size_t l = 0; l < moved.size(); ++l) {
      for (std::size_t i = 0; i < moved[l].size(); ++i) {
        const double change = std::abs(moved[l][i] - gradients_[l][i]);
        if (std::isfinite(change)) moves_[l][i] = std::max(moves_[l][i], change / kPerturbation);
      }
    }
    for (std::size_t l = 0; l < saved.size(); ++l) {
      if (saved[l].type().dtype != DType::f64) continue;
      const auto from = saved[l].as<double>();
      std::copy(from.begin(), from.end(), function_.leaves()[l].value.as<double>().begin());
    }
  }
}

bool LeafCheck::affordable(std::int64_t elements) const {
  // About 130 forwards per element; what they cost is counted in operations, so that the choice
  // does not depend on the machine.
  const double operations = 130 * (1e5 + function_.flops());
  return elements <= options_.small && static_cast<double>(elements) * operations < 3e10;
}

Derivative LeafCheck::along(const Leaf& leaf, const std::vector<double>& direction) {
  const std::span<double> v = leaf.value.as<double>();
  const std::vector<double> base(v.begin(), v.end());
  LadderOptions options;
  options.depth = kDepth;
  const Derivative d = derivative_at(
      [&](double offset) {
        for (std::size_t i = 0; i < v.size(); ++i) v[i] = base[i] + offset * direction[i];
        return function_.loss();
      },
      1, precision_, options);
  std::copy(base.begin(), base.end(), v.begin());
  return d;
}

Judgement LeafCheck::judge_direction(const Leaf& leaf, const std::vector<double>& direction,
                                     double& got) {
  const std::vector<double>& g = gradients_[leaf.output];
  const std::vector<double>& m = moves_[leaf.output];
  const Derivative d = along(leaf, direction);
  double size = 0, square = 0, moved = 0;
  got = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double part = g[i] * direction[i];
    got += part;
    size += std::abs(part);
    square += part * part;
    moved += m[i] * std::abs(direction[i]);
  }
  const Tolerance tolerance{16 * precision_.unit * (std::abs(d.value) + size + moved),
                            std::max(std::sqrt(square), 0.1 * std::abs(loss_)),
                            resolution_of(DType::f64)};
  return judge(got, d, tolerance);
}

Judgement LeafCheck::judge_element(const Leaf& leaf, std::size_t i) {
  std::vector<double> unit(gradients_[leaf.output].size(), 0.0);
  unit[i] = std::max(std::abs(leaf.value.as<double>()[i]), 0.01);
  double got = 0;
  Judgement result = judge_direction(leaf, unit, got);
  result.expected /= unit[i];
  result.bound /= unit[i];
  result.resolved /= unit[i];
  return result;
}

Point LeafCheck::element_point(const Leaf& leaf, std::size_t i) const {
  Point p;
  p.tensor = leaf.name;
  p.element = static_cast<std::int64_t>(i);
  p.elements = leaf.value.type().elements();
  p.x = leaf.value.as<double>()[i];
  p.got = gradients_[leaf.output][i];
  return p;
}

void LeafCheck::by_element(const Leaf& leaf) {
  Tally t = tally(leaf, "every element");
  t.explain();
  for (std::size_t i = 0; i < gradients_[leaf.output].size(); ++i) {
    t.add(element_point(leaf, i), judge_element(leaf, i));
  }
  report_.add(t.finish());
}

void LeafCheck::by_direction(const Leaf& leaf) {
  Tally t = tally(leaf, "random directions");
  Random random(options_.seed, "direction", leaf.name);
  const std::span<double> v = leaf.value.as<double>();
  double square = 0;
  for (const double x : v) square += x * x;
  const double rms = std::sqrt(square / static_cast<double>(v.size()));
  std::vector<double> failing;
  for (int k = 0; k < options_.directions; ++k) {
    // +-1 and nothing between: one wrong element moves <gradient, direction> by its whole error.
    std::vector<double> direction(v.size());
    for (double& d : direction) d = (rms > 0 ? rms : 1) * random.sign();
    Point p;
    p.tensor = fmt::format("{} along direction", leaf.name);
    p.element = k;
    p.elements = options_.directions;
    p.x = rms;
    const Judgement judgement = judge_direction(leaf, direction, p.got);
    t.add(p, judgement);
    if (judgement.outcome == Outcome::fail && failing.empty()) failing = std::move(direction);
  }
  report_.add(t.finish());
  if (!failing.empty()) bisect(leaf, std::move(failing));
}

// Halves the support of a failing direction and keeps the half that is farther off; reports the
// element it ends at and a sample of the others.
void LeafCheck::bisect(const Leaf& leaf, std::vector<double> direction) {
  std::vector<std::size_t> support(direction.size());
  for (std::size_t i = 0; i < support.size(); ++i) support[i] = i;
  const auto error_of = [&](std::span<const std::size_t> part) {
    std::vector<double> d(direction.size(), 0.0);
    for (const std::size_t i : part) d[i] = direction[i];
    double got = 0;
    const Judgement j = judge_direction(leaf, d, got);
    const double error = std::abs(got - j.expected) / std::max(j.bound, 1e-300);
    return j.outcome == Outcome::fail && !(error < 1e300) ? 1e300 : error;
  };
  while (support.size() > 1) {
    const std::size_t half = support.size() / 2;
    const std::span<const std::size_t> all(support);
    const bool first = error_of(all.first(half)) >= error_of(all.subspan(half));
    support =
        first
            ? std::vector<std::size_t>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(half))
            : std::vector<std::size_t>(all.begin() + static_cast<std::ptrdiff_t>(half), all.end());
  }
  Tally t = tally(leaf, "elements behind a failed direction");
  t.explain();
  t.add(element_point(leaf, support[0]), judge_element(leaf, support[0]));
  const std::size_t n = direction.size(), samples = std::min<std::size_t>(n, 24);
  for (std::size_t k = 0; k < samples; ++k) {
    const std::size_t i = k * n / samples;
    if (i != support[0]) t.add(element_point(leaf, i), judge_element(leaf, i));
  }
  report_.add(t.finish());
}

void LeafCheck::check(const Leaf& leaf) {
  if (affordable(leaf.value.type().elements())) {
    by_element(leaf);
  } else {
    by_direction(leaf);
  }
}

}  // namespace

void check_leaves(GraphFunction& function, const GraphCheckOptions& options, CheckReport& report) {
  LeafCheck check(function, options, report);
  if (!check.finite()) {
    CheckResult result;
    result.op = options.op.empty() ? options.loss : options.op;
    result.check = "forward";
    result.subject = "f64";
    result.verdict = Verdict::undecidable;
    result.undecided = 1;
    result.where = fmt::format("the checked value is {} at the drawn point", check.loss());
    report.add(std::move(result));
    return;
  }
  for (const Leaf& leaf : function.leaves()) {
    if (leaf.checked) check.check(leaf);
  }
}

}  // namespace limen::check
