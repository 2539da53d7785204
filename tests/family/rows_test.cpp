// The activations of whole rows against their definitions in long double.
#include <gtest/gtest.h>

#include <numeric>

#include "family/kernels.hpp"

namespace limen::test {
namespace {

using Real = long double;
using Row = std::vector<Real>;

struct RowDefinition {
  std::string name;
  std::map<std::string, double> with;
  Row (*f)(const Row& x, Real parameter);
  // The transposed Jacobian times dy.
  Row (*pull)(const Row& x, const Row& y, const Row& dy, Real parameter);
  Real floor;  // what errors count relative to if the exact value is smaller
};

Real inner(const Row& a, const Row& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), Real(0));
}

Row softmax(const Row& x, Real scale) {
  Row y;
  Real most = -std::numeric_limits<Real>::infinity(), sum = 0;
  for (const Real v : x) most = std::max(most, v * scale);
  for (const Real v : x) y.push_back(std::exp(v * scale - most));
  for (const Real v : y) sum += v;
  for (Real& v : y) v /= sum;
  return y;
}
Row softmax_pull(const Row& y, const Row& dy, Real scale) {
  const Real mean = inner(y, dy);
  Row dx;
  for (std::size_t i = 0; i < y.size(); ++i) dx.push_back(scale * y[i] * (dy[i] - mean));
  return dx;
}

Row log_softmax(const Row& x, Real) {
  const auto largest = std::max_element(x.begin(), x.end());
  Real others = 0;  // without one of the largest, so that log1p sees what is close to 0
  for (auto it = x.begin(); it != x.end(); ++it) {
    if (it != largest) others += std::exp(*it - *largest);
  }
  Row y;
  for (const Real v : x) y.push_back(v - *largest - std::log1p(others));
  return y;
}
Row log_softmax_pull(const Row& x, const Row&, const Row& dy, Real) {
  const Real sum = std::accumulate(dy.begin(), dy.end(), Real(0));
  Row dx = softmax(x, 1);
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = dy[i] - dx[i] * sum;
  return dx;
}

// By sorting: the support is the longest prefix whose last element stays above the threshold.
Row sparsemax(const Row& x, Real) {
  Row sorted = x, y;
  std::sort(sorted.rbegin(), sorted.rend());
  Real sum = 0, tau = 0;
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    sum += sorted[k];
    const Real next = (sum - 1) / static_cast<Real>(k + 1);
    if (sorted[k] > next) tau = next;
  }
  for (const Real v : x) y.push_back(std::max(v - tau, Real(0)));
  return y;
}
Row sparsemax_pull(const Row&, const Row& y, const Row& dy, Real) {
  Real sum = 0, count = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (y[i] > 0) sum += dy[i], count += 1;
  }
  Row dx;
  for (std::size_t i = 0; i < y.size(); ++i) dx.push_back(y[i] > 0 ? dy[i] - sum / count : 0);
  return dx;
}

Row hard_max(const Row& x, Real) {
  Row y(x.size(), 0);
  y[static_cast<std::size_t>(std::max_element(x.begin(), x.end()) - x.begin())] = 1;
  return y;
}

const std::vector<RowDefinition>& row_definitions() {
  static const std::vector<RowDefinition> kAll = {
      {"softmax",
       {},
       [](const Row& x, Real) { return softmax(x, 1); },
       [](const Row&, const Row& y, const Row& dy, Real) { return softmax_pull(y, dy, 1); },
       0x1p-10L},
      {"softmax",
       {{"temperature", 0.5}},
       [](const Row& x, Real t) { return softmax(x, 1 / t); },
       [](const Row&, const Row& y, const Row& dy, Real t) { return softmax_pull(y, dy, 1 / t); },
       0x1p-10L},
      {"softmin",
       {},
       [](const Row& x, Real) { return softmax(x, -1); },
       [](const Row&, const Row& y, const Row& dy, Real) { return softmax_pull(y, dy, -1); },
       0x1p-10L},
      {"gumbel_softmax",
       {{"tau", 2}},
       [](const Row& x, Real t) { return softmax(x, 1 / t); },
       [](const Row&, const Row& y, const Row& dy, Real t) { return softmax_pull(y, dy, 1 / t); },
       0x1p-10L},
      {"log_softmax", {}, log_softmax, log_softmax_pull, 0},
      {"sparsemax", {}, sparsemax, sparsemax_pull, 1},
      {"hard_max",
       {},
       hard_max,
       [](const Row& x, const Row&, const Row&, Real) { return Row(x.size(), 0); },
       0},
  };
  return kAll;
}

template <class F>
struct Rows {
  Activation a;
  std::size_t rows, n;
  std::vector<F> x, dy;

  std::vector<F> run(const limen_kernel* k, std::vector<F> y = {}) const {
    std::vector<F> out(x.size());
    const void *xs[] = {x.data()}, *dys[] = {dy.data()};
    void* outs[] = {out.data()};
    void* ys[] = {y.data()};
    limen_tile t{};
    t.size = sizeof t;
    t.flags = LIMEN_TILE_EVAL;
    t.n = n, t.rows = rows;
    t.row_stride = static_cast<std::int64_t>(n);
    t.hyper = a.hyper().data();
    t.x = xs;
    if (k->role == LIMEN_FORWARD) {
      t.y = outs;
    } else {
      t.y = ys, t.dy = dys, t.dx = outs;
    }
    k->run(&t);
    return out;
  }
  Row row(const std::vector<F>& all, std::size_t r) const {
    return Row(all.begin() + static_cast<std::ptrdiff_t>(r * n),
               all.begin() + static_cast<std::ptrdiff_t>((r + 1) * n));
  }
};

