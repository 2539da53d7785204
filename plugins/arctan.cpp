#include <limen/activation.hpp>

struct arctan {
  static constexpr auto formula = "atan(x)";
  static constexpr auto latex = R"(\arctan x)";
  static constexpr auto summary = "inverse tangent";
  static constexpr const char* aliases[] = {"atan"};
  static constexpr limen::facts facts{.odd = true,
                                      .increasing = true,
                                      .zero_at_zero = true,
                                      .y_min = -1.5707963267948966,
                                      .y_max = 1.5707963267948966,
                                      .lipschitz = 1,
                                      .gain = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -1.5458015331759765, 0.0006246096189881324},
      {-8, -1.446441332248135, 0.015384615384615385},
      {-3, -1.2490457723982544, 0.1},
      {-2, -1.1071487177940904, 0.2},
      {-0.5, -0.4636476090008061, 0.8},
      {-0.0009765625, -0.0009765621895593195, 0.9999990463265931},
      {0, 0, 1},
      {0.0009765625, 0.0009765621895593195, 0.9999990463265931},
      {0.5, 0.4636476090008061, 0.8},
      {1.25, 0.8960553845713439, 0.3902439024390244},
      {3, 1.2490457723982544, 0.1},
      {8, 1.446441332248135, 0.015384615384615385},
      {40, 1.5458015331759765, 0.0006246096189881324}};

  static auto f(auto x) { return atan(x); }
};
LIMEN_ACTIVATION(arctan)
LIMEN_PLUGIN("org.limen.arctan", "1.0.0", .author = "limen")
