// Mistakes in the formula of a derivative of one number: multiples, copies, the wrong argument.
#include "check/diagnosis_formula.hpp"

#include <fmt/format.h>

namespace limen::check {
namespace {

constexpr const char* kWrongSign = "it returns the derivative with the wrong sign";

}  // namespace

double Formula::slope_elsewhere() const {
  double slope = NAN;
  for (const Sample& s : evidence_.samples) {
    if (!s.good || s.kind != PointKind::smooth) continue;
    if (std::isnan(slope)) slope = s.expected;
    if (!(std::abs(s.expected - slope) <= s.bound + 1e-6 * std::abs(slope))) return NAN;
  }
  return slope;
}

std::string Formula::constants() const {
  const auto flat = expected_constant();
  if (all([](const Sample&) { return 0.0; }) &&
      std::all_of(bad_.begin(), bad_.end(),
                  [](const Sample& s) { return std::abs(s.got) <= 0.01 * std::abs(s.expected); })) {
    return fmt::format(
        "it returns 0 instead of {}: this part of the formula, or its mask, is missing", right());
  }
  if (flat && *flat == 0 && all([&](const Sample&) { return bad_.front().got; })) {
    return fmt::format(
        "it returns {:.6g} where the function is flat and the derivative is 0: the mask or clamp "
        "of forward is missing in backward",
        bad_.front().got);
  }
  const double ratio = largest_->got / largest_->expected;
  if (largest_->expected != 0 && bad_.size() >= 2 && (means(ratio) || means(1 / ratio)) &&
      all([&](const Sample& s) { return ratio * s.expected; })) {
    const bool x_too = all([](const Sample& s) { return s.x; });
    if (std::abs(ratio + 1) < (evidence_.float32 ? 1e-6 : 1e-9)) return kWrongSign;
    const double other = slope_elsewhere();
    if (flat && std::abs(largest_->got - other) <= largest_->bound) {
      // A mask of y > 0 stands for x > 0 only where the slopes are positive.
      const bool by_y =
          evidence_.subject.ends_with("reads y") &&
          std::all_of(bad_.begin(), bad_.end(), [](const Sample& s) { return s.x * s.y < 0; });
      return fmt::format("it returns {:.6g}, the slope of the other points, instead of {}{}", other,
                         right(),
                         by_y ? ": the sign of y is not that of x there, and the branch is chosen "
                                "by it"
                              : "");
    }
    if (std::abs(ratio - 1) < 1e-4) {
      return fmt::format(
          "it returns the derivative times {:.10g}: close, not equal, as from a constant with too "
          "few digits, or a float in the double kernel",
          ratio);
    }
    return fmt::format("it returns the derivative times {}{}: {}", factor_name(ratio, evidence_),
                       x_too ? " (which is x itself)" : "", factor_mistake(ratio, evidence_));
  }
  return {};
}

// One of the operands instead of the derivative; the textbook's leaky relu.
std::string Formula::copies() const {
  if (bad_.size() < 2) return {};
  for (const bool input : {true, false}) {
    if (!all([&](const Sample& s) { return input ? s.x : s.y; })) continue;
    std::string text = fmt::format("it returns {} instead of {}",
                                   input ? "x (the input)" : "y (the output)", right());
    const auto here = expected_constant();
    const double shift = bad_.front().expected - bad_.front().got;
    if (!input && all([&](const Sample& s) { return s.expected - shift; })) {
      text += fmt::format(", which is y {} {}", shift < 0 ? "-" : "+",
                          factor_name(std::abs(std::round(shift * 1e9) / 1e9), evidence_));
    }
    double there = NAN;
    bool one = true;
    for (const Sample& s : evidence_.samples) {
      if (!s.good || s.kind != PointKind::smooth || s.x > 0) continue;
      if (std::isnan(there)) there = s.expected;
      one = one && std::abs(s.expected - there) <= s.bound + 1e-6 * std::abs(there);
    }
    const Region region = failing_region(evidence_);
    // A whole word of advice only where both branches are known: two slopes, cut at one place.
    if (here && one && std::isfinite(there) && region.text.starts_with("x >")) {
      text += fmt::format(
          ": `{0} ? x : {1:.4g}` is the function's own branch with its input left in; it should be "
          "`{0} ? {2:.4g} : {1:.4g}`",
          region.text, there, *here);
    }
    return text;
  }
  const auto flat = expected_constant();
  if (evidence_.one_line && flat) return {};
  const auto same_bits = [&](const Sample& s) { return s.got == bad_.front().got; };
  if ((bad_.size() >= 3 || std::all_of(bad_.begin(), bad_.end(), same_bits)) &&
      all([&](const Sample&) { return bad_.front().got; })) {
    return fmt::format("it returns the constant {:.6g} instead of {}", bad_.front().got, right());
  }
  // Something where 0 is right, and 0 where something is.
  int lost = 0, extra = 0;
  const double size = std::abs(largest_->expected);
  for (const Sample& s : bad_) {
    const bool none = std::abs(s.got) <= 1e-9 * size,
               flat_there = std::abs(s.expected) <= 1e-9 * size;
    if (none == flat_there) return {};
    ++(none ? lost : extra);
  }
  if (std::min(lost, extra) > 1) {
    return "the mask is inverted: it returns the slope where 0 is right, and 0 where the slope is";
  }
  return {};
}

// The right function of the wrong argument, or something added to it.
std::string Formula::elsewhere() const {
  const auto& slope = evidence_.slope;
  if (bad_.size() < 3) return {};
  if (slope && all([&](const Sample& s) { return slope(-s.x); })) {
    return "it returns the derivative at -x: the sign of the argument is flipped";
  }
  if (slope && all([&](const Sample& s) { return slope(s.y); })) {
    return "it returns the derivative at y: a formula for the input x was given the output y";
  }
  const double shift = largest_->got - largest_->expected;
  if (means(shift) && std::abs(shift) > 1e-6 * std::abs(largest_->expected) &&
      all([&](const Sample& s) { return s.expected + shift; })) {
    return fmt::format("it returns the derivative {} {}: a constant is {}",
                       shift < 0 ? "minus" : "plus", factor_name(std::abs(shift), evidence_),
                       shift < 0 ? "missing" : "added");
  }
  return {};
}

// No formula is known, but how far off it is.
std::string Formula::nearly() const {
  double most = 0;
  for (const Sample& s : bad_) {
    const double size = std::min(std::abs(largest_->expected), std::max(1.0, std::abs(s.expected)));
    most = std::max(most, std::abs(s.got - s.expected) / size);
  }
  const bool narrow = evidence_.subject.starts_with("f32"), one = bad_.size() == 1;
  if (!(most <= 1e-3)) return {};
  // A few roundings at one number of many are cancellation as well as anything else.
  if (narrow && one && std::abs(bad_[0].got - bad_[0].expected) < 8 * bad_[0].bound) return {};
  return fmt::format(
      "close, not equal (to {:.1g}): a constant with too few digits,{} or an approximation in "
      "backward that forward does not have",
      most, narrow ? "" : " a float in the double kernel,");
}

std::string mean_mistake(const std::vector<Sample>& bad) {
  const auto all = [&](double factor) {
    return std::all_of(bad.begin(), bad.end(), [&](const Sample& s) {
      return std::abs(s.got - factor * s.expected) <= s.bound + 0.02 * std::abs(s.expected);
    });
  };
  if (all(1)) return {};
  return all(0) ? "it returns 0 instead of the derivative" : all(-1) ? kWrongSign : "";
}

std::string formula_mistake(const Evidence& evidence, const std::vector<Sample>& bad) {
  const auto equal = [](const Sample& s) { return std::abs(s.got - s.expected) <= s.bound; };
  if (std::all_of(bad.begin(), bad.end(), equal)) return {};  // it is not the numbers that fail
  return Formula(evidence, bad).mistake();
}

}  // namespace limen::check
