// Each shipped plugin, and what the SDK makes of formulas, against the definition.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <random>

#include "base/isa.hpp"
#include "kernels.hpp"
#include "ulp.hpp"

namespace limen::test {
namespace {

struct Definition {
  std::function<long double(long double)> f, slope;
};

long double exact_sigmoid(long double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

const std::map<std::string, Definition>& definitions() {
  static const std::map<std::string, Definition> table = {
      {"identity", {[](auto x) { return x; }, [](auto) { return 1.0L; }}},
      {"step", {[](auto x) { return x > 0 ? 1.0L : 0.0L; }, [](auto) { return 0.0L; }}},
      {"sigmoid", {exact_sigmoid, [](auto x) { return exact_sigmoid(x) * exact_sigmoid(-x); }}},
      {"tanh",
       {[](auto x) { return std::tanh(x); },
        [](auto x) { return 4 * exact_sigmoid(2 * x) * exact_sigmoid(-2 * x); }}},
      {"relu", {[](auto x) { return x > 0 ? x : 0; }, [](auto x) { return x > 0 ? 1.0L : 0.0L; }}},
      {"leaky_relu",
       {[](auto x) { return x > 0 ? x : 0.01L * x; }, [](auto x) { return x > 0 ? 1.0L : 0.01L; }}},
      {"fn_exp", {[](auto x) { return std::exp(x); }, [](auto x) { return std::exp(x); }}},
      {"fn_expm1", {[](auto x) { return std::expm1(x); }, [](auto x) { return std::exp(x); }}},
      {"fn_log", {[](auto x) { return std::log(x); }, [](auto x) { return 1 / x; }}},
      {"fn_log1p", {[](auto x) { return std::log1p(x); }, [](auto x) { return 1 / (1 + x); }}},
      {"fn_sqrt",
       {[](auto x) { return std::sqrt(x); }, [](auto x) { return 0.5L / std::sqrt(x); }}},
      {"fn_softplus",
       {[](auto x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); },
        exact_sigmoid}}};
  return table;
}

template <class F>
void expect_definition(const Activation& a, const Definition& want) {
  using bits = std::conditional_t<sizeof(F) == 4, std::uint32_t, std::uint64_t>;
  using limits = std::numeric_limits<F>;
  std::vector<F> x = {F(0),
                      F(-0.0),
                      limits::denorm_min(),
                      -limits::denorm_min(),
                      limits::min(),
                      F(1e4),
                      F(-1e4),
                      F(20),
                      F(-20),
                      F(100),
                      F(-100),
                      F(1000),
                      F(-1000)};
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal(0, 4);
  for (int i = 0; i < 40000; ++i) {
    x.push_back(static_cast<F>(normal(random)));
    const F any = std::bit_cast<F>(static_cast<bits>(random()));
    if (std::isfinite(any)) x.push_back(any);
  }
  if (a.name() == "fn_log" || a.name() == "fn_sqrt" || a.name() == "fn_log1p") {
    for (F& value : x) value = std::abs(value) + limits::min();
  }
  const long double alpha_rounding = a.hyper().empty() ? 0 : 1;  // alpha is rounded to F
  for (const std::uint32_t isa : {kIsaBase, kIsaX86V3, kIsaX86V4}) {
    if (isa > detect_isa()) continue;
    const auto y = forward(a, x, isa);
    const auto dx = backward(a, a.kernel(LIMEN_BACKWARD, kDtype<F>, isa, LIMEN_X), x,
                             std::vector<F>(x.size(), 1));
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_LE(ulp_error(y[i], want.f(x[i])), 4 + alpha_rounding)
          << a.name() << " at " << x[i] << ", " << isa_name(isa);
      ASSERT_LE(ulp_error(dx[i], want.slope(x[i])), 4 + alpha_rounding)
          << a.name() << "' at " << x[i] << ", " << isa_name(isa);
    }
  }
}

TEST(Shipped, ValuesAndSlopesAreWithinFourUlpAtEveryLevel) {
  const PluginRegistry registry = all_plugins();
  for (const auto& [name, definition] : definitions()) {
    SCOPED_TRACE(name);
    expect_definition<float>(registry.find(name), definition);
    expect_definition<double>(registry.find(name), definition);
  }
}

TEST(Shipped, GoldenValuesHold) {
  int points = 0;
  for (const Activation& a : all_plugins().activations()) {
    if (a.op().arity * a.op().outputs != 1) continue;  // kernel_features_test.cpp
    if (a.op().kind == LIMEN_GENERAL) continue;        // general_test.cpp
    for (std::uint32_t g = 0; g < a.op().n_goldens; ++g) {
      const limen_golden& golden = *LIMEN_AT(limen_golden, a.op().goldens, g);
      const std::vector<double> x(golden.x, golden.x + golden.n);
      const auto y = forward(a, x), dx = derivative(a, x, LIMEN_X | LIMEN_Y);
      const auto from_x = a.rows() ? dx : derivative(a, x);
      for (std::uint32_t i = 0; i < golden.n; ++i, ++points) {
        EXPECT_LE(ulp_error(y[i], golden.y[i]), 4) << a.name() << " at " << x[i];
        if (golden.dydx == nullptr) continue;
        EXPECT_LE(ulp_error(from_x[i], golden.dydx[i]), 4) << a.name() << " at " << x[i];
        EXPECT_NEAR(dx[i], golden.dydx[i], 0x1p-51 * std::max(1.0, std::abs(golden.dydx[i])))
            << a.name() << " at " << x[i];
      }
    }
    if (a.plugin().shipped && a.op().kind != LIMEN_GENERAL &&
        !(a.op().flags & LIMEN_OP_STOCHASTIC)) {
      EXPECT_GT(a.op().n_goldens, 0u) << a.name();
    }
  }
  EXPECT_GT(points, 25);
}

template <class F>
void expect_limits() {
  using limits = std::numeric_limits<F>;
  const F inf = limits::infinity(), nan = limits::quiet_NaN();
  const PluginRegistry registry = all_plugins();
  const std::map<std::string, std::array<F, 2>> at_infinity = {
      {"identity", {-inf, inf}}, {"step", {0, 1}},   {"sigmoid", {0, 1}},
      {"tanh", {-1, 1}},         {"relu", {0, inf}}, {"leaky_relu", {-inf, inf}}};
  for (const auto& [name, limit] : at_infinity) {
    const Activation a = registry.find(name);
    for (const std::uint32_t isa : {kIsaBase, kIsaX86V3, kIsaX86V4}) {
      if (isa > detect_isa()) continue;
      const auto y = forward<F>(a, {-inf, inf, nan}, isa);
      EXPECT_EQ(y[0], limit[0]) << name;
      EXPECT_EQ(y[1], limit[1]) << name;
      EXPECT_TRUE(std::isnan(y[2])) << name;
    }
    for (const F x : {limits::max(), -limits::max(), F(1e4), F(-1e4), limits::denorm_min()}) {
      EXPECT_TRUE(std::isfinite(forward<F>(a, {x})[0])) << name << " at " << x;
      for (const std::uint32_t reads : {LIMEN_X, LIMEN_Y}) {
        if (a.kernel(LIMEN_BACKWARD, kDtype<F>, 0, reads) == nullptr) continue;
        EXPECT_TRUE(std::isfinite(derivative<F>(a, {x}, reads)[0])) << name << " at " << x;
      }
    }
  }
}

TEST(Shipped, InfinitiesGiveTheLimitAndNanStaysNan) {
  expect_limits<float>();
  expect_limits<double>();
}

TEST(Shipped, KinksReturnWhatIsDeclared) {
  for (const Activation& a : simple_activations()) {
    if (a.op().facts == nullptr) continue;
    for (std::uint32_t i = 0; i < a.op().facts->n_kinks; ++i) {
      const limen_kink& kink = a.op().facts->kinks[i];
      const double moved = kink.param < 0 ? 0 : kink.scale * a.hyper()[kink.param];
      for (const std::uint32_t reads : {LIMEN_X, LIMEN_Y}) {
        if (a.kernel(LIMEN_BACKWARD, LIMEN_F64, 0, reads) == nullptr) continue;
        EXPECT_EQ(derivative<double>(a, {kink.at + moved}, reads)[0], kink.slope) << a.name();
      }
    }
  }
  const PluginRegistry registry = all_plugins();
  EXPECT_EQ(derivative<float>(registry.find("relu"), {0.0f})[0], 0) << "as PyTorch";
  EXPECT_EQ(derivative<float>(registry.find("leaky_relu"), {0.0f})[0], 0.01f) << "as PyTorch";
}

TEST(Shipped, FactsHold) {
  std::mt19937 random(2);
  std::normal_distribution<double> normal(0, 5);
  for (const Activation& a : simple_activations()) {
    const limen_facts* facts = a.op().facts;
    if (facts == nullptr || a.rows()) continue;
    SCOPED_TRACE(a.name());
    std::vector<double> x(500), minus(500), more(500), doubled(500);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = normal(random), minus[i] = -x[i], more[i] = x[i] + 0.5, doubled[i] = 2 * x[i];
    }
    const Activation ready = a.name() == "bent" ? a.with({{"floor", 0}}) : a;
    const auto y = forward(ready, x), y_minus = forward(ready, minus),
               y_more = forward(ready, more);
    const auto y_doubled = forward(ready, doubled), again = forward(ready, y);
    const auto slope = derivative(ready, x);
    const auto says = [&](std::uint32_t flag) { return (facts->flags & flag) != 0; };
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (says(LIMEN_FACT_ODD)) {
        EXPECT_EQ(y_minus[i], -y[i]);
      }
      if (says(LIMEN_FACT_INCREASING)) {
        EXPECT_GE(y_more[i], y[i]);
      }
      if (says(LIMEN_FACT_HOMOGENEOUS)) {
        EXPECT_EQ(y_doubled[i], 2 * y[i]);
      }
      if (says(LIMEN_FACT_IDEMPOTENT)) {
        EXPECT_EQ(again[i], y[i]);
      }
      if (says(LIMEN_FACT_RANGE)) {
        EXPECT_TRUE(y[i] >= facts->y_min && y[i] <= facts->y_max);
      }
      if (says(LIMEN_FACT_LIPSCHITZ)) {
        EXPECT_LE(std::abs(slope[i]), facts->lipschitz);
      }
    }
    if (says(LIMEN_FACT_ZERO_AT_ZERO)) {
      EXPECT_EQ(forward<double>(ready, {0})[0], 0);
    }
  }
}

