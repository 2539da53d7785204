// The forms that ops of plugins have besides one tensor in, one out: learned parameters, pieces,
// several results.
#include "ops/forms.hpp"

namespace limen::test {
namespace {

double central_bend(double x, double a) { return x + a * x * x; }

// Where a learned parameter's values belong: every shape of the channel axis.
const std::pair<Shape, Shape> kChannels[] = {
    {{7}, {1}},    {{3, 5}, {1}},    {{3, 5}, {5}}, {{2, 3, 4}, {3}},   {{2, 3, 1}, {3}},
    {{0, 3}, {3}}, {{2, 1, 3}, {1}}, {{}, {1}},     {{2, 3, 2, 2}, {3}}};

TEST_F(Forms, ALearnedParameterReachesItsChannel) {
  for (const auto& [shape, channels] : kChannels) {
    SCOPED_TRACE(to_string(shape) + to_string(channels));
    Graph g;
    const Value x = g.input("x", {shape, DType::f64});
    const Value w = g.parameter("w", {channels, DType::f64});
    g.output("y", activate(std::span(&x, 1), op("bend"), {.learned = {{"alpha", w}}}));
    const Tensor at = random_tensor(x.type(), 1), weights = random_tensor(w.type(), 2);
    const std::vector<double> y = values(execute(g, {{"x", at}, {"w", weights}}).at("y"));
    std::int64_t behind = 1;
    for (int axis = 2; axis < shape.rank(); ++axis) behind *= shape[axis];
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto channel =
          static_cast<std::size_t>(static_cast<std::int64_t>(i) / behind % channels.elements());
      const double expected = central_bend(at.as<double>()[i], weights.as<double>()[channel]);
      EXPECT_DOUBLE_EQ(y[i], expected) << i;
    }
  }
}

TEST_F(Forms, LearnedParametersHaveGradients) {
  for (const auto& [shape, channels] : kChannels) {
    SCOPED_TRACE(to_string(shape) + to_string(channels));
    expect_gradients(
        [&](Graph&, std::span<const Value> in) {
          return activate(in.first(1), op("bend"), {.learned = {{"alpha", in[1]}}});
        },
        {random_tensor({shape, DType::f64}, 1), random_tensor({channels, DType::f64}, 2)}, false);
  }
}

TEST_F(Forms, AnotherChannelAxisCanBeNamed) {
  expect_gradients(
      [&](Graph&, std::span<const Value> in) {
        return activate(in.first(1), op("bend"),
                        {.learned = {{"alpha", in[1]}}, .channel_axis = 0});
      },
      {random_tensor({{3, 2}, DType::f64}, 1), random_tensor({{3}, DType::f64}, 2)}, false);
}

TEST_F(Forms, ALearnedParameterLeavesTheTensorTwoDerivatives) {
  Graph g;
  const Value x = g.input("x", {{3, 5}, DType::f64}), w = g.parameter("w", {{5}, DType::f64});
  const Value y = activate(std::span(&x, 1), op("bend"), {.learned = {{"alpha", w}}});
  const Value dx = differentiate(sum(y), std::array{x})[0];
  g.output("ddx", differentiate(sum(dx), std::array{x})[0]);
  const Tensor weights = random_tensor(w.type(), 2);
  const std::vector<double> ddx =
      values(execute(g, {{"x", random_tensor(x.type(), 1)}, {"w", weights}}).at("ddx"));
  for (std::size_t i = 0; i < ddx.size(); ++i) {
    EXPECT_DOUBLE_EQ(ddx[i], 2 * weights.as<double>()[i % 5]);
  }
  EXPECT_ERROR(differentiate(sum(dx), std::array{w}), "E0610", "`bend`", "`alpha`", "one order");
  const Value dw = differentiate(sum(y), std::array{w})[0];
  EXPECT_ERROR(differentiate(sum(dw), std::array{x}), "E0610", "`alpha`");
}

TEST_F(Forms, AGradientOfAParameterIsSummedInDoubleInOneOrder) {
  for (const Shape& channels : {Shape{1}, Shape{40}, Shape{40000}}) {
    Graph g;
    const Value x = g.input("x", {{101, channels[0] == 1 ? 1009 : channels[0]}});
    const Value w = g.parameter("w", {channels});
    const Value y = activate(std::span(&x, 1), op("bend"), {.learned = {{"alpha", w}}});
    g.output("y", y);
    g.output("dw", differentiate(sum(y), std::array{w})[0]);
    const Tensors at{{"x", random_tensor(x.type(), 1)}, {"w", random_tensor(w.type(), 2)}};
    expect_same_everywhere(g, at);
    // The sum of x^2, to the last bit of a float.
    const Tensor dw = execute(g, at, {.threads = 2}).at("dw");
    const auto n = static_cast<std::size_t>(channels[0]);
    std::vector<double> sums(n);
    const auto xs = at.at("x").as<float>();
    for (std::size_t i = 0; i < xs.size(); ++i) sums[i % n] += double{xs[i]} * xs[i];
    for (std::size_t c = 0; c < n; ++c) {
      ASSERT_NEAR(dw.as<float>()[c], sums[c], 1e-7 * sums[c] + 1e-12) << c;
    }
  }
}

TEST_F(Forms, AnUnfitParameterIsRefused) {
  Graph g;
  const Value x = g.input("x", {{3, 5}});
  const auto with = [&](const char* name, const Value& w) {
    return activate(std::span(&x, 1), op("bend"), {.learned = {{name, w}}});
  };
  EXPECT_ERROR(with("alpha", g.input("w", {{4}})), "E0602", "`bend.alpha`", "f32[1] or f32[5]",
               "f32[4]");
  EXPECT_ERROR(with("alpha", g.input("d", {{5}, DType::f64})), "E0602", "f64[5]");
  EXPECT_ERROR(with("beta", g.input("b", {{1}})), "E0202", "`beta`");
  EXPECT_ERROR(activate(std::span(&x, 1), op("pairs"), {.learned = {{"fail", x}}}), "E0601",
               "cannot learn");
}

TEST_F(Forms, OneTensorIsCutIntoPieces) {
  for (const auto& [shape, axis] :
       std::vector<std::pair<Shape, int>>{{{3, 8}, -1}, {{4, 3}, 0}, {{2, 4, 3}, 1}, {{6}, 0}}) {
    SCOPED_TRACE(to_string(shape));
    const Activation f = op("gated").along(axis);
    Graph g;
    const Value x = g.input("x", {shape, DType::f64});
    const int real = shape.axis(axis);
    const std::int64_t half = shape[real] / 2;
    const Value pieces[] = {slice(x, real, 0, half), slice(x, real, half, 2 * half)};
    g.output("cut", activate(x, f));
    g.output("two", activate(pieces, f));
    g.output("plain", mul(pieces[0], square(pieces[1])));
    const Tensors out = execute(g, {{"x", random_tensor(x.type(), 1)}});
    EXPECT_LE(distance(out.at("cut"), out.at("plain")), 1e-15);
    EXPECT_LE(distance(out.at("two"), out.at("plain")), 1e-15);
    expect_gradients([&](Graph&, std::span<const Value> in) { return activate(in[0], f); },
                     {random_tensor(x.type(), 3)});
    expect_gradients([&](Graph&, std::span<const Value> in) { return activate(in, f); },
                     {random_tensor(pieces[0].type(), 3), random_tensor(pieces[0].type(), 4)});
  }
}

TEST_F(Forms, PiecesThatDoNotFitAreRefused) {
  Graph g;
  const Value x = g.input("x", {{3, 5}}), y = g.input("y", {{5, 3}}), s = g.input("s", {{}});
  EXPECT_ERROR(activate(x, op("gated")), "E0602", "`gated`", "2 equal pieces", "f32[3, 5]");
  EXPECT_ERROR(activate(std::array{x, y}, op("gated")), "E0607", "`gated`", "f32[5, 3]");
  EXPECT_ERROR(activate(s, op("gated")), "E0601", "`gated`", "f32[]");
  EXPECT_ERROR(activate(std::array{x, x, x}, op("gated")), "E0601", "`gated`", "gets 3");
  EXPECT_ERROR(activate(std::array{x, x}, op("bend")), "E0601", "`bend`", "gets 2");
  EXPECT_ERROR(activate(x, op("gated").along(2)), "E0605", "axis 2");
}

TEST_F(Forms, SeveralResultsAreJoined) {
  for (const int axis : {0, 1, 2}) {
    const Activation f = op("powers").along(axis);
    Graph g;
    const Value x = g.input("x", {{2, 3, 2}, DType::f64});
    const Value parts[] = {square(x), mul(x, square(x))};
    g.output("joined", activate(x, f));
    g.output("plain", concat(parts, axis));
    const Tensors out = execute(g, {{"x", random_tensor(x.type(), 1)}});
    EXPECT_LE(distance(out.at("joined"), out.at("plain")), 1e-15) << axis;
    expect_gradients([&](Graph&, std::span<const Value> in) { return activate(in[0], f); },
                     {random_tensor(x.type(), 3)});
  }
}

TEST_F(Forms, RowsPiecesAndChannelsGoTogether) {
  for (const int axis : {0, 1, 2}) {
    for (const int channel_axis : {0, 1, 2}) {
      SCOPED_TRACE(std::to_string(axis) + std::to_string(channel_axis));
      const Shape shape = Shape{2, 3, 2}.with(axis, 4);
      const Shape piece = shape.with(axis, 2);
      const auto build = [&](std::span<const Value> in, Value w) {
        return activate(in, op("rowmix").along(axis),
                        {.learned = {{"weight", w}}, .channel_axis = channel_axis});
      };
      const Tensor w = random_tensor({{piece[channel_axis]}, DType::f64}, 5);
      expect_gradients([&](Graph&, std::span<const Value> in) { return build(in.first(1), in[1]); },
                       {random_tensor({shape, DType::f64}, 1), w}, false);
      expect_gradients(
          [&](Graph&, std::span<const Value> in) { return build(in.first(2), in[2]); },
          {random_tensor({piece, DType::f64}, 1), random_tensor({piece, DType::f64}, 2), w}, false);
      Graph g;  // the same as with ops of the engine
      const Value x = g.input("x", {shape, DType::f64}), weight = g.input("w", w.type());
      const Value a = slice(x, axis, 0, 2), b = slice(x, axis, 2, 4);
      Shape ones{1, 1, 1};
      const Value each =
          broadcast_to(reshape(weight, ones.with(channel_axis, piece[channel_axis])), piece);
      g.output("op", build(std::span(&x, 1), weight));
      g.output("plain", mul(each, mul(a, broadcast_to(reduce_sum(b, {axis}, true), piece))));
      const Tensors out = execute(g, {{"x", random_tensor(x.type(), 1)}, {"w", w}});
      EXPECT_LE(distance(out.at("op"), out.at("plain")), 1e-14);
    }
  }
}

}  // namespace
}  // namespace limen::test
