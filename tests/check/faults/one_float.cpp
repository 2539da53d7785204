// x + x^2 whose f32 gradient (or value) is wrong at a single float, 1.2345679.
#include "../mutants/element.hpp"

template <class T>
constexpr bool is_it(T x) {
  return sizeof(T) == sizeof(float) && x == T(1.2345679f);
}

struct OneFloat {
  static constexpr auto name = "one_float";
  template <class T>
  static T f(T x) {
    return x + x * x;
  }
  template <class T>
  static T b(T x, T, T g) {
    return is_it(x) ? g * (1 + 2 * x + T(0.01)) : g * (1 + 2 * x);
  }
};

struct OneValue {
  static constexpr auto name = "one_value";
  template <class T>
  static T f(T x) {
    return x + x * x + (is_it(x) ? T(0.01) : T(0));
  }
  template <class T>
  static T b(T x, T, T g) {
    return g * (1 + 2 * x);
  }
};

LIMEN_DECLARE_OP(one_float, "one_float");
LIMEN_DECLARE_OP(one_value, "one_value");
LIMEN_TEST_PLUGIN("org.limen.test.one_float", &limen_test::kOp<OneFloat>,
                  &limen_test::kOp<OneValue>)
