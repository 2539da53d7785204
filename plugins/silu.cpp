#include <limen/activation.hpp>

struct silu {
  static constexpr auto formula = "x * sigmoid(beta * x)";
  static constexpr auto latex = R"(x \, \sigma(\beta x))";
  static constexpr auto summary = "sigmoid-weighted linear unit, also known as swish";
  static constexpr auto reference = "S. Elfwing, E. Uchibe, K. Doya, Neural Networks 107, 2018";
  static constexpr const char* aliases[] = {"swish"};
  static constexpr limen::param params[] = {
      {"beta", 1, -limen::kInfinity, limen::kInfinity, "steepness",
       LIMEN_PF_OPEN_MIN | LIMEN_PF_OPEN_MAX | LIMEN_PF_TRAINABLE}};
  static constexpr limen::facts facts{.zero_at_zero = true, .lipschitz = 1.1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -1.6993417021166355e-16, -1.6568581595637197e-16},
      {-8, -0.002682801043731825, -0.0023465512355853157},
      {-3, -0.14227761953270035, -0.08810410601516962},
      {-2, -0.23840584404423512, -0.09078424878489548},
      {-0.5, -0.18877033439907273, 0.2600388126973482},
      {-0.0009765625, -0.0004880428314398462, 0.4995117188276102},
      {0, 0, 0.5},
      {0.0009765625, 0.0004885196685601537, 0.5004882811723897},
      {0.5, 0.3112296656009273, 0.7399611873026518},
      {1.25, 0.9716248264683639, 0.9936808449153124},
      {3, 2.8577223804672998, 1.0881041060151697},
      {8, 7.997317198956268, 1.0023465512355854},
      {40, 40, 1.0000000000000002}};

  static auto f(auto x, auto beta) { return swish(x, beta); }
};
LIMEN_ACTIVATION(silu)
LIMEN_PLUGIN("org.limen.silu", "1.0.0", .author = "limen")
