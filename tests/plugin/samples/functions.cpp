// Every function of limen/math.hpp as an op, so that its vector code is tested too.
#include <limen/activation.hpp>

#define FUNCTION(name)                               \
  struct fn_##name {                                 \
    static constexpr auto formula = #name "(x)";     \
    static auto f(auto x) { return limen::name(x); } \
  };                                                 \
  LIMEN_ACTIVATION(fn_##name)

FUNCTION(exp)
FUNCTION(expm1)
FUNCTION(log)
FUNCTION(log1p)
FUNCTION(sqrt)
FUNCTION(softplus)
LIMEN_PLUGIN("org.example.functions", "1.0.0")
