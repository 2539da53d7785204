#include <limen/activation.hpp>

struct softplus {
  static constexpr auto formula = "softplus(beta * x) / beta";
  static constexpr auto latex = R"(\frac{1}{\beta} \ln(1 + e^{\beta x}))";
  static constexpr auto summary = "smooth rectified linear unit";
  static constexpr auto reference = "C. Dugas et al., NIPS 2000";
  static constexpr limen::param params[] = {
      {"beta", 1, 0, limen::kInfinity, "sharpness", LIMEN_PF_OPEN_MIN | LIMEN_PF_OPEN_MAX}};
  static constexpr limen::facts facts{.increasing = true, .y_min = 0, .lipschitz = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, 4.248354255291589e-18, 4.248354255291589e-18},
      {-8, 0.00033540637289576885, 0.0003353501304664781},
      {-3, 0.04858735157374206, 0.04742587317756678},
      {-2, 0.1269280110429725, 0.11920292202211756},
      {-0.5, 0.4740769841801067, 0.37754066879814546},
      {-0.0009765625, 0.6926590185192302, 0.49975585939440254},
      {0, 0.6931471805599453, 0.5},
      {0.0009765625, 0.6936355810192302, 0.5002441406055974},
      {0.5, 0.9740769841801067, 0.6224593312018546},
      {1.25, 1.501929081345373, 0.7772998611746912},
      {3, 3.048587351573742, 0.9525741268224333},
      {8, 8.000335406372896, 0.9996646498695335},
      {40, 40, 1}};

  static auto f(auto x, auto beta) {
    const auto t = beta * x;  // may overflow where the result does not
    return t > 1000 ? x : limen::softplus(t) / beta;
  }
};
LIMEN_ACTIVATION(softplus)
LIMEN_PLUGIN("org.limen.softplus", "1.0.0", .author = "limen")
