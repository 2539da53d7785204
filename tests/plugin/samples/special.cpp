// The special functions of limen/math.hpp as ops, as functions.cpp has the elementary ones.
#include <limen/activation.hpp>

#define FUNCTION(name, ...)                       \
  struct fn_##name {                              \
    static constexpr auto formula = #__VA_ARGS__; \
    static auto f(auto x) { return __VA_ARGS__; } \
  };                                              \
  LIMEN_ACTIVATION(fn_##name)

FUNCTION(erf, erf(x))
FUNCTION(erfc, erfc(x))
FUNCTION(sin, sin(x))
FUNCTION(atan, atan(x))
FUNCTION(pow, pow(x, 1.75))
FUNCTION(silu, times_sigmoid(x, x))
FUNCTION(gelu, times_gauss_cdf(x, x))
FUNCTION(mish, times_tanh_softplus(x, x))
LIMEN_PLUGIN("org.example.special", "1.0.0")
