// Figures as JSON.
#pragma once

#include <string>

#include <limen/train.hpp>

namespace limen {

// {"loss": 0.5, "accuracy": 0.9}; a number that is not finite is null.
std::string figures_json(const Figures& figures);

// A line of metrics.jsonl.
std::string metrics_line(const TrainEval& report);

}  // namespace limen
