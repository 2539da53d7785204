#include <limen/activation.hpp>

struct hard_tanh {
  static constexpr auto formula = "min(max(x, min), max)";
  static constexpr auto latex = R"(\min(\max(x, \mathrm{min}), \mathrm{max}))";
  static constexpr auto summary = "the identity between two limits";
  static constexpr auto reference = "R. Collobert, thesis, Paris 6, 2004";
  static constexpr const char* aliases[] = {"hardtanh"};
  static constexpr limen::param params[] = {
      {"min", -1, -limen::kInfinity, limen::kInfinity, "smallest value"},
      {"max", 1, -limen::kInfinity, limen::kInfinity, "largest value"}};
  static constexpr limen::facts facts{.increasing = true, .idempotent = true, .lipschitz = 1};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0, .scale = 1, .param = 0},
                                          {.at = 0, .slope = 0, .scale = 1, .param = 1}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-8, -1, 0},   {-1, -1, 0}, {-0.5, -0.5, 1}, {0, 0, 1}, {0.0009765625, 0.0009765625, 1},
      {0.5, 0.5, 1}, {1, 1, 0},   {8, 1, 0}};

  static const char* check(const double* hyper) {
    return hyper[0] <= hyper[1] ? nullptr : "min must not be above max";
  }
  static auto f(auto x, auto low, auto high) { return x <= low ? low : x >= high ? high : x; }
  static auto df_y(auto y, auto low, auto high) { return y <= low || y >= high ? 0 : 1; }
};
LIMEN_ACTIVATION(hard_tanh)
LIMEN_PLUGIN("org.limen.hard_tanh", "1.0.0", .author = "limen")
