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

// Of one kernel call: rows, and elements of an operand.
constexpr std::size_t kRows = 64, kElements = 65'536;

}  // namespace

std::vector<TestRow> test_rows(std::size_t n, Random random) {
  std::vector<TestRow> rows;
  const auto add = [&](std::string name, auto value) {
    TestRow row{std::move(name), Row(n)};
    for (std::size_t i = 0; i < n; ++i) {
      row.x[i] = static_cast<double>(static_cast<float>(value(i)));
    }
    row.equal = n > 1 && std::set<double>(row.x.begin(), row.x.end()).size() < n;
    rows.push_back(std::move(row));
  };
  add("normal", [&](std::size_t) { return random.normal(); });
  add("wide", [&](std::size_t) { return 5 * random.normal(); });
  add("equal", [&](std::size_t) { return 0.75; });
  add("ties", [&](std::size_t i) { return i % 2 == 0 ? 1.25 : -0.5; });
  add("small", [&](std::size_t) { return 0.003 * random.normal(); });
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
      one_(op, dtype_of_bit(backward.dtype), 1, n, settings) {}

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

Row VectorFunction::many(const Row& x, const Row* dy) {
  Row result;
  for (std::size_t begin = 0; begin < x.size(); begin += inputs()) {
    const auto from = x.begin() + static_cast<std::ptrdiff_t>(begin);
    const Row row(from, from + static_cast<std::ptrdiff_t>(inputs()));
    const Row values = dy == nullptr ? f(row) : b(row, *dy);
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

Row RowFunction::many(const Row& x, const Row* dy) {
  if (draws_) return VectorFunction::many(x, dy);
  const std::size_t count = x.size() / inputs();
  const std::size_t most = std::min({count, kRows, std::max<std::size_t>(1, kElements / n_)});
  if (!many_ || many_->x[0].size() < most * n_) {
    many_.emplace(one_.op, one_.x[0].dtype(), most, n_, one_.settings);
  }
  Operands& out = dy != nullptr ? many_->dx : many_->y;
  Row result(count * out.size() * n_);
  for (std::size_t begin = 0; begin < count; begin += many_->rows) {
    many_->rows = std::min(most, count - begin);
    const auto each = [&](Operands& operands, auto visit) {
      for (std::size_t r = 0; r < many_->rows; ++r) {
        for (std::size_t k = 0; k < operands.size(); ++k) {
          visit(operands[k], r * n_, ((begin + r) * operands.size() + k) * n_, k * n_);
        }
      }
    };
    each(many_->x, [&](Operand& operand, std::size_t at, std::size_t place, std::size_t) {
      operand.assign(std::span(x).subspan(place, n_), at);
    });
    if (dy != nullptr) {
      each(many_->dy, [&](Operand& operand, std::size_t at, std::size_t, std::size_t place) {
        operand.assign(std::span(*dy).subspan(place, n_), at);
      });
    }
    many_->run(forward_);
    if (dy != nullptr) many_->run(backward_);
    each(out, [&](Operand& operand, std::size_t at, std::size_t place, std::size_t) {
      operand.read(std::span(result).subspan(place, n_), at);
    });
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
  const std::size_t results = v != nullptr ? 1 : function.outputs();
  const auto values = [&](std::span<const double> offsets) {
    Row moved;
    for (const double offset : offsets) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        moved.push_back(direction[j] != 0 ? x[j] + offset * direction[j] : x[j]);
      }
    }
    Row all = function.many(moved, dy);
    if (v == nullptr) return all;
    for (std::size_t k = 0; k < offsets.size(); ++k) {
      const auto from = all.begin() + static_cast<std::ptrdiff_t>(k * v->size());
      all[k] = std::inner_product(v->begin(), v->end(), from, 0.0);
    }
    return all;
  };
  const Row first = ladder_offsets(at, precision, options), known = values(first);
  // A result may be what is left of larger ones: log softmax of a row that one element rules.
  for (const double y : std::span(known).first(results)) {
    if (std::isfinite(y)) options.value_scale = std::max(options.value_scale, std::abs(y));
  }
  // What several ladders ask for besides is computed once: where its values begin in `found`.
  std::map<double, std::size_t> places;
  Row found, fresh;
  std::vector<Derivative> result;
  for (std::size_t i = 0; i < results; ++i) {
    const BatchFunction f = [&](std::span<const double> offsets, std::span<double> to) {
      fresh.clear();
      std::vector<std::size_t> at_places;
      for (const double offset : offsets) {
        const auto [place, is_new] =
            places.try_emplace(offset, found.size() + fresh.size() * results);
        if (is_new) fresh.push_back(offset);
        at_places.push_back(place->second);
      }
      const Row more = values(fresh);
      found.insert(found.end(), more.begin(),
                   more.begin() + static_cast<std::ptrdiff_t>(fresh.size() * results));
      std::transform(at_places.begin(), at_places.end(), to.begin(),
                     [&](std::size_t place) { return found[place + i]; });
    };
    Row mine(first.size());
    for (std::size_t k = 0; k < mine.size(); ++k) mine[k] = known[k * results + i];
    result.push_back(derivative_at(f, at, precision, options, mine));
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
