#include <limen/activation.hpp>

struct hard_max {
  static constexpr auto formula = "x_i is the first largest ? 1 : 0";
  static constexpr auto latex = R"([i = \min \operatorname{argmax}_j x_j])";
  static constexpr auto summary = "one-hot of the largest; its derivative is 0";
  static constexpr const char* aliases[] = {"hardmax"};
  static constexpr limen::facts facts{.y_min = 0, .y_max = 1};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::point golden[] = {{3, 0},   {-1, 0}, {5, 1},   {5, 0},
                                            {4.5, 0}, {0, 0},  {-40, 0}, {1, 0}};

  static void one_hot(const auto& r, auto* y) {
    if (!y) return;
    const auto first = r.argmax(r.x);
    const auto largest = r.x[first];
    r.map(
        y, [=](auto) { return largest == largest ? 0 : largest; }, r.x);
    if (largest == largest) y[first] = 1;  // one NaN makes all NaN
  }
  static void forward(const auto& r) { one_hot(r, r.y); }
  static void backward(const auto& r) {
    r.map(
        r.dx, [](auto) { return 0; }, r.dy);
  }
  static void jvp(const auto& r) {
    one_hot(r, r.y);
    r.map(
        r.ty, [](auto) { return 0; }, r.tx);
  }
  static void backward2(const auto& r) {
    r.map(
        r.gy, [](auto) { return 0; }, r.gx);
    r.map(
        r.dx, [](auto) { return 0; }, r.gx);
  }
};
LIMEN_ACTIVATION(hard_max)
LIMEN_PLUGIN("org.limen.hard_max", "1.0.0", .author = "limen")
