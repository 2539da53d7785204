#include "softmax.hpp"

struct gumbel_softmax : limen::softmax_of<gumbel_softmax> {
  static constexpr auto formula = "softmax((x_i + g_i) / tau), g = -log(-log(u)), u ~ U(0, 1)";
  static constexpr auto latex = R"(\frac{e^{(x_i + g_i) / \tau}}{\sum_j e^{(x_j + g_j) / \tau}})";
  static constexpr auto summary = "a soft sample of a category; without noise in evaluation";
  static constexpr auto reference =
      "E. Jang, S. Gu, B. Poole, Categorical Reparameterization with Gumbel-Softmax, ICLR 2017";
  static constexpr bool stochastic = true;
  static constexpr limen::param params[] = {{"tau", 1, 0, limen::kInfinity,
                                             "temperature; towards 0 samples become one-hot",
                                             LIMEN_PF_OPEN_MIN | LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{.y_min = 0, .y_max = 1};

  static auto scale(const auto& r) { return 1 / r.param(0); }
  static void operands(const auto& r, const auto& body) { body(r.x, r.uniform()); }
  // In evaluation every u is 1/2: the same for all, and taken away.
  static auto score(auto k, auto x, auto u) { return k * (u == 0.5 ? x : x - log(-log(u))); }
};
LIMEN_ACTIVATION(gumbel_softmax)
LIMEN_PLUGIN("org.limen.gumbel_softmax", "1.0.0", .author = "limen")
