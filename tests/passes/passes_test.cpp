// Each pass by the graph it prints.
#include <limen/passes.hpp>

#include <algorithm>

#include <limen/differentiate.hpp>
#include <limen/ops.hpp>

#include "support/execute.hpp"
#include "support/expect_error.hpp"

namespace limen::test {
namespace {

const Pass& pass(std::string_view name) {
  return *std::ranges::find_if(passes(), [&](const Pass& p) { return p.name == name; });
}

// The graph after one pass and a dead-code rewrite.
std::string after(std::string_view name, const Graph& g) {
  const Graph out = rewrite(pass(name).run(g), {});
  verify(out);
  return print(out);
}

int count(const Graph& g, std::string_view op) {
  int n = 0;
  for (NodeId id = 0; id < g.size(); ++id) {
    n += g.node(id).op() != nullptr && g.node(id).op()->name() == op ? 1 : 0;
  }
  return n;
}

TEST(Passes, AreListedInOrder) {
  std::vector<std::string_view> names;
  for (const Pass& p : passes()) names.push_back(p.name);
  EXPECT_EQ(names, (std::vector<std::string_view>{"fold_constants", "simplify", "share_common",
                                                  "fuse_bias"}));
}

TEST(Rewrite, DropsDeadNodesAndKeepsEveryLeaf) {
  Graph g;
  const Value x = g.input("x", {{2}}), w = g.parameter("w", {{2}});
  g.input("unused", {{3}});
  exp(x);  // dead
  g.set_scope("step1");
  g.output("y", neg(w));
  g.output("x", x);
  const Graph out = rewrite(g, {});
  EXPECT_EQ(print(out),
            "%0 f32[2] = input x\n"
            "%1 f32[2] = parameter w\n"
            "%2 f32[3] = input unused\n"
            "%3 f32[2] = neg %1\n"
            "output y %3\n"
            "output x %0\n");
  EXPECT_EQ(out.node(3).name(), "step1");
  EXPECT_EQ(out.node(3).op(), g.output("y").op());  // ops are shared
}

TEST(Rewrite, PutsWhatTheRuleSaysInPlace) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.output("y", neg(exp(x)));
  const Graph out = rewrite(g, [](Value node, std::span<const Value> in, Graph&) -> Value {
    return node.op()->name() == "exp" ? square(in[0]) : Value();
  });
  EXPECT_EQ(print(out),
            "%0 f32[2] = input x\n%1 f32[2] = square %0\n%2 f32[2] = neg %1\noutput y %2\n");
}

TEST(FoldConstants, ComputesWhatDependsOnConstantsOnly) {
  Graph g;
  const Value x = g.input("x", {{2}});
  const Value c = add(x.make_constant(2.0), x.make_constant(0.5));
  g.output("y", mul(x, broadcast_to(square(c), {2})));
  EXPECT_EQ(after("fold_constants", g),
            "%0 f32[2] = input x\n"
            "%1 f32[2] = constant\n"
            "%2 f32[2] = mul %0 %1\n"
            "output y %2\n");
  EXPECT_EQ(values(pass("fold_constants").run(g).output("y").input(1).constant()),
            (std::vector<double>{6.25, 6.25}));
}

TEST(FoldConstants, LeavesLargeResultsToTheirTime) {
  Graph g;
  const Value x = g.input("x", {{100, 100}});
  g.output("y", mul(x, broadcast_to(x.make_constant(2.0), {100, 100})));
  EXPECT_THAT(after("fold_constants", g), testing::HasSubstr("broadcast_to{[100, 100]}"));
}

TEST(FoldConstants, FoldsOpsWithScratchAndViews) {
  Graph g;
  const Value a = g.constant(random_tensor({{3, 4}, DType::f32}, 1)),
              b = g.constant(random_tensor({{4, 2}, DType::f32}, 2));
  g.output("y", reshape(matmul(a, b), {6}));
  g.output("loss", softmax_cross_entropy(a, g.constant(integers({3}, {0, 1, 2}))));
  const Graph folded = optimize(g);
  EXPECT_EQ(folded.output("y").kind(), NodeKind::constant);
  EXPECT_EQ(folded.output("loss").kind(), NodeKind::constant);
  const Tensors plain = execute(g, {}, {.optimize = false}), fast = execute(g, {});
  EXPECT_LE(distance(plain.at("y"), fast.at("y")), 1e-6);
  EXPECT_LE(distance(plain.at("loss"), fast.at("loss")), 1e-6);
}

TEST(Simplify, RemovesNeutralOperands) {
  Graph g;
  const Value x = g.input("x", {{2}});
  const Value zero = broadcast_to(x.make_constant(0.0), {2}),
              one = broadcast_to(x.make_constant(1.0), {2});
  g.output("y", neg(neg(scale(mul(one, add(zero, add(x, zero))), 1))));
  EXPECT_EQ(after("simplify", g), "%0 f32[2] = input x\noutput y %0\n");
}

TEST(Simplify, TurnsAProductWithOneNumberIntoAScale) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph g;
    const Value x = g.input("x", {{2, 2}, dtype});
    g.output("y", mul(broadcast_to(reshape(x.make_constant(-2.5), {1}), {2, 2}), x));
    const std::string type = dtype == DType::f32 ? "f32" : "f64";
    EXPECT_EQ(after("simplify", g), "%0 " + type + "[2, 2] = input x\n%1 " + type +
                                        "[2, 2] = scale{-2.5} %0\noutput y %1\n");
  }
}

