#include <limen/activation.hpp>

struct tanh {
  static constexpr auto formula = "tanh(x)";
  static constexpr auto latex = R"(\tanh x)";
  static constexpr auto summary = "hyperbolic tangent";
  static constexpr limen::facts facts{.odd = true,
                                      .increasing = true,
                                      .zero_at_zero = true,
                                      .y_min = -1,
                                      .y_max = 1,
                                      .lipschitz = 1,
                                      .gain = 5.0 / 3};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -1, 7.21940555138166e-35},
      {-3, -0.9950547536867305, 0.00986603716544019},
      {-0.5, -0.46211715726000974, 0.7864477329659274},
      {0, 0, 1},
      {0.0009765625, 0.0009765621895592603, 0.9999990463262899},
      {0.5, 0.46211715726000974, 0.7864477329659274},
      {1.25, 0.8482836399575129, 0.28041486618043265},
      {8, 0.9999997749296758, 4.5014059756372915e-07}};

  static auto f(auto x) { return limen::tanh(x); }
  static auto df_y(auto y) { return (1 - y) * (1 + y); }
};
LIMEN_ACTIVATION(tanh)
LIMEN_PLUGIN("org.limen.tanh", "1.0.0", .author = "limen")
