#include <limen/activation.hpp>

struct gaussian {
  static constexpr auto formula = "exp(-square(x))";
  static constexpr auto latex = "e^{-x^2}";
  static constexpr auto summary = "bell curve";
  static constexpr limen::facts facts{
      .even = true, .y_min = 0, .y_max = 1, .lipschitz = 0.8577638849607069};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-8, 1.603810890548638e-28, 2.5660974248778207e-27},
      {-3, 0.00012340980408667956, 0.0007404588245200773},
      {-1.25, 0.2096113871510978, 0.5240284678777446},
      {-0.5, 0.7788007830714049, 0.7788007830714049},
      {-0.0009765625, 0.9999990463261383, 0.001953123137355739},
      {0, 1, 0},
      {0.0009765625, 0.9999990463261383, -0.001953123137355739},
      {0.5, 0.7788007830714049, -0.7788007830714049},
      {1.25, 0.2096113871510978, -0.5240284678777446},
      {3, 0.00012340980408667956, -0.0007404588245200773},
      {5, 1.3887943864964021e-11, -1.3887943864964022e-10},
      {8, 1.603810890548638e-28, -2.5660974248778207e-27}};

  // Beyond +-28 it is 0, and its slope 0 * infinity must not be met.
  static auto f(auto x) { return exp_neg_square(x < -28 ? -28 : x > 28 ? 28 : x); }
};
LIMEN_ACTIVATION(gaussian)
LIMEN_PLUGIN("org.limen.gaussian", "1.0.0", .author = "limen")
