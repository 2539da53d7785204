// Rounding noise of a function near a point, from its values.
#pragma once

#include "check/ladder.hpp"

namespace limen::check {

struct Noise {
  double level = 0;  // standard deviation scale of the noise, or the step of a staircase
  // Where f is constant on a side: how far, and by how much it changes there (the larger change).
  double flat = 0, change = 0;
  int evaluations = 0;
};

// The first samples, which are wanted in any case.
constexpr std::size_t kNoiseSamples = 54;
void noise_offsets(double smallest, std::vector<double>& offsets);

// `center` = f(x), `first` = f at noise_offsets(). Samples at spacings from `smallest` up to
// `largest`. Where all samples are equal, the first change within `reach` is sought; `magnitude` is
// the largest |f| seen around x: a change larger than rounding of it can explain is a jump of f,
// not noise.
Noise estimate_noise(const BatchFunction& f, std::span<const double> first, double center,
                     double smallest, double largest, double reach, double magnitude,
                     const Precision& precision);

}  // namespace limen::check
