// What the family learns, draws and returns twice: parameters with gradients, noise, two outputs.
#include <gtest/gtest.h>

#include <ctime>

#include "family/definitions.hpp"
#include "plugin/operands.hpp"
#include "support/expect_error.hpp"

namespace limen::test {
namespace {

Activation shipped_op(const std::string& name) {
  PluginRegistry registry;
  registry.load(shipped(name));
  return registry.find(name);
}

// The derivative by the parameter, at w.
struct Learned {
  std::string name;
  Real (*f)(Real x, Real w);
  Real (*by_parameter)(Real x, Real w);
  double at;
};

const std::vector<Learned>& learned() {
  static const std::vector<Learned> kAll = {
      {"prelu", [](Real x, Real w) { return x > 0 ? x : w * x; },
       [](Real x, Real) { return x > 0 ? 0 : x; }, 0.375},
      {"silu", [](Real x, Real w) { return x * exact_sigmoid(w * x); },
       [](Real x, Real w) { return x * x * exact_sigmoid(w * x) * exact_sigmoid(-w * x); }, 1.5},
      {"snake", [](Real x, Real w) { return x + std::sin(w * x) * std::sin(w * x) / w; },
       [](Real x, Real w) {
         const Real s = std::sin(w * x);
         return x * std::sin(2 * w * x) / w - s * s / (w * w);
       },
       0.75}};
  return kAll;
}

template <class F>
void expect_learned(const Learned& d, bool per_element) {
  SCOPED_TRACE(d.name + (per_element ? " per element" : ""));
  const double eps = std::numeric_limits<F>::epsilon();
  for (const std::uint32_t isa : {kIsaBase, kIsaX86V3, kIsaX86V4}) {
    if (isa > detect_isa()) continue;
    Operands<F> o(shipped_op(d.name), 333);
    for (std::size_t i = 0; i < o.n; ++i) {
      o.w[0][i] = static_cast<F>(d.at + (per_element ? 0.125 * static_cast<double>(i % 3) : 0.0));
    }
    o.learn(0, per_element).run(LIMEN_FORWARD, isa).run(LIMEN_BACKWARD, isa);
    Real sum = 0, scale = 0;
    for (std::size_t i = 0; i < o.n; ++i) {
      const Real x = o.x[0][i], w = o.w[0][i], want = o.dy[0][i] * d.by_parameter(x, w);
      EXPECT_NEAR(o.y[0][i], d.f(x, w), 8 * eps * (1 + std::abs(x)));
      sum += want, scale += std::abs(want);
      if (per_element) {
        EXPECT_NEAR(o.dw[0][i], want, 64 * eps * (1 + x * x)) << "x = " << x;
      }
    }
    if (!per_element) {
      EXPECT_NEAR(o.dw[0][0], sum, 16 * eps * (1 + scale));
    }
  }
}

TEST(FamilyLearned, ParametersGetTheirGradient) {
  for (const Learned& d : learned()) {
    for (const bool per_element : {false, true}) {
      expect_learned<float>(d, per_element);
      expect_learned<double>(d, per_element);
    }
  }
}

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// One number at a time, as after a condition that keeps a loop from being vectorised, it takes 16
// to 40 times as long.
TEST(FamilyLearned, TheGradientOfAParameterIsComputedInVectorsToo) {
  if (detect_isa() == kIsaBase) GTEST_SKIP() << "this machine's vectors are short";
  for (const Learned& d : learned()) {
    Operands<float> plain(shipped_op(d.name), 4096), both(shipped_op(d.name), 4096);
    both.learn(0, false);
    double least[2] = {1, 1};
    for (int round = 0; round < 20; ++round) {
      for (Operands<float>* o : {&plain, &both}) {
        const double start = cpu_seconds();
        o->run(LIMEN_BACKWARD, detect_isa());
        double& best = least[o == &both];
        best = std::min(best, cpu_seconds() - start);
      }
    }
    EXPECT_LT(least[1], 8 * least[0]) << d.name;
  }
}

TEST(FamilyLearned, ParametersStayFiniteFarOut) {
  for (const char* name : {"prelu", "silu"}) {
    Operands<float> o(shipped_op(name), 4);
    o.x[0] = {1e30f, -1e30f, 1e4f, -1e4f};
    o.w[0].assign(4, 1.0f), o.dy[0].assign(4, 1.0f);
    o.learn(0, true).run(LIMEN_BACKWARD);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(std::isfinite(o.dx[0][i])) << name << " at " << o.x[0][i];
      EXPECT_TRUE(std::isfinite(o.dw[0][i])) << name << " at " << o.x[0][i];
    }
  }
}

TEST(FamilyLearned, OnlyPreluIsLearnedByDefault) {
  const std::map<std::string, std::uint32_t> flags = {
      {"prelu", LIMEN_PF_TRAINABLE | LIMEN_PF_LEARNED},
      {"silu", LIMEN_PF_TRAINABLE},
      {"snake", LIMEN_PF_TRAINABLE},
      {"leaky_relu", 0}};
  for (const auto& [name, want] : flags) {
    const std::uint32_t mask = LIMEN_PF_TRAINABLE | LIMEN_PF_LEARNED | LIMEN_PF_PER_CHANNEL;
    EXPECT_EQ(shipped_op(name).params()[0].flags & mask, want) << name;
  }
}

TEST(FamilyNoise, RreluDrawsSlopesOfItsRangeAndBackwardDrawsTheSame) {
  const Activation a = shipped_op("rrelu").with({{"lower", 0.25}, {"upper", 0.75}});
  Operands<double> o(a, 20000);
  o.x[0].assign(o.n, -1.0), o.dy[0].assign(o.n, 1.0);
  o.x[0][0] = 2;
  o.run(LIMEN_FORWARD, detect_isa()).run(LIMEN_BACKWARD, detect_isa());
  double mean = 0, least = 1, most = 0;
  for (std::size_t i = 1; i < o.n; ++i) {
    EXPECT_EQ(o.dx[0][i], -o.y[0][i]);
    mean += o.dx[0][i] / static_cast<double>(o.n - 1);
    least = std::min(least, o.dx[0][i]), most = std::max(most, o.dx[0][i]);
  }
  EXPECT_EQ(o.y[0][0], 2);
  EXPECT_EQ(o.dx[0][0], 1);
  EXPECT_NEAR(mean, 0.5, 0.005);
  EXPECT_TRUE(least >= 0.25 && least < 0.251 && most <= 0.75 && most > 0.749);
  Operands<double> other = o;
  other.seed[0] += 1;
  EXPECT_NE(other.run(LIMEN_FORWARD).y, o.y) << "another seed draws other slopes";
  other.flags = LIMEN_TILE_EVAL;
  EXPECT_EQ(other.run(LIMEN_FORWARD).y[0][1], -0.5) << "the mean in evaluation";
  EXPECT_ERROR(a.with({{"lower", 0.8}}), "lower must not be above upper");
}

// One row of scores many times: the largest is drawn as often as softmax says.
TEST(FamilyNoise, GumbelSoftmaxSamplesTheCategory) {
  const std::vector<float> scores = {0.5f, -1.0f, 1.25f, 0.0f};
  constexpr std::size_t n = 4, rows = 20000;
  const Activation a = shipped_op("gumbel_softmax").with({{"tau", 0.125}});
  std::vector<float> x, y(n * rows), dy(n * rows), dx(n * rows);
  for (std::size_t r = 0; r < rows; ++r) x.insert(x.end(), scores.begin(), scores.end());
  for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = static_cast<float>(i % 7) - 3;
  Tile<float> t(a, n);
  t.x(x.data()).y(y.data()).rows(rows, n);
  t.tile.seed[0] = 5;
  t.tile.flags = 0;
  t.run(a.kernel(LIMEN_FORWARD, LIMEN_F32, detect_isa()));
  double drawn[n] = {}, total = 0;
  for (const float s : scores) total += std::exp(s);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = y.data() + r * n;
    drawn[std::max_element(row, row + n) - row] += 1.0 / rows;
    EXPECT_NEAR(row[0] + row[1] + row[2] + row[3], 1, 1e-6);
  }
  for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(drawn[i], std::exp(scores[i]) / total, 0.015);
  t.dy(dy.data()).dx(dx.data()).run(a.kernel(LIMEN_BACKWARD, LIMEN_F32, detect_isa()));
  for (std::size_t r = 0; r < rows; r += 100) {
    double mean = 0;
    for (std::size_t i = r * n; i < r * n + n; ++i) mean += double{y[i]} * dy[i];
    for (std::size_t i = r * n; i < r * n + n; ++i) {
      EXPECT_NEAR(dx[i], 8 * y[i] * (dy[i] - mean), 2e-5);
    }
  }
}

