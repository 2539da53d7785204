#include "softmax.hpp"

struct log_softmax {
  static constexpr auto formula = "x_i - log(sum_j exp(x_j))";
  static constexpr auto latex = R"(x_i - \ln \sum_j e^{x_j})";
  static constexpr auto summary = "scores along an axis as logarithms of probabilities";
  static constexpr const char* aliases[] = {"logsoftmax"};
  static constexpr limen::facts facts{.y_max = 0};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {{3, -1.1004232359486816},    {1, -3.1004232359486816},
                                            {-3, -7.100423235948681},    {0.5, -3.6004232359486816},
                                            {2.75, -1.3504232359486816}, {-40, -44.10042323594868},
                                            {-2, -6.100423235948681},    {3, -1.1004232359486816}};

  // y = (x - max) - log(k) - log1p(s / k) for k largest elements and the sum s over the others:
  // where one element dominates, its y is the small number -log1p(s).
  static void logarithms(const auto& r, auto* y) {
    const auto max = r.max(r.x);
    const auto others = r.sum([=](auto x) { return x == max ? 0 : limen::weight(x, max); }, r.x);
    auto k = r.sum([=](auto x) { return x == max ? 1 : 0; }, r.x);
    // A single +infinity takes all; several, or -infinity alone, have no limit.
    if (abs(max) == limen::kInfinity && k > 1) k = limen::kNaN;
    const auto log_k = log(k), rest = log1p(others / k);
    r.map(
        y, [=](auto x) { return (x == max ? 0 : x - max) - log_k - rest; }, r.x);
  }
  static void forward(const auto& r) { logarithms(r, r.y); }

  // dx = dy - p sum(dy), p = e^y; written so that dy - p dy does not cancel where p is almost 1
  static void backward(const auto& r) {
    const auto sum = r.sum(r.dy);
    r.map(
        r.dx, [=](auto y, auto dy) { return -expm1(y) * dy - exp(y) * (sum - dy); }, r.y, r.dy);
  }

  // ty = tx - <p, tx>
  static void jvp(const auto& r) {
    const auto y = r.y ? r.y : r.ty;
    logarithms(r, y);
    const auto mean = r.sum([](auto l, auto tx) { return exp(l) * tx; }, y, r.tx);
    r.map(
        r.ty, [=](auto tx) { return tx - mean; }, r.tx);
  }

  // With b = <p, gx>: gy = gx - b, dx = -sum(dy) p (gx - b).
  static void backward2(const auto& r) {
    const auto max = r.max(r.x);
    const auto total = r.sum([=](auto x) { return limen::weight(x, max); }, r.x);
    const auto p = [=](auto x) { return limen::weight(x, max) / total; };
    const auto sum = r.sum(r.dy);
    const auto b = r.sum([=](auto x, auto gx) { return p(x) * gx; }, r.x, r.gx);
    r.map(
        r.gy, [=](auto gx) { return gx - b; }, r.gx);
    r.map(
        r.dx, [=](auto x, auto gx) { return -sum * p(x) * (gx - b); }, r.x, r.gx);
  }
};
LIMEN_ACTIVATION(log_softmax)
LIMEN_PLUGIN("org.limen.log_softmax", "1.0.0", .author = "limen")
