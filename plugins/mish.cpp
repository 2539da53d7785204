#include <limen/activation.hpp>
#include <limen/slope.hpp>

struct mish {
  static constexpr auto formula = "x * tanh(softplus(x))";
  static constexpr auto latex = R"(x \tanh(\ln(1 + e^x)))";
  static constexpr auto summary = "smooth, self-gated and not monotone";
  static constexpr auto reference = "D. Misra, arXiv 1908.08681, 2019";
  static constexpr limen::facts facts{.zero_at_zero = true};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -1.6993417021166355e-16, -1.6568581595637197e-16},
      {-8, -0.0026832508825465375, -0.0023473943816052943},
      {-3, -0.14564746127562458, -0.09339311453232084},
      {-2, -0.2525014826957089, -0.10835509242039394},
      {-0.5, -0.22074377465173, 0.2895106779135122},
      {-0.0009765625, -0.000585632309359304, 0.5993749543944977},
      {0, 0, 0.6},
      {0.0009765625, 0.000586242660838373, 0.6006249540527645},
      {0.5, 0.37524521130489513, 0.8864243753577272},
      {1.25, 1.1318703042410392, 1.080463093148231},
      {3, 2.9865350049679575, 1.0211069109294437},
      {8, 7.999998200644843, 1.000003372583688},
      {40, 40, 1}};

  // tanh(softplus(x)) = n / (n + 2), n = e^x (e^x + 2). Above 22 that is 1, below -800 it is 0.
  static auto floor(auto x) { return x < -800 ? -800 : x; }
  static auto clamp(auto x) { return x > 22 ? 22 : floor(x); }
  static auto f(auto x) {
    return limen::with_slope(
        x,
        [](auto a) {
          const auto e = exp(clamp(a)), n = e * (e + 2);
          return floor(a) * (n / (n + 2));
        },
        [](auto a) {
          const auto c = clamp(a), e = exp(c), n = e * (e + 2), r = 1 / (n + 2);
          return n * r + 4 * c * (e * r) * ((1 + e) * r);
        });
  }
};
LIMEN_ACTIVATION(mish)
LIMEN_PLUGIN("org.limen.mish", "1.0.0", .author = "limen")
