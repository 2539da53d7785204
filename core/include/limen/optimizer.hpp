// Optimizers: sgd, rmsprop, adam, adamw with PyTorch's formulas and defaults (torch.optim of
// PyTorch 1.13). Scalars are computed in double and used in the element type of the parameter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/checkpoint.hpp>
#include <limen/model.hpp>
#include <limen/tensor.hpp>

namespace limen {

enum class OptimizerKind : std::uint8_t { sgd, rmsprop, adam, adamw };

struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::sgd;
  double lr = 1e-3;                    // before the schedule; what PyTorch calls lr
  double momentum = 0, dampening = 0;  // sgd; rmsprop has momentum too
  bool nesterov = false;
  double weight_decay = 0;  // adamw: decoupled, 1e-2 if not given
  double alpha = 0.99;      // rmsprop
  bool centered = false;
  double beta1 = 0.9, beta2 = 0.999;  // adam, adamw
  double eps = 1e-8;

  // From the call of a model file. Throws Error E0208 for values that have no meaning (a negative
  // rate; nesterov without momentum or with dampening) and E0201 for an unknown name.
  static OptimizerSettings from(const NumericCall& call);
};

std::string_view name_of(OptimizerKind kind);

// Updates parameters in place. A step is begin_step(), then update() once for each parameter, in
// any order, as its gradient becomes known. Not thread-safe; uses `threads` threads inside, and
// gives the same bits for any number of them.
class Optimizer {
 public:
  // Shares the buffers of `parameters` (f32 or f64); slots start at zero.
  Optimizer(const OptimizerSettings& settings, std::span<const NamedTensor> parameters,
            int threads = 1, std::uint32_t isa = 0);

  const OptimizerSettings& settings() const { return settings_; }
  std::int64_t steps() const { return steps_; }  // begun so far: part of the state

  // Opens the next step with the rate of the schedule. Every gradient is multiplied by grad_scale
  // first (clipping).
  void begin_step(double lr, double grad_scale = 1);
  // Updates parameter i. Returns the sum of the squares of the gradient, before grad_scale.
  double update(std::size_t i, const TensorView& gradient);

  // The state: slots "<slot>.<parameter>" (momentum_buffer, square_avg, grad_avg, exp_avg,
  // exp_avg_sq), sharing buffers, in a fixed order.
  std::vector<NamedTensor> slots() const;
  // Puts back a state. Throws Error E1002 if names or types differ.
  void restore(std::span<const NamedTensor> slots, std::int64_t steps);

 private:
  struct Entry {
    NamedTensor parameter;
    std::vector<Tensor> slots;  // in the order of slot_names_
  };
  template <class T>
  double update_as(Entry& entry, const TensorView& gradient);

  OptimizerSettings settings_;
  std::vector<std::string> slot_names_;
  std::vector<Entry> entries_;
  int threads_;
  std::uint32_t isa_;
  std::int64_t steps_ = 0;
  double lr_ = 0, grad_scale_ = 1;
  std::vector<double> partial_sums_;
};

// Sum of squares in double, in an order that the number of threads does not change.
double sum_of_squares(const TensorView& tensor, int threads = 1);

}  // namespace limen
