#include <limen/activation.hpp>

struct soft_shrink {
  static constexpr auto formula = "x - min(max(x, -lambda), lambda)";
  static constexpr auto latex = R"(\operatorname{sign}(x) \max(|x| - \lambda, 0))";
  static constexpr auto summary = "shrinks towards zero";
  static constexpr auto reference = "D. Donoho, IEEE Transactions on Information Theory 41, 1995";
  static constexpr const char* aliases[] = {"softshrink"};
  static constexpr limen::param params[] = {
      {"lambda", 0.5, 0, limen::kInfinity, "how far", LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{
      .odd = true, .increasing = true, .zero_at_zero = true, .lipschitz = 1};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0, .scale = 1, .param = 0},
                                          {.at = 0, .slope = 0, .scale = -1, .param = 0}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {{-8, -7.5, 1}, {-0.5, 0, 0}, {-0.25, 0, 0},
                                            {0, 0, 0},     {0.5, 0, 0},  {0.75, 0.25, 1},
                                            {3, 2.5, 1},   {40, 39.5, 1}};

  static auto f(auto x, auto lambda) {
    return abs(x) <= lambda ? 0 : x > 0 ? x - lambda : x + lambda;
  }
  static auto df_y(auto y, auto) { return y == 0 ? 0 : 1; }
};
LIMEN_ACTIVATION(soft_shrink)
LIMEN_PLUGIN("org.limen.soft_shrink", "1.0.0", .author = "limen")
