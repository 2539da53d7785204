#include <limen/activation.hpp>

struct selu {
  static constexpr double kScale = 1.0507009873554805, kBelow = 1.7580993408473768;
  static constexpr auto formula =
      "1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x))";
  static constexpr auto latex = R"(\lambda (\max(x, 0) + \alpha \min(e^x - 1, 0)))";
  static constexpr auto summary = "exponential linear unit that keeps mean 0 and variance 1";
  static constexpr auto reference =
      "G. Klambauer et al., Self-Normalizing Neural Networks, NIPS 2017";
  static constexpr limen::facts facts{
      .increasing = true, .zero_at_zero = true, .y_min = -kBelow, .lipschitz = kBelow, .gain = 1};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = kBelow}};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -1.7580993408473768, 7.46902881591429e-18},
      {-8, -1.7575095642223824, 0.0005897766249943349},
      {-3, -1.6705687287671118, 0.08753061208026489},
      {-2, -1.520166468595695, 0.2379328722516818},
      {-0.5, -0.6917581878028713, 1.0663411530445055},
      {-0.0009765625, -0.0017160558332790607, 1.7563832850140977},
      {0, 0, 1.7580993408473768},
      {0.0009765625, 0.0010260751829643364, 1.0507009873554805},
      {0.5, 0.5253504936777402, 1.0507009873554805},
      {1.25, 1.3133762341943507, 1.0507009873554805},
      {3, 3.1521029620664414, 1.0507009873554805},
      {8, 8.405607898843844, 1.0507009873554805},
      {40, 42.02803949421922, 1.0507009873554805}};

  static auto f(auto x) { return x > 0 ? kScale * x : kBelow * expm1(x); }
  static auto df_y(auto y) { return y > 0 ? kScale : y + kBelow; }
};
LIMEN_ACTIVATION(selu)
LIMEN_PLUGIN("org.limen.selu", "1.0.0", .author = "limen")
