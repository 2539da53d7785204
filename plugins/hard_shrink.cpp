#include <limen/activation.hpp>

struct hard_shrink {
  static constexpr auto formula = "abs(x) > lambda ? x : 0";
  static constexpr auto latex = R"(x \, [|x| > \lambda])";
  static constexpr auto summary = "drops what is close to zero";
  static constexpr auto reference = "D. Donoho, I. Johnstone, Biometrika 81, 1994";
  static constexpr const char* aliases[] = {"hardshrink"};
  static constexpr limen::param params[] = {
      {"lambda", 0.5, 0, limen::kInfinity, "how close", LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{
      .odd = true, .increasing = true, .zero_at_zero = true, .idempotent = true};
  static constexpr limen::kink kinks[] = {
      {.at = 0, .slope = 0, .kind = LIMEN_KINK_JUMP, .scale = 1, .param = 0},
      {.at = 0, .slope = 0, .kind = LIMEN_KINK_JUMP, .scale = -1, .param = 0}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {{-8, -8, 1}, {-0.5, 0, 0}, {-0.25, 0, 0},
                                            {0, 0, 0},   {0.5, 0, 0},  {0.75, 0.75, 1},
                                            {3, 3, 1},   {40, 40, 1}};

  static auto f(auto x, auto lambda) { return abs(x) <= lambda ? 0 : x; }
  static auto df_y(auto y, auto) { return y == 0 ? 0 : 1; }
};
LIMEN_ACTIVATION(hard_shrink)
LIMEN_PLUGIN("org.limen.hard_shrink", "1.0.0", .author = "limen")
