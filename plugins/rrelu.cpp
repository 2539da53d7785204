#include <limen/activation.hpp>

struct rrelu {
  static constexpr auto formula = "x > 0 ? x : a * x, a ~ U(lower, upper)";
  static constexpr auto latex = R"(\max(x, 0) + a \min(x, 0),\ a \sim U(l, u))";
  static constexpr auto summary =
      "leaky rectified linear unit with a random slope; the mean in evaluation";
  static constexpr auto reference =
      "B. Xu et al., Empirical Evaluation of Rectified Activations, arXiv 1505.00853, 2015";
  static constexpr bool stochastic = true;
  static constexpr limen::param params[] = {{"lower", 1.0 / 8, 0, 1, "smallest slope below zero"},
                                            {"upper", 1.0 / 3, 0, 1, "largest slope below zero"}};
  static constexpr limen::facts facts{.increasing = true, .zero_at_zero = true, .lipschitz = 1};

  static const char* check(const double* hyper) {
    return hyper[0] <= hyper[1] ? nullptr : "lower must not be above upper";
  }
  static auto slope(auto lower, auto upper, auto noise) {
    return lower + (upper - lower) * noise.uniform();
  }
  static auto f(auto x, auto lower, auto upper, auto noise) {
    return x > 0 ? x : slope(lower, upper, noise) * x;
  }
  // y has the sign of x because no slope is negative.
  static auto df_y(auto y, auto lower, auto upper, auto noise) {
    return y > 0 ? 1 : slope(lower, upper, noise);
  }
};
LIMEN_ACTIVATION(rrelu)
LIMEN_PLUGIN("org.limen.rrelu", "1.0.0", .author = "limen")
