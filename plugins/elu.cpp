#include <limen/activation.hpp>

struct elu {
  static constexpr auto formula = "x > 0 ? x : alpha * expm1(x)";
  static constexpr auto latex = R"(\max(x, 0) + \alpha \min(e^x - 1, 0))";
  static constexpr auto summary = "exponential linear unit";
  static constexpr auto reference = "D. Clevert, T. Unterthiner, S. Hochreiter, ICLR 2016";
  static constexpr limen::param params[] = {
      {"alpha", 1, 0, limen::kInfinity, "minus the limit far below zero", LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{.increasing = true, .zero_at_zero = true};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 1}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -1, 4.248354255291589e-18},
      {-8, -0.9996645373720975, 0.00033546262790251185},
      {-3, -0.950212931632136, 0.049787068367863944},
      {-2, -0.8646647167633873, 0.1353352832366127},
      {-0.5, -0.3934693402873666, 0.6065306597126334},
      {-0.0009765625, -0.0009760858180243377, 0.9990239141819757},
      {0, 0, 1},
      {0.0009765625, 0.0009765625, 1},
      {0.5, 0.5, 1},
      {1.25, 1.25, 1},
      {3, 3, 1},
      {8, 8, 1},
      {40, 40, 1}};

  static auto f(auto x, auto alpha) { return x > 0 ? x : alpha * expm1(x); }
  static auto df_y(auto y, auto alpha) { return y > 0 ? 1 : y + alpha; }
};
LIMEN_ACTIVATION(elu)
LIMEN_PLUGIN("org.limen.elu", "1.0.0", .author = "limen")
