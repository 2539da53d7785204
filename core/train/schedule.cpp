#include "train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace limen {
namespace {

[[noreturn]] void refuse(const NumericCall& call, const char* code, std::string message) {
  throw Error(Diagnostic{
      .code = code, .message = std::move(message), .spans = {call.where}, .notes = {}, .help = {}});
}

std::int64_t duration_in_steps(const NumericCall& call, const char* name,
                               std::int64_t steps_per_epoch, std::int64_t otherwise) {
  const auto found = call.durations.find(name);
  if (found == call.durations.end()) return otherwise;
  if (found->second.unit == Duration::Unit::seconds) {
    refuse(call, "E0208", fmt::format("`{}.{}` must be in steps or epochs", call.name, name));
  }
  if (!(found->second.amount >= 0)) {
    refuse(call, "E0208", fmt::format("`{}.{}` must not be negative", call.name, name));
  }
  return steps_of(found->second, steps_per_epoch, 0);
}

double argument(const NumericCall& call, const char* name, double otherwise) {
  const auto found = call.args.find(name);
  if (found == call.args.end()) return otherwise;
  if (!(found->second >= 0 && std::isfinite(found->second))) {
    refuse(call, "E0208",
           fmt::format("`{}.{}` must be a finite number >= 0, found `{}`", call.name, name,
                       found->second));
  }
  return found->second;
}

}  // namespace

std::int64_t steps_of(const Duration& duration, std::int64_t steps_per_epoch, std::int64_t least) {
  if (duration.unit == Duration::Unit::seconds) return 0;
  const double factor =
      duration.unit == Duration::Unit::epochs ? static_cast<double>(steps_per_epoch) : 1.0;
  // Far above any training, and far below what a 64-bit count holds.
  const double steps = std::min(std::round(duration.amount * factor), 1e15);
  return std::max(least, static_cast<std::int64_t>(steps));
}

Schedule::Schedule(const std::optional<NumericCall>& call, double base,
                   std::int64_t steps_per_epoch, std::int64_t total_steps)
    : base_(base), total_(total_steps) {
  if (!call) return;
  warmup_ = duration_in_steps(*call, "warmup", steps_per_epoch, 0);
  if (call->name == "constant") return;
  if (call->name == "step" || call->name == "exponential") {
    kind_ = Kind::step;
    gamma_ = argument(*call, "gamma", call->name == "step" ? 0.1 : 1.0);
    every_ = std::max<std::int64_t>(
        1, duration_in_steps(*call, "every", steps_per_epoch, steps_per_epoch));
  } else if (call->name == "cosine") {
    kind_ = Kind::cosine;
    final_ = argument(*call, "final", 0);
  } else {
    refuse(*call, "E0201", fmt::format("unknown schedule `{}`", call->name));
  }
}

double Schedule::rate(std::int64_t steps_done) const {
  if (steps_done < warmup_) {
    return base_ * static_cast<double>(steps_done + 1) / static_cast<double>(warmup_);
  }
  switch (kind_) {
    case Kind::constant:
      return base_;
    case Kind::step:
      return base_ * std::pow(gamma_, static_cast<double>(steps_done / every_));
    case Kind::cosine:
      break;
  }
  const std::int64_t span = std::max<std::int64_t>(1, total_ - warmup_);
  const double part =
      std::min(1.0, static_cast<double>(steps_done - warmup_) / static_cast<double>(span));
  return final_ + (base_ - final_) * (1 + std::cos(std::numbers::pi * part)) / 2;
}

}  // namespace limen
