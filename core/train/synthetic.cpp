#include "train/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace limen {
namespace {

struct Point {
  double x, y;
};

// One set of points. `place(label, key)` puts a point; random values 0 and 1 of the key are its
// own.
template <class Place>
Dataset make_points(const PointsOptions& options, int classes, std::string_view name,
                    std::uint64_t seed, std::string_view set, Place place) {
  const RandomKey family = random_key(seed, name, set);
  Tensor x(TensorType{Shape{options.examples, 2}, DType::f32});
  Tensor label = balanced_labels(family, options.examples, classes);
  const auto to = x.as<float>();
  const auto labels = label.as<std::int32_t>();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const RandomKey key = random_key(family, i);
    const Point point = place(labels[i], key);
    to[2 * i] = static_cast<float>(point.x + options.noise * random_normal(key, 2));
    to[2 * i + 1] = static_cast<float>(point.y + options.noise * random_normal(key, 3));
  }
  return Dataset({{"x", std::move(x)}, {"label", std::move(label)}});
}

}  // namespace

Tensor balanced_labels(RandomKey key, std::int64_t n, int classes) {
  // Another family than the examples' own keys, which number upwards from 0.
  const RandomKey runs{~key.value};
  Tensor labels(TensorType{Shape{n}, DType::i32});
  const auto to = labels.as<std::int32_t>();
  for (std::int64_t first = 0; first < n; first += classes) {
    const auto run =
        random_permutation(random_key(runs, static_cast<std::uint64_t>(first)), classes);
    const std::int64_t count = std::min<std::int64_t>(classes, n - first);
    for (std::int64_t i = 0; i < count; ++i) {
      to[static_cast<std::size_t>(first + i)] =
          static_cast<std::int32_t>(run[static_cast<std::size_t>(i)]);
    }
  }
  return labels;
}

Dataset make_xor(const PointsOptions& options, std::uint64_t seed, std::string_view set) {
  return make_points(options, 2, "xor", seed, set, [](std::int32_t label, RandomKey key) {
    const double x = 2 * random_uniform(key, 0) - 1, size = random_uniform(key, 1);
    const bool positive = (x > 0) != (label == 1);
    return Point{x, positive ? size : -size};
  });
}

Dataset make_moons(const PointsOptions& options, std::uint64_t seed, std::string_view set) {
  return make_points(options, 2, "moons", seed, set, [](std::int32_t label, RandomKey key) {
    const double angle = std::numbers::pi * random_uniform(key, 0);
    const Point upper{std::cos(angle) - 0.5, std::sin(angle) - 0.25};
    return label == 0 ? upper : Point{-upper.x, -upper.y};
  });
}

Dataset make_spiral(const PointsOptions& options, std::uint64_t seed, std::string_view set) {
  return make_points(
      options, options.classes, "spiral", seed, set, [&](std::int32_t label, RandomKey key) {
        // The root spreads the points evenly along the arm, not along its radius.
        const double radius = 0.1 + 0.9 * std::sqrt(random_uniform(key, 0));
        const double angle =
            2 * std::numbers::pi * (0.75 * radius + static_cast<double>(label) / options.classes);
        return Point{radius * std::cos(angle), radius * std::sin(angle)};
      });
}

}  // namespace limen