template <class F>
Rows<F> random_rows(const Activation& a, std::size_t rows, std::size_t n) {
  Rows<F> t{a, rows, n, {}, {}};
  std::mt19937_64 random(n);
  std::normal_distribution<double> normal;
  for (std::size_t r = 0; r < rows; ++r) {
    const double spread = std::ldexp(1.0, static_cast<int>(r % 8) - 2);  // to 32
    const double shift = r % 3 == 0 ? 1e4 : 0;
    for (std::size_t i = 0; i < n; ++i) {
      t.x.push_back(static_cast<F>(normal(random) * spread + shift));
      t.dy.push_back(static_cast<F>(normal(random)));
    }
  }
  if (n > 2) t.x[1] = t.x[2];  // a tie
  return t;
}

template <class F>
void expect_rows(const RowDefinition& d) {
  const Activation a = shipped().find(d.name).with(d.with);
  const Real parameter = a.hyper().empty() ? 0 : static_cast<Real>(static_cast<F>(a.hyper()[0]));
  double value = 0, gradient = 0;
  std::string at;
  for (const std::size_t n : {1, 2, 3, 10, 16, 17, 257, 1000}) {
    const Rows<F> t = random_rows<F>(a, 24, n);
    for (const limen_kernel* k : kernels<F>(a, LIMEN_FORWARD)) {
      const std::vector<F> y = t.run(k);
      for (std::size_t r = 0; r < t.rows; ++r) {
        const Row exact = d.f(t.row(t.x, r), parameter);
        for (std::size_t i = 0; i < n; ++i) {
          const double error = ulp_error(y[r * n + i], exact[i], d.floor);
          if (error > value) at = std::to_string(n) + " elements, " + std::to_string(exact[i]);
          value = std::max(value, error);
        }
      }
      for (const limen_kernel* back : kernels<F>(a, LIMEN_BACKWARD)) {
        if (back->isa != k->isa) continue;
        const std::vector<F> dx = t.run(back, y);
        for (std::size_t r = 0; r < t.rows; ++r) {
          const Row x = t.row(t.x, r), dy = t.row(t.dy, r);
          const Row exact = d.pull(x, d.f(x, parameter), dy, parameter);
          Real scale = 1;  // of the row: what is exact about a sum are its largest terms
          for (const Real v : dy) scale += std::abs(v);
          for (std::size_t i = 0; i < n; ++i) {
            gradient = std::max(gradient, ulp_error(dx[r * n + i], exact[i], scale));
          }
        }
      }
    }
  }
  EXPECT_LE(value, 4) << d.name << (sizeof(F) == 4 ? " f32, " : " f64, ") << at;
  EXPECT_LE(gradient, 4) << d.name << (sizeof(F) == 4 ? " f32" : " f64");
  testing::Test::RecordProperty(d.name + (sizeof(F) == 4 ? "_f32" : "_f64"),
                                std::to_string(value) + " " + std::to_string(gradient));
}

TEST(FamilyRows, ValuesAndProductsAreThoseOfTheDefinition) {
  for (const RowDefinition& d : row_definitions()) {
    expect_rows<float>(d);
    expect_rows<double>(d);
  }
}

template <class F>
void expect_row_limits() {
  const F inf = std::numeric_limits<F>::infinity(), nan = std::numeric_limits<F>::quiet_NaN();
  const auto forward = [](const char* name, const std::vector<F>& x) {
    const Activation a = shipped().find(name);
    return Rows<F>{a, 1, x.size(), x, x}.run(a.kernel(LIMEN_FORWARD, kDtype<F>, detect_isa()));
  };
  using V = std::vector<F>;
  EXPECT_EQ(forward("softmax", {1, inf, 2}), (V{0, 1, 0}));
  EXPECT_EQ(forward("softmin", {1, -inf, inf}), (V{0, 1, 0}));
  EXPECT_EQ(forward("log_softmax", {1, inf, 2}), (V{-inf, 0, -inf}));
  EXPECT_EQ(forward("log_softmax", {0, -inf})[1], -inf);
  EXPECT_EQ(forward("sparsemax", {1, inf, -inf}), (V{0, 1, 0}));
  EXPECT_EQ(forward("sparsemax", {0, -inf}), (V{1, 0}));
  EXPECT_EQ(forward("hard_max", {1, inf, -inf}), (V{0, 1, 0}));
  EXPECT_EQ(forward("hard_max", {2, 7, 7, 7}), (V{0, 1, 0, 0})) << "the first of the largest";
  EXPECT_EQ(forward("hard_max", {-inf, -inf}), (V{1, 0}));
  for (const char* name : {"softmax", "softmin", "log_softmax", "sparsemax", "hard_max"}) {
    for (const F y : forward(name, {1, nan, 2})) EXPECT_TRUE(std::isnan(y)) << name;
    for (const F y : forward(name, {1e4, -1e4, 0})) EXPECT_FALSE(std::isnan(y)) << name;
  }
}

TEST(FamilyRows, InfinitiesGiveLimitsAndNanSpreads) {
  expect_row_limits<float>();
  expect_row_limits<double>();
}

}  // namespace
}  // namespace limen::test
