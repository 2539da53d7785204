#include <limen/activation.hpp>

struct prelu {
  static constexpr auto formula = "x > 0 ? x : alpha * x";
  static constexpr auto latex = R"(\max(x, 0) + \alpha \min(x, 0))";
  static constexpr auto summary = "rectified linear unit that learns its slope below zero";
  static constexpr auto reference = "K. He et al., Delving Deep into Rectifiers, ICCV 2015";
  static constexpr limen::param params[] = {
      {"alpha", 0.25, -limen::kInfinity, limen::kInfinity, "slope below zero",
       LIMEN_PF_OPEN_MIN | LIMEN_PF_OPEN_MAX | LIMEN_PF_TRAINABLE | LIMEN_PF_LEARNED}};
  static constexpr limen::facts facts{.zero_at_zero = true, .homogeneous = true};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0.25}};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::point golden[] = {{-8, -2, 0.25}, {-2, -0.5, 0.25}, {-0.5, -0.125, 0.25},
                                            {0, 0, 0.25},   {0.5, 0.5, 1},    {0.75, 0.75, 1},
                                            {3, 3, 1},      {40, 40, 1}};

  static auto f(auto x, auto alpha) { return x > 0 ? x : alpha * x; }
};
LIMEN_ACTIVATION(prelu)
LIMEN_PLUGIN("org.limen.prelu", "1.0.0", .author = "limen")
