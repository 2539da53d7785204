#include <limen/activation.hpp>

struct relu6 {
  static constexpr auto formula = "min(max(x, 0), 6)";
  static constexpr auto latex = R"(\min(\max(x, 0), 6))";
  static constexpr auto summary = "rectified linear unit with a ceiling";
  static constexpr auto reference =
      "A. Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010";
  static constexpr limen::facts facts{.increasing = true,
                                      .zero_at_zero = true,
                                      .idempotent = true,
                                      .y_min = 0,
                                      .y_max = 6,
                                      .lipschitz = 1,
                                      .gain = 1.4142135623730951};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0}, {.at = 6, .slope = 0}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-8, 0, 0},    {-0.5, 0, 0}, {0, 0, 0}, {0.0009765625, 0.0009765625, 1},
      {0.5, 0.5, 1}, {3, 3, 1},    {6, 6, 0}, {8, 6, 0}};

  static auto f(auto x) { return x <= 0 ? 0 : x >= 6 ? 6 : x; }
  static auto df_y(auto y) { return y <= 0 || y >= 6 ? 0 : 1; }
};
LIMEN_ACTIVATION(relu6)
LIMEN_PLUGIN("org.limen.relu6", "1.0.0", .author = "limen")
