#include "check/noise.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace limen::check {
namespace {

constexpr int kSamples = 9;
// Spacings that are commensurate neither with the floating-point grid nor with each other: with
// powers of two the rounding error would repeat from sample to sample and cancel in the
// differences.
constexpr std::array<double, 3> kSpacings{1.18034, 1.64321, 2.39135};
constexpr double kGrowth = 5.83;

struct Sample {
  bool finite = true;
  bool flat = true;
  bool accepted = false;
  double sigma = 0;
};

// ECnoise: the k-th differences of smooth values vanish as k grows, those of noise do not. Accepts
// the first order whose estimate agrees with the next two and whose differences change sign.
Sample evaluate(const std::array<double, kSamples>& values) {
  Sample result;
  double scale = 0;
  for (const double v : values) {
    if (!std::isfinite(v)) result.finite = false;
    if (v != values[0]) result.flat = false;
    scale = std::max(scale, std::abs(v));
  }
  if (!result.finite || result.flat) return result;
  std::array<double, kSamples> d = values;
  for (double& v : d) v /= scale;  // squares of large and of small numbers leave the range
  std::array<double, kSamples> sigma{};
  std::array<bool, kSamples> changes{};
  double gamma = 1;
  for (int k = 1; k < kSamples; ++k) {
    gamma *= 0.5 * k / (2 * k - 1);
    double sum = 0, low = 0, high = 0;
    for (int i = 0; i + k < kSamples; ++i) {
      const auto at = static_cast<std::size_t>(i);
      d[at] = d[at + 1] - d[at];
      sum += d[at] * d[at];
      low = std::min(low, d[at]);
      high = std::max(high, d[at]);
    }
    sigma[static_cast<std::size_t>(k)] = std::sqrt(gamma * sum / (kSamples - k));
    changes[static_cast<std::size_t>(k)] = low < 0 && high > 0;
  }
  for (std::size_t k = 1; k + 2 < kSamples; ++k) {
    const double low = std::min({sigma[k], sigma[k + 1], sigma[k + 2]});
    const double high = std::max({sigma[k], sigma[k + 1], sigma[k + 2]});
    if (high == 0 || (high <= 4 * low && changes[k])) {
      result.accepted = true;
      result.sigma = scale * sigma[k];
      return result;
    }
  }
  result.sigma = scale * sigma[kSamples - 3];
  return result;
}

struct Edge {
  double distance = 0;  // 0: no change was found
  double change = 0;
};

// The nearest place on one side where f stops being equal to `center`, and by how much it changes.
Edge first_change(const Function& f, double center, double start, double limit, int& evaluations) {
  double inside = 0, outside = 0;
  for (double h = std::abs(start); h > 0 && h <= limit && std::isfinite(h); h *= 4) {
    const double at = start < 0 ? -h : h;
    ++evaluations;
    const double value = f(at);
    if (value != center) {
      outside = at;
      break;
    }
    inside = at;
  }
  if (outside == 0) return {};
  double change = f(outside) - center;
  for (int i = 0; i < 100; ++i) {
    const double middle = 0.5 * (inside + outside);
    if (middle == inside || middle == outside) break;
    ++evaluations;
    const double value = f(middle);
    if (value == center) {
      inside = middle;
    } else {
      outside = middle;
      change = value - center;
    }
  }
  return {std::abs(outside), std::abs(change)};
}

}  // namespace

Noise estimate_noise(const Function& f, double center, double smallest, double largest,
                     double reach, double magnitude, const Precision& precision) {
  Noise noise;
  for (const double side : {1.0, -1.0}) {
    bool flat = false;
    for (const double factor : kSpacings) {
      double fallback = -1;
      for (double spacing = smallest * factor;; spacing *= kGrowth) {
        std::array<double, kSamples> values{};
        // Without x itself: f may jump there.
        for (int i = 0; i < kSamples; ++i) {
          values[static_cast<std::size_t>(i)] = f(side * spacing * (i + 1));
        }
        noise.evaluations += kSamples;
        const Sample sample = evaluate(values);
        if (!sample.finite) break;
        if (sample.flat) {
          flat = true;
          break;
        }
        if (sample.accepted) {
          fallback = sample.sigma;
          break;
        }
        if (fallback < 0) fallback = sample.sigma;
        if (spacing * kGrowth > largest) break;
      }
      noise.level = std::max(noise.level, fallback);
    }
    if (flat) {
      const Edge edge = first_change(f, center, side * smallest, reach, noise.evaluations);
      if (edge.distance > 0 && edge.change <= 256 * precision.unit * magnitude) {
        noise.level = std::max(noise.level, edge.change);
        if (edge.change > noise.change) {
          noise.change = edge.change;
          noise.flat = edge.distance;
        }
      }
    }
  }
  return noise;
}

}  // namespace limen::check
