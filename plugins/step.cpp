#include <limen/activation.hpp>

struct step {
  static constexpr auto formula = "x > 0 ? 1 : 0";
  static constexpr auto latex = "[x > 0]";
  static constexpr auto summary = "threshold; nothing is learned through it without a surrogate";
  static constexpr auto doc =
      "The derivative is 0, so a network does not learn through a step. `straight_through` returns "
      "the gradient of the identity instead, `sigmoid` that of the logistic function.";
  static constexpr auto reference = "Y. Bengio, N. Leonard, A. Courville, arXiv 1308.3432, 2013";
  static constexpr const char* aliases[] = {"heaviside"};
  static constexpr const char* const surrogates[] = {"none", "straight_through", "sigmoid",
                                                     nullptr};
  static constexpr limen::param params[] = {{"surrogate", 0, 0, 2,
                                             "what backward takes for the derivative", 0,
                                             LIMEN_P_CHOICE, surrogates}};
  static constexpr auto surrogate_of =
      "surrogate == straight_through ? x : surrogate == sigmoid ? sigmoid(x) : 0 * x";
  static constexpr limen::facts facts{
      .increasing = true, .zero_at_zero = true, .y_min = 0, .y_max = 1};
  static constexpr limen::kink kinks[] = {{.at = 0, .slope = 0, .kind = LIMEN_KINK_JUMP}};
  static constexpr auto golden_source = "by definition";
  static constexpr limen::point golden[] = {{-40, 0}, {-2, 0},   {-0.5, 0}, {0, 0},
                                            {0.5, 1}, {0.75, 1}, {3, 1},    {40, 1}};

  static auto f(auto x, auto) { return isnan(x) ? detach(x) : x > 0 ? 1 : 0; }
  static auto grad(auto x, auto surrogate) {
    if constexpr (surrogate == 0)
      return 0;
    else if constexpr (surrogate == 1)
      return 1;
    else
      return sigmoid_slope(x);
  }
};
LIMEN_ACTIVATION(step)
LIMEN_PLUGIN("org.limen.step", "1.0.0", .author = "limen")
