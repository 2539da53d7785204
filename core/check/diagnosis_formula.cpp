// Mistakes in the formula of a derivative of one number: what backward returns is compared with
// simple functions of x, of y and of the right derivative.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "check/diagnosis.hpp"

namespace limen::check {
namespace {

double logistic(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
double density(double x) { return std::exp(-x * x / 2) * 0.39894228040143267794; }

// Something that may stand in the wrong place of a formula.
struct Feature {
  const char* name;
  double (*of)(const Sample&);
};
constexpr std::array<Feature, 15> kFeatures{{
    {"the derivative's square", [](const Sample& s) { return s.expected * s.expected; }},
    {"the derivative's square root: a square is lost",
     [](const Sample& s) { return std::copysign(std::sqrt(std::abs(s.expected)), s.expected); }},
    {"x times the derivative", [](const Sample& s) { return s.x * s.expected; }},
    {"y times the derivative", [](const Sample& s) { return s.y * s.expected; }},
    {"x", [](const Sample& s) { return s.x; }},
    {"y", [](const Sample& s) { return s.y; }},
    {"x^2", [](const Sample& s) { return s.x * s.x; }},
    {"y^2", [](const Sample& s) { return s.y * s.y; }},
    {"|x|", [](const Sample& s) { return std::abs(s.x); }},
    {"sigmoid(x)", [](const Sample& s) { return logistic(s.x); }},
    {"sigmoid'(x)", [](const Sample& s) { return logistic(s.x) * logistic(-s.x); }},
    {"x sigmoid'(x)", [](const Sample& s) { return s.x * logistic(s.x) * logistic(-s.x); }},
    {"the normal density at x", [](const Sample& s) { return density(s.x); }},
    {"x times the normal density at x", [](const Sample& s) { return s.x * density(s.x); }},
    {"exp(x)", [](const Sample& s) { return std::exp(s.x); }},
}};

class Formula {
 public:
  Formula(const Evidence& evidence, const std::vector<Sample>& bad)
      : evidence_(evidence), bad_(bad) {
    const auto size = [](const Sample& a, const Sample& b) {
      return std::abs(a.expected) < std::abs(b.expected);
    };
    largest_ = std::max_element(bad.begin(), bad.end(), size);
  }

  std::string mistake() const {
    for (const auto part :
         {&Formula::constants, &Formula::copies, &Formula::elsewhere, &Formula::polynomials,
          &Formula::products, &Formula::terms, &Formula::nearly}) {
      if (std::string text = (this->*part)(); !text.empty()) return text;
    }
    return {};
  }

 private:
  const Evidence& evidence_;
  const std::vector<Sample>& bad_;
  std::vector<Sample>::const_iterator largest_;

  // Whether all failing points return what `hypothesis` says. An error of 1e-6 of a term is small
  // besides a mistake in a formula, unless the whole mistake is as small.
  template <class Hypothesis>
  bool all(const Hypothesis& hypothesis) const {
    return std::all_of(bad_.begin(), bad_.end(), [&](const Sample& s) {
      const double h = hypothesis(s);
      const double error = std::abs(s.got - s.expected);
      return std::abs(s.got - h) <=
             s.bound + std::min(1e-6 * std::abs(h) + 1e-9 * std::abs(s.expected), 0.02 * error);
    });
  }
  // Whether a factor means something: on a line through the inputs of a function the other inputs
  // are factors, too.
  bool means(double factor) const {
    const double twelve = 12 * factor;
    return !evidence_.one_line || std::abs(twelve - std::round(twelve)) < 1e-6;
  }
  // The number that all expected derivatives are.
  std::optional<double> expected_constant() const {
    const double c = bad_.front().expected;
    const bool same = std::all_of(bad_.begin(), bad_.end(), [&](const Sample& s) {
      return std::abs(s.expected - c) <= s.bound + bad_.front().bound + 1e-9 * std::abs(c);
    });
    if (!same) return std::nullopt;
    return std::round(c * 1e9) / 1e9;
  }
  std::string right() const {
    const auto c = expected_constant();
    return c ? fmt::format("the derivative {:.6g}", *c) : std::string("the derivative");
  }

  std::string constants() const;
  std::string copies() const;
  std::string elsewhere() const;
  std::string polynomials() const;
  std::string products() const;
  std::string terms() const;
  std::string nearly() const;
};

std::string Formula::constants() const {
  const auto flat = expected_constant();
  if (all([](const Sample&) { return 0.0; })) {
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
    if (std::abs(ratio + 1) < 1e-9) return "it returns the derivative with the wrong sign";
    if (std::abs(ratio - 1) < 1e-4) {
      return fmt::format(
          "it returns the derivative times {:.10g}: close, not equal, as from a constant with too "
          "few digits, or a float in the double kernel",
          ratio);
    }
    return fmt::format("it returns the derivative times {}{}: a factor {} is {}",
                       factor_name(ratio, evidence_), x_too ? " (which is x itself)" : "",
                       factor_name(std::abs(ratio) < 1 ? 1 / ratio : ratio, evidence_),
                       std::abs(ratio) < 1 ? "missing" : "too many");
  }
  return {};
}

// One of the operands instead of the derivative; the textbook's leaky relu.
std::string Formula::copies() const {
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
  if (bad_.size() >= 3 && all([&](const Sample&) { return bad_.front().got; })) {
    return fmt::format("it returns the constant {:.6g} instead of {}", bad_.front().got, right());
  }
  // 1 where 0 is right, and 0 where 1 is.
  double c = 0;
  for (const Sample& s : bad_) c = std::max(c, std::round(s.expected * 1e9) / 1e9);
  if (!flat && c > 0 && all([&](const Sample& s) { return c - s.expected; }) &&
      std::all_of(bad_.begin(), bad_.end(),
                  [&](const Sample& s) { return std::abs(s.got * s.expected) <= 1e-9 * c * c; })) {
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
  if (all([&](const Sample& s) { return s.expected + shift; })) {
    return fmt::format("it returns the derivative {} {}: a constant is {}",
                       shift < 0 ? "minus" : "plus", factor_name(std::abs(shift), evidence_),
                       shift < 0 ? "missing" : "added");
  }
  return {};
}

// c0 + c1 t + c2 t^2 through `value` at three points, if it holds at all others.
using Coefficients = std::array<double, 3>;

template <class Argument, class Value>
std::optional<Coefficients> quadratic(const std::vector<Sample>& samples, const Argument& argument,
                                      const Value& value) {
  std::vector<Sample> sorted;
  for (const Sample& s : samples) {
    if (std::abs(argument(s)) < 100 && std::isfinite(value(s))) sorted.push_back(s);
  }
  if (sorted.size() < 6) return std::nullopt;
  std::sort(sorted.begin(), sorted.end(),
            [&](const Sample& a, const Sample& b) { return argument(a) < argument(b); });
  const Sample &a = sorted.front(), &b = sorted[sorted.size() / 2], &c = sorted.back();
  const double x0 = argument(a), x1 = argument(b), x2 = argument(c);
  if (!(x1 - x0 > 1e-3) || !(x2 - x1 > 1e-3)) return std::nullopt;
  const double d1 = (value(b) - value(a)) / (x1 - x0), d2 = (value(c) - value(b)) / (x2 - x1);
  const double q = (d2 - d1) / (x2 - x0);
  Coefficients p{value(a) - d1 * x0 + q * x0 * x1, d1 - q * (x0 + x1), q};
  for (double& k : p) k = std::round(k * 1e6) / 1e6 + 0.0;
  for (const Sample& s : sorted) {
    const double t = argument(s), v = p[0] + t * (p[1] + t * p[2]);
    const double size = std::abs(p[0]) + std::abs(t * p[1]) + std::abs(t * t * p[2]);
    if (!(std::abs(value(s) - v) <= s.bound + 1e-5 * size)) return std::nullopt;
  }
  return p;
}

std::string text_of(const Coefficients& p, char name) {
  std::string text;
  for (std::size_t k = 0; k < p.size(); ++k) {
    if (p[k] == 0) continue;
    const double size = std::abs(p[k]);
    text += text.empty() ? (p[k] < 0 ? "-" : "") : (p[k] < 0 ? " - " : " + ");
    if (size != 1 || k == 0) text += fmt::format("{:.6g}{}", size, k == 0 ? "" : " ");
    if (k > 0) text += k == 1 ? std::string(1, name) : fmt::format("{}^2", name);
  }
  return text.empty() ? "0" : text;
}

std::string Formula::polynomials() const {
  const auto x = [](const Sample& s) { return s.x; };
  const auto y = [](const Sample& s) { return s.y; };
  const auto got = [](const Sample& s) { return s.got; };
  const auto expected = [](const Sample& s) { return s.expected; };
  const auto right_y = quadratic(bad_, y, expected);
  if (!right_y || evidence_.one_line) return {};
  if (const auto p = quadratic(bad_, y, got)) {
    return fmt::format("it computes {} from the output y; the derivative is {}", text_of(*p, 'y'),
                       text_of(*right_y, 'y'));
  }
  const auto p = quadratic(bad_, x, got);
  if (!p) return {};
  const std::string wrong = text_of(*p, 'x'), good = text_of(*right_y, 'y');
  if (*p == *right_y) {
    return fmt::format(
        "it computes {}: the formula for the output y was given the input x; the "
        "derivative is {}",
        wrong, good);
  }
  return fmt::format("it computes {} from the input x; the derivative is {}", wrong, good);
}

std::string Formula::products() const {
  if (bad_.size() < 4) return {};
  for (const Feature& feature : kFeatures) {
    const double at = feature.of(*largest_);
    if (at == 0 || !std::isfinite(at)) continue;
    const double c = largest_->got / at;
    if (c == 0 || !means(c) || !all([&](const Sample& s) { return c * feature.of(s); })) continue;
    const std::string lost = terms();
    if (std::abs(c - 1) < 1e-6) {
      return fmt::format("it returns {}{}{}", feature.name, lost.empty() ? "" : ": ", lost);
    }
    return fmt::format("it returns {} times {}", factor_name(c, evidence_), feature.name);
  }
  return {};
}

std::string Formula::terms() const {
  if (bad_.size() < 4) return {};
  const auto worst =
      std::max_element(bad_.begin(), bad_.end(), [](const Sample& a, const Sample& b) {
        return std::abs(a.got - a.expected) < std::abs(b.got - b.expected);
      });
  const auto term = [&](const auto& of, const std::string& name) -> std::string {
    const double at = of(*worst), c = (worst->got - worst->expected) / at;
    if (at == 0 || !std::isfinite(c) || c == 0 || !means(c)) return {};
    if (!all([&](const Sample& s) { return s.expected + c * of(s); })) return {};
    const double size = std::abs(c);
    const std::string times =
        std::abs(size - 1) < 1e-6 ? "" : fmt::format("{} times ", factor_name(size, evidence_));
    return fmt::format("the term {}{} is {}", times, name, c < 0 ? "missing" : "too much");
  };
  for (const Feature& feature : kFeatures) {
    if (std::string text = term(feature.of, feature.name); !text.empty()) return text;
  }
  // A term that lost its factor x: t is there where x t should be.
  for (const Feature& feature : kFeatures) {
    const auto lost = [&](const Sample& s) { return (1 - s.x) * feature.of(s); };
    if (term(lost, feature.name).empty()) continue;
    return fmt::format("the term x times {} lost its factor x", feature.name);
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
  if (!(most <= 1e-3)) return {};
  return fmt::format(
      "close, not equal (to {:.1g}): a constant with too few digits, a float in the double kernel, "
      "or an approximation in backward that forward does not have",
      most);
}

}  // namespace

std::string formula_mistake(const Evidence& evidence, const std::vector<Sample>& bad) {
  return Formula(evidence, bad).mistake();
}

}  // namespace limen::check
