#include <limen/activation.hpp>

struct glu {
  static constexpr auto formula = "a * sigmoid(b)";
  static constexpr auto latex = R"(a \, \sigma(b))";
  static constexpr auto summary = "one half of the features gated by the other";
  static constexpr auto reference =
      "Y. Dauphin et al., Language Modeling with Gated Convolutional Networks, ICML 2017";
  static constexpr unsigned arity = 2;
  static auto f(auto a, auto b) { return a * sigmoid(b); }
};
LIMEN_ACTIVATION(glu)
LIMEN_PLUGIN("org.limen.glu", "1.0.0", .author = "limen")
