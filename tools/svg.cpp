#include "svg.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace limen::tools {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string tick_text(double value) {
  return std::fabs(value) < 1e-12 ? "0" : fmt::format("{:.6g}", value);
}

}  // namespace

Svg::Svg(double width, double height) : width_(width), height_(height) {}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view style) {
  body_ += fmt::format("<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" {}/>\n", x1,
                       y1, x2, y2, style);
}

void Svg::rect(double x, double y, double width, double height, std::string_view style) {
  body_ += fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" {}/>\n",
                       x, y, std::max(0.0, width), std::max(0.0, height), style);
}

void Svg::circle(double x, double y, double radius, std::string_view style) {
  body_ +=
      fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:.2f}\" {}/>\n", x, y, radius, style);
}

void Svg::path(std::span<const double> x, std::span<const double> y, std::string_view style) {
  std::string d;
  bool down = false;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
      down = false;
      continue;
    }
    d += fmt::format("{}{:.2f} {:.2f}", down ? "L" : "M", x[i], y[i]);
    down = true;
  }
  if (!d.empty()) body_ += fmt::format("<path d=\"{}\" fill=\"none\" {}/>\n", d, style);
}

void Svg::text(double x, double y, std::string_view words, std::string_view anchor,
               std::string_view color, double size) {
  body_ += fmt::format(
      "<text x=\"{:.2f}\" y=\"{:.2f}\" text-anchor=\"{}\" fill=\"{}\" font-size=\"{}\">{}</text>\n",
      x, y, anchor, color, size, escaped(words));
}

std::string Svg::str() const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" font-family=\"sans-serif\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"white\"/>\n{2}</svg>\n",
      width_, height_, body_);
}

Panel::Panel(Svg& svg, Box box, Limits x, Limits y) : svg_(svg), box_(box), x_(x), y_(y) {}

double Panel::at_x(double x) const {
  return box_.left + (x - x_.low) / (x_.high - x_.low) * box_.width;
}

double Panel::at_y(double y) const {
  return box_.top + box_.height - (y - y_.low) / (y_.high - y_.low) * box_.height;
}

void Panel::axes(std::string_view title, std::string_view x_label) {
  constexpr std::string_view kGrid = "stroke=\"#e4e4e4\"", kZero = "stroke=\"#999\"";
  const double bottom = box_.top + box_.height, right = box_.left + box_.width;
  const int columns = std::max(2, static_cast<int>(box_.width / 70));
  const int rows = std::max(2, static_cast<int>(box_.height / 45));
  for (const double tick : ticks(x_, columns)) {
    svg_.line(at_x(tick), box_.top, at_x(tick), bottom, tick == 0 ? kZero : kGrid);
    svg_.text(at_x(tick), bottom + 14, tick_text(tick), "middle", "#555", 11);
  }
  for (const double tick : ticks(y_, rows)) {
    svg_.line(box_.left, at_y(tick), right, at_y(tick), tick == 0 ? kZero : kGrid);
    svg_.text(box_.left - 5, at_y(tick) + 4, tick_text(tick), "end", "#555", 11);
  }
  svg_.text(box_.left, box_.top - 7, title, "start", "#333", 13);
  if (!x_label.empty()) svg_.text(right, bottom + 28, x_label, "end", "#555", 11);
}

void Panel::curve(std::span<const double> x, std::span<const double> y, std::string_view color,
                  std::span<const double> breaks, double width) {
  std::vector<double> across, down;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    const bool outside = !(y[i] >= y_.low && y[i] <= y_.high);
    const bool cut = i > 0 && std::any_of(breaks.begin(), breaks.end(),
                                          [&](double at) { return x[i - 1] <= at && at < x[i]; });
    if (cut) {
      across.push_back(NAN);
      down.push_back(NAN);
    }
    across.push_back(outside ? NAN : at_x(x[i]));
    down.push_back(outside ? NAN : at_y(y[i]));
  }
  svg_.path(
      across, down,
      fmt::format("stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"", color, width));
}

void Panel::bars(double from, double step, std::span<const double> heights,
                 std::string_view color) {
  for (std::size_t i = 0; i < heights.size(); ++i) {
    const double left = at_x(from + step * static_cast<double>(i));
    const double width = step / (x_.high - x_.low) * box_.width;
    const double top = at_y(std::min(heights[i], y_.high));
    svg_.rect(left, top, width * 0.9, at_y(0) - top, fmt::format("fill=\"{}\"", color));
  }
}

void Panel::vertical(double x, std::string_view color) {
  if (x < x_.low || x > x_.high) return;
  svg_.line(at_x(x), box_.top, at_x(x), box_.top + box_.height,
            fmt::format("stroke=\"{}\" stroke-dasharray=\"4 3\"", color));
}

void Panel::dot(double x, double y, std::string_view color) {
  if (x < x_.low || x > x_.high || !(y >= y_.low && y <= y_.high)) return;
  svg_.circle(at_x(x), at_y(y), 3.5,
              fmt::format("fill=\"white\" stroke=\"{}\" stroke-width=\"1.5\"", color));
}

Panel::Limits limits_of(std::initializer_list<std::span<const double>> numbers, double most) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const std::span<const double> list : numbers) {
    for (const double number : list) {
      if (!std::isfinite(number)) continue;
      low = std::min(low, number);
      high = std::max(high, number);
    }
  }
  if (!(low <= high)) return {-1, 1};
  low = std::clamp(low, -most, most);
  high = std::clamp(high, -most, most);
  const double margin = high > low ? (high - low) * 0.05 : 1;
  return {low - margin, high + margin};
}

std::vector<double> ticks(Panel::Limits limits, int count) {
  const double raw = (limits.high - limits.low) / std::max(1, count);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (step >= raw) break;
  }
  std::vector<double> found;
  for (double k = std::ceil(limits.low / step); k * step <= limits.high; ++k) {
    found.push_back(k == 0 ? 0 : k * step);
  }
  return found;
}

}  // namespace limen::tools
