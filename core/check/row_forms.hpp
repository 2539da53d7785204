// Lengths of row, numbers of rows and their layout: where kernels have code of their own.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "check/activation.hpp"

namespace limen::check {

struct Form {
  std::size_t n, rows = 1, gap = 0;  // elements between a row and the next
  double spread = 1;                 // of x
  bool constant = false;             // one upstream for all

  std::size_t stride() const { return n + gap; }
  std::size_t size() const { return rows * stride(); }
  std::string name() const;
};

// The longest is more than a block of 4096; where one of 1000 takes long, because time grows with
// the square of the row (an op that compares all with all), 1030 must do, which is more than 1024.
constexpr std::size_t kLongestRow = 5003, kLongRow = 1000, kSlowRow = 1030;

// sum a_i b_i and the sum of its terms' sizes.
struct Product {
  double value = 0, size = 0;
  Product() = default;
  Product(const Row& a, const Row& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      value += a[i] * b[i];
      size += std::abs(a[i] * b[i]);
    }
  }
  bool finite() const { return std::isfinite(size); }
};

// The operands of one form, and what the reference kernels give for them.
struct Case {
  Form form;
  Row x, v, second, dy;  // two directions; all of them 0 between rows
  Row dx, dw;
  Product along, value;              // <v, dx> and <dy, y>
  double length = 0, cancelled = 0;  // of v; the size of <v, dx> if nothing cancelled
  std::optional<double> bend;        // of <v, dx> along `second`, by a plain difference
  std::optional<Derivative> curvature;
};

// All forms that are checked, with numbers for them.
std::vector<Case> drawn_cases(const ActivationContext& context);

// Which forms are wrong, in words; empty: no simple rule.
std::string which_rows(const std::vector<Form>& good, const std::vector<Form>& bad);

}  // namespace limen::check
