#include <limen/activation.hpp>

struct identity {
  static constexpr auto formula = "x";
  static constexpr auto latex = "x";
  static constexpr auto summary = "no activation";
  static constexpr const char* aliases[] = {"linear", "none"};
  static constexpr limen::facts facts{.odd = true,
                                      .increasing = true,
                                      .zero_at_zero = true,
                                      .homogeneous = true,
                                      .idempotent = true,
                                      .lipschitz = 1,
                                      .gain = 1};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::point golden[] = {{-2, -2, 1}, {0, 0, 1}, {0.75, 0.75, 1}};

  static auto f(auto x) { return x; }
  static auto df_y(auto) { return 1; }
};
LIMEN_ACTIVATION(identity)
LIMEN_PLUGIN("org.limen.identity", "1.0.0", .author = "limen")
