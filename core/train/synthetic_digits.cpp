#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "train/synthetic.hpp"
#include "train/synthetic_skeletons.hpp"

namespace limen {
namespace {

constexpr int kSide = 28;
constexpr std::size_t kPixels = std::size_t{kSide} * kSide;

// How far a hand strays. Chosen so that softmax regression stays well below 95 % correct while a
// small network with one hidden layer comes close to all, and every digit stays legible.
constexpr double kHeight[2] = {15.5, 21.0};  // pixels
constexpr double kAspect[2] = {0.46, 0.84};  // width over height
constexpr double kRotation = 0.14;           // radians, standard deviation
constexpr double kSlant = 0.18, kSlantMean = 0.12;
constexpr double kShift = 1.3;            // pixels, standard deviation
constexpr double kBend = 0.065;           // of the unit square
constexpr double kJitter = 0.025;         // likewise
constexpr double kWidth[2] = {1.2, 2.9};  // of the pen, pixels
constexpr double kInk[2] = {0.7, 1.0};
constexpr double kGrain = 0.1;  // largest noise of a pixel

// The random numbers of one digit, taken one after the other.
class Draws {
 public:
  explicit Draws(RandomKey key) : key_(key) {}
  double uniform() { return random_uniform(key_, next_++); }
  double uniform(const double (&range)[2]) { return range[0] + (range[1] - range[0]) * uniform(); }
  // Normal, but never beyond 2.5 standard deviations: outliers would not be legible.
  double normal(double deviation) {
    return deviation * std::clamp(random_normal(key_, next_++), -2.5, 2.5);
  }
  std::uint64_t below(std::uint64_t n) { return random_below(key_, next_++, n); }

 private:
  RandomKey key_;
  std::uint64_t next_ = 0;
};

// From the unit square to pixels: a smooth bend, then scale, slant, rotation and shift.
class Hand {
 public:
  explicit Hand(Draws& draws) {
    for (Wave& wave : waves_) {
      wave = {draws.uniform() * 2 * std::numbers::pi, 2.5 + 2 * draws.uniform(),
              2.5 + 2 * draws.uniform(), draws.normal(kBend)};
    }
    const double height = draws.uniform(kHeight), width = height * draws.uniform(kAspect);
    const double angle = draws.normal(kRotation), slant = kSlantMean + draws.normal(kSlant);
    const double c = std::cos(angle), s = std::sin(angle);
    xx_ = c * width;
    xy_ = (-c * slant - s) * height;
    yx_ = s * width;
    yy_ = (-s * slant + c) * height;
    x0_ = kSide / 2.0 + draws.normal(kShift);
    y0_ = kSide / 2.0 + draws.normal(kShift);
  }

  PenPoint place(double x, double y) const {
    const double u = x + waves_[0].at(x, y) - 0.5, v = y + waves_[1].at(x, y) - 0.5;
    return {static_cast<float>(x0_ + xx_ * u + xy_ * v),
            static_cast<float>(y0_ + yx_ * u + yy_ * v)};
  }

 private:
  struct Wave {
    double phase = 0, along_x = 0, along_y = 0, height = 0;
    double at(double x, double y) const {
      return height * std::sin(phase + along_x * x + along_y * y);
    }
  };
  std::array<Wave, 2> waves_;
  double xx_, xy_, yx_, yy_, x0_, y0_;
};

// Squared distance of every pixel's centre to the nearest line drawn so far.
class Paper {
 public:
  explicit Paper(double pen_width) : reach_(static_cast<float>(pen_width / 2 + 0.5)) {
    distance_.fill(kFar);
  }

  void draw(PenPoint a, PenPoint b) {
    const int left = lowest(std::min(a.x, b.x)), right = highest(std::max(a.x, b.x));
    const int top = lowest(std::min(a.y, b.y)), bottom = highest(std::max(a.y, b.y));
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float inverse = 1.0f / std::max(dx * dx + dy * dy, 1e-12f);
    for (int row = top; row <= bottom; ++row) {
      const float py = static_cast<float>(row) + 0.5f - a.y;
      float* out = distance_.data() + static_cast<std::size_t>(row) * kSide;
      for (int column = left; column <= right; ++column) {
        const float px = static_cast<float>(column) + 0.5f - a.x;
        const float t = std::clamp((px * dx + py * dy) * inverse, 0.0f, 1.0f);
        const float ex = px - t * dx, ey = py - t * dy;
        out[column] = std::min(out[column], ex * ex + ey * ey);
      }
    }
  }

