// The hypotheses about a formula of a derivative: what backward returned at the failing points is
// compared with simple functions of x, of y and of the right derivative.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "check/diagnosis.hpp"

namespace limen::check {

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
          &Formula::products, &Formula::terms, &Formula::product_rule, &Formula::nearly}) {
      if (std::string text = (this->*part)(); !text.empty()) return text;
    }
    return {};
  }

 private:
  const Evidence& evidence_;
  const std::vector<Sample>& bad_;
  std::vector<Sample>::const_iterator largest_;

  // Whether all failing points return what `hypothesis` says; where it is NaN (1 / x at 0) it says
  // nothing. An error of 1e-6 of a term is small besides a mistake in a formula, unless the whole
  // mistake is as small.
  template <class Hypothesis>
  bool all(const Hypothesis& hypothesis) const {
    std::size_t open = 0;
    return std::all_of(bad_.begin(), bad_.end(), [&](const Sample& s) {
      const double h = hypothesis(s);
      if (std::isnan(h)) return ++open * 8 <= bad_.size();
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
    const double rounded = std::round(c * 1e9) / 1e9;
    return std::abs(c - rounded) <= bad_.front().bound + 1e-9 * std::abs(c) ? rounded : c;
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
  std::string product_rule() const;
  std::string nearly() const;

  // Whether a part of a formula changes enough from point to point to be told from a constant, or
  // from its own straight line.
  template <class Part>
  bool varies(const Part& part) const {
    double low = INFINITY, high = -INFINITY;
    for (const Sample& s : bad_) {
      low = std::min(low, part(s));
      high = std::max(high, part(s));
    }
    return high - low > 0.05 * std::max(std::abs(low), std::abs(high));
  }
  // The slope that all the good points have; NaN if they have several.
  double slope_elsewhere() const;
};

}  // namespace limen::check
