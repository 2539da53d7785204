#include <limen/activation.hpp>

struct snake {
  static constexpr auto formula = "x + square(sin(alpha * x)) / alpha";
  static constexpr auto latex = R"(x + \frac{1}{\alpha} \sin^2(\alpha x))";
  static constexpr auto summary = "monotone with a periodic part";
  static constexpr auto reference = "L. Ziyin, T. Hartwig, M. Ueda, NeurIPS 2020";
  static constexpr limen::param params[] = {
      {"alpha", 1, 0, limen::kInfinity, "frequency of the periodic part",
       LIMEN_PF_OPEN_MIN | LIMEN_PF_OPEN_MAX | LIMEN_PF_TRAINABLE}};
  static constexpr limen::facts facts{.increasing = true, .zero_at_zero = true, .lipschitz = 2};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-8, -7.021170259838308, 1.2879033166650653},
      {-3, -2.980085143325183, 1.2794154981989259},
      {-2, -1.173178189568194, 1.7568024953079282},
      {-0.5, -0.2701511529340699, 0.1585290151921035},
      {-0.0009765625, -0.0009756088259867586, 0.9980468762417632},
      {0, 0, 1},
      {0.0009765625, 0.0009775161740132414, 1.0019531237582369},
      {0.5, 0.7298488470659301, 1.8414709848078965},
      {1.25, 2.150571807773467, 1.5984721441039564},
      {3, 3.019914856674817, 0.7205845018010741},
      {8, 8.978829740161693, 0.7120966833349347}};

  static auto f(auto x, auto alpha) { return x + square(sin(alpha * x)) / alpha; }
};
LIMEN_ACTIVATION(snake)
LIMEN_PLUGIN("org.limen.snake", "1.0.0", .author = "limen")