TEST(Sdk, GivesEachInputOfATwoInputFormulaItsGradient) {
  PluginRegistry registry;
  registry.load(sample("shapes"));
  const Activation swiglu = registry.find("swiglu");
  const double a = 1.5, b = -0.75, s = 1 / (1 + std::exp(-b)), dy = 2, ga = 0.3, gb = -0.7;
  const double silu = b * s, silu1 = s + b * s * (1 - s);
  const double silu2 = s * (1 - s) * (2 + b * (1 - 2 * s));
  const void* x[] = {&a, &b};
  const void* gx[] = {&ga, &gb};
  const void* dys[] = {&dy};
  double y = 0, da = 0, db = 0, gy = 0;
  void *ys[] = {&y}, *dx[] = {&da, &db}, *gys[] = {&gy}, *only_b[] = {nullptr, &db};
  limen_tile t{};
  t.n = 1, t.rows = 1, t.x = x, t.y = ys, t.dy = dys, t.dx = dx, t.gx = gx, t.gy = gys;
  swiglu.kernel(LIMEN_FORWARD, LIMEN_F64, 0)->run(&t);
  EXPECT_NEAR(y, a * silu, 1e-15);
  swiglu.kernel(LIMEN_BACKWARD, LIMEN_F64, 0)->run(&t);
  EXPECT_NEAR(da, dy * silu, 1e-15);
  EXPECT_NEAR(db, dy * a * silu1, 1e-15);
  swiglu.kernel(LIMEN_BACKWARD2, LIMEN_F64, 0)->run(&t);
  EXPECT_NEAR(gy, ga * silu + gb * a * silu1, 1e-15);
  EXPECT_NEAR(da, dy * gb * silu1, 1e-15);
  EXPECT_NEAR(db, dy * (ga * silu1 + gb * a * silu2), 1e-15);
  t.dx = only_b, da = 99;
  swiglu.kernel(LIMEN_BACKWARD, LIMEN_F64, 0)->run(&t);
  EXPECT_EQ(da, 99) << "a null dx is left out";
  EXPECT_NEAR(db, dy * a * silu1, 1e-15);
}

