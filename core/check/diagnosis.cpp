#include "check/diagnosis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace limen::check {

// The simplest region of x that holds all the failing points and hardly any good one.
std::string region_of(const Evidence& evidence) {
  const auto good = std::count_if(evidence.samples.begin(), evidence.samples.end(),
                                  [](const Sample& s) { return s.good; });
  const auto bad = static_cast<std::ptrdiff_t>(evidence.samples.size()) - good;
  std::string text = fmt::format("{} of {} points fail", bad, evidence.samples.size());
  if (good == 0) return text;
  // All failing points have value(x) >= t; says so unless good ones lie there too. A wrong formula
  // may be right at single points (x = 1 for one that returns x).
  const auto describe = [&](auto value, const char* form, double sign) -> std::string {
    double t = INFINITY;
    for (const Sample& s : evidence.samples) {
      if (!s.good) t = std::min(t, value(s.x));
    }
    const auto inside = std::count_if(evidence.samples.begin(), evidence.samples.end(),
                                      [&](const Sample& s) { return s.good && value(s.x) >= t; });
    if (inside * 50 > bad) return {};
    std::string result = fmt::format(", all with ");
    result += fmt::format(fmt::runtime(form), sign * t);
    if (inside > 0) result += fmt::format(" ({} there pass)", inside);
    return result + fmt::format("; none of the {} others", good - inside);
  };
  for (std::string region :
       {describe([](double x) { return x; }, "x >= {:.6g}", 1),
        describe([](double x) { return -x; }, "x <= {:.6g}", -1),
        describe([](double x) { return std::abs(x); }, "|x| >= {:.6g}", 1),
        describe([](double x) { return -std::abs(x); }, "|x| <= {:.6g}", -1)}) {
    if (!region.empty()) return text + region;
  }
  return text;
}

// The first simple formula that all failing points agree with.
std::string likely_mistake(const Evidence& evidence) {
  std::vector<Sample> bad;
  for (const Sample& s : evidence.samples) {
    if (!s.good && std::isfinite(s.expected)) bad.push_back(s);
  }
  if (bad.size() < 3) return {};
  const auto all = [&](auto hypothesis) {
    return std::all_of(bad.begin(), bad.end(), [&](const Sample& s) {
      const double h = hypothesis(s);
      return std::abs(s.got - h) <= s.bound + 1e-6 * std::abs(h);
    });
  };
  const Sample& first = *std::max_element(
      bad.begin(), bad.end(),
      [](const Sample& a, const Sample& b) { return std::abs(a.expected) < std::abs(b.expected); });
  if (std::all_of(bad.begin(), bad.end(), [](const Sample& s) { return std::isnan(s.got); })) {
    return "the gradient is NaN there: an overflow, 0/0 or inf * 0 inside the backward kernel";
  }
  if (all([](const Sample&) { return 0.0; })) return "the gradient is 0 there";
  if (all([](const Sample& s) { return -s.expected; })) return "the sign is flipped";
  if (all([](const Sample& s) { return s.x; })) {
    return "it returns x (the input) instead of the derivative";
  }
  if (all([](const Sample& s) { return s.y; })) {
    return "it returns y (the output) instead of the derivative";
  }
  if (all([&](const Sample&) { return first.got; })) {
    return fmt::format("it returns the constant {:.6g}", first.got);
  }
  const double ratio = first.got / first.expected;
  if (first.expected != 0 && all([&](const Sample& s) { return ratio * s.expected; })) {
    return fmt::format("the derivative times the constant {:.6g}", ratio);
  }
  const double shift = first.got - first.expected;
  if (all([&](const Sample& s) { return s.expected + shift; })) {
    return fmt::format("the derivative plus the constant {:.6g}", shift);
  }
  return {};
}

}  // namespace limen::check
