// Learned parameters, choices, several outputs, noise: what kernels do with each, alone and
// together.
#include <limen/activation.hpp>

struct learn_slope {
  static constexpr auto formula = "x > 0 ? x : alpha * x";
  static constexpr limen::param params[] = {
      {"alpha", 0.25, -limen::kInfinity, limen::kInfinity, "slope below zero",
       LIMEN_PF_TRAINABLE | LIMEN_PF_LEARNED | LIMEN_PF_PER_CHANNEL}};
  static auto f(auto x, auto alpha) { return x > 0 ? x : alpha * x; }
};
LIMEN_ACTIVATION(learn_slope)

struct learn_two {  // a choice and a number between two learnable parameters, two inputs
  static constexpr auto formula = "a * scale * sigmoid(beta * b) + gamma";
  static constexpr unsigned arity = 2;
  static constexpr const char* const kinds[] = {"product", "sum", nullptr};
  static constexpr limen::param params[] = {
      {"beta", 1.5, -10, 10, "steepness", LIMEN_PF_TRAINABLE},
      {"kind", 0, 0, 1, "how the pieces meet", 0, LIMEN_P_CHOICE, kinds},
      {"scale", 1, 0, 10, "of the gate"},
      {"gamma", 0.25, -10, 10, "shift", LIMEN_PF_TRAINABLE}};
  static auto f(auto a, auto b, auto beta, auto kind, auto scale, auto gamma) {
    const auto gate = scale * sigmoid(beta * b);
    if constexpr (kind == 0)
      return a * gate + gamma;
    else
      return a + gate + gamma;
  }
};
LIMEN_ACTIVATION(learn_two)

struct both_sides {
  static constexpr auto formula = "(max(x, 0), max(-x, 0))";
  static constexpr unsigned outputs = 2;
  static constexpr auto golden_source = "by definition";
  static constexpr limen::sample<1, 2> golden[] = {{{2}, {2, 0}, {1, 0}}, {{-3}, {0, 3}, {0, -1}}};
  static auto f(auto x) { return limen::join(max(x, 0), max(-x, 0)); }
};
LIMEN_ACTIVATION(both_sides)

struct turned {  // two inputs, two outputs, one of them linear
  static constexpr auto formula = "(a * tanh(b), a - 2 b)";
  static constexpr unsigned arity = 2, outputs = 2;
  static constexpr auto golden_source = "by definition";
  static constexpr limen::sample<2, 2> golden[] = {{{3, 0}, {0, 3}, {0, 3, 1, -2}}};
  static auto f(auto a, auto b) { return limen::join(a * tanh(b), a - 2 * b); }
};
LIMEN_ACTIVATION(turned)

struct noisy_slope {
  static constexpr auto formula = "x > 0 ? x : (lower + (upper - lower) u) x, u ~ U(0, 1)";
  static constexpr bool stochastic = true;
  static constexpr limen::param params[] = {{"lower", 0.125, 0, 1, "smallest slope below zero"},
                                            {"upper", 0.5, 0, 1, "largest slope below zero"}};
  static const char* check(const double* hyper) {
    return hyper[0] <= hyper[1] ? nullptr : "lower must not be above upper";
  }
  static auto f(auto x, auto lower, auto upper, auto noise) {
    return x > 0 ? x : (lower + (upper - lower) * noise.uniform()) * x;
  }
  static auto df_y(auto y, auto lower, auto upper, auto noise) {
    return y > 0 ? 1 : lower + (upper - lower) * noise.uniform();
  }
};
LIMEN_ACTIVATION(noisy_slope)

struct drop {
  static constexpr auto formula = "u < rate ? 0 : weight * x / (1 - rate)";
  static constexpr bool stochastic = true;
  static constexpr limen::param params[] = {
      {"rate", 0.5, 0, 1, "share that is left out", LIMEN_PF_OPEN_MAX},
      {"weight", 1, -10, 10, "scale", LIMEN_PF_TRAINABLE}};
  static auto f(auto x, auto rate, auto weight, auto noise) {
    const bool kept = !noise.training() || noise.uniform() > rate;
    return kept ? weight * x / (noise.training() ? 1 - rate : 1) : 0 * weight;
  }
};
LIMEN_ACTIVATION(drop)

struct noise_itself {
  static constexpr auto formula = "0 x + u, u ~ U(0, 1)";
  static constexpr bool stochastic = true;
  static auto f(auto x, auto noise) { return 0 * x + noise.uniform(); }
};
LIMEN_ACTIVATION(noise_itself)

struct row_noise {  // the same by rows
  static constexpr auto formula = "x_i + u_i, u ~ U(0, 1)";
  static constexpr bool stochastic = true;
  static constexpr const char* const kinds[] = {"add", "replace", nullptr};
  static constexpr limen::param params[] = {
      {"kind", 0, 0, 1, "what is done with the noise", 0, LIMEN_P_CHOICE, kinds}};
  static void forward(const auto& r) {
    const bool replace = r.choice(0) == 1;
    r.map(
        r.y, [=](auto x, auto u) { return replace ? u : x + u; }, r.x, r.uniform());
  }
  static void backward(const auto& r) {
    const bool replace = r.choice(0) == 1;
    r.map(
        r.dx, [=](auto dy) { return replace ? 0 * dy : dy; }, r.dy);
  }
};
LIMEN_ACTIVATION(row_noise)

struct row_best {  // 1 at the first of the largest
  static constexpr auto formula = "i == argmax(x) ? 1 : 0";
  static void forward(const auto& r) {
    const auto best = r.argmax(r.x);
    const auto largest = r.max(r.x);
    r.map(
        r.y, [=](auto) { return isnan(largest) ? largest : 0; }, r.x);
    if (!isnan(largest)) r.y[best] = 1;
  }
  static void backward(const auto& r) {
    r.map(
        r.dx, [](auto) { return 0; }, r.dy);
  }
};
LIMEN_ACTIVATION(row_best)
LIMEN_PLUGIN("org.example.learned", "1.0.0", .license = "MIT")
