// From the points of a check that failed to the mistake that is likely behind them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check/ladder.hpp"

namespace limen {
struct CheckResult;  // limen/gradient_check.hpp
}

namespace limen::check {

struct Sample {
  double x, y;  // the input and the output of the function there
  double expected, got, bound;
  bool good;
  std::int64_t element = 0;
  PointKind kind = PointKind::smooth;
  double left = 0, right = 0;  // at a kink or a jump: the slopes
  double upstream = 1;
};

// A Jacobian that failed: `outputs` rows of `inputs` entries, each with its bound.
struct JacobianSample {
  std::size_t outputs, inputs;
  std::vector<double> x, y, expected, got, bound;
};

// One term of the sum that the gradient of a parameter is: dy, x, y of an element, and what it has
// to contribute and contributes where only its own upstream is not 0.
struct Term {
  double upstream = 0, x = 0, y = 0, part = 0, got = 0;
};

// What is known when a check has failed.
struct Evidence {
  std::string subject;  // "f32 backward, x86-64-v3, reads x"
  std::vector<Sample> samples;
  std::vector<JacobianSample> jacobians;
  bool by_x = false;  // the samples are points of a function of one number
  // Of that function: its derivative by differences, and what backward returns. May be empty.
  std::function<double(double)> slope, gradient;
  bool means = false;  // the samples are means over intervals, which show no formula
  std::vector<std::pair<std::string, double>> parameters;  // of the op, by name
  bool float32 = false;                                    // f32 kernels were held against f64 ones
  bool stochastic = false;                                 // the function draws
  bool one_line = false;                                   // of a function of more than one number
  double precision = 1e-9;                                 // that factors are known to
  std::string swapped;  // "dw[3], the gradient of c": that of another parameter is what was got
};

// A set of points in words: "x > 0", "x = 1", "|x| > 6"; empty text: no simple one.
struct Region {
  std::string text;
  std::size_t good_inside = 0;
};
Region failing_region(const Evidence& evidence);
// Which points fail and which do not.
std::string region_of(const Evidence& evidence);

// The simplest mistake that all the failing points agree with, in words; empty: none known.
std::string likely_mistake(const Evidence& evidence);
// Its parts: of functions of one number, where the numbers are finite; of results that are not
// finite; at single points; of Jacobians.
std::string formula_mistake(const Evidence& evidence, const std::vector<Sample>& bad);
std::string mean_mistake(const std::vector<Sample>& bad);  // of means over intervals
std::string overflow_mistake(const Evidence& evidence, const std::vector<Sample>& bad);
std::string point_mistake(const Evidence& evidence, const std::vector<Sample>& bad);
std::string jacobian_mistake(const std::vector<JacobianSample>& jacobians);
inline constexpr const char* kReadFromHyper =
    "a learned parameter is read from `hyper`, where its default is, and which holds NaN here: "
    "read "
    "it from `w`";
// The gradient of a parameter, `got` where the sum of the parts was expected. `evidence` knows the
// parameters of the op.
std::string parameter_mistake(const std::vector<Term>& terms, double got, double bound,
                              const Evidence& evidence);
// Upstreams were multiplied by `factor`: `got` where `expected`, factor times the gradient of the
// upstream itself, should be.
struct Scaling {
  double factor, expected, got;
};
std::string upstream_mistake(const std::vector<Scaling>& scalings);
// What a failed check of the contract means and what to do.
std::string contract_mistake(const CheckResult& result);

// "1/3", "the parameter alpha = 0.3", "(1 - p) with the parameter p = 0.25", or the digits.
std::string factor_name(double value, const Evidence& evidence);
// "a factor 3 is missing": for results that are `ratio` times what they should be.
std::string factor_mistake(double ratio, const Evidence& evidence);
// The numbers with `digits` digits, or with as many as tell the first from those that differ.
std::vector<std::string> told_apart(const std::vector<double>& numbers, int digits = 6);

}  // namespace limen::check
