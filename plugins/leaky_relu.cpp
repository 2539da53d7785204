#include <limen/activation.hpp>

struct leaky_relu {
  static constexpr auto formula = "x > 0 ? x : alpha * x";
  static constexpr auto latex = R"(\max(x, 0) + \alpha \min(x, 0))";
  static constexpr auto summary =
      "rectified linear unit that lets some of the negative side through";
  static constexpr auto reference = "A. Maas, A. Hannun, A. Ng, ICML 2013";
  static constexpr limen::param params[] = {{"alpha", 0.01, 0, 1, "slope below zero"}};
  static constexpr limen::facts facts{
      .increasing = true, .zero_at_zero = true, .homogeneous = true, .lipschitz = 1};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0.01}};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::point golden[] = {{-2, -0.02, 0.01}, {0, 0, 0.01}, {0.75, 0.75, 1}};

  static auto f(auto x, auto alpha) { return x > 0 ? x : alpha * x; }
  // y has the sign of x because alpha is not negative.
  static auto df_y(auto y, auto alpha) { return y > 0 ? 1 : alpha; }
};
LIMEN_ACTIVATION(leaky_relu)
LIMEN_PLUGIN("org.limen.leaky_relu", "1.0.0", .author = "limen")
