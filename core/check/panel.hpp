// One panel of the integral: the gradient by Gauss and Kronrod, against the rise of f.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "check/integral.hpp"

namespace limen::check {

constexpr std::size_t kNodes = 15;

struct MeasuredPanel {
  bool finite = true;
  double gap = 0;       // of f(c) - f(a) from the integral
  double quad = 0;      // |K - G|
  double rounding = 0;  // that the gap may have
  double rise = 0, integral = 0;
  double scale = 0;  // of slopes there, if the gap or |K - G| is worth a question

  bool agrees(double more = 0) const { return std::abs(gap) <= quad + rounding + more; }
  bool converged() const { return quad <= 0.05 * std::abs(gap); }
};

// Appends the places at which a panel wants the gradient.
void nodes_of(const Panel& panel, std::vector<double>& nodes);

// `b` at the nodes, f at both ends.
MeasuredPanel measure(const IntegralSubject& subject, const Panel& panel,
                      std::span<const double> nodes, std::span<const double> b, double f_low,
                      double f_high);

}  // namespace limen::check
