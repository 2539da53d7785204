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
Sample evaluate(std::span<const double> values) {
  Sample result;
  for (const double v : values) {
    if (!std::isfinite(v)) result.finite = false;
    if (v != values[0]) result.flat = false;
  }
  if (!result.finite || result.flat) return result;
  std::array<double, kSamples> d{};
  std::copy_n(values.begin(), kSamples, d.begin());
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
      result.sigma = sigma[k];
      return result;
    }
  }
  result.sigma = sigma[kSamples - 3];
  return result;
}

struct Edge {
  double distance = 0;  // 0: no change was found
  double change = 0;
};

// The nearest place on one side where f stops being equal to `center`, and by how much it changes.
Edge first_change(const BatchFunction& f, double center, double start, double limit,
                  int& evaluations) {
  std::vector<double> at, values;
  double inside = 0, outside = 0, change = 0;
  // The first of `at` with another value than `center`.
  const auto look = [&] {
    values.resize(at.size());
    f(at, values);
    evaluations += static_cast<int>(at.size());
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (values[i] != center) {
        outside = at[i];
        change = values[i] - center;
        return;
      }
      inside = at[i];
    }
  };
  for (double h = std::abs(start); h > 0 && h <= limit && std::isfinite(h); h *= 4) {
    at.push_back(std::copysign(h, start));
  }
  if (!at.empty()) look();
  if (outside == 0) return {};
  for (int round = 0; round < 25; ++round) {  // four bits of the place in each
    at.clear();
    for (int i = 1; i < 16; ++i) {
      const double middle = inside + (outside - inside) * (i / 16.0);
      if (middle != inside && middle != outside && (at.empty() || middle != at.back())) {
        at.push_back(middle);
      }
    }
    if (at.empty()) break;
    look();
  }
  return {std::abs(outside), std::abs(change)};
}

// The search for the noise on one side with one factor of the spacing.
struct Track {
  double side, spacing, level = -1;
  bool flat = false, done = false;

  void offsets(std::vector<double>& to) const {
    // Without x itself: f may jump there.
    for (int i = 1; i <= kSamples; ++i) to.push_back(side * spacing * i);
  }
  void take(std::span<const double> values, double largest) {
    const Sample sample = evaluate(values);
    flat = sample.finite && sample.flat;
    done = !sample.finite || flat || sample.accepted || spacing * kGrowth > largest;
    if (sample.finite && !flat && (sample.accepted || level < 0)) level = sample.sigma;
    spacing *= kGrowth;
  }
};

std::array<Track, 6> tracks_of(double smallest) {
  std::array<Track, 6> tracks{};
  for (std::size_t i = 0; i < 6; ++i) {
    tracks[i].side = i < 3 ? 1 : -1;
    tracks[i].spacing = smallest * kSpacings[i % 3];
  }
  return tracks;
}

}  // namespace

void noise_offsets(double smallest, std::vector<double>& offsets) {
  for (const Track& track : tracks_of(smallest)) track.offsets(offsets);
}

Noise estimate_noise(const BatchFunction& f, std::span<const double> first, double center,
                     double smallest, double largest, double reach, double magnitude,
                     const Precision& precision) {
  Noise noise;
  std::array<Track, 6> tracks = tracks_of(smallest);
  std::vector<double> offsets, values(first.begin(), first.end());
  while (!values.empty()) {
    noise.evaluations += static_cast<int>(values.size());
    std::size_t at = 0;
    offsets.clear();
    for (Track& track : tracks) {
      if (track.done) continue;
      track.take(std::span(values).subspan(at, kSamples), largest);
      at += kSamples;
      if (!track.done) track.offsets(offsets);
    }
    values.resize(offsets.size());
    if (!offsets.empty()) f(offsets, values);
  }
  for (const Track& track : tracks) noise.level = std::max(noise.level, track.level);
  for (const std::size_t side : {0u, 3u}) {
    if (!tracks[side].flat && !tracks[side + 1].flat && !tracks[side + 2].flat) continue;
    const Edge edge =
        first_change(f, center, tracks[side].side * smallest, reach, noise.evaluations);
    if (edge.distance > 0 && edge.change <= 256 * precision.unit * magnitude) {
      noise.level = std::max(noise.level, edge.change);
      if (edge.change > noise.change) {
        noise.change = edge.change;
        noise.flat = edge.distance;
      }
    }
  }
  return noise;
}

}  // namespace limen::check
