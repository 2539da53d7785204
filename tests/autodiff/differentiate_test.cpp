#include <limen/differentiate.hpp>

#include <chrono>
#include <iostream>

#include <limen/ops.hpp>
#include <limen/passes.hpp>

#include "ops/pointwise.hpp"
#include "support/expect_error.hpp"
#include "support/gradients.hpp"

namespace limen::test {
namespace {

// The gradient of build(x) at `at`, by value.
template <class F>
std::vector<double> gradient(const F& build, const Tensor& at) {
  Graph g;
  const Value x = g.input("x", at.type());
  g.output("dx", differentiate(build(x), std::array{x})[0]);
  return values(execute(g, {{"x", at}}).at("dx"));
}

TEST(Differentiate, AddsContributionsWhereAValueFansOut) {
  const auto dx = gradient([](Value x) { return sum(add(mul(x, x), add(x, add(x, x)))); },
                           floats({2}, {3, -1}));
  EXPECT_EQ(dx, (std::vector<double>{2 * 3 + 3, 2 * -1 + 3}));
}

TEST(Differentiate, CountsAnOperandOncePerUse) {
  EXPECT_EQ(gradient([](Value x) { return sum(mul(x, mul(x, x))); }, floats({1}, {2})),
            (std::vector<double>{12}));
  EXPECT_EQ(gradient([](Value x) { return sum(sub(x, x)); }, floats({1}, {2})),
            (std::vector<double>{0}));
  EXPECT_EQ(gradient([](Value x) { return sum(matmul(x, x)); }, floats({1, 1}, {2})),
            (std::vector<double>{4}));
}

TEST(Differentiate, GivesNodesTheScopeOfWhatTheyDifferentiate) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.set_scope("inner");
  const Value inner = exp(x);
  g.set_scope("loss");
  const Value y = sum(square(inner));
  const NodeId before = static_cast<NodeId>(g.size());
  const Value dx = differentiate(y, std::array{x})[0];
  EXPECT_EQ(dx.name(), "inner");
  EXPECT_EQ(g.node(before).name(), "loss");
  EXPECT_EQ(neg(dx).name(), "loss");
}

TEST(Differentiate, GivesZerosWhereNothingDependsOnX) {
  Graph g;
  const Value x = g.input("x", {{2, 3}}), y = g.input("y", {{2}}),
              n = g.input("n", {{2}, DType::i32});
  const Value loss = sum(square(y));
  const Value later = g.input("later", {{4}});  // added behind the loss
  const auto d = differentiate(loss, std::array{x, n, later, y});
  ASSERT_EQ(d.size(), 4u);
  for (std::size_t i = 0; i < 3; ++i) g.output("d" + std::to_string(i), d[i]);
  EXPECT_EQ(d[0].type(), x.type());
  EXPECT_EQ(d[1].type(), n.type());
  EXPECT_EQ(d[2].type(), later.type());
  const Tensors out = execute(g, random_inputs(g, 1));
  for (const auto& [name, tensor] : out) {
    for (const double v : values(tensor)) EXPECT_EQ(v, 0) << name;
  }
}

TEST(Differentiate, GivesNoGradientToLabelsAndCounters) {
  Graph g;
  const Value z = g.input("z", {{2, 3}}), t = g.input("t", {{2}, DType::i32}),
              c = g.input("c", {{}, DType::i32});
  const auto d =
      differentiate(softmax_cross_entropy(dropout(z, c, 0.5, 1), t), std::array{t, c, z});
  EXPECT_EQ(d[0].type(), t.type());
  EXPECT_EQ(d[1].type(), c.type());
  EXPECT_EQ(d[2].type(), z.type());
}

TEST(Differentiate, StartsFromASeed) {
  Graph g;
  const Value x = g.input("x", {{3}}), seed = g.input("seed", {{3}});
  const Value y = square(x);
  g.output("seeded", differentiate(y, std::array{x}, seed)[0]);
  g.output("ones", differentiate(y, std::array{x})[0]);
  const Tensors out =
      execute(g, {{"x", floats({3}, {1, 2, 3})}, {"seed", floats({3}, {1, 0, -1})}});
  EXPECT_EQ(values(out.at("seeded")), (std::vector<double>{2, 0, -6}));
  EXPECT_EQ(values(out.at("ones")), (std::vector<double>{2, 4, 6}));
  EXPECT_ERROR(differentiate(y, std::array{x}, g.input("wrong", {{2}})), "E0602", "f32[3]",
               "f32[2]");
}

TEST(Differentiate, OfAValueByItselfIsTheSeed) {
  Graph g;
  const Value x = g.input("x", {{2}}), y = square(x), seed = g.input("seed", {{2}});
  EXPECT_EQ(differentiate(y, std::array{y}, seed)[0], seed);
  EXPECT_EQ(differentiate(x, std::array{x}, seed)[0], seed);
}

TEST(Differentiate, StopsAtIntermediateValues) {
  Graph g;
  const Value x = g.input("x", {{2}});
  const Value h = exp(x), y = sum(square(h));
  const auto d = differentiate(y, std::array{h, x, h});
  for (int i = 0; i < 3; ++i) g.output("d" + std::to_string(i), d[static_cast<std::size_t>(i)]);
  const Tensors out = execute(g, {{"x", floats({2}, {0, 1})}});
  EXPECT_NEAR(out.at("d0").as<float>()[1], 2 * std::exp(1), 1e-5);
  EXPECT_NEAR(out.at("d1").as<float>()[1], 2 * std::exp(2), 1e-5);
  EXPECT_TRUE(same_bits(out.at("d0"), out.at("d2")));
}

TEST(Differentiate, NamesTheOpThatIsNotDifferentiable) {
  Graph g;
  const Value s = g.input("s", {{4, 3}}), t = g.input("t", {{4}, DType::i32});
  const Value accuracy = top_k_accuracy(s, t);
  EXPECT_ERROR(differentiate(square(accuracy), std::array{s}), "E0610",
               "`top_k_accuracy` is not differentiable");
  EXPECT_ERROR(differentiate(t, std::array{s}), "E0610", "i32[4]");
}

TEST(Differentiate, LooksAtNoOpBehindX) {
  // d/da of a^2 needs no derivative of what made a.
  Graph g;
  const Value s = g.input("s", {{4, 3}}), t = g.input("t", {{4}, DType::i32});
  const Value a = top_k_accuracy(s, t);
  const std::size_t before = g.size();
  EXPECT_EQ(differentiate(square(a), std::array{a})[0].type(), a.type());
  EXPECT_LE(g.size(), before + 6);
}

TEST(Differentiate, AppendsOnlyWhatXNeeds) {
  Graph g;
  const Value x = g.input("x", {{4, 4}}), w = g.parameter("w", {{4, 4}});
  const Value loss = sum(square(matmul(x, w)));
  differentiate(loss, std::array{w});
  verify(g);
  Graph both;
  const Value x2 = both.input("x", {{4, 4}}), w2 = both.parameter("w", {{4, 4}});
  const Value d = differentiate(sum(square(matmul(x2, w2))), std::array{w2})[0];
  both.output("dw", d);
  int products = 0;
  const Graph kept = rewrite(both, {});
  for (NodeId id = 0; id < kept.size(); ++id) {
    products += kept.node(id).op() != nullptr && kept.node(id).op()->name() == "matmul" ? 1 : 0;
  }
  EXPECT_EQ(products, 2);  // forward, and dw; dx is dead
}

TEST(Differentiate, WorksAgainOnItsResults) {
  // d^k/dx^k x^5 = 5! / (5 - k)! x^(5 - k)
  Graph g;
  const Value x = g.input("x", {{1}, DType::f64});
  Value y = mul(x, square(square(x)));
  double factor = 1;
  for (int k = 1; k <= 6; ++k) {
    y = differentiate(y, std::array{x})[0];
    g.output("d" + std::to_string(k), y);
  }
  const Tensors out = execute(g, {{"x", doubles({1}, {1.5})}});
  for (int k = 1; k <= 6; ++k) {
    factor *= 6 - k;
    EXPECT_NEAR(out.at("d" + std::to_string(k)).as<double>()[0], factor * std::pow(1.5, 5 - k),
                1e-10);
  }
}

TEST(Differentiate, TakesHessianVectorProductsOfANetwork) {
  expect_gradients(
      [](Graph&, std::span<const Value> in) {
        const Value h = sigmoid(matmul_bias(in[0], in[1], in[2]));
        return softmax_cross_entropy(matmul(h, in[3], false, true), in[4], 0.1);
      },
      {random_tensor({{5, 3}, DType::f64}, 1), random_tensor({{3, 4}, DType::f64}, 2),
       random_tensor({{4}, DType::f64}, 3), random_tensor({{3, 4}, DType::f64}, 4),
       random_tensor({{5}, DType::i32}, 5, 0, 3)});
}

double seconds_of_chain(int length) {
  const auto begin = std::chrono::steady_clock::now();
  Graph g;
  const Value x = g.input("x", {{1}, DType::f64});
  Value y = x;
  for (int i = 0; i < length; ++i) y = scale(y, i % 2 == 0 ? 2.0 : 0.5);
  const Value dx = differentiate(sum(y), std::array{x})[0];
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  EXPECT_GT(g.size(), 2u * static_cast<unsigned>(length));
  EXPECT_EQ(dx.shape(), Shape{1});
  return spent.count();
}

TEST(Differentiate, IsLinearOnAChainOf200000Nodes) {
  const double small = seconds_of_chain(20000), large = seconds_of_chain(200000);
  std::cout << "20,000 nodes: " << small << " s, 200,000 nodes: " << large << " s\n";
  EXPECT_LT(large, 60 * small + 0.5);  // quadratic would be 100 times
}

TEST(Differentiate, IsLinearWhereEveryNodeFansOut) {
  // Doubling at each step has 2^n paths; nodes, not paths, are visited.
  Graph g;
  const Value x = g.input("x", {{1}, DType::f64});
  Value y = x;
  for (int i = 0; i < 60; ++i) y = add(y, y);
  g.output("dx", differentiate(sum(y), std::array{x})[0]);
  EXPECT_LT(g.size(), 300u);
  EXPECT_EQ(values(execute(g, {{"x", doubles({1}, {1})}}).at("dx"))[0], std::pow(2.0, 60));
}

}  // namespace
}  // namespace limen::test
