// What a training says while it goes: a bar on a terminal, plain lines, or JSON lines.
#pragma once

#include <memory>
#include <string>

#include <limen/train.hpp>

#include "context.hpp"

namespace limen::tools {

Json figures_json(const Figures& figures);
std::string figure_text(double value);  // four digits behind the point, or 1.2e-7

// `run` is the run folder, empty without one. Results of on_done go to the standard output, the
// rest to the standard error, except with --json, where all of it is lines on the standard output.
std::unique_ptr<TrainObserver> make_train_report(Context& context, std::string run);

}  // namespace limen::tools
