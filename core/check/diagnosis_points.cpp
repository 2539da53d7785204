// Mistakes at single points, and gradients that are not finite.
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "check/diagnosis.hpp"

namespace limen::check {
namespace {

// Where the arguments of exp and of squares overflow in f64 and in f32.
struct Threshold {
  double at, at_float;
  const char* what;  // with {} for the sign of x
};
constexpr Threshold kThresholds[] = {
    {709.78, 88.72, "exp({}x) overflows to infinity"},
    {354.89, 44.36, "exp({0}x) squared, or exp({0}2 x), overflows to infinity"},
    {745.13, 103.97, "exp of less than that underflows to 0"},
    {1.34e154, 1.84e19, "x squared overflows to infinity"},
};

// The place between a good and a failing x where backward stops being finite.
double edge_of(const Evidence& evidence, double good, double bad) {
  if (!evidence.gradient) return bad;
  for (int i = 0; i < 80 && std::abs(bad - good) > 1e-4 * std::abs(bad); ++i) {
    const double middle = good + (bad - good) / 2;
    (std::isfinite(evidence.gradient(middle)) ? good : bad) = middle;
  }
  return bad;
}

// How far the numbers around a single failing point are wrong, too, at most to the next good one:
// what is returned there is nearer to `got` than to `expected`.
std::pair<double, double> wrong_stretch(const Evidence& evidence, const Sample& s) {
  const bool narrow = evidence.subject.starts_with("f32");
  const auto right = [&](double x) {
    return std::abs(evidence.gradient(x) - s.expected) <= 0.1 * std::abs(s.got - s.expected);
  };
  const double size = std::abs(s.x);
  const float single = narrow ? static_cast<float>(size) : 0;
  // Not below what kernels need compute with.
  const double gap = narrow ? std::max<double>(std::nextafter(single, FLT_MAX) - single, 1e-35)
                            : std::max(std::nextafter(size, DBL_MAX) - size, 1e-290);
  double ends[2];
  for (const int direction : {-1, 1}) {
    double limit = s.x + direction * 1e-3 * std::max(1.0, size), wrong = s.x;
    for (const Sample& other : evidence.samples) {
      const bool nearer = (other.x - s.x) * direction > 0 && (limit - other.x) * direction > 0;
      if (other.good && nearer) limit = other.x;
    }
    double step = direction * gap;
    for (; (limit - s.x - step) * direction > 0 && !right(s.x + step); step *= 2)
      wrong = s.x + step;
    double good = (limit - s.x - step) * direction > 0 ? s.x + step : limit;
    for (int i = 0; i < 60 && wrong != s.x; ++i) {
      const double middle = wrong + (good - wrong) / 2;
      (right(middle) ? good : wrong) = middle;
    }
    ends[direction > 0] = wrong;
  }
  return {ends[0], ends[1]};
}

std::string smooth_point_mistake(const Evidence& evidence, const Sample& s) {
  const double error = std::abs(s.got - s.expected);
  if (!evidence.gradient || s.upstream != 1 || !(error > 8 * s.bound)) return {};
  const double alone = evidence.gradient(s.x);
  const std::vector<std::string> numbers = told_apart({s.got, s.expected});
  if (std::abs(alone - s.expected) <= s.bound) {
    return fmt::format(
        "as element {} of a tile it returns {} at x = {:.9g}, and in a tile of its own {}, which "
        "is right: it depends on the place in the tile, as where the tail of a loop begins",
        s.element, numbers[0], s.x, numbers[1]);
  }
  if (!(std::abs(alone - s.got) <= 0.1 * error)) return {};
  const auto [low, high] = wrong_stretch(evidence, s);
  if (low == high) {
    return fmt::format(
        "only at x = {0:.9g} exactly it returns {1} instead of {2}; the numbers beside it are "
        "right: look for a comparison with {0:.9g}",
        s.x, numbers[0], numbers[1]);
  }
  if (error < 1e-3 * std::abs(s.expected)) return {};
  const bool rounded =
      !evidence.subject.starts_with("f32") && high - low <= 0x1p-24 * std::abs(s.x);
  const std::vector<std::string> ends = told_apart({low, high}, 9);
  return fmt::format("for x in [{}, {}] it returns {} instead of {}: {}", ends[0], ends[1],
                     numbers[0], numbers[1],
                     rounded ? "as if x were rounded to a float in the double kernel"
                             : "backward treats these numbers in another way than forward does");
}

}  // namespace

std::string overflow_mistake(const Evidence& evidence, const std::vector<Sample>& bad) {
  const char* const what = std::isnan(bad.front().got) ? "NaN" : "infinite";
  if (std::all_of(bad.begin(), bad.end(), [](const Sample& s) { return s.x == 0; })) {
    return fmt::format(
        "at x = 0 it divides by 0 (as x / |x| or y / x do, 0 / 0 is NaN): give x = 0 a branch of "
        "its own, with one of the slopes {:.3g} and {:.3g} or a number between them",
        bad.front().left, bad.front().right);
  }
  if (!evidence.by_x) {
    return fmt::format("the gradient is {} there: an overflow, 0/0 or inf * 0 in backward", what);
  }
  if (bad.size() == evidence.samples.size()) {
    return fmt::format(
        "the result is {} everywhere: it is never written, or something is added to "
        "what was there",
        what);
  }
  // The failing x that is nearest to 0, and the good one next to it.
  const Sample& first = *std::min_element(bad.begin(), bad.end(), [](const auto& a, const auto& b) {
    return std::abs(a.x) < std::abs(b.x);
  });
  double good = 0;
  for (const Sample& s : evidence.samples) {
    const bool inside = s.x * first.x > 0 && std::abs(s.x) < std::abs(first.x);
    if (s.good && inside && std::abs(s.x) > std::abs(good)) good = s.x;
  }
  const double edge = edge_of(evidence, good, first.x);
  const char* const sign = edge < 0 ? "-" : "";
  for (const Threshold& threshold : kThresholds) {
    for (const double at : {threshold.at, threshold.at_float}) {
      if (std::abs(std::abs(edge) - at) > 0.06 * at) continue;
      const std::string cause = fmt::format(fmt::runtime(threshold.what), sign);
      return fmt::format(
          "for x {} {:.6g} the gradient is {}: {} there, and infinity / infinity or 0 * infinity "
          "is NaN. Compute it with exp(-|x|), which cannot overflow, in a branch for each sign of "
          "x, or from the output y",
          edge < 0 ? "<" : ">", edge, what, cause);
    }
  }
  return fmt::format(
      "from x = {:.6g} on the gradient is {} while the function is finite: a part of the formula "
      "overflows, or is 0/0 or 0 * infinity",
      edge, what);
}

std::string point_mistake(const Evidence& evidence, const std::vector<Sample>& bad) {
  const Sample& s = bad.front();
  if (!evidence.by_x || evidence.samples.size() < 10 ||
      std::any_of(bad.begin(), bad.end(), [&](const Sample& b) { return b.x != s.x; })) {
    return {};
  }
  if (s.kind == PointKind::kink) {
    const double low = std::min(s.left, s.right), high = std::max(s.left, s.right);
    const std::vector<std::string> slopes = told_apart({s.got, s.left, s.right, low, high}, 4);
    return fmt::format(
        "at x = {0:.9g} the function has a corner, with slope {2} on the left and {3} on the "
        "right, and backward returns {1}, which is no slope of it: only numbers from {4} to {5} "
        "are. Let that point belong to one of the branches, as in `x > {0:.9g} ? {3} : {2}`",
        s.x, slopes[0], slopes[1], slopes[2], slopes[3], slopes[4]);
  }
  if (s.kind == PointKind::jump) {
    const std::vector<std::string> slopes = told_apart({s.got, s.left, s.right}, 4);
    return fmt::format(
        "at x = {:.9g} the function jumps, and backward returns {} instead of "
        "the slope of one of the sides, {} or {}",
        s.x, slopes[0], slopes[1], slopes[2]);
  }
  return smooth_point_mistake(evidence, s);
}

}  // namespace limen::check
