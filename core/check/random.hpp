// A sequence of random numbers that depends on the seed and on what it is for, nothing else.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/philox.hpp"

namespace limen::check {

class Random {
 public:
  Random(std::uint64_t seed, std::string_view purpose, std::string_view name = {})
      : key_(random_key(seed, purpose, name)) {}

  double uniform(double low, double high) {
    return low + (high - low) * random_uniform(key_, next_++);
  }
  double normal() { return random_normal(key_, next_++); }
  double sign() { return (random_bits(key_, next_++) & 1u) != 0 ? 1.0 : -1.0; }
  std::uint64_t below(std::uint64_t n) { return random_below(key_, next_++, n); }
  // +-[0.3, 1.5]: upstream values that are neither tiny nor 1.
  double upstream() {
    const double size = uniform(0.3, 1.5);
    return sign() * size;
  }

 private:
  RandomKey key_;
  std::uint64_t next_ = 0;
};

}  // namespace limen::check
