#include "softmax.hpp"

struct softmin : limen::softmax_of<softmin> {
  static constexpr auto formula = "exp(-x_i) / sum_j exp(-x_j)";
  static constexpr auto latex = R"(\frac{e^{-x_i}}{\sum_j e^{-x_j}})";
  static constexpr auto summary = "costs along an axis as probabilities";
  static constexpr limen::facts facts{.y_min = 0, .y_max = 1, .lipschitz = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {3, 2.1151310375910802e-19},   {1, 1.5628821893349886e-18},   {-3, 8.533047625744065e-17},
      {0.5, 2.5767571091549807e-18}, {2.75, 2.715882011892062e-19}, {-40, 0.9999999999999999},
      {-2, 3.139132792048029e-17},   {3, 2.1151310375910802e-19}};

  static int scale(const auto&) { return -1; }
  static void operands(const auto& r, const auto& body) { body(r.x); }
  static auto score(int, auto x) { return -x; }
};
LIMEN_ACTIVATION(softmin)
LIMEN_PLUGIN("org.limen.softmin", "1.0.0", .author = "limen")
