#include "ops/op_table.hpp"

#include <algorithm>

#include <limen/passes.hpp>

namespace limen::test {
namespace {

class EveryOp : public testing::TestWithParam<OpRow> {};

INSTANTIATE_TEST_SUITE_P(Table, EveryOp, testing::ValuesIn(op_table()), [](const auto& row) {
  std::string name = row.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

TEST_P(EveryOp, HasTheDerivativesOfItsValue) {
  for (const auto& types : GetParam().operands) {
    SCOPED_TRACE(to_string(types[0]));
    expect_gradients(GetParam().build, operands_of(GetParam(), types, DType::f64),
                     GetParam().second);
  }
}

// The op on intermediate values (which may be overwritten), with its first and second derivatives.
Graph program(const OpRow& row, const std::vector<TensorType>& types, DType dtype) {
  Graph g;
  std::vector<Value> in, wrt;
  for (const TensorType& type : types) {
    const bool real = is_float(type.dtype);
    const Value leaf =
        g.input("p" + std::to_string(in.size()), {type.shape, real ? dtype : type.dtype});
    in.push_back(real ? sub(leaf, leaf.make_constant(Tensor(leaf.type()))) : leaf);
    if (real) wrt.push_back(in.back());
  }
  const Value y = row.build(g, in);
  g.output("y", y);
  const Value loss = weighed(y, 3);
  Value total;
  for (const Value d : differentiate(loss, wrt)) {
    g.output("d" + std::to_string(g.outputs().size()), d);
    total = total ? add(total, weighed(d, 5)) : weighed(d, 5);
  }
  for (const Value d : differentiate(total, wrt)) {
    g.output("dd" + std::to_string(g.outputs().size()), d);
  }
  return g;
}

Tensors bindings(const std::vector<Tensor>& operands) {
  Tensors inputs;
  for (const Tensor& t : operands) inputs["p" + std::to_string(inputs.size())] = t;
  return inputs;
}

TEST_P(EveryOp, ComputesTheSameInEveryConfiguration) {
  for (const auto& types : GetParam().operands) {
    const Graph graph = program(GetParam(), types, DType::f32);
    verify(graph);
    const Tensors inputs = bindings(operands_of(GetParam(), types, DType::f32));
    for (const bool optimised : {false, true}) {
      for (const bool reference : {false, true}) {
        CompileOptions plain{.optimize = optimised, .reuse_memory = false, .reference = reference};
        const Tensors expected = execute(graph, inputs, plain);
        for_each_config([&](CompileOptions o) {
          if (o.optimize != optimised || o.reference != reference) return;
          for (const auto& [name, tensor] : execute(graph, inputs, o, 2)) {
            EXPECT_TRUE(same_bits(tensor, expected.at(name)))
                << name << " of " << to_string(types[0]) << ": " << describe(o);
          }
        });
      }
    }
  }
}

TEST_P(EveryOp, AgreesBetweenPlainAndOptimisedFastAndReferenceSingleAndDouble) {
  for (const auto& types : GetParam().operands) {
    const Tensors doubles = execute(program(GetParam(), types, DType::f64),
                                    bindings(operands_of(GetParam(), types, DType::f64)),
                                    {.optimize = false, .reference = true});
    const Graph graph = program(GetParam(), types, DType::f32);
    const Tensors inputs = bindings(operands_of(GetParam(), types, DType::f32));
    for_each_config([&](CompileOptions o) {
      if (o.threads != 1 || !o.reuse_memory) return;
      for (const auto& [name, tensor] : execute(graph, inputs, o)) {
        EXPECT_LE(distance(tensor, doubles.at(name)), 2e-5)
            << name << " of " << to_string(types[0]) << ": " << describe(o);
      }
    });
  }
}

TEST_P(EveryOp, StaysTheSameInAnotherFloatType) {
  // with_float_type() shares the ops between both graphs, so no op may keep a type inside.
  const auto& types = GetParam().operands.back();
  const Graph single = program(GetParam(), types, DType::f32);
  Graph changed = with_float_type(single, DType::f64);
  verify(changed);
  const Tensors inputs = bindings(operands_of(GetParam(), types, DType::f64));
  const Tensors expected = execute(program(GetParam(), types, DType::f64), inputs);
  for (const auto& [name, tensor] : execute(changed, inputs)) {
    EXPECT_LE(distance(tensor, expected.at(name)), 1e-6) << name;
  }
}

}  // namespace
}  // namespace limen::test
