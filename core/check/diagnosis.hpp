// From the points of a check that failed to the mistake that is likely behind them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace limen::check {

struct Sample {
  double x, y;  // the input and the output of the function there
  double expected, got, bound;
  bool good;
};

// What is known when a check has failed.
struct Evidence {
  std::vector<Sample> samples;
  bool by_x = false;  // the samples are points of a function of one number
};

// Which points fail and which do not: the simplest region of x that holds all the failing points
// and hardly any good one.
std::string region_of(const Evidence& evidence);

// The simplest mistake that all the failing points agree with, in words; empty: none known.
std::string likely_mistake(const Evidence& evidence);

}  // namespace limen::check