TEST(Sdk, ReturnsADeclaredSurrogateInsteadOfTheDerivative) {
  PluginRegistry registry;
  registry.load(sample("shapes"));
  const Activation step = registry.find("straight_step");
  EXPECT_TRUE(step.op().flags & LIMEN_OP_SURROGATE);
  EXPECT_STREQ(step.op().surrogate_of, "tanh(x)");
  const double t = std::tanh(0.5);
  EXPECT_EQ(forward<double>(step, {0.5})[0], 1);
  EXPECT_NEAR(derivative<double>(step, {0.5})[0], 1 - t * t, 1e-15);
}

TEST(Sdk, HandsParametersToTheFormula) {
  PluginRegistry registry;
  registry.load(sample("shapes"));
  const Activation bent = registry.find("bent").with(
      {{"floor", -3}, {"scale", 0.25}, {"times", 4}, {"kind", 1}, {"on", 0}});
  EXPECT_EQ(forward<double>(bent, {2, -2}), (std::vector<double>{0, -4}));
  EXPECT_EQ(derivative<double>(bent, {2, -2}), (std::vector<double>{0, 1}));
}

TEST(Sdk, FillsTheDescriptor) {
  PluginRegistry registry;
  registry.load(sample("shapes"));
  const LoadedPlugin& plugin = registry.find("bent").plugin();
  EXPECT_STREQ(plugin.descriptor->license, "MIT");
  EXPECT_STREQ(plugin.descriptor->author, "A. Uthor");
  EXPECT_EQ(plugin.version(), "1.2.0");
  EXPECT_FALSE(plugin.shipped);
  const limen_op& rows = registry.find("standardise").op();
  EXPECT_EQ(rows.kind, LIMEN_ROWS);
  EXPECT_EQ(registry.find("standardise").kernel(LIMEN_BACKWARD2, LIMEN_F64, 0), nullptr);
  EXPECT_EQ(registry.find("standardise").kernel(LIMEN_BACKWARD, LIMEN_F64, 0)->reads, LIMEN_X);
}

}  // namespace
}  // namespace limen::test
