#include <limen/activation.hpp>

struct mish {
  static constexpr auto formula = "x * tanh(softplus(x))";
  static constexpr auto latex = R"(x \tanh(\ln(1 + e^x)))";
  static constexpr auto summary = "smooth, self-gated and not monotone";
  static constexpr auto reference = "D. Misra, arXiv 1908.08681, 2019";
  static constexpr limen::facts facts{
      .zero_at_zero = true, .y_min = -0.30884341301725041, .lipschitz = 1.0885};
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

  static auto f(auto x) { return times_tanh_softplus(x, x); }
};
LIMEN_ACTIVATION(mish)
LIMEN_PLUGIN("org.limen.mish", "1.0.0", .author = "limen")
