#include <limen/graph.hpp>

#include <sstream>

#include <limen/ops.hpp>

#include "graph/graph_data.hpp"
#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace limen::test {
namespace {

TEST(Graph, KeepsNodesInOrderWithTheirInputs) {
  Graph g;
  const Value x = g.input("x", {{4, 3}}), w = g.parameter("w", {{3, 2}});
  const Value y = matmul(x, w), z = mul(y, y);
  EXPECT_EQ(g.size(), 4u);
  EXPECT_EQ(z.id(), 3u);
  EXPECT_EQ(z.arity(), 2);
  EXPECT_EQ(z.input(0), y);
  EXPECT_EQ(z.input(1), y);  // parallel edges
  EXPECT_EQ(y.type(), (TensorType{{4, 2}, DType::f32}));
  EXPECT_EQ(y.kind(), NodeKind::op);
  EXPECT_EQ(y.op()->name(), "matmul");
  EXPECT_EQ(x.kind(), NodeKind::input);
  EXPECT_EQ(x.op(), nullptr);
  EXPECT_EQ(w.kind(), NodeKind::parameter);
  EXPECT_EQ(w.name(), "w");
  EXPECT_EQ(z.sibling(0), x);
}

TEST(Graph, KeepsItsHandlesWhenMoved) {
  Graph g;
  const Value x = g.input("x", {{2}});
  Graph moved = std::move(g);
  const Value y = neg(x);
  EXPECT_EQ(moved.size(), 2u);
  EXPECT_EQ(moved.node(1), y);
  Graph assigned;
  assigned = std::move(moved);
  EXPECT_EQ(neg(y).id(), 2u);
  EXPECT_EQ(assigned.size(), 3u);
}

TEST(Graph, ListsLeavesByKindAndName) {
  Graph g;
  const Value x = g.input("x", {{2}}), w = g.parameter("w", {{2}}), t = g.input("t", {{2}});
  EXPECT_EQ(g.inputs(), (std::vector<Value>{x, t}));
  EXPECT_EQ(g.parameters(), (std::vector<Value>{w}));
  EXPECT_EQ(g.leaf("w"), w);
  EXPECT_ERROR(g.leaf("ww"), "E0405", "`ww`", "did you mean `w`?", "there are: t, w, x");
}

TEST(Graph, RefusesANameTwice) {
  Graph g;
  const Value x = g.input("x", {{2}});
  EXPECT_ERROR(g.parameter("x", {{3}}), "E0403", "`x`");
  EXPECT_ERROR(g.input("x", {{3}}), "E0403", "`x`");
  EXPECT_EQ(g.size(), 1u);
  g.output("y", x);
  EXPECT_ERROR(g.output("y", x), "E0403", "output `y`");
}

TEST(Graph, NamesItsOutputs) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.output("loss", neg(x));
  g.output("x", x);
  EXPECT_TRUE(g.has_output("loss"));
  EXPECT_FALSE(g.has_output("los"));
  EXPECT_EQ(g.output("x"), x);
  EXPECT_EQ(g.outputs()[0].first, "loss");
  EXPECT_ERROR(g.output("los"), "E0405", "no output `los`", "did you mean `loss`?", "loss, x");
}

TEST(Graph, MakesConstantsBesideAnyValue) {
  Graph g;
  const Value x = g.input("x", {{2}, DType::f64});
  const Value half = x.make_constant(0.5), three = x.make_constant(integers({1}, {3}));
  EXPECT_EQ(half.kind(), NodeKind::constant);
  EXPECT_EQ(half.type(), (TensorType{{}, DType::f64}));
  EXPECT_EQ(half.constant().as<double>()[0], 0.5);
  EXPECT_EQ(three.dtype(), DType::i32);
}

TEST(Graph, KeepsReferencesValidWhileItGrows) {
  Graph g;
  const Value x = g.input("x", {{7}});
  g.set_scope("first");
  const Value y = neg(x);
  const Shape& shape = y.shape();
  const std::string &name = x.name(), &scope = y.name();
  for (int i = 0; i < 1000; ++i) {
    g.set_scope(std::to_string(i));
    g.output(std::to_string(i), broadcast_to(y.make_constant(1.0), shape));
  }
  EXPECT_EQ(&y.shape(), &shape);
  EXPECT_EQ(shape, Shape{7});
  EXPECT_EQ(name, "x");
  EXPECT_EQ(scope, "first");
}

TEST(Graph, LeavesTheGraphAloneWhenAnOpRefuses) {
  Graph g;
  const Value x = g.input("x", {{2}}), y = g.input("y", {{3}});
  EXPECT_ERROR(add(x, y), "E0607");
  EXPECT_EQ(g.size(), 2u);
  verify(g);
}

TEST(Graph, RemembersTheScopeOfNodes) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.set_scope("dense1");
  const Value a = neg(x);
  g.set_scope("dense2");
  const Value b = neg(a);
  EXPECT_EQ(a.name(), "dense1");
  EXPECT_EQ(b.name(), "dense2");
  EXPECT_EQ(x.name(), "x");
}

