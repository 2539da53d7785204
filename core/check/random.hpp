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
    return low + (high - low) * (static_cast<double>(bits() >> 11) * 0x1p-53);
  }
  double normal() { return random_normal(key_, next_++); }
  double sign() { return (bits() & 1u) != 0 ? 1.0 : -1.0; }
  std::uint64_t below(std::uint64_t n) { return random_below(key_, next_++, n); }
  // +-[0.3, 1.5]: upstream values that are neither tiny nor 1.
  double upstream() {
    const double size = uniform(0.3, 1.5);
    return sign() * size;
  }

 private:
  RandomKey key_;
  std::uint64_t next_ = 0;
  PhiloxBlock block_{};  // of the last of bits(), which two neighbours share
  std::uint64_t in_block_ = ~std::uint64_t{0};

  // random_bits() of the next one.
  std::uint64_t bits() {
    const std::uint64_t i = next_++;
    if (i >> 1 != in_block_) block_ = random_block(key_, in_block_ = i >> 1);
    const std::size_t half = (i & 1u) * 2;
    return std::uint64_t{block_[half]} | std::uint64_t{block_[half + 1]} << 32;
  }
};

}  // namespace limen::check
