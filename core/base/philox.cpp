#include "base/philox.hpp"

#include <cassert>
#include <numbers>
#include <numeric>
#include <utility>

namespace limen {
namespace {

// Vigna's splitmix64: every input bit reaches every output bit.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t fnv1a(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// 128-bit product as (high, low), from 32-bit halves: standard C++ has no wider type.
std::pair<std::uint64_t, std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
  const std::uint64_t low = a0 * b0, cross = a1 * b0 + (low >> 32);
  const std::uint64_t middle = (cross & 0xffffffffu) + a0 * b1;
  return {a1 * b1 + (cross >> 32) + (middle >> 32), middle << 32 | (low & 0xffffffffu)};
}

}  // namespace

RandomKey random_key(std::uint64_t seed, std::string_view purpose, std::string_view name) {
  std::uint64_t hash = fnv1a(0xcbf29ce484222325u, purpose);
  hash = fnv1a(hash, std::string_view("\x1f", 1));  // so that ("ab", "c") is not ("a", "bc")
  hash = fnv1a(hash, name);
  return {mixed(hash ^ mixed(seed))};
}

RandomKey random_key(RandomKey family, std::uint64_t member) {
  return {mixed(family.value ^ mixed(member + 0x632be59bd9b4e019u))};
}

double random_normal(RandomKey key, std::uint64_t i) {
  const PhiloxBlock block = random_block(key, i >> 1);
  const auto unit = [&](std::size_t at) {  // in [0, 1)
    return static_cast<double>((std::uint64_t{block[at]} | std::uint64_t{block[at + 1]} << 32) >>
                               11) *
           0x1p-53;
  };
  const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(0)));
  const double angle = 2.0 * std::numbers::pi * unit(2);
  return radius * ((i & 1u) != 0 ? std::sin(angle) : std::cos(angle));
}

std::uint64_t random_below(RandomKey key, std::uint64_t i, std::uint64_t n) {
  assert(n >= 1);
  const std::uint64_t refused = (0 - n) % n;  // 2^64 mod n
  for (std::uint32_t attempt = 0;; ++attempt) {
    const PhiloxBlock block = random_block(key, i, attempt);
    for (const std::size_t half : {std::size_t{0}, std::size_t{2}}) {
      const auto bits = std::uint64_t{block[half]} | std::uint64_t{block[half + 1]} << 32;
      const auto [high, low] = product(bits, n);
      if (low >= refused) return high;
    }
  }
}

std::vector<std::int64_t> random_permutation(RandomKey key, std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random_below(key, i, i)]);
  }
  return order;
}

}  // namespace limen
