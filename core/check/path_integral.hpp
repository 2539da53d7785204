// A derivative held against a function by the fundamental theorem instead of differences: what f
// gains between two points is the integral of its derivative, whatever kinks lie between.
#pragma once

#include "check/judge.hpp"
#include "check/ladder.hpp"

namespace limen::check {

// Decides where differences at 0 could not, as `undecided` says: passes if the integral of `slope`
// over a short interval around 0 is f's gain, fails if it surely is not, else says no more than
// before. `noise` is that of f, `scale` the size of slopes.
Judgement judge_path(const Function& f, const Function& slope, double noise, double scale,
                     const Judgement& undecided);

}  // namespace limen::check
