#include "softmax.hpp"

struct softmax {
  static constexpr auto formula = "exp(x_i) / sum_j exp(x_j)";
  static constexpr auto latex = R"(\frac{e^{x_i}}{\sum_j e^{x_j}})";
  static constexpr auto summary = "scores along an axis as probabilities";
  static constexpr limen::facts facts{.y_min = 0, .y_max = 1, .lipschitz = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {3, 0.8788782427321509}, {1, 0.11894323591065208}, {-3, 0.002178521357197023}};

  static void probabilities(const auto& r, auto* y) {
    const auto max = r.max(r.x);
    r.map(
        y, [=](auto x) { return limen::weight(x, max); }, r.x);
    const auto sum = limen::total(r.sum(y), max);
    r.map(
        y, [=](auto e) { return e / sum; }, y);
  }

  static void forward(const auto& r) { probabilities(r, r.y); }

  // dx = y (dy - <y, dy>)
  static void backward(const auto& r) {
    const auto mean = r.sum([](auto y, auto dy) { return y * dy; }, r.y, r.dy);
    r.map(
        r.dx, [=](auto y, auto dy) { return y * (dy - mean); }, r.y, r.dy);
  }

  // ty = y (tx - <y, tx>)
  static void jvp(const auto& r) {
    const auto p = r.y ? r.y : r.ty;
    probabilities(r, p);
    const auto mean = r.sum([](auto y, auto tx) { return y * tx; }, p, r.tx);
    r.map(
        r.ty, [=](auto y, auto tx) { return y * (tx - mean); }, p, r.tx);
  }

  // With a = <y, dy>, b = <y, gx>: gy = y (gx - b), dx = y ((gx - b) (dy - a) - c), where c is the
  // mean of (gx - b) (dy - a) under y.
  static void backward2(const auto& r) {
    const auto max = r.max(r.x);
    const auto sum = limen::total(r.sum([=](auto x) { return limen::weight(x, max); }, r.x), max);
    const auto p = [=](auto x) {
      return limen::weight(x, max) / sum;
    };  // there may be no room to keep it
    const auto a = r.sum([=](auto x, auto dy) { return p(x) * dy; }, r.x, r.dy);
    const auto b = r.sum([=](auto x, auto gx) { return p(x) * gx; }, r.x, r.gx);
    const auto c = r.sum([=](auto x, auto dy, auto gx) { return p(x) * ((gx - b) * (dy - a)); },
                         r.x, r.dy, r.gx);
    r.map(
        r.gy, [=](auto x, auto gx) { return p(x) * (gx - b); }, r.x, r.gx);
    r.map(
        r.dx, [=](auto x, auto dy, auto gx) { return p(x) * ((gx - b) * (dy - a) - c); }, r.x, r.dy,
        r.gx);
  }
};
LIMEN_ACTIVATION(softmax)
LIMEN_PLUGIN("org.limen.softmax", "1.0.0", .author = "limen")
