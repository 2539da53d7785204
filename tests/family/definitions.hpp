// What each activation of one input is, written down again with the functions of the standard
// library in long double: the tests compare the plugins with this and with nothing of the SDK.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace limen::test {

using Real = long double;
struct Hyper
    : std::vector<Real> {  // the op's parameters in their order, rounded as the kernel does
  bool single = false;     // to float
};
using Function = Real (*)(Real x, const Hyper& h);

struct Limits {  // at -infinity and at +infinity
  Real f_below = NAN, f_above = NAN, slope_below = NAN, slope_above = NAN;
};

struct Definition {
  std::string name;
  std::map<std::string, double> with;  // parameters; the others keep their defaults
  Function f, slope;
  Limits limits;
  // Where f or the slope is a difference, errors count relative to this if it is larger.
  Function scale = nullptr, slope_scale = nullptr;
  // x times a factor that may be subnormal: its last place is worth |x| times as much.
  bool product = false;
};

// At the defaults and at other legal parameters.
const std::vector<Definition>& definitions();

Real exact_sigmoid(Real x);
Real exact_cdf(Real x);      // of the normal distribution
Real exact_density(Real x);  // of the normal distribution

}  // namespace limen::test
