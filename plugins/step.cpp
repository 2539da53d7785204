#include <limen/activation.hpp>

struct step {
  static constexpr auto formula = "x > 0 ? 1 : 0";
  static constexpr auto latex = "[x > 0]";
  static constexpr auto summary =
      "threshold; its derivative is 0, so nothing is learned through it";
  static constexpr const char* aliases[] = {"heaviside"};
  static constexpr limen::facts facts{
      .increasing = true, .zero_at_zero = true, .y_min = 0, .y_max = 1};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0, .kind = LIMEN_KINK_JUMP}};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::point golden[] = {{-2, 0, 0}, {0, 0, 0}, {0.75, 1, 0}};

  static auto f(auto x) { return isnan(x) ? detach(x) : x > 0 ? 1 : 0; }
  static auto df_y(auto) { return 0; }
};
LIMEN_ACTIVATION(step)
LIMEN_PLUGIN("org.limen.step", "1.0.0", .author = "limen")