TEST(FamilyOutputs, CreluReturnsBothSides) {
  Operands<float> o(shipped_op("crelu"), 5);
  o.x[0] = {-2, 0, 3, std::nanf(""), -std::numeric_limits<float>::infinity()};
  o.dy = {{1, 1, 1, 1, 1}, {10, 10, 10, 10, 10}};
  o.run(LIMEN_FORWARD, detect_isa()).run(LIMEN_BACKWARD, detect_isa());
  EXPECT_EQ(o.y[0][0], 0);
  EXPECT_EQ(o.y[1][0], 2);
  EXPECT_EQ(o.y[0][2], 3);
  EXPECT_EQ(o.y[1][2], 0);
  EXPECT_TRUE(std::isnan(o.y[0][3]) && std::isnan(o.y[1][3]));
  EXPECT_EQ(o.y[1][4], std::numeric_limits<float>::infinity());
  EXPECT_EQ(o.dx[0][0], -10);
  EXPECT_EQ(o.dx[0][1], 0);
  EXPECT_EQ(o.dx[0][2], 1);
}

TEST(FamilySurrogates, StepReturnsTheGradientThatWasChosen) {
  const Activation step = shipped_op("step");
  const std::vector<double> x = {-3, 0, 0.5}, none = {0, 0, 0}, straight = {1, 1, 1};
  EXPECT_EQ(derivative(step, x), none);
  EXPECT_EQ(derivative(step.with({{"surrogate", step.choice("surrogate", "straight_through")}}), x),
            straight);
  const auto smooth =
      derivative(step.with({{"surrogate", step.choice("surrogate", "sigmoid")}}), x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Real v = x[i];
    EXPECT_NEAR(smooth[i], exact_sigmoid(v) * exact_sigmoid(-v), 1e-16);
  }
  EXPECT_TRUE(step.op().flags & LIMEN_OP_SURROGATE);
}

}  // namespace
}  // namespace limen::test
