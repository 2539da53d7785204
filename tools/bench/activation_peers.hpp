// Activation loops written by hand with a vector library, to hold beside those of limen's plugins.
#pragma once

#include <cstddef>

namespace peers {

enum Function { kSigmoid, kTanh, kSilu, kGelu, kMish, kFunctions };

// y = f(x), or dx = dy f'(x); forward loops ignore dy.
using Loop = void (*)(const float* x, const float* dy, float* out, std::size_t n);

struct Library {
  const char* name;
  int lanes;  // floats in a vector: a library that quietly falls back shows it here
  Loop forward[kFunctions], derivative[kFunctions];  // null where the library has no such function
};

}  // namespace peers