TEST(Print, ShowsOneLinePerNode) {
  Graph g;
  const Value x = g.input("x", {{4, 3}}), w = g.parameter("w", {{2, 3}});
  const Value y = matmul(x, w, false, true);
  const Value z = add(y, broadcast_to(y.make_constant(0.5), y.shape()));
  g.output("z", z);
  g.output("sum", reduce_sum(z, {0}));
  EXPECT_EQ(print(g),
            "%0 f32[4, 3] = input x\n"
            "%1 f32[2, 3] = parameter w\n"
            "%2 f32[4, 2] = matmul{NT} %0 %1\n"
            "%3 f32[] = constant 0.5\n"
            "%4 f32[4, 2] = broadcast_to{[4, 2]} %3\n"
            "%5 f32[4, 2] = add %2 %4\n"
            "%6 f32[1, 2] = sum_to{[1, 2]} %5\n"
            "%7 f32[2] = reshape{[2]} %6\n"
            "output z %5\n"
            "output sum %7\n");
}

TEST(Print, ShowsScalarsOfEveryType) {
  Graph g;
  g.constant(Tensor::scalar(0.25, DType::f64));
  g.constant(Tensor::scalar(7, DType::i32));
  g.constant(Tensor({{2}}));
  EXPECT_EQ(print(g), "%0 f64[] = constant 0.25\n%1 i32[] = constant 7\n%2 f32[2] = constant\n");
}

TEST(WriteDot, WritesNodesAndEdges) {
  Graph g;
  const Value x = g.input("x\"y", {{2}});
  neg(x);
  std::ostringstream out;
  write_dot(g, out);
  EXPECT_THAT(out.str(), testing::HasSubstr("digraph"));
  EXPECT_THAT(out.str(), testing::HasSubstr("0->1"));
  EXPECT_THAT(out.str(), testing::HasSubstr("\\\"y"));
  std::ostringstream empty;
  write_dot(Graph(), empty);
  EXPECT_THAT(empty.str(), testing::HasSubstr("digraph"));
}

TEST(DependsOn, MarksWhatCanBeReached) {
  Graph g;
  const Value x = g.input("x", {{2}}), y = g.input("y", {{2}});
  const Value a = neg(x);
  neg(y);
  add(a, y);
  EXPECT_EQ(depends_on(g, std::array{x}), (std::vector<bool>{true, false, true, false, true}));
  EXPECT_EQ(depends_on(g, std::array{a}), (std::vector<bool>{false, false, true, false, true}));
  EXPECT_EQ(depends_on(g, std::array{x, y}), (std::vector<bool>(5, true)));
  EXPECT_EQ(depends_on(g, {}), (std::vector<bool>(5, false)));
  EXPECT_TRUE(depends_on(Graph(), {}).empty());
}

TEST(Depth, IsTheLongestChain) {
  Graph g;
  EXPECT_EQ(depth(g), 0u);
  const Value x = g.input("x", {{2}});
  EXPECT_EQ(depth(g), 1u);
  add(neg(neg(x)), x);
  EXPECT_EQ(depth(g), 4u);
}

// A graph that can only come about by a mistake in limen.
NodeData& node_of(Value v) { return const_cast<GraphData&>(*GraphData::of(v))[v.id()]; }

TEST(Verify, FindsEveryKindOfDamage) {
  const auto damaged = [](auto damage) {
    Graph g;
    const Value x = g.input("x", {{2}}), y = g.input("y", {{2}});
    const Value d = sub(x, y);
    verify(g);  // the edges are there from now on
    damage(x, d);
    return error_of([&] { verify(g); });
  };
  EXPECT_EQ(damaged([](Value, Value) {}), "");
  EXPECT_THAT(damaged([](Value, Value d) { node_of(d).type.shape = {3}; }),
              testing::HasSubstr("E7001]: node %2: its type"));
  EXPECT_THAT(
      damaged([](Value, Value d) { std::swap(node_of(d).inputs[0], node_of(d).inputs[1]); }),
      testing::HasSubstr("edges do not mirror"));
  EXPECT_THAT(damaged([](Value, Value d) { node_of(d).inputs.pop_back(); }),
              testing::HasSubstr("differ in number"));
  EXPECT_THAT(damaged([](Value, Value d) { node_of(d).op = nullptr; }),
              testing::HasSubstr("kind and op disagree"));
  EXPECT_THAT(damaged([](Value x, Value d) {
                auto& data = const_cast<GraphData&>(*GraphData::of(x));
                data[x.id()].inputs.push_back(d.id());
                boost::add_edge(d.id(), x.id(), EdgeData{0},
                                const_cast<GraphData::Boost&>(data.boost()));
              }),
              testing::HasSubstr("cycle"));
}

TEST(Verify, EndsWithTheExitCodeOfAMistakeOfOurs) {
  Graph g;
  const Value y = neg(g.input("x", {{2}}));
  node_of(y).type.shape = {3};
  try {
    verify(g);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::bug);
  }
}

}  // namespace
}  // namespace limen::test
