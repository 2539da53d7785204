#include <limen/activation.hpp>

struct squared_relu {
  static constexpr auto formula = "square(max(x, 0))";
  static constexpr auto latex = R"(\max(x, 0)^2)";
  static constexpr auto summary = "square of the rectified linear unit";
  static constexpr auto reference = "D. So et al., Primer, NeurIPS 2021";
  static constexpr limen::facts facts{.increasing = true, .zero_at_zero = true, .y_min = 0};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, 0, 0},    {-8, 0, 0},
      {-3, 0, 0},     {-2, 0, 0},
      {-0.5, 0, 0},   {-0.0009765625, 0, 0},
      {0, 0, 0},      {0.0009765625, 9.5367431640625e-07, 0.001953125},
      {0.5, 0.25, 1}, {1.25, 1.5625, 2.5},
      {3, 9, 6},      {8, 64, 16},
      {40, 1600, 80}};

  static auto f(auto x) { return square(max(x, 0)); }
};
LIMEN_ACTIVATION(squared_relu)
LIMEN_PLUGIN("org.limen.squared_relu", "1.0.0", .author = "limen")
