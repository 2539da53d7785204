#include <limen/activation.hpp>

struct silu {
  static constexpr auto formula = "x / (1 + exp(-x))";
  static constexpr auto summary = "x times its sigmoid";
  static auto f(auto x) { return x * sigmoid(x); }
};
LIMEN_ACTIVATION(silu)
LIMEN_PLUGIN("org.example.smooth", "1.0.0")