TEST(Simplify, LooksAtEveryElementOfAConstant) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.output("mixed", mul(x, x.make_constant(floats({2}, {1, 2}))));
  g.output("ones", mul(x, x.make_constant(floats({2}, {1, 1}))));
  g.output("nan", add(x, x.make_constant(floats({2}, {NAN, NAN}))));
  g.output("sum", add(x, x.make_constant(floats({2}, {0, 1}))));
  const Graph out = pass("simplify").run(g);
  EXPECT_EQ(out.output("ones"), out.leaf("x"));
  EXPECT_EQ(out.output("mixed").op()->name(), "mul");
  EXPECT_EQ(out.output("nan").op()->name(), "add");
  EXPECT_EQ(out.output("sum").op()->name(), "add");
}

TEST(Simplify, JoinsReshapes) {
  Graph g;
  const Value x = g.input("x", {{2, 3}});
  g.output("there", reshape(reshape(x, {6}), {3, 2}));
  g.output("back", reshape(reshape(x, {6}), {2, 3}));
  EXPECT_EQ(after("simplify", g),
            "%0 f32[2, 3] = input x\n"
            "%1 f32[3, 2] = reshape{[3, 2]} %0\n"
            "output there %1\n"
            "output back %0\n");
}

TEST(ShareCommon, MakesEqualNodesOne) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.output("y", add(exp(scale(x, 2)), exp(scale(x, 2))));
  g.output("other", scale(x, 3));
  EXPECT_EQ(after("share_common", g),
            "%0 f32[2] = input x\n"
            "%1 f32[2] = scale{2} %0\n"
            "%2 f32[2] = exp %1\n"
            "%3 f32[2] = add %2 %2\n"
            "%4 f32[2] = scale{3} %0\n"
            "output y %3\n"
            "output other %4\n");
}

TEST(ShareCommon, KeepsWhatOnlyLooksEqual) {
  Graph g;
  const Value x = g.input("x", {{2, 2}}), y = g.input("y", {{2, 2}});
  g.output("a", sub(x, y));
  g.output("b", sub(y, x));
  g.output("c", matmul(x, y));
  g.output("d", matmul(x, y, true));
  g.output("e", reshape(x, {4}));
  g.output("f", reshape(x, {1, 4}));
  g.output("g", transpose(x, {1, 0}));
  EXPECT_EQ(pass("share_common").run(g).size(), g.size());
}

TEST(ShareCommon, SharesEqualConstantsByTypeAndBits) {
  Graph g;
  const Value x = g.input("x", {{2}});
  const auto use = [&](const char* name, const Tensor& t) {
    g.output(name, reshape(g.constant(t), {t.type().elements(), 1}));
  };
  use("a", floats({2}, {1, 2}));
  use("b", floats({2}, {1, 2}));
  use("c", floats({1, 2}, {1, 2}));
  use("d", floats({2}, {1, 3}));
  use("e", integers({2}, {0x3f800000, 0x40000000}));  // the bits of 1.0f and 2.0f
  use("f", floats({2}, {0.0f, 0}));
  use("g", floats({2}, {-0.0f, 0}));
  const Graph out = pass("share_common").run(g);
  EXPECT_EQ(out.output("a"), out.output("b"));
  EXPECT_NE(out.output("a").input(0), out.output("c").input(0));
  EXPECT_NE(out.output("a").input(0), out.output("d").input(0));
  EXPECT_NE(out.output("a").input(0), out.output("e").input(0));
  EXPECT_NE(out.output("f").input(0), out.output("g").input(0));
  static_cast<void>(x);
}

TEST(FuseBias, MakesOneNodeOfProductAndBias) {
  for (const bool swapped : {false, true}) {
    Graph g;
    const Value x = g.input("x", {{4, 3}}), w = g.parameter("w", {{2, 3}}),
                b = g.parameter("b", {{2}});
    const Value product = matmul(x, w, false, true), bias = broadcast_to(b, {4, 2});
    g.output("y", swapped ? add(bias, product) : add(product, bias));
    EXPECT_EQ(after("fuse_bias", g),
              "%0 f32[4, 3] = input x\n"
              "%1 f32[2, 3] = parameter w\n"
              "%2 f32[2] = parameter b\n"
              "%3 f32[4, 2] = matmul_bias{NT} %0 %1 %2\n"
              "output y %3\n");
  }
}

