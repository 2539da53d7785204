#include <limen/activation.hpp>
#include "rounding.hpp"

struct gelu {
  static constexpr auto formula =
      "approximate == none ? x * (1 + erf(x / sqrt(2))) / 2 : x * (1 + tanh(sqrt(2 / pi) * (x + "
      "0.044715 * x^3))) / 2";
  static constexpr auto latex = R"(x \, \Phi(x))";
  static constexpr auto summary = "gaussian error linear unit";
  static constexpr auto reference = "D. Hendrycks, K. Gimpel, arXiv 1606.08415, 2016";
  static constexpr const char* const forms[] = {"none", "tanh", nullptr};
  static constexpr limen::param params[] = {{"approximate", 0, 0, 1,
                                             "none: the exact function; tanh: a close one", 0,
                                             LIMEN_P_CHOICE, forms}};
  static constexpr limen::facts facts{.zero_at_zero = true, .lipschitz = 1.1291};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -0, 0},
      {-8, -4.976768459417427e-15, -3.979607261086796e-14},
      {-3, -0.0040496940948902835, -0.011945647204183927},
      {-2, -0.04550026389635842, -0.0852318010781969},
      {-0.5, -0.15426876936299344, 0.13250487534383715},
      {-0.0009765625, -0.00048790078905392527, 0.4992208161062869},
      {0, 0, 0.5},
      {0.0009765625, 0.0004886617109460747, 0.5007791838937131},
      {0.5, 0.34573123063700656, 0.8674951246561629},
      {1.25, 1.117937782916431, 1.1226615830694222},
      {3, 2.99595030590511, 1.011945647204184},
      {8, 7.999999999999995, 1.0000000000000397},
      {40, 40, 1}};

  // (1 + tanh(u)) / 2 = sigmoid(2 u), and 2 u = x (kLinear + kCubic x^2)
  static constexpr long double kLinear = 1.59576912160573071175978423973752747390L,
                               kCubic = kLinear * 0.044715L;

  // 2 u without the roundings of `used`, less `used`
  template <class F>
  static F lost(F x, F used) {
    constexpr F k1 = static_cast<F>(kLinear), k1_rest = static_cast<F>(kLinear - k1);
    constexpr F k3 = static_cast<F>(kCubic), k3_rest = static_cast<F>(kCubic - k3);
    const F q = x * x, c = k3 * q, p = k1 + c, t = x * p;
    const F c_rest = limen::product_error(k3, q) + (k3 * limen::product_error(x, x) + k3_rest * q);
    const F p_rest = (c < k1 ? c - (p - k1) : k1 - (p - c)) + (c_rest + k1_rest);
    return (t - used) + (limen::product_error(x, p) + x * p_rest);
  }
  static auto f(auto x, auto approximate) {
    if constexpr (approximate == 0) {
      return times_gauss_cdf(x);
    } else {
      const auto a = x < -25 ? -25 : x > 25 ? 25 : x;  // beyond, the gate is 0 or 1
      const auto t = a * (static_cast<double>(kLinear) + static_cast<double>(kCubic) * square(a));
      const auto y = times_sigmoid(x, t);
      return x < 0 ? y * (1 + lost(limen::value(a), limen::value(t))) : y;
    }
  }
};
LIMEN_ACTIVATION(gelu)
LIMEN_PLUGIN("org.limen.gelu", "1.0.0", .author = "limen")
