// The learning rate as a pure function of the step.
#pragma once

#include <cstdint>
#include <optional>

#include <limen/model.hpp>

namespace limen {

// With s steps done, W the warm-up, T the steps of the whole training, and base the optimizer's lr:
// for s < W the rate is base (s + 1) / W, afterwards
//   constant      base
//   step          base gamma^floor(s / every)          (PyTorch's StepLR; gamma 0.1, every 1 epoch)
//   exponential   the same with every = 1 epoch        (PyTorch's ExponentialLR)
//   cosine        final + (base - final) (1 + cos(pi (s - W) / (T - W))) / 2
//                                                      (CosineAnnealingLR with eta_min = final)
// Arguments: gamma, final; durations: warmup, every, in steps or epochs.
class Schedule {
 public:
  // No call: constant. Throws Error E0201 for an unknown name, E0208 for a value without meaning.
  Schedule(const std::optional<NumericCall>& call, double base, std::int64_t steps_per_epoch,
           std::int64_t total_steps);

  double rate(std::int64_t steps_done) const;

 private:
  enum class Kind { constant, step, cosine };
  Kind kind_ = Kind::constant;
  double base_;
  double gamma_ = 1;
  double final_ = 0;
  std::int64_t every_ = 1;   // steps
  std::int64_t warmup_ = 0;  // steps
  std::int64_t total_;
};

// Whole steps of a duration, at least `least`. Time has no steps: 0 for seconds.
std::int64_t steps_of(const Duration& duration, std::int64_t steps_per_epoch,
                      std::int64_t least = 1);

}  // namespace limen
