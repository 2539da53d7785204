// Mistakes at single points, and gradients that are not finite.
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>

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
    return fmt::format(
        "at x = {:.6g} the function has a corner, with slope {:.4g} on the left and {:.4g} on the "
        "right, and backward returns {:.4g}, which is no slope of it: only numbers from {:.4g} to "
        "{:.4g} are. Let that point belong to one of the branches, as in `x > {:.6g} ? {:.4g} : "
        "{:.4g}`",
        s.x, s.left, s.right, s.got, low, high, s.x, s.right, s.left);
  }
  if (s.kind == PointKind::jump) {
    return fmt::format(
        "at x = {:.6g} the function jumps, and backward returns {:.4g} instead of "
        "the slope of one of the sides, {:.4g} or {:.4g}",
        s.x, s.got, s.left, s.right);
  }
  return fmt::format(
      "only at x = {0:.6g} exactly it returns {1:.6g} instead of {2:.6g}; the numbers beside it "
      "are "
      "right: look for a comparison with {0:.6g}",
      s.x, s.got, s.expected);
}

}  // namespace limen::check
