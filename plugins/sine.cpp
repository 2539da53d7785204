#include <limen/activation.hpp>

struct sine {
  static constexpr auto formula = "sin(omega * x)";
  static constexpr auto latex = R"(\sin(\omega x))";
  static constexpr auto summary = "periodic, for networks that represent signals";
  static constexpr auto reference =
      "V. Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions, "
      "NeurIPS 2020";
  static constexpr limen::param params[] = {{"omega", 30, -limen::kInfinity, limen::kInfinity,
                                             "angular frequency",
                                             LIMEN_PF_OPEN_MIN | LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{.odd = true, .zero_at_zero = true, .y_min = -1, .y_max = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-8, -0.9454451549211168, 9.773439166054443},
      {-3, -0.8939966636005579, -13.442208483875104},
      {-1.25, 0.19779879963646227, 29.407279224303245},
      {-0.5, -0.6502878401571168, -22.790637385764636},
      {-0.0009765625, -0.029292684228266686, 29.987126317565554},
      {0, 0, 30},
      {0.0009765625, 0.029292684228266686, 29.987126317565554},
      {0.5, 0.6502878401571168, -22.790637385764636},
      {1.25, -0.19779879963646227, 29.407279224303245},
      {3, 0.8939966636005579, -13.442208483875104},
      {8, 0.9454451549211168, 9.773439166054443}};

  static auto f(auto x, auto omega) { return sin(omega * x); }
};
LIMEN_ACTIVATION(sine)
LIMEN_PLUGIN("org.limen.sine", "1.0.0", .author = "limen")
