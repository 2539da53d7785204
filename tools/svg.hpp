// Pictures as SVG text: shapes, and plots made of them. Nothing is fetched by who looks at them.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limen::tools {

class Svg {
 public:
  Svg(double width, double height);

  void line(double x1, double y1, double x2, double y2, std::string_view style);
  void rect(double x, double y, double width, double height, std::string_view style);
  void circle(double x, double y, double radius, std::string_view style);
  // Through all points that are finite; others, and breaks, cut it.
  void path(std::span<const double> x, std::span<const double> y, std::string_view style);
  void text(double x, double y, std::string_view words, std::string_view anchor = "start",
            std::string_view color = "#333", double size = 12);
  std::string str() const;  // the whole file

 private:
  double width_, height_;
  std::string body_;
};

// One panel with axes inside a picture. Numbers outside the limits are cut off.
class Panel {
 public:
  struct Box {
    double left, top, width, height;
  };
  struct Limits {
    double low, high;
  };

  Panel(Svg& svg, Box box, Limits x, Limits y);
  void axes(std::string_view title, std::string_view x_label = "");  // grid, numbers, labels
  // Cut at the positions in `breaks`, where the function jumps.
  void curve(std::span<const double> x, std::span<const double> y, std::string_view color,
             std::span<const double> breaks = {}, double width = 2);
  void bars(double from, double step, std::span<const double> heights, std::string_view color);
  void vertical(double x, std::string_view color);
  void dot(double x, double y, std::string_view color);

 private:
  double at_x(double x) const;
  double at_y(double y) const;

  Svg& svg_;
  Box box_;
  Limits x_, y_;
};

// Limits around all finite numbers, with a margin, and inside `most` where that is given.
Panel::Limits limits_of(std::initializer_list<std::span<const double>> numbers,
                        double most = std::numeric_limits<double>::infinity());
// Round numbers inside the limits, about `count` of them.
std::vector<double> ticks(Panel::Limits limits, int count);

}  // namespace limen::tools
