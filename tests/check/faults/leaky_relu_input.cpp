// The textbook slip: for z >= 0 the backward returns z instead of 1.
#include "../mutants/element.hpp"

struct LeakyReluInput {
  static constexpr auto name = "leaky_relu_input";
  template <class T>
  static T f(T z) {
    return z >= 0 ? z : T(0.01) * z;
  }
  template <class T>
  static T b(T z, T, T g) {
    return g * (z >= 0 ? z : T(0.01));
  }
};

LIMEN_DECLARE_OP(leaky, "leaky_relu_input");
LIMEN_TEST_PLUGIN("org.limen.test.leaky_relu_input", &limen_test::kOp<LeakyReluInput>)
