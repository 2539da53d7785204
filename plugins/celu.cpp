#include <limen/activation.hpp>
#include <limen/slope.hpp>

struct celu {
  static constexpr auto formula = "max(x, 0) + min(0, alpha * expm1(x / alpha))";
  static constexpr auto latex = R"(\max(x, 0) + \min(0, \alpha (e^{x / \alpha} - 1)))";
  static constexpr auto summary = "exponential linear unit that is smooth for every alpha";
  static constexpr auto reference = "J. Barron, arXiv 1704.07483, 2017";
  static constexpr limen::param params[] = {{"alpha", 1, 0, limen::kInfinity,
                                             "minus the limit far below zero",
                                             LIMEN_PF_OPEN_MIN | LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{.increasing = true, .zero_at_zero = true, .lipschitz = 1};
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

  static auto f(auto x, auto alpha) {
    return limen::with_slope(
        x, [=](auto a) { return a > 0 ? a : alpha * expm1(a / alpha); },
        [=](auto a) { return a > 0 ? 1 : exp(a / alpha); });
  }
  static auto df_y(auto y, auto alpha) { return y > 0 ? 1 : 1 + y / alpha; }
};
LIMEN_ACTIVATION(celu)
LIMEN_PLUGIN("org.limen.celu", "1.0.0", .author = "limen")
