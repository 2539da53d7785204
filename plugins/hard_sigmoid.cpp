#include <limen/activation.hpp>
#include <limen/slope.hpp>

struct hard_sigmoid {
  static constexpr auto formula = "min(max(alpha * x + beta, 0), 1)";
  static constexpr auto latex = R"(\min(\max(\alpha x + \beta, 0), 1))";
  static constexpr auto summary = "piecewise linear sigmoid";
  static constexpr auto reference = "M. Courbariaux, Y. Bengio, J. David, BinaryConnect, NIPS 2015";
  static constexpr const char* aliases[] = {"hardsigmoid"};
  static constexpr limen::param params[] = {{"alpha", 1.0 / 6, 0x1p-20, 0x1p20, "slope at 0"},
                                            {"beta", 0.5, -0x1p20, 0x1p20, "value at 0"}};
  static constexpr limen::facts facts{.increasing = true, .y_min = 0, .y_max = 1};
  static constexpr limen::kink kinks[] = {{.at = -3, .slope = 0}, {.at = 3, .slope = 0}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {{-8, 0, 0},
                                            {-3, 0, 0},
                                            {-1.25, 0.2916666666666667, 0.16666666666666666},
                                            {0, 0.5, 0.16666666666666666},
                                            {0.0009765625, 0.5001627604166666, 0.16666666666666666},
                                            {1.25, 0.7083333333333334, 0.16666666666666666},
                                            {3, 1, 0},
                                            {8, 1, 0}};

  static auto f(auto x, auto alpha, auto beta) {
    const auto low = -beta / alpha, high = (1 - beta) / alpha;
    return limen::with_slope(
        x,
        [=](auto a) {
          const auto y = alpha * (a - low);  // a - low is exact close to `low`
          return a <= low ? 0 : y > 1 ? 1 : y;
        },
        [=](auto a) { return a <= low || a >= high ? 0 : alpha; });
  }
};
LIMEN_ACTIVATION(hard_sigmoid)
LIMEN_PLUGIN("org.limen.hard_sigmoid", "1.0.0", .author = "limen")
