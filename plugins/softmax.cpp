#include "softmax.hpp"

struct softmax : limen::softmax_of<softmax> {
  static constexpr auto formula = "exp(x_i / temperature) / sum_j exp(x_j / temperature)";
  static constexpr auto latex = R"(\frac{e^{x_i / T}}{\sum_j e^{x_j / T}})";
  static constexpr auto summary = "scores along an axis as probabilities";
  static constexpr limen::param params[] = {{"temperature", 1, 0, limen::kInfinity,
                                             "above 1 flatter, below 1 sharper",
                                             LIMEN_PF_OPEN_MIN | LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{.y_min = 0, .y_max = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {3, 0.3327302304983533},     {1, 0.04503013998587807},   {-3, 0.0008247557830904923},
      {0.5, 0.02731216051258686},  {2.75, 0.2591305640636466}, {-40, 7.037680376719014e-20},
      {-2, 0.0022419186580913955}, {3, 0.3327302304983533}};

  static auto scale(const auto& r) { return 1 / r.param(0); }
  static void operands(const auto& r, const auto& body) { body(r.x); }
  static auto score(auto k, auto x) { return k * x; }
};
LIMEN_ACTIVATION(softmax)
LIMEN_PLUGIN("org.limen.softmax", "1.0.0", .author = "limen")
