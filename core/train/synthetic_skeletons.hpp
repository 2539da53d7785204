// The strokes of drawn digits, several ways of writing each. Points lie in the unit square, x to
// the right, y down.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>

namespace limen {

struct PenPoint {
  float x = 0, y = 0;
};

// line: straight from point to point; curve: smooth through all points; loop: smooth and closed.
enum class PenMove { line, curve, loop };

struct Stroke {
  static constexpr std::size_t kMostPoints = 12;

  constexpr Stroke() = default;
  constexpr Stroke(PenMove how, std::initializer_list<PenPoint> through) : move(how) {
    for (const PenPoint& point : through) points[count++] = point;
  }

  PenMove move = PenMove::line;
  std::size_t count = 0;
  std::array<PenPoint, kMostPoints> points{};
};

struct Skeleton {
  static constexpr std::size_t kMostStrokes = 3;

  constexpr Skeleton(int value, std::initializer_list<Stroke> drawn) : digit(value) {
    for (const Stroke& stroke : drawn) strokes[count++] = stroke;
  }

  int digit;
  std::size_t count = 0;
  std::array<Stroke, kMostStrokes> strokes{};
};

// The ways of writing a digit from 0 to 9.
std::span<const Skeleton> skeletons_of(int digit);

}  // namespace limen
