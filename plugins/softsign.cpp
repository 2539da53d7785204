#include <limen/activation.hpp>
#include <limen/slope.hpp>

struct softsign {
  static constexpr auto formula = "x / (1 + abs(x))";
  static constexpr auto latex = R"(\frac{x}{1 + |x|})";
  static constexpr auto summary = "squashes to (-1, 1), slower than tanh";
  static constexpr auto reference = "J. Bergstra et al., technical report 1337, Montreal, 2009";
  static constexpr limen::facts facts{.odd = true,
                                      .increasing = true,
                                      .zero_at_zero = true,
                                      .y_min = -1,
                                      .y_max = 1,
                                      .lipschitz = 1,
                                      .gain = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -0.975609756097561, 0.000594883997620464},
      {-8, -0.8888888888888888, 0.012345679012345678},
      {-3, -0.75, 0.0625},
      {-2, -0.6666666666666666, 0.1111111111111111},
      {-0.5, -0.3333333333333333, 0.4444444444444444},
      {-0.0009765625, -0.000975609756097561, 0.9980497323022011},
      {0, 0, 1},
      {0.0009765625, 0.000975609756097561, 0.9980497323022011},
      {0.5, 0.3333333333333333, 0.4444444444444444},
      {1.25, 0.5555555555555556, 0.19753086419753085},
      {3, 0.75, 0.0625},
      {8, 0.8888888888888888, 0.012345679012345678},
      {40, 0.975609756097561, 0.000594883997620464}};

  static auto f(auto x) {
    return limen::with_slope(
        x,
        [](auto a) {  // beyond 1e30 it is +-1, at infinity too
          const auto b = a < -1e30 ? -1e30 : a > 1e30 ? 1e30 : a;
          return b / (1 + abs(b));
        },
        [](auto a) { return square(1 / (1 + abs(a))); });
  }
  static auto df_y(auto y) { return square(1 - abs(y)); }
};
LIMEN_ACTIVATION(softsign)
LIMEN_PLUGIN("org.limen.softsign", "1.0.0", .author = "limen")
