#include <limen/activation.hpp>
#include <limen/slope.hpp>

struct tanh_shrink {
  static constexpr auto formula = "x - tanh(x)";
  static constexpr auto latex = R"(x - \tanh x)";
  static constexpr auto summary = "what tanh cuts off";
  static constexpr const char* aliases[] = {"tanhshrink"};
  static constexpr limen::facts facts{
      .odd = true, .increasing = true, .zero_at_zero = true, .lipschitz = 1};
  static constexpr auto golden_source = "mpmath 1.2.1, 50 digits";
  static constexpr limen::point golden[] = {
      {-40, -39, 1},
      {-8, -7.000000225070324, 0.9999995498594024},
      {-3, -2.0049452463132695, 0.9901339628345598},
      {-2, -1.035972419924183, 0.9293491751468356},
      {-0.5, -0.03788284273999024, 0.2135522670340726},
      {-0.0009765625, -3.104407397814159e-10, 9.536737100767764e-07},
      {0, 0, 0},
      {0.0009765625, 3.104407397814159e-10, 9.536737100767764e-07},
      {0.5, 0.03788284273999024, 0.2135522670340726},
      {1.25, 0.4017163600424871, 0.7195851338195673},
      {3, 2.0049452463132695, 0.9901339628345598},
      {8, 7.000000225070324, 0.9999995498594024},
      {40, 39, 1}};

  // Lambert's fraction tanh x = x / (1 + x^2 / K), K = 3 + x^2 / (5 + x^2 / (7 + ...)): neither of
  // the two functions below cancels. Cut at 25 it is exact to 2^-55 up to 1.5.
  static auto shrunk(auto x, bool whole) {  // x - tanh x, or tanh x
    const auto t = x * x;
    auto k = t + 23 * 25, next = decltype(k)(25);  // K = k / next
    const auto step = [&](int odd) {
      const auto before = odd * k + t * next;
      next = k, k = before;
    };
    step(21), step(19), step(17), step(15), step(13), step(11), step(9), step(7), step(5), step(3);
    return x * ((whole ? k : t * next) / (k + t * next));
  }
  static auto f(auto x) {
    return limen::with_slope(
        x, [](auto a) { return abs(a) < 1.5 ? shrunk(a, false) : a - tanh(a); },
        [](auto a) { return abs(a) < 1.5 ? square(shrunk(a, true)) : 1 - tanh_slope(a); });
  }
};
LIMEN_ACTIVATION(tanh_shrink)
LIMEN_PLUGIN("org.limen.tanh_shrink", "1.0.0", .author = "limen")
