#include <limen/activation.hpp>

struct sigmoid {
  static constexpr auto formula = "1 / (1 + exp(-x))";
  static constexpr auto latex = R"(\frac{1}{1 + e^{-x}})";
  static constexpr auto summary = "logistic function";
  static constexpr const char* aliases[] = {"logistic"};
  static constexpr limen::facts facts{
      .increasing = true, .y_min = 0, .y_max = 1, .lipschitz = 0.25, .gain = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {{-40, 4.248354255291589e-18, 4.248354255291589e-18},
                                            {-3, 0.04742587317756678, 0.04517665973091213},
                                            {-0.5, 0.37754066879814546, 0.2350037122015945},
                                            {0, 0.5, 0.25},
                                            {0.0009765625, 0.5002441406055974, 0.2499999403953647},
                                            {0.5, 0.6224593312018546, 0.2350037122015945},
                                            {1.25, 0.7772998611746912, 0.173104786992497},
                                            {8, 0.9996646498695335, 0.00033523767075647424}};

  static auto f(auto x) { return limen::sigmoid(x); }
  static auto df_y(auto y) { return y * (1 - y); }
};
LIMEN_ACTIVATION(sigmoid)
LIMEN_PLUGIN("org.limen.sigmoid", "1.0.0", .author = "limen")
