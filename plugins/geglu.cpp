#include <limen/activation.hpp>

struct geglu {
  static constexpr auto formula = "a * b * (1 + erf(b / sqrt(2))) / 2";
  static constexpr auto latex = R"(a \, b \, \Phi(b))";
  static constexpr auto summary = "gated linear unit with gelu for a gate";
  static constexpr auto reference =
      "N. Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, 2020";
  static constexpr unsigned arity = 2;
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::sample<2, 1> golden[] = {
      {{2, -40}, {-0}, {-0, 0}},
      {{-3, -8}, {1.4930305378252283e-14}, {-4.976768459417427e-15, 1.1938821783260388e-13}},
      {{1, -2}, {-0.04550026389635842}, {-0.04550026389635842, -0.0852318010781969}},
      {{0.5, -0.5}, {-0.07713438468149672}, {-0.15426876936299344, 0.06625243767191857}},
      {{-1, 0}, {0}, {0, -0.5}},
      {{0.75, 0.5}, {0.2592984229777549}, {0.34573123063700656, 0.6506213434921221}},
      {{2, 3}, {5.99190061181022}, {2.99595030590511, 2.023891294408368}},
      {{-0.25, 8}, {-1.9999999999999987}, {7.999999999999995, -0.25000000000000994}},
      {{3, 40}, {120}, {40, 3}}};

  static auto f(auto a, auto b) { return a * times_gauss_cdf(b, b); }
};
LIMEN_ACTIVATION(geglu)
LIMEN_PLUGIN("org.limen.geglu", "1.0.0", .author = "limen")
