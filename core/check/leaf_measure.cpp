#include "check/leaf_measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/noise.hpp"
#include "check/path_integral.hpp"
#include "check/random.hpp"
#include "check/workers.hpp"

namespace limen::check {
namespace {

constexpr double kPerturbation = 0x1p-30;
// A forward of a model is dear. The first ladder has twelve octaves, around the step that is best
// for a smooth function and below the kinks of some 10,000 units; where it does not pass, a long
// one follows, which estimates its noise itself.
constexpr double kShortScale = 0x1p-7;
constexpr int kShortDepth = 12, kLongDepth = 32;
// By how many times its RMS a single element of a large tensor is moved, so that it counts.
constexpr double kFarthest = 64;

double rms(const Leaf& leaf) {
  double square = 0;
  const auto v = leaf.value.as<double>();
  for (const double x : v) square += x * x;
  return square > 0 ? std::sqrt(square / static_cast<double>(v.size())) : 1;
}

}  // namespace

double operations_of_a_line(const GraphFunction& function) {
  return 2 * (kShortDepth + 3) * (1e5 + function.flops());
}

std::vector<double> Line::steps() const {
  std::vector<double> result(last - first, size);
  for (std::size_t i = first; signs && i < last; ++i) {
    if ((random_bits(*signs, i / 64) >> (i % 64) & 1u) != 0) result[i - first] = -size;
  }
  return result;
}

LeafMeasure::LeafMeasure(GraphFunction& function, const GraphCheckOptions& options)
    : function_(function), options_(options), loss_(function.loss()) {
  if (!std::isfinite(loss_)) return;
  save_gradients();
  noise_ = noise();
}

// The gradient at the point, and at two points a few last bits away: rounding may move it as much.
void LeafMeasure::save_gradients() {
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

// What rounding adds to the loss when anything moves.
double LeafMeasure::noise() {
  std::vector<Leaf>& leaves = function_.leaves();
  std::vector<std::vector<double>> base(leaves.size()), steps(leaves.size());
  for (std::size_t l = 0; l < leaves.size(); ++l) {
    if (leaves[l].value.type().dtype != DType::f64) continue;
    const auto v = leaves[l].value.as<double>();
    base[l].assign(v.begin(), v.end());
    steps[l] = Line{&leaves[l], 0, v.size(), rms(leaves[l]),
                    random_key(options_.seed, "noise", leaves[l].name)}
                   .steps();
  }
  const auto at = [&](double offset) {
    for (std::size_t l = 0; l < leaves.size(); ++l) {
      if (base[l].empty()) continue;
      const auto v = leaves[l].value.as<double>();
      for (std::size_t i = 0; i < v.size(); ++i) v[i] = base[l][i] + offset * steps[l][i];
    }
    return function_.loss();
  };
  const Noise noise =
      estimate_noise(at, loss_, 0x1p-30, 0x1p-14, 0x1p-14, std::abs(loss_), precision_);
  at(0);
  return noise.level;
}

Line LeafMeasure::element(const Leaf& leaf, std::size_t i) const {
  const std::span<const double> v = leaf.value.as<double>();
  double size = std::max(std::abs(v[i]), 0.01);
  if (leaf.value.type().elements() > options_.small) size = std::max(size, kFarthest * rms(leaf));
  return {&leaf, i, i + 1, size};
}

Line LeafMeasure::direction(const Leaf& leaf, int k) const {
  return {&leaf, 0, gradients_[leaf.output].size(), rms(leaf),
          random_key(options_.seed, fmt::format("direction {}", k), leaf.name)};
}

Derivative LeafMeasure::along(Lane& lane, const Line& line, bool in_short) const {
  const std::span<double> all = lane.move(*line.leaf);
  const std::span<double> v = all.subspan(line.first, line.last - line.first);
  const std::vector<double> base(v.begin(), v.end()), steps = line.steps();
  const double scale = in_short ? kShortScale : 1;
  LadderOptions options;
  options.depth = in_short ? kShortDepth : kLongDepth;
  options.magnitude = 1 / scale;
  if (in_short) options.noise = noise_;
  Derivative d = derivative_at(
      [&](double offset) {
        for (std::size_t i = 0; i < v.size(); ++i) v[i] = base[i] + scale * offset * steps[i];
        return lane.loss();
      },
      1, precision_, options);
  std::copy(base.begin(), base.end(), v.begin());
  for (double* value : {&d.value, &d.bound, &d.left.value, &d.left.bound, &d.right.value,
                        &d.right.bound, &d.steepest}) {
    *value /= scale;
  }
  d.step *= scale;
  return d;
}

Measured LeafMeasure::measure(Lane& lane, const Line& line, bool in_short) const {
  const double* const g = gradients_[line.leaf->output].data();
  const double* const m = moves_[line.leaf->output].data();
  const Derivative d = along(lane, line, in_short);
  const std::vector<double> steps = line.steps();
  Measured result;
  double size = 0, square = 0, moved = 0;
  for (std::size_t i = line.first; i < line.last; ++i) {
    const double step = steps[i - line.first], part = g[i] * step;
    result.got += part;
    size += std::abs(part);
    square += part * part;
    moved += m[i] * std::abs(step);
  }
  result.scale = std::max(std::sqrt(square), 0.1 * std::abs(loss_));
  const Tolerance tolerance{16 * precision_.unit * (std::abs(d.value) + size + moved), result.scale,
                            resolution_of(DType::f64)};
  result.judgement = judge(result.got, d, tolerance);
  // A gradient that is another one a few last bits away belongs to a loss that no step resolves.
  if (moved * kPerturbation > 0.1 * size && result.judgement.outcome == Outcome::fail) {
    result.judgement.outcome = Outcome::undecided;
    result.judgement.note = "the gradient changes with the last bits of the leaves: chaos";
  }
  return result;
}

std::vector<Measured> LeafMeasure::measure(const std::vector<Line>& lines) {
  std::vector<Measured> results(lines.size());
  run_workers(function_.lanes().size(), lines.size(), [&](std::size_t lane, std::size_t i) {
    Lane& mine = function_.lanes()[lane];
    results[i] = measure(mine, lines[i], true);
    if (results[i].judgement.outcome != Outcome::pass) results[i] = measure(mine, lines[i], false);
  });
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (results[i].judgement.outcome == Outcome::undecided) integrate(lines[i], results[i]);
  }
  return results;
}

// Kinks so near that no difference lies between two of them: the gradient is integrated along the
// line instead, where kinks are few points among many.
void LeafMeasure::integrate(const Line& line, Measured& measured) {
  for (Leaf& leaf : function_.leaves()) {
    if (&leaf != line.leaf) continue;
    const std::span<double> all = leaf.value.as<double>();
    const std::span<double> v = all.subspan(line.first, line.last - line.first);
    const std::vector<double> base(v.begin(), v.end()), steps = line.steps();
    const std::span<double> copy = function_.lanes()[0].move(leaf).subspan(line.first, v.size());
    const auto move = [&](double t) {  // for the gradient and for the loss
      for (std::size_t i = 0; i < v.size(); ++i) v[i] = copy[i] = base[i] + t * steps[i];
    };
    const auto f = [&](double t) {
      move(t);
      return function_.loss();
    };
    const auto slope = [&](double t) {
      move(t);
      function_.run_gradient();
      const std::span<const double> g = function_.gradient(leaf).subspan(line.first);
      double sum = 0;
      for (std::size_t i = 0; i < v.size(); ++i) sum += g[i] * steps[i];
      return sum;
    };
    measured.judgement = judge_path(f, slope, noise_, measured.scale, measured.judgement);
    move(0);
  }
}

}  // namespace limen::check
