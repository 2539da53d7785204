#include <limen/activation.hpp>

struct reglu {
  static constexpr auto formula = "a * max(b, 0)";
  static constexpr auto latex = R"(a \max(b, 0))";
  static constexpr auto summary = "gated linear unit with relu for a gate";
  static constexpr auto reference =
      "N. Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, 2020";
  static constexpr unsigned arity = 2;
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::sample<2, 1> golden[] = {
      {{2, -40}, {0}, {0, 0}},  {{-3, -8}, {0}, {0, 0}},
      {{1, -2}, {0}, {0, 0}},   {{0.5, -0.5}, {0}, {0, 0}},
      {{-1, 0}, {0}, {0, 0}},   {{0.75, 0.5}, {0.375}, {0.5, 0.75}},
      {{2, 3}, {6}, {3, 2}},    {{-0.25, 8}, {-2}, {8, -0.25}},
      {{3, 40}, {120}, {40, 3}}};

  static auto f(auto a, auto b) { return a * max(b, 0); }
};
LIMEN_ACTIVATION(reglu)
LIMEN_PLUGIN("org.limen.reglu", "1.0.0", .author = "limen")
