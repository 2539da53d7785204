// What the SDK can say beside a formula of one input.
#include <limen/activation.hpp>

struct swiglu {  // two inputs
  static constexpr auto formula = "a * b * sigmoid(b)";
  static constexpr unsigned arity = 2;
  static auto f(auto a, auto b) { return a * (b * sigmoid(b)); }
};
LIMEN_ACTIVATION(swiglu)

struct straight_step {  // backward is not the derivative of forward
  static constexpr auto formula = "x > 0 ? 1 : 0";
  static constexpr auto surrogate_of = "tanh(x)";
  static auto f(auto x) { return x > 0 ? 1 : 0 * x; }
  static auto grad(auto x) { return 1 - square(tanh(x)); }
};
LIMEN_ACTIVATION(straight_step)

struct bent {  // parameters of every type
  static constexpr auto formula = "x > 0 ? x : scale * x + shift";
  static constexpr const char* const kinds[] = {"plain", "shifted", nullptr};
  static constexpr limen::param params[] = {
      {"scale", 0.5, 0, 1, "slope below zero", LIMEN_PF_OPEN_MIN},
      {"kind", 0, 0, 1, "whether there is a jump", 0, LIMEN_P_CHOICE, kinds},
      {"times", 1, 1, 8, "repeats", 0, LIMEN_P_INT},
      {"on", 1, 0, 1, "", 0, LIMEN_P_BOOL},
      {"floor", 0, -limen::kInfinity, limen::kInfinity, "", LIMEN_PF_REQUIRED}};
  static auto f(auto x, auto scale, auto kind, auto times, auto on, auto floor) {
    return x > 0 ? x * on : scale * x * times + kind + floor;
  }
};
LIMEN_ACTIVATION(bent)

struct standardise {  // a row function that reads x, and has no second order
  static constexpr auto formula = "x_i - mean(x)";
  static constexpr unsigned backward_reads = LIMEN_X;
  static void forward(const auto& r) {
    const auto mean = r.sum(r.x) / r.n;
    r.map(
        r.y, [=](auto x) { return x - mean; }, r.x);
  }
  static void backward(const auto& r) {
    const auto mean = r.sum(r.dy) / r.n;
    r.map(
        r.dx, [=](auto dy) { return dy - mean; }, r.dy);
  }
};
LIMEN_ACTIVATION(standardise)
LIMEN_PLUGIN("org.example.shapes", "1.2.0", .author = "A. Uthor", .license = "MIT")
