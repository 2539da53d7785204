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
  double scale = 0;
  for (const double v : values) {
    if (!std::isfinite(v)) result.finite = false;
    if (v != values[0]) result.flat = false;
    scale = std::max(scale, std::abs(v));
  }
  if (!result.finite || result.flat) return result;
  std::array<double, kSamples> d{};
  // Squares of large and of small numbers leave the range.
  for (std::size_t i = 0; i < kSamples; ++i) d[i] = values[i] / scale;
  std::array<double, kSamples> sigma{};
  std::array<bool, kSamples> changes{};
  double gamma = 1;
  for (std::size_t order = 1; order < kSamples; ++order) {
    const int k = static_cast<int>(order);
    gamma *= 0.5 * k / (2 * k - 1);
    double sum = 0, low = 0, high = 0;
    for (std::size_t i = 0; i + order < kSamples; ++i) {
      d[i] = d[i + 1] - d[i];
      sum += d[i] * d[i];
      low = std::min(low, d[i]);
      high = std::max(high, d[i]);
    }
    sigma[order] = std::sqrt(gamma * sum / (kSamples - k));
    changes[order] = low < 0 && high > 0;
    if (order < 3) continue;
    const auto [least, most] = std::minmax({sigma[order - 2], sigma[order - 1], sigma[order]});
    if (most == 0 || (most <= 4 * least && changes[order - 2])) {
      result.accepted = true;
      result.sigma = scale * sigma[order - 2];
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
  double side, spacing, level = -1, size = 0;
  bool flat = false, done = false, wide = false;

  void offsets(std::vector<double>& to) const {
    // Without x itself: f may jump there.
    for (int i = 1; i <= kSamples; ++i) to.push_back(side * spacing * i);
  }
  void take(std::span<const double> values, double largest) {
    const Sample sample = evaluate(values);
    for (const double v : values) size = std::max(size, std::abs(v));
    flat = sample.finite && sample.flat;
    done = wide || !sample.finite || flat || sample.accepted || spacing * kGrowth > largest;
    if (sample.finite && !flat && (sample.accepted || (!wide && level < 0))) level = sample.sigma;
    spacing *= kGrowth;
  }
};

constexpr std::size_t kFine = 6, kTracks = 10;  // the last four are wide, and not widened

std::array<Track, kTracks> tracks_of(double smallest, double largest) {
  std::array<Track, kTracks> tracks{};
  for (std::size_t i = 0; i < kFine; ++i) {
    tracks[i].side = i < 3 ? 1 : -1;
    tracks[i].spacing = smallest * kSpacings[i % 3];
  }
  for (std::size_t i = kFine; i < kTracks; ++i) {
    tracks[i].side = i % 2 == 0 ? 1 : -1;
    tracks[i].spacing = i < kFine + 2 ? largest * kSpacings[0] : largest / 1024 * kSpacings[1];
  }
  return tracks;
}

// Noise that is small and the same at several wide spacings is that of x, rounded in f when a
// larger number was added to it. Waves and stairs on purpose are not as small, kinks not
// everywhere.
double argument_noise(const BatchFunction& f, std::span<const Track> wide, double largest,
                      double most, int& evaluations) {
  std::vector<Track> tracks(wide.begin(), wide.end());
  std::vector<double> offsets;
  for (const double part : {307.1, 23011.0, 91033.0}) {  // no two of them in step
    for (const double side : {1.0, -1.0}) {
      tracks.push_back({.side = side, .spacing = largest / part, .wide = true});
      tracks.back().offsets(offsets);
    }
  }
  std::vector<double> values(offsets.size());
  f(offsets, values);
  evaluations += static_cast<int>(values.size());
  for (std::size_t i = wide.size(); i < tracks.size(); ++i) {
    tracks[i].take(std::span(values).subspan((i - wide.size()) * kSamples, kSamples), largest);
  }
  double level = 0;
  for (const Track& t : tracks) level = t.level > most ? level : std::max(level, t.level);
  int spacings = 0, fine = 0;
  for (std::size_t i = 0; i < tracks.size(); i += 2) {
    const double more = std::max(tracks[i].level > level ? 0 : tracks[i].level,
                                 tracks[i + 1].level > level ? 0 : tracks[i + 1].level);
    if (!(more >= level / 16)) continue;
    ++spacings;
    fine += i >= tracks.size() - 4 ? 1 : 0;
  }
  return spacings >= 3 && fine > 0 ? level : 0;
}

}  // namespace

void noise_offsets(double smallest, double largest, std::vector<double>& offsets) {
  for (const Track& track : tracks_of(smallest, largest)) track.offsets(offsets);
}

Noise estimate_noise(const BatchFunction& f, std::span<const double> first, double center,
                     double smallest, double largest, double reach, double magnitude,
                     const Precision& precision) {
  Noise noise;
  std::array<Track, kTracks> tracks = tracks_of(smallest, largest);
  for (std::size_t i = kFine; i < kTracks; ++i) tracks[i].wide = true;
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
  double rounding = 256 * precision.unit * magnitude;
  std::array<Edge, 2> edges;
  for (const std::size_t side : {0u, 1u}) {
    const Track* fine = &tracks[3 * side];
    if (!fine[0].flat && !fine[1].flat && !fine[2].flat) continue;
    edges[side] = first_change(f, center, fine->side * smallest, reach, noise.evaluations);
  }
  const std::span<const Track> wide = std::span(tracks).subspan(kFine);
  const double most = 0x1p-32 * magnitude;
  const auto unexplained = [&](double level) { return level > rounding && level <= most; };
  if (std::any_of(wide.begin(), wide.end(), [&](const Track& t) { return unexplained(t.level); }) ||
      std::any_of(edges.begin(), edges.end(),
                  [&](const Edge& e) { return unexplained(e.change); })) {
    noise.level = noise.hidden = argument_noise(f, wide, largest, most, noise.evaluations);
    rounding = std::max(rounding, 16 * noise.hidden);
  }
  for (const Track& track : tracks) {
    if (track.wide && !(track.level <= rounding)) continue;
    noise.level = std::max(noise.level, track.level);
    if (track.wide && track.level > 8 * precision.unit * track.size) {
      noise.hidden = std::max(noise.hidden, track.level);
    }
  }
  for (const Edge& edge : edges) {
    if (edge.distance > 0 && edge.change <= rounding) {
      noise.level = std::max(noise.level, edge.change);
      if (edge.change > noise.change) {
        noise.change = edge.change;
        noise.flat = edge.distance;
      }
    }
  }
  return noise;
}

Noise estimate_noise(const Function& f, double center, double smallest, double largest,
                     double reach, double magnitude, const Precision& precision) {
  const BatchFunction batch = batch_of(f);
  std::vector<double> offsets, first(kNoiseSamples);
  noise_offsets(smallest, largest, offsets);
  batch(offsets, first);
  return estimate_noise(batch, first, center, smallest, largest, reach, magnitude, precision);
}

}  // namespace limen::check
