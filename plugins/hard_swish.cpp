#include <limen/activation.hpp>

struct hard_swish {
  static constexpr auto formula = "x * min(max(x + 3, 0), 6) / 6";
  static constexpr auto latex = R"(\frac{x}{6} \min(\max(x + 3, 0), 6))";
  static constexpr auto summary = "piecewise quadratic swish";
  static constexpr auto reference = "A. Howard et al., MobileNetV3, ICCV 2019";
  static constexpr const char* aliases[] = {"hardswish"};
  static constexpr limen::facts facts{.zero_at_zero = true, .y_min = -0.375, .lipschitz = 1.5};
  static constexpr limen::kink kinks[] = {{.at = -3, .slope = -0.5}, {.at = 3, .slope = 1.5}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-8, 0, 0},
      {-3, 0, -0.5},
      {-1.25, -0.3645833333333333, 0.08333333333333333},
      {0, 0, 0.5},
      {0.0009765625, 0.000488440195719401, 0.5003255208333334},
      {1.25, 0.8854166666666666, 0.9166666666666666},
      {3, 3, 1.5},
      {8, 8, 1}};

  static auto f(auto x) { return x < -3 ? 0 : x <= 3 ? x * ((x + 3) * (1.0 / 6)) : x; }
};
LIMEN_ACTIVATION(hard_swish)
LIMEN_PLUGIN("org.limen.hard_swish", "1.0.0", .author = "limen")
