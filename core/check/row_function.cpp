#include "check/row_function.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "check/activation.hpp"

namespace limen::check {

std::vector<TestRow> test_rows(std::size_t n, Random random) {
  std::vector<TestRow> rows;
  const auto add = [&](std::string name, auto value) {
    TestRow row{std::move(name), Row(n)};
    for (std::size_t i = 0; i < n; ++i) {
      row.x[i] = static_cast<double>(static_cast<float>(value(i)));
    }
    rows.push_back(std::move(row));
  };
  add("normal", [&](std::size_t) { return random.normal(); });
  add("wide", [&](std::size_t) { return 5 * random.normal(); });
  add("equal", [&](std::size_t) { return 0.75; });
  add("ties", [&](std::size_t i) { return i % 2 == 0 ? 1.25 : -0.5; });
  add("zero", [&](std::size_t) { return 0.0; });
  add("one large", [&](std::size_t i) { return i == n / 2 ? 50.0 : random.normal(); });
  add("around 1000", [&](std::size_t) { return 1000 + random.normal(); });
  add("around -1000", [&](std::size_t) { return -1000 + random.normal(); });
  add("+-1000", [&](std::size_t i) { return i % 2 == 0 ? 1000.0 : -1000.0; });
  return rows;
}

Row joined(const Operands& operands) {
  Row row;
  for (const Operand& operand : operands) {
    const Row values = operand.values();
    row.insert(row.end(), values.begin(), values.end());
  }
  return row;
}

void split(const Row& row, Operands& operands) {
  std::size_t at = 0;
  for (Operand& operand : operands) {
    operand.assign(std::span(row).subspan(at, operand.size()));
    at += operand.size();
  }
}

RowFunction::RowFunction(const OpCase& op, const limen_kernel& forward,
                         const limen_kernel& backward, std::size_t n, const CallSettings& settings)
    : forward_(forward),
      backward_(backward),
      n_(n),
      one_(op, dtype_of_bit(backward.dtype), 1, n, settings),
      all_(op, dtype_of_bit(backward.dtype), n * op.op().outputs, n, settings) {}

Row RowFunction::f(const Row& x) {
  split(x, one_.x);
  one_.run(forward_);
  return joined(one_.y);
}

Row RowFunction::b(const Row& x, const Row& dy) {
  f(x);
  split(dy, one_.dy);
  one_.run(backward_);
  return joined(one_.dx);
}

Row RowFunction::jacobian(const Row& x, std::size_t k, double relative) {
  const std::size_t rows = outputs();
  for (Operand& dy : all_.dy) dy.fill(0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) all_.x[j / n_].set(i * n_ + j % n_, x[j]);
    all_.dy[i / n_].set(i * n_ + i % n_, 1);
  }
  all_.run(forward_);
  for (std::size_t i = 0; relative != 0 && i < rows; ++i) {
    Operand& y = all_.y[k / n_];
    y.set(i * n_ + k % n_, y.get(i * n_ + k % n_) * (1 + relative));
  }
  all_.run(backward_);
  Row result(rows * x.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      result[i * x.size() + j] = all_.dx[j / n_].get(i * n_ + j % n_);
    }
  }
  return result;
}

Row VectorFunction::moves(const Row& x, double relative) {
  Row sum(outputs() * inputs(), 0);
  const auto add = [&](const Row& a, const Row& b) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double change = 0.5 * std::abs(a[i] - b[i]);
      if (std::isfinite(change)) sum[i] += change;
    }
  };
  for (std::size_t k = 0; k < inputs(); ++k) {
    Row up = x, down = x;
    up[k] *= 1 + relative;
    down[k] *= 1 - relative;
    if (x[k] != 0) add(jacobian(up), jacobian(down));
  }
  for (std::size_t k = 0; reads_y() && k < outputs(); ++k) {
    add(jacobian(x, k, relative), jacobian(x, k, -relative));
  }
  return sum;
}

double slope_scale(VectorFunction& function, const std::vector<TestRow>& rows) {
  double scale = 0;
  const auto raise = [&](const Row& values, double factor) {
    for (const double v : values) {
      if (std::isfinite(v)) scale = std::max(scale, factor * std::abs(v));
    }
  };
  for (const TestRow& row : rows) {
    raise(function.jacobian(row.x), 1);
    raise(function.f(row.x), 0.025);
  }
  return scale;
}

}  // namespace limen::check
