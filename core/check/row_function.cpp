#include "check/row_function.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
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

RowFunction::RowFunction(const OpCase& op, const limen_kernel& forward,
                         const limen_kernel& backward, std::size_t n)
    : forward_(forward),
      backward_(backward),
      n_(n),
      one_(op, dtype_of_bit(backward.dtype), 1, n),
      all_(op, dtype_of_bit(backward.dtype), n, n) {}

Row RowFunction::f(const Row& x) {
  one_.x.assign(x);
  one_.run(forward_);
  return one_.y.values();
}

Row RowFunction::b(const Row& x, const Row& dy) {
  f(x);
  one_.dy.assign(dy);
  one_.run(backward_);
  return one_.dx.values();
}

Row RowFunction::jacobian(const Row& x, std::size_t k, double relative) {
  for (std::size_t i = 0; i < n_; ++i) {
    for (std::size_t j = 0; j < n_; ++j) {
      all_.x.set(i * n_ + j, x[j]);
      all_.dy.set(i * n_ + j, i == j ? 1 : 0);
    }
  }
  all_.run(forward_);
  if (relative != 0) {
    for (std::size_t i = 0; i < n_; ++i) {
      all_.y.set(i * n_ + k, all_.y.get(i * n_ + k) * (1 + relative));
    }
  }
  all_.dx.fill(std::numeric_limits<double>::quiet_NaN());
  all_.run(backward_);
  return all_.dx.values();
}

Row RowFunction::moves(const Row& x, double relative) {
  Row sum(n_ * n_, 0);
  const auto add = [&](const Row& a, const Row& b) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double change = 0.5 * std::abs(a[i] - b[i]);
      if (std::isfinite(change)) sum[i] += change;
    }
  };
  for (std::size_t k = 0; k < n_; ++k) {
    Row up = x, down = x;
    up[k] *= 1 + relative;
    down[k] *= 1 - relative;
    if (x[k] != 0) add(jacobian(up), jacobian(down));
    if ((backward_.reads & LIMEN_Y) != 0) {
      add(jacobian(x, k, relative), jacobian(x, k, -relative));
    }
  }
  return sum;
}

double slope_scale(RowFunction& function, const std::vector<TestRow>& rows) {
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
