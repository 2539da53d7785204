#include <limen/activation.hpp>
#include "rounding.hpp"

struct quick_gelu {
  static constexpr auto formula = "x * sigmoid(1.702 * x)";
  static constexpr auto latex = R"(x \, \sigma(1.702 x))";
  static constexpr auto summary = "gelu by way of a sigmoid";
  static constexpr auto reference = "D. Hendrycks, K. Gimpel, arXiv 1606.08415, 2016";
  static constexpr limen::facts facts{
      .zero_at_zero = true, .y_min = -0.16361018963635359, .lipschitz = 1.1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -1.0846551018154305e-28, -1.8189666057444768e-28},
      {-8, -9.766428865730378e-06, -1.5401638028495305e-05},
      {-3, -0.018071309707785966, -0.02454832390565235},
      {-2, -0.06434137685579185, -0.07381535430854193},
      {-0.5, -0.1496115633936199, 0.12077808803458573},
      {-0.0009765625, -0.0004878754616717886, 0.4991689456951462},
      {0, 0, 0.5},
      {0.0009765625, 0.0004886870383282114, 0.5008310543048539},
      {0.5, 0.35038843660638014, 0.8792219119654142},
      {1.25, 1.1169343014431694, 1.0959161167499618},
      {3, 2.981928690292214, 1.0245483239056523},
      {8, 7.999990233571134, 1.0000154016380285},
      {40, 40, 1}};

  // 1.702 x - used
  template <class F>
  static F lost(F x, F used) {
    constexpr F kFactor = static_cast<F>(1.702L), kRest = static_cast<F>(1.702L - kFactor);
    return (kFactor * x - used) + (limen::product_error(kFactor, x) + kRest * x);
  }
  static auto f(auto x) {
    const auto a = x < -800 ? -800 : x;  // beyond, the gate is 0
    const auto t = 1.702 * a, y = times_sigmoid(x, t);
    return x < 0 ? y * (1 + lost(limen::value(a), limen::value(t))) : y;
  }
};
LIMEN_ACTIVATION(quick_gelu)
LIMEN_PLUGIN("org.limen.quick_gelu", "1.0.0", .author = "limen")
