#include <limen/activation.hpp>

struct swiglu {
  static constexpr auto formula = "a * b * sigmoid(b)";
  static constexpr auto latex = R"(a \, b \, \sigma(b))";
  static constexpr auto summary = "gated linear unit with silu for a gate";
  static constexpr auto reference =
      "N. Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, 2020";
  static constexpr unsigned arity = 2;
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::sample<2, 1> golden[] = {
      {{2, -40}, {-3.398683404233271e-16}, {-1.6993417021166355e-16, -3.3137163191274394e-16}},
      {{-3, -8}, {0.008048403131195474}, {-0.002682801043731825, 0.007039653706755947}},
      {{1, -2}, {-0.23840584404423512}, {-0.23840584404423512, -0.09078424878489548}},
      {{0.5, -0.5}, {-0.09438516719953637}, {-0.18877033439907273, 0.1300194063486741}},
      {{-1, 0}, {0}, {0, -0.5}},
      {{0.75, 0.5}, {0.23342224920069546}, {0.3112296656009273, 0.5549708904769889}},
      {{2, 3}, {5.7154447609345995}, {2.8577223804672998, 2.1762082120303394}},
      {{-0.25, 8}, {-1.999329299739067}, {7.997317198956268, -0.25058663780889634}},
      {{3, 40}, {120}, {40, 3.0000000000000004}}};

  static auto f(auto a, auto b) { return a * times_sigmoid(b, b); }
};
LIMEN_ACTIVATION(swiglu)
LIMEN_PLUGIN("org.limen.swiglu", "1.0.0", .author = "limen")
