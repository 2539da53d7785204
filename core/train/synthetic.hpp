// Data sets that are made, not read. Every example is a function of (seed, set, index) alone, so
// that a set of another size begins with the same examples. Classes are balanced: each run of
// `classes` examples holds every class once, in random order.
#pragma once

#include <cstdint>
#include <string_view>

#include <limen/dataset.hpp>

#include "base/philox.hpp"

namespace limen {

struct PointsOptions {
  std::int64_t examples = 1000;
  double noise = 0.1;  // standard deviation of a normal shift of every point
  int classes = 2;     // of the spiral
};

// Fields x: f32[n, 2] and label: i32[n]. `set` ("train", "test") chooses the stream.
//   xor     x uniform in [-1, 1]^2, label 1 where the signs differ; the noise comes after the label
//   moons   two half circles of radius 1, the lower one shifted by (1, 0.5), centred on the origin
//   spiral  arms from the middle outwards to radius 1, three quarters of a turn each
Dataset make_xor(const PointsOptions& options, std::uint64_t seed, std::string_view set);
Dataset make_moons(const PointsOptions& options, std::uint64_t seed, std::string_view set);
Dataset make_spiral(const PointsOptions& options, std::uint64_t seed, std::string_view set);

// Drawn digits. Fields image: f32[n, 28, 28] in [0, 1] (multiples of 1/255), label: i32[n]. About
// 30 microseconds a digit.
Dataset make_digits(std::int64_t examples, std::uint64_t seed, std::string_view set);

// i32[n]: each run of `classes` examples holds every class once, in an order of its own.
Tensor balanced_labels(RandomKey key, std::int64_t n, int classes);

}  // namespace limen
