#include "train/metrics.hpp"

#include <cmath>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen {
namespace {

std::string number_json(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : std::string("null");
}

}  // namespace

std::string figures_json(const Figures& figures) {
  std::vector<std::string> items;
  for (const auto& [name, value] : figures) {
    items.push_back(json_quote(name) + ":" + number_json(value));
  }
  return "{" + join(items, ",") + "}";
}

std::string metrics_line(const TrainEval& report) {
  std::string line = fmt::format(
      "{{\"step\":{},\"epoch\":{},\"end_of_epoch\":{},\"lr\":{},\"seconds\":{:.3f}", report.step,
      report.epoch, report.end_of_epoch, number_json(report.lr), report.seconds);
  for (const auto& [set, figures] : report.figures) {
    line += fmt::format(",{}:{}", json_quote(set), figures_json(figures));
  }
  return line + "}";
}

}  // namespace limen
