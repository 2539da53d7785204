// The gated linear units: values and both gradients against their definitions.
#include <gtest/gtest.h>

#include "family/definitions.hpp"
#include "family/kernels.hpp"

namespace limen::test {
namespace {

struct Gate {
  std::string name;
  Real (*gate)(Real b);
  Real (*slope)(Real b);
  Real (*scale)(Real b);  // of the terms of the slope, which may cancel
};

Real silu_term(Real b) {
  return std::abs(b) > 12000 ? 0 : b * exact_sigmoid(b) * exact_sigmoid(-b);
}

Real gelu_term(Real b) { return std::abs(b) > 200 ? 0 : b * exact_density(b); }

const std::vector<Gate>& gates() {
  const auto none = [](Real) { return Real(0); };
  static const std::vector<Gate> kAll = {
      {"glu", exact_sigmoid, [](Real b) { return exact_sigmoid(b) * exact_sigmoid(-b); }, none},
      {"reglu", [](Real b) { return std::max(b, Real(0)); },
       [](Real b) { return Real(b > 0 ? 1 : 0); }, none},
      {"swiglu", [](Real b) { return b * exact_sigmoid(b); },
       [](Real b) { return exact_sigmoid(b) + silu_term(b); },
       [](Real b) { return exact_sigmoid(b) + std::abs(silu_term(b)); }},
      {"geglu", [](Real b) { return b < -200 ? 0 : b * exact_cdf(b); },
       [](Real b) { return exact_cdf(b) + gelu_term(b); },
       [](Real b) { return exact_cdf(b) + std::abs(gelu_term(b)); }},
  };
  return kAll;
}

template <class F>
struct Pair {  // y, or da and db
  std::vector<F> first, second;
};

template <class F>
Pair<F> run(const Activation& activation, const limen_kernel* k, const std::vector<F>& a,
            const std::vector<F>& b, const std::vector<F>& dy) {
  Pair<F> out{std::vector<F>(a.size()), std::vector<F>(a.size())};
  const void *xs[] = {a.data(), b.data()}, *dys[] = {dy.data()};
  void* outs[] = {out.first.data(), out.second.data()};
  limen_tile t{};
  t.size = sizeof t;
  t.n = a.size(), t.rows = 1;
  t.hyper = activation.hyper().data();
  t.x = xs, t.dy = dys;
  (k->role == LIMEN_FORWARD ? t.y : t.dx) = outs;
  k->run(&t);
  return out;
}

template <class F>
void expect_gate(const Gate& gate) {
  const std::string title = gate.name + (sizeof(F) == 4 ? " f32" : " f64");
  const Activation activation = shipped().find(gate.name);
  const std::vector<F> b = everywhere<F>(8, 2000);
  std::vector<F> a(b.size()), dy(b.size(), 1);
  std::mt19937 random(9);
  std::normal_distribution<double> normal;
  for (F& v : a) v = static_cast<F>(normal(random));
  double value = 0, gradient = 0;
  constexpr Real kTiny = std::numeric_limits<F>::min();  // a factor of a product may be subnormal
  for (const limen_kernel* k : kernels<F>(activation, LIMEN_FORWARD)) {
    const auto y = run(activation, k, a, b, dy).first;
    for (std::size_t i = 0; i < b.size(); ++i) {
      const Real unit = kTiny * (1 + std::abs(a[i])) * (1 + std::abs(Real(b[i])));
      value = std::max(value, ulp_error(y[i], a[i] * gate.gate(b[i]), unit));
    }
  }
  for (const limen_kernel* k : kernels<F>(activation, LIMEN_BACKWARD)) {
    const auto [da, db] = run(activation, k, a, b, dy);
    for (std::size_t i = 0; i < b.size(); ++i) {
      const Real unit = kTiny / std::numeric_limits<F>::epsilon() * (1 + std::abs(a[i])) *
                        (1 + std::abs(Real(b[i])));  // a slope may be 0 below normal numbers
      gradient = std::max(gradient, ulp_error(da[i], gate.gate(b[i]), unit));
      gradient = std::max(gradient, ulp_error(db[i], a[i] * gate.slope(b[i]),
                                              std::max(unit, std::abs(a[i] * gate.scale(b[i])))));
    }
  }
  EXPECT_LE(value, 4) << title;
  EXPECT_LE(gradient, 5) << title;
  testing::Test::RecordProperty(title, std::to_string(value) + " " + std::to_string(gradient));
}

TEST(FamilyGates, ValuesAndGradientsAreThoseOfTheDefinition) {
  for (const Gate& gate : gates()) {
    expect_gate<float>(gate);
    expect_gate<double>(gate);
  }
}

TEST(FamilyGates, AClosedGateStaysClosedAtInfinity) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const Gate& gate : gates()) {
    const Activation activation = shipped().find(gate.name);
    for (const limen_kernel* k : kernels<double>(activation, LIMEN_FORWARD)) {
      const auto y = run<double>(activation, k, {2, 2}, {-inf, inf}, {1, 1}).first;
      EXPECT_EQ(y[0], 0) << gate.name;
      EXPECT_EQ(y[1], gate.name == "glu" ? 2 : inf) << gate.name;
    }
    for (const limen_kernel* k : kernels<double>(activation, LIMEN_BACKWARD)) {
      const auto [da, db] = run<double>(activation, k, {2, 2}, {-inf, inf}, {1, 1});
      EXPECT_EQ(da[0], 0) << gate.name;
      EXPECT_EQ(db[0], 0) << gate.name;
    }
  }
}

}  // namespace
}  // namespace limen::test
