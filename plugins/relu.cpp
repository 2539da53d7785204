#include <limen/activation.hpp>

struct relu {
  static constexpr auto formula = "max(x, 0)";
  static constexpr auto latex = R"(\max(x, 0))";
  static constexpr auto summary = "rectified linear unit";
  static constexpr auto reference = "V. Nair, G. Hinton, ICML 2010";
  static constexpr limen::facts facts{.increasing = true,
                                      .zero_at_zero = true,
                                      .homogeneous = true,
                                      .idempotent = true,
                                      .y_min = 0,
                                      .lipschitz = 1,
                                      .gain = 1.4142135623730951};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0}};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::point golden[] = {{-2, 0, 0}, {0, 0, 0}, {0.75, 0.75, 1}};

  static auto f(auto x) { return max(x, 0); }
  static auto df_y(auto y) { return y <= 0 ? 0 : 1; }
};
LIMEN_ACTIVATION(relu)
LIMEN_PLUGIN("org.limen.relu", "1.0.0", .author = "limen")