  // Ink in [0, 1]: full inside the line, falling over one pixel at its edge.
  float ink(std::size_t pixel) const {
    const float distance = distance_[pixel];
    return distance < reach_ * reach_ ? std::min(1.0f, reach_ - std::sqrt(distance)) : 0.0f;
  }

 private:
  static constexpr float kFar = 1e9f;
  int lowest(float from) const { return std::max(0, static_cast<int>(std::floor(from - reach_))); }
  int highest(float to) const {
    return std::min(kSide - 1, static_cast<int>(std::floor(to + reach_)));
  }

  float reach_;
  std::array<float, kPixels> distance_;
};

PenPoint catmull_rom(PenPoint a, PenPoint b, PenPoint c, PenPoint d, float t) {
  const auto one = [t](float p, float q, float r, float s) {
    return q + 0.5f * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
  };
  return {one(a.x, b.x, c.x, d.x), one(a.y, b.y, c.y, d.y)};
}

void draw_stroke(const Stroke& stroke, const Hand& hand, Draws& draws, Paper& paper) {
  std::array<PenPoint, Stroke::kMostPoints> points;
  const std::size_t n = stroke.count;
  for (std::size_t i = 0; i < n; ++i) {
    points[i] = hand.place(stroke.points[i].x + draws.normal(kJitter),
                           stroke.points[i].y + draws.normal(kJitter));
  }
  const bool closed = stroke.move == PenMove::loop;
  for (std::size_t i = 0; i + (closed ? 0 : 1) < n; ++i) {
    const PenPoint b = points[i], c = points[(i + 1) % n];
    if (stroke.move == PenMove::line) {
      paper.draw(b, c);
      continue;
    }
    const PenPoint a = closed ? points[(i + n - 1) % n] : points[i == 0 ? 0 : i - 1];
    const PenPoint d = closed ? points[(i + 2) % n] : points[std::min(i + 2, n - 1)];
    constexpr int kPieces = 4;
    PenPoint from = b;
    for (int piece = 1; piece <= kPieces; ++piece) {
      const PenPoint to = catmull_rom(a, b, c, d, static_cast<float>(piece) / kPieces);
      paper.draw(from, to);
      from = to;
    }
  }
}

void draw_digit(int digit, RandomKey key, float* image) {
  Draws draws(key);
  const auto ways = skeletons_of(digit);
  const Skeleton& skeleton = ways[draws.below(ways.size())];
  const Hand hand(draws);
  Paper paper(draws.uniform(kWidth));
  const auto ink = static_cast<float>(draws.uniform(kInk));
  const auto grain = static_cast<float>(kGrain * draws.uniform());
  for (std::size_t i = 0; i < skeleton.count; ++i)
    draw_stroke(skeleton.strokes[i], hand, draws, paper);

  constexpr std::uint32_t kGrainLane = 0x67726169;  // apart from the numbers of Draws
  for (std::size_t first = 0; first < kPixels; first += 16) {
    const PhiloxBlock block = random_block(key, first, kGrainLane);
    for (std::size_t i = 0; i < 16; ++i) {
      const auto byte = static_cast<float>(block[i / 4] >> (8 * (i % 4)) & 0xffu);
      const float noise = grain * (byte / 127.5f - 1.0f);
      const float value = std::clamp(ink * paper.ink(first + i) + noise, 0.0f, 1.0f);
      image[first + i] = std::floor(value * 255.0f + 0.5f) / 255.0f;
    }
  }
}

}  // namespace

Dataset make_digits(std::int64_t examples, std::uint64_t seed, std::string_view set) {
  const RandomKey family = random_key(seed, "digits", set);
  Tensor image(TensorType{Shape{examples, kSide, kSide}, DType::f32});
  Tensor label = balanced_labels(family, examples, 10);
  const auto to = image.as<float>();
  const auto labels = label.as<std::int32_t>();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    draw_digit(labels[i], random_key(family, i), to.data() + i * kPixels);
  }
  return Dataset({{"image", std::move(image)}, {"label", std::move(label)}});
}

}  // namespace limen
