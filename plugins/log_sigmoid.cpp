#include <limen/activation.hpp>

struct log_sigmoid {
  static constexpr auto formula = "-softplus(-x)";
  static constexpr auto latex = R"(\ln \sigma(x))";
  static constexpr auto summary = "logarithm of the logistic function";
  static constexpr const char* aliases[] = {"logsigmoid"};
  static constexpr limen::facts facts{.increasing = true, .y_max = 0, .lipschitz = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -40, 1},
      {-8, -8.000335406372896, 0.9996646498695335},
      {-3, -3.048587351573742, 0.9525741268224333},
      {-2, -2.1269280110429727, 0.8807970779778824},
      {-0.5, -0.9740769841801067, 0.6224593312018546},
      {-0.0009765625, -0.6936355810192302, 0.5002441406055974},
      {0, -0.6931471805599453, 0.5},
      {0.0009765625, -0.6926590185192302, 0.49975585939440254},
      {0.5, -0.4740769841801067, 0.37754066879814546},
      {1.25, -0.2519290813453729, 0.22270013882530884},
      {3, -0.04858735157374206, 0.04742587317756678},
      {8, -0.00033540637289576885, 0.0003353501304664781},
      {40, -4.248354255291589e-18, 4.248354255291589e-18}};

  static auto f(auto x) { return -softplus(-x); }
  static auto df_y(auto y) { return -expm1(y); }
};
LIMEN_ACTIVATION(log_sigmoid)
LIMEN_PLUGIN("org.limen.log_sigmoid", "1.0.0", .author = "limen")
