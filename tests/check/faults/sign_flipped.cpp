// tanh whose derivative has the wrong sign.
#include <cmath>

#include "../mutants/element.hpp"

struct SignFlipped {
  static constexpr auto name = "sign_flipped";
  static constexpr std::uint32_t reads = LIMEN_Y;
  template <class T>
  static T f(T x) {
    return std::tanh(x);
  }
  template <class T>
  static T b(T, T y, T g) {
    return -g * (1 - y * y);
  }
};

LIMEN_DECLARE_OP(sign, "sign_flipped");
LIMEN_TEST_PLUGIN("org.limen.test.sign_flipped", &limen_test::kOp<SignFlipped>)
