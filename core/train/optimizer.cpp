#include <limen/optimizer.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/parallel.hpp"
#include "base/text.hpp"
#include "train/optimizer_kernels.hpp"

namespace limen {
namespace {

// Small enough to stay in the first-level cache with three slots, large enough to be worth a
// thread.
constexpr std::int64_t kPiece = 8192;

constexpr OptimizerKind kKinds[] = {OptimizerKind::sgd, OptimizerKind::rmsprop, OptimizerKind::adam,
                                    OptimizerKind::adamw};

double argument(const NumericCall& call, const std::string& name, double otherwise) {
  const auto found = call.args.find(name);
  return found == call.args.end() ? otherwise : found->second;
}

[[noreturn]] void refuse(const NumericCall& call, std::string message) {
  throw Error(Diagnostic{.code = "E0208",
                         .message = std::move(message),
                         .spans = {call.where},
                         .notes = {},
                         .help = {}});
}

void require(const NumericCall& call, const char* name, double value, bool good,
             const char* range) {
  if (good) return;  // NaN fails every comparison, hence "good" and not "bad"
  refuse(call, fmt::format("`{}.{}` must be {}, found `{}`", call.name, name, range, value));
}

void check_settings(const NumericCall& call, const OptimizerSettings& s) {
  require(call, "lr", s.lr, s.lr >= 0 && std::isfinite(s.lr), "a finite number >= 0");
  require(call, "weight_decay", s.weight_decay,
          s.weight_decay >= 0 && std::isfinite(s.weight_decay), "a finite number >= 0");
  require(call, "momentum", s.momentum, s.momentum >= 0 && std::isfinite(s.momentum),
          "a finite number >= 0");
  require(call, "dampening", s.dampening, std::isfinite(s.dampening), "a finite number");
  require(call, "alpha", s.alpha, s.alpha >= 0 && s.alpha <= 1, "in [0, 1]");
  require(call, "beta1", s.beta1, s.beta1 >= 0 && s.beta1 < 1, "in [0, 1)");
  require(call, "beta2", s.beta2, s.beta2 >= 0 && s.beta2 < 1, "in [0, 1)");
  require(call, "eps", s.eps, s.eps >= 0 && std::isfinite(s.eps), "a finite number >= 0");
  if (s.nesterov && (s.momentum <= 0 || s.dampening != 0)) {
    refuse(call, "`sgd.nesterov` needs a momentum above 0 and no dampening");
  }
}

std::vector<std::string> slot_names_of(const OptimizerSettings& s) {
  switch (s.kind) {
    case OptimizerKind::sgd:
      if (s.momentum > 0) return {"momentum_buffer"};
      return {};
    case OptimizerKind::rmsprop: {
      std::vector<std::string> names = {"square_avg"};
      if (s.centered) names.push_back("grad_avg");
      if (s.momentum > 0) names.push_back("momentum_buffer");
      return names;
    }
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return {"exp_avg", "exp_avg_sq"};
  }
  return {};
}

// The scalars of step number `step`, from 1.
StepScalars scalars_of(const OptimizerSettings& s, std::int64_t step, double lr,
                       double grad_scale) {
  StepScalars out;
  out.lr = lr;
  out.grad_scale = grad_scale;
  out.l2 = s.weight_decay;
  out.eps = s.eps;
  out.alpha = s.alpha;
  out.momentum = s.momentum;
  // PyTorch starts the buffer as the gradient itself, without dampening.
  out.old_part = step == 1 ? 0 : s.momentum;
  out.new_part = step == 1 ? 1 : 1 - s.dampening;
  out.from_gradient = s.nesterov ? 1 : 0;
  out.from_buffer = s.nesterov ? s.momentum : 1;
  if (s.kind == OptimizerKind::adam || s.kind == OptimizerKind::adamw) {
    out.beta1 = s.beta1;
    out.beta2 = s.beta2;
    out.lr = lr / (1 - std::pow(s.beta1, static_cast<double>(step)));
    out.root_correction2 = std::sqrt(1 - std::pow(s.beta2, static_cast<double>(step)));
  }
  if (s.kind == OptimizerKind::adamw) {
    out.l2 = 0;
    out.keep = 1 - lr * s.weight_decay;
  }
  return out;
}

template <class T>
using Update = T (*)(std::uint32_t, const Piece<T>&, const StepScalars&);

template <class T>
Update<T> kernel_of(const OptimizerSettings& s) {
  switch (s.kind) {
    case OptimizerKind::sgd:
      return s.momentum > 0 ? &sgd_momentum<T> : &sgd_plain<T>;
    case OptimizerKind::rmsprop:
      if (s.centered) return s.momentum > 0 ? &rmsprop<T, true, true> : &rmsprop<T, true, false>;
      return s.momentum > 0 ? &rmsprop<T, false, true> : &rmsprop<T, false, false>;
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      break;
  }
  return &adam<T>;
}

template <class T>
double sum_of_squares_as(const TensorView& tensor, int threads) {
  const std::span<const T> values = tensor.as<T>();
  const auto n = static_cast<std::int64_t>(values.size());
  std::vector<double> sums(static_cast<std::size_t>((n + kPiece - 1) / kPiece));
  parallel_ranges(threads, n, kPiece, [&](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    const T* const data = values.data();
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) {
      sum += static_cast<double>(data[i]) * static_cast<double>(data[i]);
    }
    sums[static_cast<std::size_t>(begin / kPiece)] = sum;
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

std::string_view name_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return "sgd";
    case OptimizerKind::rmsprop:
      return "rmsprop";
    case OptimizerKind::adam:
      return "adam";
    case OptimizerKind::adamw:
      break;
  }
  return "adamw";
}

OptimizerSettings OptimizerSettings::from(const NumericCall& call) {
  OptimizerSettings s;
  std::vector<std::string> names;
  bool known = false;
  for (const OptimizerKind kind : kKinds) {
    names.emplace_back(name_of(kind));
    if (name_of(kind) != call.name) continue;
    s.kind = kind;
    known = true;
  }
  if (!known) {
    throw Error(Diagnostic{.code = "E0201",
                           .message = fmt::format("unknown optimizer `{}`", call.name),
                           .spans = {call.where},
                           .notes = {},
                           .help = {"known: " + join(names)}});
  }
  s.lr = argument(call, "lr", s.kind == OptimizerKind::rmsprop ? 1e-2 : 1e-3);
  s.weight_decay = argument(call, "weight_decay", s.kind == OptimizerKind::adamw ? 1e-2 : 0);
  s.momentum = argument(call, "momentum", 0);
  s.dampening = argument(call, "dampening", 0);
  s.nesterov = argument(call, "nesterov", 0) != 0;
  s.alpha = argument(call, "alpha", s.alpha);
  s.centered = argument(call, "centered", 0) != 0;
  s.beta1 = argument(call, "beta1", s.beta1);
  s.beta2 = argument(call, "beta2", s.beta2);
  s.eps = argument(call, "eps", s.eps);
  check_settings(call, s);
  return s;
}

Optimizer::Optimizer(const OptimizerSettings& settings, std::span<const NamedTensor> parameters,
                     int threads, std::uint32_t isa)
    : settings_(settings), slot_names_(slot_names_of(settings)), threads_(threads), isa_(isa) {
  std::int64_t largest = 0;
  for (const NamedTensor& parameter : parameters) {
    Entry entry{parameter, {}};
    for (std::size_t i = 0; i < slot_names_.size(); ++i) {
      entry.slots.emplace_back(parameter.tensor.type());
    }
    largest = std::max(largest, parameter.tensor.type().elements());
    entries_.push_back(std::move(entry));
  }
  partial_sums_.resize(static_cast<std::size_t>((largest + kPiece - 1) / kPiece));
}

void Optimizer::begin_step(double lr, double grad_scale) {
  ++steps_;
  lr_ = lr;
  grad_scale_ = grad_scale;
}

template <class T>
double Optimizer::update_as(Entry& entry, const TensorView& gradient) {
  const Update<T> kernel = kernel_of<T>(settings_);
  const StepScalars scalars = scalars_of(settings_, steps_, lr_, grad_scale_);
  T* const parameter = entry.parameter.tensor.as<T>().data();
  const T* const from = gradient.as<T>().data();
  T* slots[3] = {nullptr, nullptr, nullptr};
  for (std::size_t s = 0; s < entry.slots.size(); ++s) slots[s] = entry.slots[s].as<T>().data();
  const std::int64_t n = gradient.type.elements();
  parallel_ranges(threads_, n, kPiece, [&](std::int64_t begin, std::int64_t end) {
    Piece<T> piece{parameter + begin, from + begin, {nullptr, nullptr, nullptr}, end - begin};
    for (std::size_t s = 0; s < 3; ++s) {
      if (slots[s] != nullptr) piece.slots[s] = slots[s] + begin;
    }
    partial_sums_[static_cast<std::size_t>(begin / kPiece)] =
        static_cast<double>(kernel(isa_, piece, scalars));
  });
  double total = 0;
  for (std::int64_t i = 0; i * kPiece < n; ++i) total += partial_sums_[static_cast<std::size_t>(i)];
  return total;
}

double Optimizer::update(std::size_t i, const TensorView& gradient) {
  Entry& entry = entries_[i];
  assert(gradient.type == entry.parameter.tensor.type());
  return gradient.type.dtype == DType::f64 ? update_as<double>(entry, gradient)
                                           : update_as<float>(entry, gradient);
}

std::vector<NamedTensor> Optimizer::slots() const {
  std::vector<NamedTensor> out;
  for (std::size_t s = 0; s < slot_names_.size(); ++s) {
    for (const Entry& entry : entries_) {
      out.push_back({slot_names_[s] + "." + entry.parameter.name, entry.slots[s]});
    }
  }
  return out;
}

void Optimizer::restore(std::span<const NamedTensor> saved, std::int64_t steps) {
  const std::vector<NamedTensor> own = slots();
  Diagnostic wrong{.code = "E1002",
                   .message = "optimizer state does not fit the model",
                   .spans = {},
                   .notes = {},
                   .help = {"resume with the optimizer the run was started with"}};
  for (const NamedTensor& slot : own) {
    const auto found = std::find_if(saved.begin(), saved.end(),
                                    [&](const NamedTensor& s) { return s.name == slot.name; });
    if (found == saved.end()) {
      wrong.notes.push_back("optimizer." + slot.name + " is missing");
    } else if (found->tensor.type() != slot.tensor.type()) {
      wrong.notes.push_back(fmt::format("optimizer.{} is {} in the file, {} in the model",
                                        slot.name, to_string(found->tensor.type()),
                                        to_string(slot.tensor.type())));
    } else {
      std::copy_n(found->tensor.data(), slot.tensor.type().bytes(), slot.tensor.data());
    }
  }
  if (saved.size() > own.size() && wrong.notes.empty()) {
    wrong.notes.push_back(
        fmt::format("the file holds {} slots, this optimizer {}", saved.size(), own.size()));
  }
  if (!wrong.notes.empty()) throw Error(std::move(wrong));
  steps_ = steps;
}

double sum_of_squares(const TensorView& tensor, int threads) {
  return tensor.type.dtype == DType::f64 ? sum_of_squares_as<double>(tensor, threads)
                                         : sum_of_squares_as<float>(tensor, threads);
}

}  // namespace limen
