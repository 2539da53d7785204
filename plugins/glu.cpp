#include <limen/activation.hpp>

struct glu {
  static constexpr auto formula = "a * sigmoid(b)";
  static constexpr auto latex = R"(a \, \sigma(b))";
  static constexpr auto summary = "one half of the features gated by the other";
  static constexpr auto reference =
      "Y. Dauphin et al., Language Modeling with Gated Convolutional Networks, ICML 2017";
  static constexpr unsigned arity = 2;
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::sample<2, 1> golden[] = {
      {{2, -40}, {8.496708510583178e-18}, {4.248354255291589e-18, 8.496708510583178e-18}},
      {{-3, -8}, {-0.0010060503913994342}, {0.0003353501304664781, -0.0010057130122694228}},
      {{1, -2}, {0.11920292202211756}, {0.11920292202211756, 0.10499358540350652}},
      {{0.5, -0.5}, {0.18877033439907273}, {0.37754066879814546, 0.11750185610079725}},
      {{-1, 0}, {-0.5}, {0.5, -0.25}},
      {{0.75, 0.5}, {0.4668444984013909}, {0.6224593312018546, 0.17625278415119586}},
      {{2, 3}, {1.9051482536448665}, {0.9525741268224333, 0.09035331946182426}},
      {{-0.25, 8}, {-0.24991616246738338}, {0.9996646498695335, -8.380941768911856e-05}},
      {{3, 40}, {3}, {1, 1.2745062765874767e-17}}};

  static auto f(auto a, auto b) { return times_sigmoid(a, b); }
};
LIMEN_ACTIVATION(glu)
LIMEN_PLUGIN("org.limen.glu", "1.0.0", .author = "limen")
