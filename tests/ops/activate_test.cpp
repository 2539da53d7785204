// Plugins as ops: values, derivatives of two orders, axes, configurations, refusals.
#include <algorithm>
#include <cmath>

#include <limen/passes.hpp>

#include "support/expect_error.hpp"
#include "support/gradients.hpp"
#include "support/plugins.hpp"

namespace limen::test {
namespace {

const DType kTypes[] = {DType::f32, DType::f64};

Tensor activated(const Activation& f, const Tensor& x, const CompileOptions& options = {}) {
  Graph g;
  g.output("y", activate(g.input("x", x.type()), f));
  return execute(g, {{"x", x}}, options).at("y");
}

TEST(Activate, ComputesWhatItsNameSays) {
  const PluginRegistry plugins = shipped_plugins();
  const std::vector<std::pair<const char*, double (*)(double)>> formulas{
      {"identity", [](double x) { return x; }},
      {"step", [](double x) { return x > 0 ? 1.0 : 0.0; }},
      {"sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"tanh", [](double x) { return std::tanh(x); }},
      {"relu", [](double x) { return std::max(x, 0.0); }},
      {"leaky_relu", [](double x) { return x > 0 ? x : 0.01 * x; }}};
  for (const auto& [name, formula] : formulas) {
    for (const DType dtype : kTypes) {
      const Tensor x = random_tensor({{3, 20001}, dtype}, 1, -8, 8);  // several tiles
      Tensor expected = x.clone();
      std::vector<double> wanted = values(x);
      for (double& v : wanted) v = formula(v);
      expected = convert(doubles(x.shape(), wanted), dtype);
      for (const int threads : {1, 2}) {
        EXPECT_LE(distance(activated(plugins.find(name), x, {.threads = threads}), expected),
                  dtype == DType::f32 ? 4e-7 : 1e-15)
            << name;
      }
    }
  }
}

TEST(Activate, HasTwoDerivativesInEveryShape) {
  const PluginRegistry plugins = shipped_plugins();
  for (const char* name :
       {"identity", "step", "sigmoid", "tanh", "relu", "leaky_relu", "softmax"}) {
    const Activation f = plugins.find(name);
    for (const Shape& shape : {Shape{1}, Shape{7}, Shape{3, 5}, Shape{2, 3, 2}, Shape{0, 3}}) {
      SCOPED_TRACE(std::string(name) + to_string(shape));
      expect_gradients([&](Graph&, std::span<const Value> in) { return activate(in[0], f); },
                       {random_tensor({shape, DType::f64}, 3, -3, 3)});
    }
  }
}

TEST(Activate, DifferentiatesThroughStacks) {
  const PluginRegistry plugins = shipped_plugins();
  const Activation act[] = {plugins.find("tanh"), plugins.find("softmax"), plugins.find("sigmoid")};
  expect_gradients(
      [&](Graph&, std::span<const Value> in) {
        Value h = in[0];
        for (const Activation& f : act) h = activate(matmul(h, in[1]), f);
        return mul(h, activate(in[0], act[0]));
      },
      {random_tensor({{3, 4}, DType::f64}, 1), random_tensor({{4, 4}, DType::f64}, 2)});
}

TEST(Activate, WorksAlongAnyAxis) {
  const Activation softmax = shipped_plugins().find("softmax");
  const Tensor x = random_tensor({{2, 3, 4}, DType::f64}, 1, -3, 3);
  for (const int axis : {0, 1, 2, -1, -2, -3}) {
    const Tensor y = activated(softmax.along(axis), x);
    const int real = axis < 0 ? axis + 3 : axis;
    const std::int64_t stride = real == 0 ? 12 : real == 1 ? 4 : 1;
    const std::int64_t size = x.shape()[real];
    for (std::int64_t i = 0; i < 24; ++i) {
      const std::int64_t first = i - i / stride % size * stride;
      double total = 0;
      for (std::int64_t k = 0; k < size; ++k) {
        total += std::exp(x.as<double>()[static_cast<std::size_t>(first + k * stride)]);
      }
      EXPECT_NEAR(y.as<double>()[static_cast<std::size_t>(i)],
                  std::exp(x.as<double>()[static_cast<std::size_t>(i)]) / total, 1e-14);
    }
    expect_gradients(
        [&](Graph&, std::span<const Value> in) { return activate(in[0], softmax.along(axis)); },
        {x.clone()});
  }
  Graph g;
  const Value in = g.input("x", x.type());
  EXPECT_ERROR(activate(in, softmax.along(3)), "E0605", "axis 3");
}

// Forward, first and second derivatives on intermediate values. Sizes of the last axis are
// multiples of 8, because gates halve it and `deep` has three of them.
Graph program(const Activation& f, const TensorType& type) {
  Graph g;
  const Value x = g.input("x", type);
  const Value h = sub(x, x.make_constant(Tensor(type)));
  const Value y = activate(h, f);
  g.output("y", y);
  const Value dx = differentiate(weighed(y, 3), std::array{h})[0];
  g.output("dx", dx);
  const std::uint32_t bit = type.dtype == DType::f64 ? LIMEN_F64 : LIMEN_F32;
  if (f.kernel(LIMEN_BACKWARD2, bit, LIMEN_ISA_ANY) != nullptr) {
    g.output("ddx", differentiate(weighed(dx, 5), std::array{h})[0]);
  }
  g.output("deep", activate(activate(activate(scale(x, 2), f), f), f));  // a chain in place
  return g;
}

TEST(Activate, ComputesTheSameInEveryConfiguration) {
  const PluginRegistry plugins = shipped_plugins();
  for (const Activation& f : plugins.activations()) {
    for (const DType dtype : kTypes) {
      const TensorType type{dtype == DType::f32 ? Shape{42, 400} : Shape{6, 8},
                            dtype};  // two tiles
      const Graph g = program(f.rows() ? f.along(0) : f, type);
      const Tensors inputs{{"x", random_tensor(type, 2, -4, 4)}};
      const Tensors expected = execute(g, inputs, {.optimize = false, .reuse_memory = false});
      for_each_config([&](CompileOptions o) {
        for (const auto& [name, tensor] : execute(g, inputs, o)) {
          EXPECT_TRUE(same_bits(tensor, expected.at(name)))
              << f.name() << " " << name << describe(o);
        }
      });
    }
  }
}

TEST(Activate, AgreesBetweenFloatTypes) {
  const PluginRegistry plugins = shipped_plugins();
  for (const char* name : {"identity", "step", "sigmoid", "tanh", "relu", "leaky_relu", "softmax",
                           "prelu", "swiglu", "crelu"}) {
    const Graph g = program(plugins.find(name), {{6, 8}});
    const Tensor x = random_tensor({{6, 8}, DType::f32}, 2, -4, 4);
    const Tensors f64 = execute(with_float_type(g, DType::f64), {{"x", convert(x, DType::f64)}});
    for (const auto& [output, tensor] : execute(g, {{"x", x}})) {
      EXPECT_LE(distance(tensor, f64.at(output)), 4e-6) << name << " " << output;
    }
  }
}

TEST(Activate, KeepsParametersApart) {
  const Activation leaky = shipped_plugins().find("leaky_relu");
  Graph g;
  const Value x = g.input("x", {{2}});
  const Value a = activate(x, leaky.with({{"alpha", 0.5}})), b = activate(x, leaky);
  g.output("a", a);
  g.output("again", activate(x, leaky.with({{"alpha", 0.5}})));
  g.output("b", b);
  g.output("da", differentiate(sum(a), std::array{x})[0]);
  g.output("db", differentiate(sum(b), std::array{x})[0]);
  const Tensors out = execute(g, {{"x", floats({2}, {-1, 2})}});
  EXPECT_EQ(out.at("a").as<float>()[0], -0.5f);
  EXPECT_EQ(out.at("b").as<float>()[0], -0.01f);
  EXPECT_EQ(out.at("da").as<float>()[0], 0.5f);
  EXPECT_EQ(out.at("db").as<float>()[0], 0.01f);
  EXPECT_EQ(compile(g).stats().steps, 4u);  // a, b and a derivative each
  EXPECT_THAT(print(g), testing::HasSubstr("activate{leaky_relu{alpha=0.5}@org.limen.leaky_relu/"));
}

TEST(Activate, RefusesWhatAPluginDoesNotCompute) {
  const PluginRegistry plugins = shipped_plugins();
  Graph g;
  EXPECT_ERROR(activate(g.input("i", {{3}, DType::i32}), plugins.find("tanh")), "E0603", "`tanh`",
               "i32[3]");
  EXPECT_ERROR(activate(g.input("s", {{}}), plugins.find("softmax")), "E0601", "`softmax`",
               "f32[]");
  EXPECT_EQ(activate(g.input("e", {{}}), plugins.find("tanh")).shape(), Shape{});
}

class Partial : public testing::Test {
 protected:
  Partial() { plugins_.load(LIMEN_BINARY_DIR "/tests/plugins/partial.so"); }
  PluginRegistry plugins_;
  Graph g_;
};

TEST_F(Partial, AMissingDerivativeIsNamed) {
  const Value x = g_.input("x", {{3}});
  const Value y = activate(x, plugins_.find("forward_only"));
  EXPECT_ERROR(differentiate(sum(y), std::array{x}), "E0610", "`forward_only`", "partial.so",
               "backward", "f32");
}

TEST_F(Partial, AMissingSecondDerivativeIsNamedWhenItIsNeeded) {
  const Value x = g_.input("x", {{3}});
  const Value dx = differentiate(sum(activate(x, plugins_.find("first_order"))), std::array{x})[0];
  g_.output("dx", dx);
  EXPECT_EQ(values(execute(g_, {{"x", floats({3}, {1, 2, -3})}}).at("dx")),
            (std::vector<double>{2, 4, -6}));
  EXPECT_ERROR(differentiate(sum(dx), std::array{x}), "E0610", "`first_order`", "second-order");
}

TEST_F(Partial, AnotherElementTypeIsRefusedAtOnce) {
  const Value x = g_.input("x", {{3}, DType::f64});
  EXPECT_ERROR(activate(x, plugins_.find("single")), "E0603", "`single`", "f64");
}

TEST_F(Partial, WorksInPlaceOnlyWhereThePluginSaysSo) {
  // Also hands every call its own scratch and the op's instance.
  const Value x = g_.input("x", {{50001}});
  g_.output("y", activate(activate(neg(x), plugins_.find("fresh")), plugins_.find("fresh")));
  const Tensor in = random_tensor({{50001}, DType::f32}, 1);
  for_each_config([&](CompileOptions o) {
    const Tensor y = execute(g_, {{"x", in}}, o).at("y");
    for (std::size_t i = 0; i < 50001; ++i) {
      ASSERT_EQ(y.as<float>()[i], -in.as<float>()[i] + 1 + 1) << describe(o);
    }
  });
}

TEST(Activate, OutlivesItsRegistry) {
  const auto make = [] {
    Graph g;
    g.output("y", activate(g.input("x", {{2}}), shipped_plugins().find("relu")));
    return compile(g);
  };
  Executable exe = make();
  exe.bind("x", floats({2}, {-1, 3}));
  exe.run();
  EXPECT_EQ(values(exe.output("y")), (std::vector<double>{0, 3}));
}

}  // namespace
}  // namespace limen::test
