#include <limen/activation.hpp>

struct swiglu {
  static constexpr auto formula = "a * b * sigmoid(b)";
  static constexpr auto latex = R"(a \, b \, \sigma(b))";
  static constexpr auto summary = "gated linear unit with silu for a gate";
  static constexpr auto reference =
      "N. Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, 2020";
  static constexpr unsigned arity = 2;
  // Beyond +-800 the gate is 0 or b, and 0 * infinity must not be met.
  static auto f(auto a, auto b) { return b < -800 ? 0 : b > 800 ? a * b : a * (b * sigmoid(b)); }
};
LIMEN_ACTIVATION(swiglu)
LIMEN_PLUGIN("org.limen.swiglu", "1.0.0", .author = "limen")
