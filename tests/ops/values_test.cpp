// Values against formulas written out by hand.
#include <cmath>
#include <numbers>

#include <limen/differentiate.hpp>
#include <limen/ops.hpp>

#include "ops/pointwise.hpp"
#include "support/execute.hpp"
#include "support/expect_error.hpp"

namespace limen::test {
namespace {

// The value of build(inputs) as an output.
template <class F>
Tensor value_of(const F& build, const std::vector<Tensor>& at, const CompileOptions& options = {}) {
  Graph g;
  std::vector<Value> in;
  Tensors inputs;
  for (const Tensor& t : at) {
    const std::string name = "p" + std::to_string(in.size());
    in.push_back(g.input(name, t.type()));
    inputs[name] = t;
  }
  g.output("y", build(in));
  return execute(g, inputs, options).at("y");
}
using In = std::vector<Value>;

void expect_values(const Tensor& got, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> numbers = values(got);
  ASSERT_EQ(numbers.size(), expected.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] == expected[i] || (std::isnan(numbers[i]) && std::isnan(expected[i]))) continue;
    EXPECT_NEAR(numbers[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i])))
        << "element " << i;
  }
}

TEST(Elementwise, FollowsTheFormulas) {
  const std::vector<std::pair<Value (*)(Value), double (*)(double)>> functions{
      {neg, [](double x) { return -x; }},
      {exp, [](double x) { return std::exp(x); }},
      {log, [](double x) { return std::log(x); }},
      {sqrt, [](double x) { return std::sqrt(x); }},
      {square, [](double x) { return x * x; }},
      {sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {softplus, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }},
  };
  for (const DType dtype : {DType::f32, DType::f64}) {
    const double tolerance = dtype == DType::f32 ? 5e-7 : 1e-15;
    const Tensor in = random_tensor({{1001}, dtype}, 4, -20, 20);
    for (const auto& [build, formula] : functions) {
      std::vector<double> expected = values(in);
      for (double& v : expected) v = formula(v);
      const Tensor got = value_of([&](In x) { return build(x[0]); }, {in});
      const std::vector<double> numbers = values(got);
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (std::isnan(numbers[i]) && std::isnan(expected[i])) continue;
        ASSERT_NEAR(numbers[i], expected[i], tolerance * std::abs(expected[i])) << values(in)[i];
      }
    }
  }
}

TEST(Elementwise, KeepsInfinitiesAndNaN) {
  const Tensor in = floats({6}, {-INFINITY, INFINITY, NAN, -0.0f, 0.0f, 1e30f});
  expect_values(value_of([](In x) { return exp(x[0]); }, {in}), {0, INFINITY, NAN, 1, 1, INFINITY},
                0);
  expect_values(value_of([](In x) { return log(x[0]); }, {in}),
                {NAN, INFINITY, NAN, -INFINITY, -INFINITY, std::log(1e30)}, 1e-6);
  expect_values(value_of([](In x) { return sigmoid(x[0]); }, {in}), {0, 1, NAN, 0.5, 0.5, 1}, 0);
  expect_values(value_of([](In x) { return softplus(x[0]); }, {in}),
                {0, INFINITY, NAN, std::numbers::ln2, std::numbers::ln2, 1e30}, 1e-6);
  expect_values(value_of([](In x) { return square(x[0]); }, {in}),
                {INFINITY, INFINITY, NAN, 0, 0, INFINITY}, 0);
  expect_values(value_of([](In x) { return clamp(x[0], -1, 2); }, {in}), {-1, 2, NAN, 0, 0, 2}, 0);
  expect_values(value_of([](In x) { return huber_of(x[0], 1); }, {in}),
                {INFINITY, INFINITY, NAN, 0, 0, 1e30}, 1e-6);
  EXPECT_TRUE(std::signbit(value_of([](In x) { return neg(x[0]); }, {in}).as<float>()[4]));
}

TEST(Elementwise, DividesAsTheStandardSays) {
  const Tensor a = floats({4}, {1, -1, 0, 6}), b = floats({4}, {0, 0, 0, 4});
  expect_values(value_of([](In x) { return div(x[0], x[1]); }, {a, b}),
                {INFINITY, -INFINITY, NAN, 1.5}, 0);
}

TEST(Elementwise, MultipliesByZeroWithoutHidingNaN) {
  // The optimiser may turn x * 0 into scale, never into 0.
  const Tensor in = floats({3}, {INFINITY, NAN, 2});
  for_each_config([&](CompileOptions o) {
    const Tensor got = value_of(
        [](In x) { return mul(x[0], broadcast_to(x[0].make_constant(0.0), x[0].shape())); }, {in},
        o);
    expect_values(got, {NAN, NAN, 0}, 0);
  });
}

TEST(BroadcastTo, RepeatsLeadingAndSizeOneAxes) {
  const Tensor column = floats({2, 1}, {1, 2}), row = floats({3}, {1, 2, 3});
  expect_values(value_of(
                    [](In x) {
                      return broadcast_to(x[0], {2, 3});
                    },
                    {column}),
                {1, 1, 1, 2, 2, 2}, 0);
  expect_values(value_of(
                    [](In x) {
                      return broadcast_to(x[0], {2, 3});
                    },
                    {row}),
                {1, 2, 3, 1, 2, 3}, 0);
  expect_values(value_of(
                    [](In x) {
                      return broadcast_to(x[0], {2, 2, 1});
                    },
                    {column}),
                {1, 2, 1, 2}, 0);
}

