#include <limen/activation.hpp>

struct crelu {
  static constexpr auto formula = "(max(x, 0), max(-x, 0))";
  static constexpr auto latex = R"((\max(x, 0), \max(-x, 0)))";
  static constexpr auto summary = "both sides of zero as features of their own";
  static constexpr auto reference =
      "W. Shang et al., Concatenated Rectified Linear Units, ICML 2016";
  static constexpr unsigned outputs = 2;
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0}};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::sample<1, 2> golden[] = {
      {{-40}, {0, 40}, {0, -1}}, {{-2}, {0, 2}, {0, -1}},   {{-0.5}, {0, 0.5}, {0, -1}},
      {{0}, {0, 0}, {0, 0}},     {{0.5}, {0.5, 0}, {1, 0}}, {{0.75}, {0.75, 0}, {1, 0}},
      {{3}, {3, 0}, {1, 0}},     {{40}, {40, 0}, {1, 0}}};

  static auto f(auto x) { return limen::join(max(x, 0), max(-x, 0)); }
};
LIMEN_ACTIVATION(crelu)
LIMEN_PLUGIN("org.limen.crelu", "1.0.0", .author = "limen")