TEST(FuseBias, LeavesProductsThatOthersRead) {
  Graph g;
  const Value x = g.input("x", {{4, 3}}), w = g.parameter("w", {{3, 2}}),
              b = g.parameter("b", {{2}});
  const Value product = matmul(x, w);
  g.output("y", add(product, broadcast_to(b, {4, 2})));
  g.output("product", product);
  EXPECT_EQ(count(pass("fuse_bias").run(g), "matmul_bias"), 0);
}

TEST(FuseBias, TakesNothingButOneNumberPerColumn) {
  Graph g;
  const Value x = g.input("x", {{4, 3}}), w = g.parameter("w", {{3, 4}});
  const Value column = g.input("column", {{4, 1}}), scalar = g.input("scalar", {});
  const Value row = g.input("row", {{1, 4}}), full = g.input("full", {{4, 4}});
  for (const Value bias : {column, scalar, row, full}) {
    g.output(bias.name(), add(matmul(x, w), broadcast_to(bias, {4, 4})));
  }
  EXPECT_EQ(count(pass("fuse_bias").run(g), "matmul_bias"), 0);
  const Tensors inputs = random_inputs(g, 1), plain = execute(g, inputs, {.optimize = false});
  for (const auto& [name, tensor] : execute(g, inputs))
    EXPECT_LE(distance(tensor, plain.at(name)), 1e-6);
}

TEST(Optimize, RemovesGradientsNobodyAskedFor) {
  Graph g;
  const Value x = g.input("x", {{8, 3}}), t = g.input("t", {{8}, DType::i32});
  Value h = x;
  std::vector<Value> wrt{x};
  for (int i = 0; i < 3; ++i) {
    const std::string name = "w" + std::to_string(i);
    wrt.push_back(g.parameter(name, {{3, 3}}));
    h = square(matmul(h, wrt.back()));
  }
  const std::vector<Value> d = differentiate(softmax_cross_entropy(h, t), wrt);
  for (std::size_t i = 1; i < d.size(); ++i) g.output("d" + std::to_string(i), d[i]);
  const int before = count(g, "matmul");
  const Graph out = optimize(g);
  EXPECT_EQ(before, 9);
  EXPECT_EQ(count(out, "matmul"), 8);  // dx of the first layer is gone
}

TEST(Optimize, SharesTheHalvesOfTheDerivativeOfAProduct) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.output("dx", differentiate(sum(mul(x, x)), std::array{x})[0]);
  EXPECT_EQ(print(optimize(g)), "%0 f32[2] = input x\n%1 f32[2] = add %0 %0\noutput dx %1\n");
}

TEST(Optimize, SkipsPassesByNameAndShowsTheRest) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.output("y", add(exp(x), exp(x)));
  std::vector<std::string> seen;
  const Graph out = optimize(
      g, {.skip = {"share_common", "fuse_bias"},
          .verify = true,
          .observe = [&](std::string_view name, const Graph&) { seen.emplace_back(name); }});
  EXPECT_EQ(count(out, "exp"), 2);
  EXPECT_EQ(seen, (std::vector<std::string>{"fold_constants", "simplify"}));
}

TEST(Optimize, GoesOnUntilNothingChanges) {
  // Sharing makes the operands equal, folding then makes the factor known.
  Graph g;
  const Value x = g.input("x", {{2}});
  Value c = x.make_constant(1.0);
  g.output("y", mul(x, broadcast_to(reshape(mul(c, c), {1}), {2})));
  EXPECT_EQ(print(optimize(g)), "%0 f32[2] = input x\noutput y %0\n");
}

TEST(WithFloatType, ChangesLeavesConstantsAndResults) {
  Graph g;
  const Value x = g.input("x", {{2, 2}}), t = g.input("t", {{2}, DType::i32});
  const Value w = g.parameter("w", {{2, 2}});
  g.set_scope("loss");
  g.output("loss", softmax_cross_entropy(
                       matmul(add(x, x.make_constant(floats({2, 2}, {1, 2, 3, 4}))), w), t));
  const Graph out = with_float_type(g, DType::f64);
  verify(out);
  EXPECT_EQ(out.leaf("x").dtype(), DType::f64);
  EXPECT_EQ(out.leaf("w").kind(), NodeKind::parameter);
  EXPECT_EQ(out.leaf("t").dtype(), DType::i32);
  EXPECT_EQ(out.output("loss").dtype(), DType::f64);
  EXPECT_EQ(out.output("loss").name(), "loss");
  EXPECT_EQ(out.size(), g.size());
}

}  // namespace
}  // namespace limen::test