TEST(SumTo, IsTheAdjointOfBroadcastTo) {
  // <broadcast(x), y> = <x, sum(y)>
  for (const Shape& small : {Shape{}, Shape{4}, Shape{3, 1}, Shape{1, 4}, Shape{2, 1, 4}}) {
    const Tensor x = random_tensor({small, DType::f64}, 1),
                 y = random_tensor({{2, 3, 4}, DType::f64}, 2);
    const Tensor left = value_of(
        [](In in) {
          return sum(mul(broadcast_to(in[0], {2, 3, 4}), in[1]));
        },
        {x, y});
    const Tensor right =
        value_of([&](In in) { return sum(mul(in[0], sum_to(in[1], small))); }, {x, y});
    EXPECT_LE(distance(left, right), 1e-14) << to_string(small);
  }
}

TEST(ShapeOps, MoveElementsOfEveryType) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i32}) {
    const Tensor in = convert(integers({2, 3}, {1, 2, 3, 4, 5, 6}), dtype);
    const auto expect = [&](auto build, const Shape& shape, const std::vector<double>& expected) {
      const Tensor got = value_of(build, {in});
      EXPECT_EQ(got.type(), (TensorType{shape, dtype}));
      expect_values(got, expected, 0);
    };
    expect([](In x) { return transpose(x[0], {1, 0}); }, {3, 2}, {1, 4, 2, 5, 3, 6});
    expect([](In x) { return reshape(x[0], {3, 2}); }, {3, 2}, {1, 2, 3, 4, 5, 6});
    expect([](In x) { return slice(x[0], 1, 1, 3); }, {2, 2}, {2, 3, 5, 6});
    expect([](In x) { return slice(x[0], -2, 1, 2); }, {1, 3}, {4, 5, 6});
    expect(
        [](In x) {
          return concat(In{x[0], x[0]}, 0);
        },
        {4, 3}, {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6});
    expect(
        [](In x) {
          return concat(In{x[0], slice(x[0], 1, 0, 1)}, 1);
        },
        {2, 4}, {1, 2, 3, 1, 4, 5, 6, 4});
    expect(
        [](In x) {
          return broadcast_to(slice(x[0], 0, 0, 1), {2, 3});
        },
        {2, 3}, {1, 2, 3, 1, 2, 3});
  }
}

TEST(Transpose, PermutesThreeAxes) {
  const Tensor in = random_tensor({{2, 3, 4}, DType::f32}, 1);
  const Tensor out = value_of([](In x) { return transpose(x[0], {2, 0, 1}); }, {in});
  EXPECT_EQ(out.shape(), (Shape{4, 2, 3}));
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 4; ++k) {
        EXPECT_EQ(out.as<float>()[k * 6 + i * 3 + j], in.as<float>()[i * 12 + j * 4 + k]);
      }
    }
  }
}

TEST(Reductions, FollowTheirAxes) {
  const Tensor in = floats({2, 3}, {1, 5, 3, 4, 2, 9});
  const auto expect = [&](auto build, const Shape& shape, const std::vector<double>& expected) {
    const Tensor got = value_of(build, {in});
    EXPECT_EQ(got.shape(), shape);
    expect_values(got, expected, 1e-7);
  };
  expect([](In x) { return reduce_sum(x[0]); }, {}, {24});
  expect([](In x) { return reduce_sum(x[0], {0}); }, {3}, {5, 7, 12});
  expect([](In x) { return reduce_sum(x[0], {-1}); }, {2}, {9, 15});
  expect([](In x) { return reduce_sum(x[0], {0, 1}, true); }, {1, 1}, {24});
  expect([](In x) { return reduce_sum(x[0], {1, 1}); }, {2}, {9, 15});
  expect([](In x) { return reduce_mean(x[0]); }, {}, {4});
  expect([](In x) { return reduce_mean(x[0], {0}, true); }, {1, 3}, {2.5, 3.5, 6});
  expect([](In x) { return reduce_max(x[0]); }, {}, {9});
  expect([](In x) { return reduce_max(x[0], {0}); }, {3}, {4, 5, 9});
  expect([](In x) { return reduce_max(x[0], {1}, true); }, {2, 1}, {5, 9});
}

TEST(Reductions, OfNothing) {
  const Tensor empty({{2, 0}, DType::f32});
  expect_values(value_of([](In x) { return reduce_sum(x[0]); }, {empty}), {0}, 0);
  expect_values(value_of([](In x) { return reduce_sum(x[0], {1}); }, {empty}), {0, 0}, 0);
  expect_values(value_of([](In x) { return reduce_mean(x[0]); }, {empty}), {NAN}, 0);
  expect_values(value_of([](In x) { return reduce_max(x[0]); }, {empty}), {-INFINITY}, 0);
}

TEST(ReduceMax, SendsItsCotangentToTheFirstOfEquals) {
  Graph g;
  const Value x = g.input("x", {{3, 3}});
  g.output("rows", differentiate(sum(reduce_max(x, {1})), std::array{x})[0]);
  g.output("all", differentiate(reduce_max(x), std::array{x})[0]);
  const Tensor at = floats({3, 3}, {1, 7, 7, 2, 2, 2, NAN, 1, NAN});
  const Tensors out = execute(g, {{"x", at}});
  expect_values(out.at("rows"), {0, 1, 0, 1, 0, 0, 1, 0, 0}, 0);
  expect_values(out.at("all"), {0, 0, 0, 0, 0, 0, 1, 0, 0}, 0);
}

TEST(Sqrt, HasAnInfiniteSlopeAtZero) {
  Graph g;
  const Value x = g.input("x", {{2}});
  g.output("dx", differentiate(sum(sqrt(x)), std::array{x})[0]);
  expect_values(execute(g, {{"x", floats({2}, {0, 4})}}).at("dx"), {INFINITY, 0.25}, 0);
}

}  // namespace
}  // namespace limen::test
