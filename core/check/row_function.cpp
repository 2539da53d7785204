#include "check/row_function.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <utility>

#include "check/activation.hpp"

namespace limen::check {
namespace {

constexpr std::size_t kRows = 64;  // of one kernel call

}  // namespace

std::vector<TestRow> test_rows(std::size_t n, Random random) {
  std::vector<TestRow> rows;
  const auto add = [&](std::string name, auto value) {
    TestRow row{std::move(name), Row(n)};
    for (std::size_t i = 0; i < n; ++i) {
      row.x[i] = static_cast<double>(static_cast<float>(value(i)));
    }
    row.equal = n > 2 && std::set<double>(row.x.begin(), row.x.end()).size() < n;
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
      draws_(op.stochastic() && (settings.flags & LIMEN_TILE_EVAL) == 0),
      one_(op, dtype_of_bit(backward.dtype), 1, n, settings),
      many_(op, dtype_of_bit(backward.dtype), kRows, n, settings) {}

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

std::vector<Row> VectorFunction::many(const std::vector<Row>& x, const Row* dy) {
  std::vector<Row> result;
  for (const Row& row : x) result.push_back(dy == nullptr ? f(row) : b(row, *dy));
  return result;
}

std::vector<Row> RowFunction::many(const std::vector<Row>& x, const Row* dy) {
  if (draws_) return VectorFunction::many(x, dy);
  std::vector<Row> result(x.size());
  const auto set = [&](Operands& operands, std::size_t row, const Row& values) {
    for (std::size_t j = 0; j < values.size(); ++j) {
      operands[j / n_].set(row * n_ + j % n_, values[j]);
    }
  };
  for (std::size_t begin = 0; begin < x.size(); begin += many_.rows) {
    many_.rows = std::min(kRows, x.size() - begin);
    for (std::size_t r = 0; r < many_.rows; ++r) {
      set(many_.x, r, x[begin + r]);
      if (dy != nullptr) set(many_.dy, r, *dy);
    }
    many_.run(forward_);
    if (dy != nullptr) many_.run(backward_);
    const Operands& out = dy != nullptr ? many_.dx : many_.y;
    for (std::size_t r = 0; r < many_.rows; ++r) {
      Row& row = result[begin + r];
      for (std::size_t j = 0; j < out.size() * n_; ++j) {
        row.push_back(out[j / n_].get(r * n_ + j % n_));
      }
    }
  }
  return result;
}

// Of a stochastic op: each row of a call has draws of its own, so it takes one call after another.
Row RowFunction::jacobian_by_calls(const Row& x, std::size_t k, double relative) {
  Row result;
  for (std::size_t i = 0; i < outputs(); ++i) {
    const Row y = f(x);
    if (relative != 0) one_.y[k / n_].set(k % n_, y[k] * (1 + relative));
    for (Operand& dy : one_.dy) dy.fill(0);
    one_.dy[i / n_].set(i % n_, 1);
    one_.run(backward_);
    const Row dx = joined(one_.dx);
    result.insert(result.end(), dx.begin(), dx.end());
  }
  return result;
}

Row RowFunction::jacobian(const Row& x, std::size_t k, double relative) {
  if (draws_) return jacobian_by_calls(x, k, relative);
  const std::size_t rows = outputs();
  if (!all_) all_.emplace(one_.op, one_.x[0].dtype(), rows, n_, one_.settings);
  for (Operand& dy : all_->dy) dy.fill(0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) all_->x[j / n_].set(i * n_ + j % n_, x[j]);
    all_->dy[i / n_].set(i * n_ + i % n_, 1);
  }
  all_->run(forward_);
  for (std::size_t i = 0; relative != 0 && i < rows; ++i) {
    Operand& y = all_->y[k / n_];
    y.set(i * n_ + k % n_, y.get(i * n_ + k % n_) * (1 + relative));
  }
  all_->run(backward_);
  Row result(rows * x.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      result[i * x.size() + j] = all_->dx[j / n_].get(i * n_ + j % n_);
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

std::vector<Derivative> slopes_along(VectorFunction& function, const Row& x, const Row& direction,
                                     double at, const Precision& precision, LadderOptions options,
                                     const Row* dy, const Row* v) {
  std::map<double, Row> seen;
  // values[k] at offset k; what several ladders ask for is computed once.
  const auto values = [&](std::span<const double> offsets) {
    std::vector<Row> rows;
    Row fresh;
    for (const double offset : offsets) {
      if (!seen.try_emplace(offset).second) continue;
      Row moved = x;
      for (std::size_t j = 0; j < x.size(); ++j) {
        if (direction[j] != 0) moved[j] += offset * direction[j];
      }
      rows.push_back(std::move(moved));
      fresh.push_back(offset);
    }
    std::vector<Row> results = function.many(rows, dy);
    for (std::size_t k = 0; k < fresh.size(); ++k) {
      if (v != nullptr) {
        results[k] = {std::inner_product(v->begin(), v->end(), results[k].begin(), 0.0)};
      }
      seen[fresh[k]] = std::move(results[k]);
    }
  };
  // A result may be what is left of larger ones: log softmax of a row that one element rules.
  values(Row{0});
  for (const double y : seen[0]) {
    if (std::isfinite(y)) options.value_scale = std::max(options.value_scale, std::abs(y));
  }
  const Row first = ladder_offsets(at, precision, options);
  std::vector<Derivative> result;
  for (std::size_t i = 0; i < (v != nullptr ? 1 : function.outputs()); ++i) {
    const BatchFunction f = [&](std::span<const double> offsets, std::span<double> to) {
      values(offsets);
      std::transform(offsets.begin(), offsets.end(), to.begin(),
                     [&](double offset) { return seen[offset][i]; });
    };
    Row known(first.size());
    f(first, known);
    result.push_back(derivative_at(f, at, precision, options, known));
  }
  return result;
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
