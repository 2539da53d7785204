#include <limen/activation.hpp>

struct reglu {
  static constexpr auto formula = "a * max(b, 0)";
  static constexpr auto latex = R"(a \max(b, 0))";
  static constexpr auto summary = "gated linear unit with relu for a gate";
  static constexpr auto reference =
      "N. Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, 2020";
  static constexpr unsigned arity = 2;
  static auto f(auto a, auto b) { return a * max(b, 0); }
};
LIMEN_ACTIVATION(reglu)
LIMEN_PLUGIN("org.limen.reglu", "1.0.0", .author = "limen")
