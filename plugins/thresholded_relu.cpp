#include <limen/activation.hpp>

struct thresholded_relu {
  static constexpr auto formula = "x > alpha ? x : 0";
  static constexpr auto latex = R"(x \, [x > \alpha])";
  static constexpr auto summary = "rectified linear unit that opens at a threshold";
  static constexpr auto reference = "K. Konda, R. Memisevic, D. Krueger, ICLR 2015";
  static constexpr limen::param params[] = {
      {"alpha", 1, 0, limen::kInfinity, "the threshold", LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{
      .increasing = true, .zero_at_zero = true, .idempotent = true, .y_min = 0};
  static constexpr limen::kink kinks[] = {
      {.at = 0, .slope = 0, .kind = LIMEN_KINK_JUMP, .scale = 1, .param = 0}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {{-8, 0, 0}, {-0.5, 0, 0},    {0, 0, 0}, {0.5, 0, 0},
                                            {1, 0, 0},  {1.25, 1.25, 1}, {3, 3, 1}, {40, 40, 1}};

  static auto f(auto x, auto alpha) { return x <= alpha ? 0 : x; }
  // Only what passed is above zero, because alpha is not negative.
  static auto df_y(auto y, auto) { return y <= 0 ? 0 : 1; }
};
LIMEN_ACTIVATION(thresholded_relu)
LIMEN_PLUGIN("org.limen.thresholded_relu", "1.0.0", .author = "limen")
