#include <limen/plugin_registry.hpp>

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/isa.hpp"
#include "base/text.hpp"
#include "plugin/kernel_choice.hpp"
#include "plugin/param_range.hpp"

namespace limen {
namespace {

const limen_param& param_at(const limen_op& op, std::size_t i) {
  return *LIMEN_AT(limen_param, op.params, i);
}

std::size_t param_index(const limen_op& op, std::string_view name) {
  std::vector<std::string> known;
  for (std::size_t i = 0; i < op.n_params; ++i) {
    if (param_at(op, i).name == name) return i;
    known.emplace_back(param_at(op, i).name);
  }
  std::vector<std::string> help;
  if (std::string hint = did_you_mean(name, known); !hint.empty()) help.push_back(std::move(hint));
  help.push_back(known.empty() ? fmt::format("`{}` has no parameters", op.name)
                               : fmt::format("`{}` has: {}", op.name, join(known)));
  throw Error("E0202", fmt::format("`{}` has no parameter `{}`", op.name, name), std::move(help));
}

// The op's own word on whether the parameters go together.
void check_jointly(const limen_op& op, const std::vector<double>& hyper) {
  if (op.check == nullptr) return;
  std::array<char, 512> text{};
  limen_error error{sizeof(limen_error), 0, -1, text.size(), text.data()};
  if (op.check(hyper.data(), &error) == LIMEN_OK) return;
  text.back() = '\0';
  std::string name = op.name;
  if (error.param >= 0 && static_cast<std::uint32_t>(error.param) < op.n_params) {
    name += fmt::format(".{}", param_at(op, static_cast<std::size_t>(error.param)).name);
  }
  throw Error("E0208", fmt::format("`{}`: {}", name,
                                   text[0] ? text.data() : "the plugin refuses these parameters"));
}

}  // namespace

Activation::Activation(std::shared_ptr<const LoadedPlugin> plugin, const limen_op* op)
    : plugin_(std::move(plugin)), op_(op), axis_(op->axis) {
  for (std::size_t i = 0; i < op->n_params; ++i) {
    const limen_param& p = param_at(*op, i);
    hyper_.push_back(p.flags & LIMEN_PF_REQUIRED ? std::numeric_limits<double>::quiet_NaN()
                                                 : p.def);
  }
}

std::vector<std::string_view> Activation::aliases() const {
  std::vector<std::string_view> all;
  for (const char* const* alias = op_->aliases; alias != nullptr && *alias != nullptr; ++alias) {
    all.emplace_back(*alias);
  }
  return all;
}

std::vector<ParamInfo> Activation::params() const {
  std::vector<ParamInfo> all;
  for (std::size_t i = 0; i < op_->n_params; ++i) {
    const limen_param& p = param_at(*op_, i);
    ParamInfo info{.name = p.name,
                   .doc = p.doc != nullptr ? p.doc : "",
                   .type = p.type,
                   .flags = p.flags,
                   .def = p.def,
                   .min = p.min,
                   .max = p.max,
                   .choices = {},
                   .range = range_text(p)};
    for (std::uint32_t c = 0; p.type == LIMEN_P_CHOICE && c < p.n_choices; ++c) {
      info.choices.emplace_back(p.choices[c]);
    }
    all.push_back(std::move(info));
  }
  return all;
}

Activation Activation::with(const std::map<std::string, double>& values) const {
  Activation changed = *this;
  for (const auto& [name, value] : values) {
    const std::size_t i = param_index(*op_, name);
    const limen_param& p = param_at(*op_, i);
    if (!allows(p, value)) {
      const bool interval = p.type == LIMEN_P_REAL || p.type == LIMEN_P_INT;
      throw Error("E0208", fmt::format("`{}.{}` must be {}{}, found `{}`", op_->name, name,
                                       p.type == LIMEN_P_REAL && interval ? "in " : "",
                                       range_text(p), number_text(value)));
    }
    changed.hyper_[i] = value;
  }
  for (std::size_t i = 0; i < changed.hyper_.size(); ++i) {
    if (!std::isnan(changed.hyper_[i])) continue;
    const limen_param& p = param_at(*op_, i);
    throw Error("E0203", fmt::format("`{}` needs the parameter `{}`", op_->name, p.name),
                {fmt::format("give it a value: {}", range_text(p))});
  }
  check_jointly(*op_, changed.hyper_);
  return changed;
}

Activation Activation::along(int axis) const {
  Activation changed = *this;
  changed.axis_ = axis;
  return changed;
}

double Activation::choice(std::string_view param, std::string_view text) const {
  const limen_param& p = param_at(*op_, param_index(*op_, param));
  std::vector<std::string> choices;
  for (std::uint32_t i = 0; p.type == LIMEN_P_CHOICE && i < p.n_choices; ++i) {
    if (p.choices[i] == text) return i;
    choices.emplace_back(p.choices[i]);
  }
  std::vector<std::string> help;
  if (std::string hint = did_you_mean(text, choices); !hint.empty()) help.push_back(hint);
  throw Error(
      "E0208",
      fmt::format("`{}.{}` must be {}, found the text `{}`", op_->name, param,
                  p.type == LIMEN_P_CHOICE ? range_text(p) : "a number " + range_text(p), text),
      std::move(help));
}

const limen_kernel* choose_kernel(const limen_op& op, std::uint32_t role, std::uint32_t dtype,
                                  std::uint32_t isa, std::uint32_t may_read,
                                  std::uint32_t variant) noexcept {
  const limen_kernel* best = nullptr;
  for (std::size_t i = 0; i < op.n_kernels; ++i) {
    const limen_kernel* k = LIMEN_AT(limen_kernel, op.kernels, i);
    const bool fits = k->role == role && k->dtype == dtype && k->variant == variant &&
                      (k->reads & ~may_read) == 0 && isa_runs(k->isa, isa);
    if (fits && (best == nullptr || k->isa > best->isa)) best = k;
  }
  return best;
}

const limen_kernel* Activation::kernel(std::uint32_t role, std::uint32_t dtype, std::uint32_t isa,
                                       std::uint32_t may_read,
                                       std::uint32_t variant) const noexcept {
  return choose_kernel(*op_, role, dtype, isa, may_read, variant);
}

std::string Activation::identity() const {
  std::string settings;
  const auto add = [&](std::string_view name, const std::string& value) {
    settings += fmt::format("{}{}={}", settings.empty() ? "" : ",", name, value);
  };
  for (std::size_t i = 0; i < hyper_.size(); ++i) {
    add(param_at(*op_, i).name, number_text(hyper_[i]));
  }
  if (rows() || op_->arity > 1 || op_->outputs > 1) add("axis", std::to_string(axis_));
  return fmt::format("{}{}@{}/{}", op_->name, settings.empty() ? "" : "{" + settings + "}",
                     plugin_->name(), plugin_->version());
}

}  // namespace limen
